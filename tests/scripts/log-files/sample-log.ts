/** A data directory on a real disk, as a broker leaves it: several segments, producers, codecs, transactions of every outcome, two epochs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'
import type { AppendRequest } from '#broker/log/log.ts'
import { DirectoryLogManager } from '#broker/log/log-manager.ts'
import { buildBatch, buildEndTransactionMarker } from '#broker/protocol/records/batch-build.ts'
import { defaultConfig, topicId } from '#tests/broker/log/harness.ts'

export const sampleTime = 1_760_000_000_000

export interface SampleLog {
  /** The data directory. */
  readonly root: string
  /** The directory of the partition orders-0. */
  readonly log: string
  readonly logEndOffset: number
  remove(): void
}

export function sampleLog(): SampleLog {
  const parent = mkdtempSync(path.join(tmpdir(), 'faultline-sample-'))
  const root = path.join(parent, 'data')
  const config = { ...defaultConfig, segmentBytes: 8_000, indexIntervalBytes: 1024 }
  const logs = new DirectoryLogManager({
    environment: nodeEnvironment({ logTo: () => {} }),
    logDirs: [root],
    clusterId: 'AAAAAAAAAAAAAAAAAAAAAg',
    nodeId: 1,
    configOf: () => config,
  })
  logs.start()
  const log = logs.getOrCreate({ topic: 'orders', partition: 0 }, topicId, config, { isNew: true })
  const append = (batch: Buffer, request: Partial<AppendRequest> = {}): void => {
    const result = log.appendAsLeader(batch, { origin: 'client', leaderEpoch: 4, wallMs: sampleTime, ...request })
    if (!('appended' in result)) throw new Error(JSON.stringify(result))
  }
  for (let index = 0; index < 100; index++) {
    const timestamp = sampleTime + index * 10
    const records = [
      { key: `k${index}`, value: 'v'.repeat(100), timestamp, headers: [{ key: 'trace', value: `t${index}` }] },
      { value: null, timestamp },
    ]
    const compression = index % 3 === 0 ? 'gzip' : 'none'
    append(buildBatch(records, { producerId: 1000n, producerEpoch: 2, baseSequence: index * 2, compression }))
  }
  const late = { leaderEpoch: 5 }
  for (const [index, type] of (['commit', 'abort', 'abort'] as const).entries()) {
    const producer = { producerId: 77n, producerEpoch: 1 }
    const timestamp = sampleTime + 5_000
    append(
      buildBatch([{ key: 'a', value: 'b', timestamp }], { ...producer, baseSequence: index, transactional: true }),
      late,
    )
    const marker = buildEndTransactionMarker(type, { ...producer, coordinatorEpoch: 3, timestamp })
    append(marker, { ...late, origin: 'coordinator' })
  }
  const open = { producerId: 78n, producerEpoch: 0, baseSequence: 0, transactional: true }
  append(buildBatch([{ key: 'open', value: 'b', timestamp: sampleTime + 6_000 }], open), late)
  const { logEndOffset } = log
  logs.close(() => logEndOffset)
  return {
    root,
    log: path.join(root, 'orders-0'),
    logEndOffset,
    remove: () => rmSync(parent, { recursive: true, force: true }),
  }
}
