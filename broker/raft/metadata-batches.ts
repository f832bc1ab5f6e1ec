/**
 * The bytes of the metadata log and its snapshots: batches of framed metadata records and the control records of KRaft, as Kafka writes
 * them. Knows no file and no quorum.
 * Sources: KIP-595 (LeaderChange), KIP-630 (snapshot header and footer).
 */
import { LogDirectoryError } from '../log/meta-properties.ts'
import { codec } from '../protocol/codec.ts'
import { batches, wholeBatchesBytes, type BatchView } from '../protocol/records/batch.ts'
import { buildBatch, buildControlBatch, controlTypes } from '../protocol/records/batch-build.ts'
import { controlTypeOf, readRecords } from '../protocol/records/batch-read.ts'
import { checkBatchBytes } from '../protocol/records/batch-validate.ts'
import { leaderChangeMessage, snapshotFooterRecord, snapshotHeaderRecord } from '../protocol/records/control.ts'
import { checkKraftVersion } from './kraft-version.ts'
import type { EpochStart, FetchedRecords } from './quorum-messages.ts'

/** Where and when a batch is written. */
export interface BatchPlace {
  readonly baseOffset: number
  readonly epoch: number
  readonly wallMs: number
}

/** A batch of a snapshot holds at most so many records and about so many bytes. */
const snapshotBatchRecordsMax = 1024
const snapshotBatchBytesMax = 1024 * 1024

export function recordsBatch(values: readonly Buffer[], place: BatchPlace): Buffer {
  return buildBatch(
    values.map(value => ({ key: null, value })),
    batchOptions(place),
  )
}

export function leaderChangeBatch(
  change: { leaderId: number; voters: readonly number[]; grantingVoters: readonly number[] },
  place: BatchPlace,
): Buffer {
  const asVoter = (voterId: number) => ({ voterId })
  const value = codec(leaderChangeMessage, 0).encodeToBuffer({
    version: 0,
    leaderId: change.leaderId,
    voters: change.voters.map(asVoter),
    grantingVoters: change.grantingVoters.map(asVoter),
  })
  return buildControlBatch('leaderChange', value, batchOptions(place))
}

/** All batches of a snapshot: header, records, footer. Offsets in a snapshot count from 0 and mean nothing. */
export function* snapshotBatches(
  records: readonly Buffer[],
  about: { epoch: number; wallMs: number; lastContainedLogTimestamp: number },
): Generator<Buffer> {
  let offset = 0
  const place = (): BatchPlace => ({ baseOffset: offset, epoch: about.epoch, wallMs: about.wallMs })
  const header = { version: 0, lastContainedLogTimestamp: about.lastContainedLogTimestamp }
  yield buildControlBatch(
    'snapshotHeader',
    codec(snapshotHeaderRecord, 0).encodeToBuffer(header),
    batchOptions(place()),
  )
  offset += 1
  for (let from = 0; from < records.length;) {
    let bytes = 0
    let until = from
    while (until < records.length && until - from < snapshotBatchRecordsMax && bytes < snapshotBatchBytesMax) {
      bytes += records[until]?.length ?? 0
      until += 1
    }
    yield recordsBatch(records.slice(from, until), place())
    offset += until - from
    from = until
  }
  const footer = codec(snapshotFooterRecord, 0).encodeToBuffer({ version: 0 })
  yield buildControlBatch('snapshotFooter', footer, batchOptions(place()))
}

export interface SnapshotContent {
  readonly lastContainedLogTimestamp: number
  readonly records: readonly Buffer[]
}

/** @throws LogDirectoryError when the snapshot at `path` is cut off or damaged, or of a dynamic quorum */
export function readSnapshot(bytes: Buffer, path: string): SnapshotContent {
  const damaged = (why: string): Error =>
    new LogDirectoryError(
      `${path}: expected a snapshot from header to footer, ${why}; restore the file, or remove it if another voter is healthy, ` +
        'to fetch a new one from there',
    )
  if (wholeBatchesBytes(bytes) !== bytes.length) throw damaged('the last batch is cut off')
  let lastContainedLogTimestamp: number | undefined
  let isComplete = false
  const records: Buffer[] = []
  for (const batch of batches(bytes)) {
    const problem = checkBatchBytes(bytes, batch.start)
    if (problem !== undefined) throw damaged(problem.message)
    checkKraftVersion(batch, path)
    for (const record of readRecords(batch)) {
      if (!batch.isControl) records.push(Buffer.from(record.value ?? Buffer.alloc(0)))
      else if (controlTypeOf(record) === controlTypes.snapshotFooter) isComplete = true
      else if (controlTypeOf(record) === controlTypes.snapshotHeader && record.value !== null) {
        const header = codec(snapshotHeaderRecord, record.value.readInt16BE(0)).decode(record.value)
        lastContainedLogTimestamp = header.lastContainedLogTimestamp
      }
    }
  }
  if (lastContainedLogTimestamp === undefined) throw damaged('the header is missing')
  if (!isComplete) throw damaged('the footer is missing')
  return { lastContainedLogTimestamp, records }
}

/**
 * What the machine must know of batches that came from another node; a batch cut off at the end is left out. Undefined when there is no
 * whole batch. Throws on damage: offsets with a gap, epochs that fall, a wrong CRC.
 */
export function describeFetched(records: Buffer): FetchedRecords | undefined {
  const bytes = records.subarray(0, wholeBatchesBytes(records))
  if (bytes.length === 0) return undefined
  const epochs: EpochStart[] = []
  let baseOffset: number | undefined
  let endOffset = 0
  for (const batch of batches(bytes)) {
    const problem = checkBatchBytes(bytes, batch.start)
    if (problem !== undefined) throw new Error(`fetched metadata batch at ${batch.baseOffset}: ${problem.message}`)
    if (baseOffset !== undefined && batch.baseOffset !== endOffset) {
      throw new Error(`fetched metadata batches: expected one at offset ${endOffset}, got ${batch.baseOffset}`)
    }
    baseOffset ??= batch.baseOffset
    endOffset = batch.nextOffset
    const epoch = batch.partitionLeaderEpoch
    const newest = epochs.at(-1)?.epoch ?? -1
    if (epoch < newest)
      throw new Error(`fetched metadata batch at ${batch.baseOffset}: epoch ${epoch} follows epoch ${newest}`)
    if (epoch > newest) epochs.push({ epoch, startOffset: batch.baseOffset })
  }
  return { bytes, baseOffset: baseOffset ?? 0, endOffset, epochs }
}

/** Values of the metadata records of a batch; they outlive the buffer they were read from. */
export function recordValues(batch: BatchView): readonly Buffer[] {
  return readRecords(batch).map(record => Buffer.from(record.value ?? Buffer.alloc(0)))
}

function batchOptions(place: BatchPlace): { timestamp: number; baseOffset: number; partitionLeaderEpoch: number } {
  return { timestamp: place.wallMs, baseOffset: place.baseOffset, partitionLeaderEpoch: place.epoch }
}
