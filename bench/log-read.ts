/**
 * What the check of cold reads costs: MB/s read from the page cache, a megabyte at a time, in batches of 1, 16 and 256 KiB, as fresh bytes
 * (not checked) and as those that were there when the log was opened (checked).
 *
 *   node bench/log-read.ts [--dir DIR] [--megabytes 256]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'
import { openPartitionLog } from '#broker/log/partition-log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { logConfig as config } from './measure/log-config.ts'

const { values: args } = parseArgs({
  options: { dir: { type: 'string', default: tmpdir() }, megabytes: { type: 'string', default: '256' } },
})

function open(directory: string, cleanShutdown: boolean): SegmentedLog {
  const topicPartition = { topic: 'bench', partition: 0 }
  const topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
  return openPartitionLog({ environment: nodeEnvironment(), directory, topicPartition, topicId, config, cleanShutdown })
}

/** Bytes per second. */
function readAll(log: SegmentedLog): number {
  const begin = performance.now()
  let bytes = 0
  for (let offset = 0; offset < log.logEndOffset;) {
    const result = log.read(offset, { maxBytes: 1024 ** 2, untilOffset: log.logEndOffset, atLeastOneBatch: true })
    if ('refused' in result) throw new Error(result.refused)
    bytes += result.records.length
    offset = result.nextOffset
  }
  return (bytes * 1000) / (performance.now() - begin)
}

for (const kibibytes of [1, 16, 256]) {
  const root = mkdtempSync(join(args.dir, 'faultline-bench-'))
  try {
    const directory = join(root, 'bench-0')
    const log = open(directory, false)
    const count = (Number(args.megabytes) * 1024) / kibibytes
    for (let index = 0; index < count; index++) {
      const batch = buildBatch([{ value: Buffer.alloc(kibibytes * 1024 - 100, index) }], { timestamp: Date.now() })
      log.appendAsLeader(batch, { origin: 'client', leaderEpoch: 0, wallMs: Date.now() })
    }
    const fresh = Math.max(readAll(log), readAll(log), readAll(log))
    log.close()
    const reopened = open(directory, true)
    const cold = Math.max(readAll(reopened), readAll(reopened), readAll(reopened))
    reopened.close()
    const [a, b] = [fresh, cold].map(rate => Math.round(rate / 1e6))
    console.log(`${kibibytes} KiB batches: ${a} MB/s not checked, ${b} MB/s checked`)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}
