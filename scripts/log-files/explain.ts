/**
 * A log in words, for somebody who wants to understand it: what a batch is, where offsets and epochs come from, who produced what, which
 * transactions there are and what a read_committed consumer does not see, why offsets are missing, what the entries of the indexes point to.
 */
import type { Disk } from '#broker/environment/environment.ts'
import { DamagedFileError, readEpochCheckpoint } from '#broker/log/checkpoints.ts'
import {
  indexSuffix,
  logSuffix,
  offsetFileName,
  timeIndexSuffix,
  transactionIndexSuffix,
} from '#broker/log/log-files.ts'
import type { ProducerState } from '#broker/log/producer-state.ts'
import type { AbortedTransaction } from '#broker/log/transaction-index.ts'
import type { BatchView } from '#broker/protocol/records/batch.ts'
import { compressionNames } from '#broker/protocol/records/batch.ts'
import { MalformedBatchError, readRecords } from '#broker/protocol/records/batch-read.ts'
import { batchesOf, isDamage } from './batches.ts'
import { timeText } from './dump.ts'
import { abortedEntries, offsetEntries, timeEntries } from './index-entries.ts'
import type { PartitionDirectory } from './places.ts'
import { verifyLog } from './verify-log.ts'
import type { VerifiedLog } from './verify-log.ts'
import { decodeControl, decodeInternal, sentence, short, textOf } from './words.ts'

export interface ExplainOptions {
  /** Batches told per segment; the others are counted. */
  readonly batches: number
  /** Only the segment with this base offset. */
  readonly only?: number | undefined
}

/** Lines of text. */
export function* explainLog(disk: Disk, directory: PartitionDirectory, options: ExplainOptions): Generator<string> {
  const { topic, partition } = directory.partition
  const log = verifyLog(disk, directory, { records: false, recoveryPoint: 0, cleanedUntil: 0, logStartOffset: 0 })
  const { baseOffsets } = directory
  yield `Partition ${partition} of the topic ${topic}: ${log.records} records in ${log.batches} batches, ${log.bytes} bytes, in ${baseOffsets.length} ${baseOffsets.length === 1 ? 'segment' : 'segments'}.`
  yield `Its offsets go from ${log.logStartOffset} to ${log.logEndOffset - 1}; the next record gets offset ${log.logEndOffset} (the log end offset).`
  yield 'A log is a list of batches. A producer sends a batch of records, the leader gives each record the next offset, and appends the bytes; nobody changes them any more. Only the newest segment is written to; the older ones are read, and deleted as a whole when their time has come.'
  const stable = stableOffset(log)
  if (stable !== undefined)
    yield `A transaction is open since offset ${stable}: that is the last stable offset, and read_committed consumers see nothing from there on until it has ended.`
  yield* epochsOf(disk, directory)
  for (const baseOffset of baseOffsets)
    if (options.only === undefined || options.only === baseOffset)
      yield* new SegmentStory(disk, directory, log, options).tell(baseOffset)
  const damages = log.problems.filter(({ severity }) => severity === 'damage').length
  if (damages > 0) yield `\n${damages} things are damaged here: ./faultline log verify ${directory.path} names them.`
}

function stableOffset(log: VerifiedLog): number | undefined {
  const open = openTransactions(log).map(({ currentTxnFirstOffset }) => currentTxnFirstOffset)
  return open.length === 0 ? undefined : Math.min(...open)
}

function openTransactions(log: VerifiedLog): ProducerState[] {
  const atEnd = log.producersAt.get(log.logEndOffset) ?? []
  return atEnd.filter(({ currentTxnFirstOffset }) => currentTxnFirstOffset >= 0)
}

function* epochsOf(disk: Disk, { path }: PartitionDirectory): Generator<string> {
  try {
    const entries = readEpochCheckpoint(disk, `${path}/leader-epoch-checkpoint`)
    if (entries.length === 0) return
    const told = entries.map(({ epoch, startOffset }) => `epoch ${epoch} from offset ${startOffset}`)
    yield `Leaders: ${told.slice(-12).join(', ')}${told.length > 12 ? ` (the last 12 of ${told.length})` : ''}. Each time a leader is elected the epoch rises; a follower that comes back compares epochs to find where its log parts from the leader's.`
  } catch (error) {
    if (!(error instanceof DamagedFileError)) throw error
    yield `The file with the leader epochs cannot be read: ${error.message}`
  }
}

