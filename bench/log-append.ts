/**
 * What an append to the log costs on this machine: µs per append for batches of 1, 16 and 64 KiB, and MB/s for
 * sustained large batches, with the longest time that one append held the event loop.
 *
 *   node bench/log-append.ts [--dir DIR] [--gigabytes 4] [--only 64] [--writeback 64|Infinity (MiB)]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'
import { openPartitionLog } from '#broker/log/partition-log.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { logConfig } from './measure/log-config.ts'

const { values: args } = parseArgs({
  options: {
    dir: { type: 'string', default: tmpdir() },
    gigabytes: { type: 'string', default: '4' },
    only: { type: 'string' },
    writeback: { type: 'string', default: '64' },
  },
})

interface Result {
  readonly appends: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly longestMs: number
  readonly p99Ms: number
}

/**
 * Appends batches of `batchKiB` of 1 KiB records until `totalBytes` are in the log; the event loop turns after every
 * few.
 */
async function run(batchKiB: number, totalBytes: number): Promise<Result> {
  const root = mkdtempSync(join(args.dir, 'faultline-bench-'))
  const log = openPartitionLog({
    environment: nodeEnvironment({ logTo: () => {} }),
    directory: join(root, 'bench-0'),
    topicPartition: { topic: 'bench', partition: 0 },
    topicId: 'AAAAAAAAAAAAAAAAAAAAAQ',
    config: logConfig,
    cleanShutdown: false,
    writebackBytes: Number(args.writeback) * 1024 ** 2,
  })
  const value = Buffer.alloc(1000, 120)
  const template = buildBatch(
    Array.from({ length: batchKiB }, () => ({ value })),
    { timestamp: Date.now() },
  )
  const appends = Math.ceil(totalBytes / template.length)
  const times = new Float64Array(appends)
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  for (let index = 0; index < appends; index++) {
    template.writeBigInt64BE(0n, 0)
    const before = performance.now()
    const result = log.appendAsLeader(template, { origin: 'client', leaderEpoch: 0, wallMs: Date.now() })
    times[index] = performance.now() - before
    if (!('appended' in result)) throw new Error(`refused: ${JSON.stringify(result)}`)
    if (index % 16 === 15) await new Promise(resolve => setImmediate(resolve))
  }
  const seconds = (performance.now() - start) / 1000
  const cpu = process.cpuUsage(cpuBefore)
  log.release()
  rmSync(root, { recursive: true })
  times.sort()
  return {
    appends,
    seconds,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    longestMs: times.at(-1)!,
    p99Ms: times[Math.floor(appends * 0.99)]!,
  }
}

function report(name: string, batchKiB: number, { appends, seconds, cpuSeconds, longestMs, p99Ms }: Result): void {
  const line = [
    name.padEnd(22),
    `${((seconds / appends) * 1e6).toFixed(1)} µs/append`.padStart(18),
    `${((cpuSeconds / appends) * 1e6).toFixed(1)} µs CPU`.padStart(16),
    `${((appends * batchKiB) / 1024 / seconds).toFixed(0)} MiB/s`.padStart(12),
    `p99 ${p99Ms.toFixed(2)} ms`.padStart(14),
    `longest ${longestMs.toFixed(1)} ms`.padStart(18),
  ]
  console.log(line.join(''))
}

const wanted = (batchKiB: number) => args.only === undefined || Number(args.only) === batchKiB
const sustainedBytes = Number(args.gigabytes) * 1024 ** 3
for (const batchKiB of [1, 16, 64]) {
  if (!wanted(batchKiB) || args.only !== undefined) continue
  await run(batchKiB, 20 * 1024 ** 2)
  report(`${batchKiB} KiB`, batchKiB, await run(batchKiB, 256 * 1024 ** 2))
}
for (const batchKiB of [64, 256])
  if (wanted(batchKiB)) report(`${batchKiB} KiB sustained`, batchKiB, await run(batchKiB, sustainedBytes))
