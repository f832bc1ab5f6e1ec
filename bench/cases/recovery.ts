/**
 * A start after kill -9: only what lies above the recovery point may be read, however long the log is.
 *
 * The old part of the log takes no room: each of its segments is a sparse file of a gigabyte that holds one batch, as its header says, of
 * zeros. Nobody who keeps to the recovery point finds out. The part above it consists of real batches of 64 KiB.
 */
import { closeSync, ftruncateSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { realClock } from '#scripts/cluster/clock.ts'
import type { Cluster } from '#scripts/cluster/cluster.ts'
import { fetchFrom, produceOne } from '#scripts/cluster/wire-requests.ts'
import { failure } from '#scripts/errors.ts'
import type { FigureKind } from '../figures.ts'
import { makeTopic, withCluster, withWire, writeOutDirtyPages } from '../measure/bench-cluster.ts'
import type { BenchCase, CaseContext } from './context.ts'

const topic = 'old'
const gigabyte = 1024 ** 3
const recordsPerSegment = 1_000_000
const batchValueBytes = 64 * 1024
const START_TIMEOUT_MS = 120_000

export const recovery: BenchCase = {
  minutesPerRound: 10,
  async run(context) {
    const { options, progress, signal } = context
    if (!options.engines.includes('faultline')) return
    const sizes = options.quick ? [1, 10] : [1, 10, 100]
    const tails = options.quick ? [0, 16] : [0, 64, 256]
    for (let round = 0; round < options.rounds; round++) {
      for (const gigabytes of sizes) {
        for (const megabytes of tails) {
          progress(`recovery, ${gigabytes} GB with ${megabytes} MB to check: round ${round + 1} of ${options.rounds}`)
          await withCluster('faultline', 1, signal, cluster => measure(context, cluster, gigabytes, megabytes))
        }
      }
    }
  },
}

const kind = (name: string): FigureKind => ({ case: 'recovery', name, unit: 's', better: 'lower' })

async function measure(context: CaseContext, cluster: Cluster, gigabytes: number, megabytes: number): Promise<void> {
  await makeTopic(cluster, topic, [[1]])
  await withWire(cluster, client => produceOne(client, { topic, partition: 0 }, Buffer.from('first'), 10_000))
  const [node] = await cluster.nodes()
  if (node?.dataDir === undefined) throw failure('The broker has no data directory.')
  await cluster.kill(1)
  const endOffset = plant(node.dataDir, gigabytes, megabytes)
  await writeOutDirtyPages(context.signal)
  const begin = performance.now()
  await cluster.start(1)
  await served(cluster, endOffset)
  const seconds = (performance.now() - begin) / 1000
  const name = `${gigabytes} GB, ${megabytes} MB above the recovery point: start to first record read`
  context.figures.add(kind(name), 'faultline', seconds)
}

/** Replaces the log. Returns its end offset. */
function plant(dataDir: string, gigabytes: number, megabytes: number): number {
  const directory = join(dataDir, `${topic}-0`)
  for (const name of readdirSync(directory)) if (name !== 'partition.metadata') rmSync(join(directory, name))
  for (let index = 0; index < gigabytes; index++) plantSegment(directory, index * recordsPerSegment)
  const baseOffset = gigabytes * recordsPerSegment
  // One batch of the last segment is below it.
  const recoveryPoint = baseOffset + 1
  const file = openSync(segmentPath(directory, baseOffset, 'log'), 'w')
  let offset = baseOffset
  for (let bytes = 0; offset < recoveryPoint || bytes < megabytes * 1024 ** 2;) {
    const batch = buildBatch([{ value: Buffer.alloc(batchValueBytes, offset % 251) }], {
      baseOffset: offset,
      partitionLeaderEpoch: 0,
      timestamp: Date.now(),
    })
    bytes += writeSync(file, batch)
    offset++
  }
  closeSync(file)
  writeFileSync(join(directory, 'leader-epoch-checkpoint'), '0\n1\n0 0\n')
  writeFileSync(join(dataDir, 'recovery-point-offset-checkpoint'), `0\n1\n${topic} 0 ${recoveryPoint}\n`)
  return offset
}

function plantSegment(directory: string, baseOffset: number): void {
  const header = buildBatch([{ value: 'x' }], { baseOffset, partitionLeaderEpoch: 0, timestamp: Date.now() })
  header.writeInt32BE(gigabyte - 1 - 12, 8)
  header.writeInt32BE(recordsPerSegment - 1, 23)
  const file = openSync(segmentPath(directory, baseOffset, 'log'), 'w')
  writeSync(file, header)
  ftruncateSync(file, gigabyte - 1)
  closeSync(file)
  for (const suffix of ['index', 'timeindex']) writeFileSync(segmentPath(directory, baseOffset, suffix), '')
}

function segmentPath(directory: string, baseOffset: number, suffix: string): string {
  return join(directory, `${String(baseOffset).padStart(20, '0')}.${suffix}`)
}

/** Until the last record is given out. */
async function served(cluster: Cluster, endOffset: number): Promise<void> {
  const endMs = realClock.nowMs() + START_TIMEOUT_MS
  let last = 'nothing'
  while (realClock.nowMs() < endMs) {
    try {
      const { errorCode, batches } = await withWire(cluster, client =>
        fetchFrom(client, { topic, partition: 0, offset: endOffset - 1 }, 2_000),
      )
      if (errorCode === 0 && batches.length > 0) return
      last = `error ${errorCode}`
    } catch (error) {
      last = String(error)
    }
    await realClock.sleep(5)
  }
  throw failure(`The last record was not served within ${START_TIMEOUT_MS / 1000} s: ${last}`)
}