class SegmentStory {
  private readonly disk: Disk
  private readonly directory: PartitionDirectory
  private readonly log: VerifiedLog
  private readonly options: ExplainOptions
  private readonly aborted: readonly AbortedTransaction[]
  private lastEpoch: number | undefined

  constructor(disk: Disk, directory: PartitionDirectory, log: VerifiedLog, options: ExplainOptions) {
    this.disk = disk
    this.directory = directory
    this.log = log
    this.options = options
    this.aborted = [...log.aborted.values()].flat()
  }

  *tell(baseOffset: number): Generator<string> {
    const path = this.file(baseOffset, logSuffix)
    yield ''
    yield `${offsetFileName(baseOffset, logSuffix)}: a segment whose first record has an offset of at least ${baseOffset}, which is why it has this name.`
    let told = 0
    let left = 0
    let expected = baseOffset
    for (const found of batchesOf(this.disk, path)) {
      if (isDamage(found)) {
        yield `  Byte ${found.position}: ${found.bytes} bytes are DAMAGED: ${found.problem}.`
        continue
      }
      const { position, batch } = found
      const tells = told < this.options.batches
      if (tells && batch.baseOffset > expected) yield `  ${gap(expected, batch.baseOffset)}`
      expected = batch.nextOffset
      if (!tells) {
        left++
        continue
      }
      told++
      yield* this.tellBatch(position, batch)
    }
    if (told === 0) yield '  It is empty: nothing was written since it was begun.'
    if (left > 0) yield `  … and ${left} more batches, up to offset ${expected - 1} (--batches says how many are told).`
    yield* this.tellIndexes(baseOffset)
  }

  private *tellBatch(position: number, batch: BatchView): Generator<string> {
    const { baseOffset, lastOffset, recordsCount, sizeBytes, partitionLeaderEpoch: epoch } = batch
    const offsets = baseOffset === lastOffset ? `offset ${baseOffset}` : `offsets ${baseOffset} to ${lastOffset}`
    const what = batch.isControl
      ? 'a control batch'
      : `a batch of ${recordsCount} ${recordsCount === 1 ? 'record' : 'records'}`
    const codec = batch.isCompressed
      ? `, compressed with ${compressionNames[batch.compressionId] ?? 'an unknown codec'}`
      : ''
    yield `  Byte ${position}: ${what}, ${offsets}, ${sizeBytes} bytes${codec}. Newest record: ${timeText(batch.maxTimestamp)}${batch.isLogAppendTime ? ' (stamped by the broker)' : ''}.`
    if (epoch !== this.lastEpoch) {
      if (epoch >= 0)
        yield `    Appended under leader epoch ${epoch}${this.lastEpoch === undefined ? '' : `; before it was ${this.lastEpoch}: a leader was elected in between`}.`
      this.lastEpoch = epoch
    }
    if (recordsCount < lastOffset - baseOffset + 1 && !batch.isControl)
      yield `    It once had ${lastOffset - baseOffset + 1} records; compaction removed those with a newer value for their key, or whose transaction was aborted.`
    if (batch.hasProducerId && !batch.isControl) yield `    ${this.producer(batch)}`
    yield* this.tellRecords(batch)
  }

  private producer(batch: BatchView): string {
    const { producerId, producerEpoch, baseSequence, lastSequence } = batch
    const who = `From producer ${producerId}, epoch ${producerEpoch}, sequences ${baseSequence} to ${lastSequence}: the broker knows a batch by them when it is sent again, and stores it once.`
    if (!batch.isTransactional) return who
    return `${who} It is part of a transaction that ${this.fate(batch)}.`
  }

