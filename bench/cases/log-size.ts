/**
 * Whether the size of a log is felt: what an append and a fetch cost on logs of a megabyte, a gigabyte, a hundred gigabytes. Measures the log
 * alone, in this process.
 *
 * The large logs are sparse files: real segments of a gigabyte, with batches of a record of 1 KiB between batches of one record of 64 MiB whose
 * value is a hole in the file. Headers, offsets, positions and indexes are those of a log of that size; only the disk is not filled. Their
 * indexes are made by the broker itself, by the first use, which is not measured.
 */
import { closeSync, ftruncateSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'
import type { LogConfig } from '#broker/log/log.ts'
import { offsetFileName, snapshotSuffix } from '#broker/log/log-files.ts'
import { encodeProducerSnapshot } from '#broker/log/producer-snapshots.ts'
import { openPartitionLog } from '#broker/log/partition-log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { stampCrc, stampOffsetAndEpoch } from '#broker/protocol/records/batch.ts'
import { buildBatch, varint } from '#broker/protocol/records/batch-build.ts'
import { failure } from '#scripts/errors.ts'
import type { FigureKind } from '../figures.ts'
import { median } from '../figures.ts'
import { logConfig } from '../measure/log-config.ts'
import type { BenchCase, CaseContext } from './context.ts'

const MiB = 1024 ** 2
const GiB = 1024 ** 3
const holeBytes = 64 * MiB
const holesPerSegment = Math.floor(GiB / holeBytes) - 1
/** So many batches with a record of 1 KiB in front of each hole. */
const smallPerHole = 8

const kind = (name: string, unit: string): FigureKind => ({ case: 'log-size', name, unit, better: 'lower' })

export const logSize: BenchCase = {
  minutesPerRound: 5,
  async run(context) {
    if (!context.options.engines.includes('faultline')) return
    for (let round = 0; round < context.options.rounds; round++) {
      context.progress(`log-size: round ${round + 1} of ${context.options.rounds}`)
      await measureSizes(context)
    }
  },
}

const sizes: readonly (readonly [string, number])[] = [
  ['1 MB', 0],
  ['1 GB', 1],
  ['128 GB', 128],
]

interface Cost {
  append: number[]
  fetch: number[]
  tail: number[]
}

/** The logs take turns, so that what else happens on the machine hits all of them. */
async function measureSizes({ figures, options, signal, work }: CaseContext): Promise<void> {
  const root = join(work, 'log-size')
  const logs = sizes.map(([title, segments]) => {
    const { log, openedMs } = open(root, `size-${segments}`, segments)
    figures.add(kind(`open a log of ${title}`, 'ms'), 'faultline', openedMs)
    const cost: Cost = { append: [], fetch: [], tail: [] }
    return { title, log, cost }
  })
  const batch = buildBatch([{ value: Buffer.alloc(1000, 120) }], { timestamp: Date.now() })
  const perTurn = 500
  for (const { log } of logs)
    for (let offset = log.logStartOffset; offset < log.logEndOffset; offset += 8) read(log, offset)
  for (let turn = 0; turn < (options.quick ? 30 : 300); turn++) {
    signal.throwIfAborted()
    for (let index = 0; index < logs.length; index++) {
      const { log, cost } = logs[(turn + index) % logs.length]!
      cost.append.push(microseconds(perTurn, () => append(log, batch)))
      cost.tail.push(microseconds(perTurn, index => read(log, log.logEndOffset - 1 - (index % 50))))
      cost.fetch.push(microseconds(perTurn, index => read(log, spread(log, turn * perTurn + index))))
    }
    await new Promise(done => setImmediate(done))
  }
  const [smallest] = logs
  for (const { title, log, cost } of logs) {
    for (const [what, name] of [
      ['append', 'append of 1 KiB'],
      ['tail', 'fetch of 1 KiB at the end'],
      ['fetch', 'fetch of 1 KiB anywhere'],
    ] as const) {
      const own = median(cost[what])!
      figures.add(kind(`${name}, log of ${title}`, 'µs'), 'faultline', own)
      if (log !== smallest!.log)
        figures.add(kind(`${name}, ${title} against 1 MB`, '×'), 'faultline', own / median(smallest!.cost[what])!)
    }
    log.release()
  }
  rmSync(root, { recursive: true })
}

function microseconds(count: number, run: (index: number) => void): number {
  const begin = performance.now()
  for (let index = 0; index < count; index++) run(index)
  return ((performance.now() - begin) * 1000) / count
}

function append(log: SegmentedLog, batch: Buffer): void {
  // As a producer sends it; the log stamped it the last time.
  batch.writeBigInt64BE(0n, 0)
  const result = log.appendAsLeader(batch, { origin: 'client', leaderEpoch: 0, wallMs: Date.now() })
  if (!('appended' in result)) throw failure(`An append was refused: ${JSON.stringify(result)}`)
}

function read(log: SegmentedLog, offset: number): void {
  const result = log.read(offset, { maxBytes: 1100, untilOffset: log.logEndOffset, atLeastOneBatch: false })
  if ('refused' in result) throw failure(`Offset ${offset} was refused: ${result.refused}`)
}

/** Offsets all over the log, in no order that a disk or a cache would like; never one of a hole. */
function spread(log: SegmentedLog, index: number): number {
  const offset = (index * 7919) % (log.logEndOffset - 1)
  return offset % (smallPerHole + 1) === smallPerHole ? offset - 1 : offset
}

function open(root: string, name: string, segments: number): { log: SegmentedLog; openedMs: number } {
  const directory = join(root, `${name}-0`)
  makeFolder(directory)
  let offset = 0
  for (let segment = 0; segment < segments; segment++) offset = writeSparse(directory, offset)
  // As the broker leaves it when it stops: a start does not have to read who produced.
  if (segments > 0) writeFileSync(join(directory, offsetFileName(offset, snapshotSuffix)), encodeProducerSnapshot([]))
  const config: LogConfig = { ...logConfig, segmentBytes: GiB }
  const begin = performance.now()
  const log = openPartitionLog({
    environment: nodeEnvironment({ logTo: () => {} }),
    directory,
    topicPartition: { topic: name, partition: 0 },
    topicId: 'AAAAAAAAAAAAAAAAAAAAAQ',
    config,
    cleanShutdown: true,
    recoveryPoint: offset,
  })
  const openedMs = performance.now() - begin
  const batch = buildBatch([{ value: Buffer.alloc(1000, 120) }], { timestamp: Date.now() })
  for (let index = 0; index < 1000; index++) append(log, batch)
  return { log, openedMs }
}

/** One segment of about a gigabyte; returns the offset that follows it. */
function writeSparse(directory: string, baseOffset: number): number {
  const small = buildBatch([{ value: Buffer.alloc(1000, 120) }], { timestamp: Date.now() })
  const hole = holeHeader()
  const file = openSync(join(directory, offsetFileName(baseOffset, '.log')), 'w')
  try {
    let offset = baseOffset
    let position = 0
    const write = (batch: Buffer, sizeBytes: number): void => {
      stampOffsetAndEpoch(batch, 0, offset++, 0)
      writeSync(file, batch, 0, batch.length, position)
      position += sizeBytes
    }
    for (let holes = 0; holes < holesPerSegment; holes++) {
      for (let index = 0; index < smallPerHole; index++) write(small, small.length)
      write(hole.bytes, hole.sizeBytes)
    }
    ftruncateSync(file, position)
    return offset
  } finally {
    closeSync(file)
  }
}

/** Header of a batch of one record, and the record up to its value, which is as long as the hole. */
function holeHeader(): { readonly bytes: Buffer; readonly sizeBytes: number } {
  const template = buildBatch([{ value: 'x' }], { timestamp: Date.now() })
  const value = Buffer.concat([Buffer.from([0]), varint(0), varint(0), varint(-1), varint(holeBytes)])
  const record = Buffer.concat([varint(value.length + holeBytes + 1), value])
  const bytes = Buffer.concat([template.subarray(0, 61), record])
  stampCrc(template, 0)
  // The checksum would be that of the hole, too; nobody reads it on the way to a consumer.
  const sizeBytes = bytes.length + holeBytes + 1
  bytes.writeInt32BE(sizeBytes - 12, 8)
  return { bytes, sizeBytes }
}