  private fate(batch: BatchView): string {
    const { producerId, baseOffset } = batch
    const aborted = this.aborted.find(
      each => each.producerId === producerId && each.firstOffset <= baseOffset && baseOffset <= each.lastOffset,
    )
    if (aborted !== undefined)
      return `was ABORTED by the marker at offset ${aborted.lastOffset}: consumers with isolation.level=read_committed skip these records, others see them`
    const open = openTransactions(this.log).find(each => each.producerId === producerId)
    if (open !== undefined && open.currentTxnFirstOffset <= baseOffset)
      return 'is still open: read_committed consumers wait in front of it'
    return 'was committed'
  }

  private *tellRecords(batch: BatchView): Generator<string> {
    try {
      for (const record of readRecords(batch).slice(0, 3)) {
        const decoded = batch.isControl ? decodeControl(record) : decodeInternal(this.directory.partition, record)
        if (decoded !== undefined) yield `    ${record.offset}: ${sentence(decoded)}`
        else
          yield `    ${record.offset}: key ${short(textOf(record.key), 60)}, value ${record.value === null ? 'null (a tombstone: the key is deleted)' : short(textOf(record.value), 80)}`
      }
      if (batch.isControl)
        yield '    Control records steer the log and take up an offset of their own; no consumer sees them, which is one reason why offsets that a consumer gets have gaps.'
      else if (batch.recordsCount > 3) yield `    … ${batch.recordsCount - 3} more records`
    } catch (error) {
      if (!(error instanceof MalformedBatchError)) throw error
      yield `    Its checksum is right, but its records cannot be read: ${error.message}`
    }
  }

  private *tellIndexes(baseOffset: number): Generator<string> {
    const { disk } = this
    const offsets = offsetEntries(disk, this.file(baseOffset, indexSuffix), baseOffset).entries
    const [first] = offsets
    yield `  ${offsetFileName(baseOffset, indexSuffix)}: ${count(offsets.length, 'entry', 'entries')}, one for about each 4096 bytes (index.interval.bytes).`
    if (first !== undefined)
      yield `    The first says: the batch that ends with offset ${first.offset} begins at byte ${first.position}. Who wants an offset from there on begins to look there, not at the start of the file.`
    const times = timeEntries(disk, this.file(baseOffset, timeIndexSuffix), baseOffset).entries
    const newest = times.at(-1)
    yield `  ${offsetFileName(baseOffset, timeIndexSuffix)}: ${count(times.length, 'entry', 'entries')}, for finding offsets by time, and the age of the segment for retention.`
    if (newest !== undefined)
      yield `    The last says: up to offset ${newest.offset} no record is newer than ${timeText(newest.timestamp)}.`
    const aborted = abortedEntries(disk, this.file(baseOffset, transactionIndexSuffix)).entries
    if (aborted.length > 0) {
      yield `  ${offsetFileName(baseOffset, transactionIndexSuffix)}: ${count(aborted.length, 'aborted transaction', 'aborted transactions')} ended here. A fetch with read_committed brings this list along, and the consumer leaves the records out.`
      for (const { producerId, firstOffset, lastOffset } of aborted.slice(0, 5))
        yield `    Producer ${producerId}: from offset ${firstOffset} to its marker at ${lastOffset}.`
    }
  }

  private file(baseOffset: number, suffix: string): string {
    return `${this.directory.path}/${offsetFileName(baseOffset, suffix)}`
  }
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`
}

function gap(from: number, until: number): string {
  const offsets = until - from === 1 ? `Offset ${from} is` : `Offsets ${from} to ${until - 1} are`
  return `${offsets} not here. No offset is given twice: compaction removed these records, or they were taken out by a repair.`
}

/** What each other file is for. */
export const purposes: Readonly<Record<string, string>> = {
  index: 'Offset index: where in the segment some of its batches begin, so that a reader need not begin at the start.',
  timeindex: 'Time index: the largest timestamp up to some offsets, for looking up offsets by time and for retention.',
  txnindex:
    'Transaction index: the transactions that were aborted, so that read_committed consumers can leave their records out.',
  snapshot:
    'Producer snapshot: what the log says of idempotent and transactional producers up to the offset in its name, so that a start need not read everything before.',
  epochs: 'Leader epochs: lines of "epoch, first offset", behind the version and the number of lines.',
  checkpoint: 'Offset checkpoint: lines of "topic partition offset", behind the version and the number of lines.',
  properties: 'Which cluster, node, directory or topic this belongs to.',
}
