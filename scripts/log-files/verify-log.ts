/**
 * Checks one partition's log against itself: every batch (checksum, length, offsets and leader epochs that rise), the indexes against the
 * batches, producer snapshots and transaction indexes against a fold over the batches, the epochs against their checkpoint. Reads every byte
 * of the `.log` files once and changes nothing.
 */
import type { Disk } from '#broker/environment/environment.ts'
import { DamagedFileError, readEpochCheckpoint } from '#broker/log/checkpoints.ts'
import { LeaderEpochs } from '#broker/log/leader-epochs.ts'
import type { EpochEntry } from '#broker/log/leader-epochs.ts'
import {
  indexSuffix,
  logSuffix,
  offsetFileName,
  timeIndexSuffix,
  transactionIndexSuffix,
} from '#broker/log/log-files.ts'
import { decodeProducerSnapshot } from '#broker/log/producer-snapshots.ts'
import { ProducerStates } from '#broker/log/producer-state.ts'
import type { ProducerState } from '#broker/log/producer-state.ts'
import { readFile } from '#broker/log/small-files.ts'
import type { AbortedTransaction } from '#broker/log/transaction-index.ts'
import type { BatchView } from '#broker/protocol/records/batch.ts'
import { MalformedBatchError, readRecords } from '#broker/protocol/records/batch-read.ts'
import { batchesOf, isDamage } from './batches.ts'
import type { Damage } from './batches.ts'
import { AbortsOfSegment, Completeness, producerProblem } from './derived-state.ts'
import { OffsetIndexCheck, TimeIndexCheck } from './index-checks.ts'
import { abortedEntries } from './index-entries.ts'
import type { PartitionDirectory } from './places.ts'
import type { Problem } from './problems.ts'

/** Of the end of an index. */
export const allocatedInAdvance = 'space allocated in advance by a broker of Apache Kafka that runs, or was killed'

export interface VerifiedLog {
  readonly problems: readonly Problem[]
  readonly logStartOffset: number
  /** After the last undamaged batch. */
  readonly logEndOffset: number
  readonly batches: number
  readonly records: number
  readonly bytes: number
  /** Epochs as the batches tell them. */
  readonly epochs: readonly EpochEntry[]
  /** Aborted transactions by base offset of the segment in which they ended. */
  readonly aborted: ReadonlyMap<number, readonly AbortedTransaction[]>
  /** Producers at the offsets of damaged snapshots, and at the end of the log. */
  readonly producersAt: ReadonlyMap<number, readonly ProducerState[]>
}

export interface VerifyOptions {
  /** Unfold and decode every record, too: finds what a checksum does not tell. */
  readonly records: boolean
  /** Below it everything is durable, so that what was derived from it must be there; 0 when that is not known. */
  readonly recoveryPoint: number
  /** Below it the log was compacted, as far as the broker has noted; 0: it was not. */
  readonly cleanedUntil: number
  /** Records below it were deleted, as the checkpoint tells; 0: from the first segment on. */
  readonly logStartOffset: number
}

export function verifyLog(disk: Disk, directory: PartitionDirectory, options: VerifyOptions): VerifiedLog {
  return new LogCheck(disk, directory, options).run()
}

class LogCheck {
  private readonly disk: Disk
  private readonly directory: PartitionDirectory
  private readonly options: VerifyOptions
  private readonly problems: Problem[] = []
  private readonly producers = new ProducerStates()
  private readonly epochs = new LeaderEpochs()
  private readonly aborted = new Map<number, AbortedTransaction[]>()
  private readonly producersAt = new Map<number, readonly ProducerState[]>()
  /** Offsets of snapshots that were not reached yet, rising. */
  private snapshots: number[]
  private nextOffset: number
  private lastEpoch = -1
  private readonly completeness = new Completeness()
  private batches = 0
  private records = 0
  private bytes = 0
  private hasDamage = false

  constructor(disk: Disk, directory: PartitionDirectory, options: VerifyOptions) {
    this.disk = disk
    this.directory = directory
    this.options = options
    this.nextOffset = directory.baseOffsets[0] ?? 0
    this.snapshots = directory.files
      .filter(({ kind, leftover }) => kind === 'snapshot' && leftover === undefined)
      .map(({ offset }) => offset)
      .sort((a, b) => a - b)
  }

  run(): VerifiedLog {
    const { baseOffsets } = this.directory
    const logStartOffset = baseOffsets[0] ?? 0
    this.loadFirstSnapshot(logStartOffset)
    for (const [index, baseOffset] of baseOffsets.entries()) this.checkSegment(baseOffset, index)
    this.reachSnapshots(Infinity)
    this.producersAt.set(this.nextOffset, copyOf(this.producers))
    this.checkEpochs()
    this.checkOrphans()
    return {
      problems: this.problems,
      logStartOffset,
      logEndOffset: this.nextOffset,
      batches: this.batches,
      records: this.records,
      bytes: this.bytes,
      epochs: this.epochs.all,
      aborted: this.aborted,
      producersAt: this.producersAt,
    }
  }

  private path(baseOffset: number, suffix: string): string {
    return `${this.directory.path}/${offsetFileName(baseOffset, suffix)}`
  }

  private damage(problem: Omit<Problem, 'severity'>): void {
    this.problems.push({ severity: 'damage', ...problem })
  }
  private note(problem: Omit<Problem, 'severity'>): void {
    this.problems.push({ severity: 'note', ...problem })
  }

  /** What came before the log's first segment is known from the snapshot at its base alone. */
  private loadFirstSnapshot(logStartOffset: number): void {
    const path = this.path(logStartOffset, '.snapshot')
    const bytes = readFile(this.disk, path)
    const state = bytes && decodeProducerSnapshot(bytes)
    if (state !== undefined) this.producers.load(state, 0, Infinity)
  }

  // ------------------------------------------------------------------------------------------------------- batches

  private checkSegment(baseOffset: number, index: number): void {
    const path = this.path(baseOffset, logSuffix)
    const isLast = index === this.directory.baseOffsets.length - 1
    if (baseOffset < this.nextOffset)
      this.damage({
        path,
        offset: baseOffset,
        message: `the segment begins at offset ${baseOffset}, but the one before reaches ${this.nextOffset - 1}`,
      })
    else if (baseOffset > Math.max(this.nextOffset, this.options.cleanedUntil) && index > 0)
      this.note({
        path,
        offset: baseOffset,
        message: `offsets ${this.nextOffset} to ${baseOffset - 1} are in no segment: right in a compacted topic, a loss in any other`,
      })
    if (baseOffset > this.nextOffset) this.completeness.isWhole = false
    if (index > 0 || baseOffset > this.nextOffset) this.nextOffset = Math.max(this.nextOffset, baseOffset)
    const offsetIndex = new OffsetIndexCheck(this.disk, this.path(baseOffset, indexSuffix), baseOffset)
    const timePath = this.path(baseOffset, timeIndexSuffix)
    const timeIndex = new TimeIndexCheck(this.disk, timePath, baseOffset, { isActive: isLast })
    const aborts = new AbortsOfSegment()
    let isSound = true
    for (const found of batchesOf(this.disk, path)) {
      if (isDamage(found)) {
        isSound = false
        this.hasDamage = true
        this.reportDamage(path, found, this.directory.baseOffsets[index + 1])
        continue
      }
      const { position, batch } = found
      isSound = this.checkBatch(path, position, batch, baseOffset) && isSound
      this.reachSnapshots(batch.baseOffset)
      this.take(batch, aborts)
      const seen = { position, baseOffset: batch.baseOffset, maxTimestamp: batch.maxTimestamp }
      offsetIndex.see(seen)
      timeIndex.see(seen)
      this.batches++
      this.records += batch.recordsCount
      this.bytes += batch.sizeBytes
    }
    this.aborted.set(baseOffset, aborts.transactions)
    for (const index of [offsetIndex, timeIndex]) index.end(isSound)
    this.reportIndex(this.path(baseOffset, indexSuffix), baseOffset, offsetIndex)
    this.reportIndex(timePath, baseOffset, timeIndex)
    this.checkTransactionIndex(baseOffset, aborts)
  }

  private reportDamage(path: string, found: Damage, nextBase: number | undefined): void {
    const { position, bytes, problem, followedBy, header } = found
    const says = header === undefined ? '' : `; its header says offsets ${header.baseOffset} to ${header.lastOffset}`
    if (followedBy === undefined && nextBase === undefined) {
      const message = `${problem}${says}. It is the end of the log: ${bytes} bytes of a write that did not end, or of one that is still going on`
      this.damage({ path, position, offset: this.nextOffset, message, remedy: { kind: 'cut', path, position, bytes } })
      return
    }
    const lostFrom = this.nextOffset
    const lostUntil = Math.max(lostFrom, followedBy ?? nextBase ?? lostFrom)
    const lostOffsets = lostUntil === lostFrom ? 'no offset' : `offsets ${lostFrom} to ${lostUntil - 1}`
    this.damage({
      path,
      position,
      offset: this.nextOffset,
      message: `${problem}${says}. ${bytes} bytes in the middle of the log are damaged; undamaged batches follow`,
      remedy: { kind: 'set-aside', path, position, bytes, lostOffsets },
    })
  }

  private checkBatch(path: string, position: number, batch: BatchView, segmentBase: number): boolean {
    const { baseOffset, lastOffset, partitionLeaderEpoch: epoch } = batch
    const before = this.problems.length
    const at = { path, position, offset: baseOffset }
    if (lastOffset < baseOffset) this.damage({ ...at, message: `its last offset ${lastOffset} is below its first` })
    if (baseOffset < segmentBase)
      this.damage({ ...at, message: `offset ${baseOffset} lies below the base offset ${segmentBase} of the segment` })
    else if (baseOffset < this.nextOffset)
      this.damage({ ...at, message: `offset ${baseOffset} follows offset ${this.nextOffset - 1}: offsets must rise` })
    if (epoch >= 0 && epoch < this.lastEpoch)
      this.damage({ ...at, message: `leader epoch ${epoch} follows epoch ${this.lastEpoch}: epochs never fall` })
    if (this.options.records || batch.isControl) this.checkRecords(at, batch)
    return this.problems.length === before
  }

  private checkRecords(at: { path: string; position: number; offset: number }, batch: BatchView): void {
    try {
      let last = batch.baseOffset - 1
      for (const { offset } of readRecords(batch)) {
        if (offset <= last || offset > batch.lastOffset) {
          this.damage({
            ...at,
            message: `its record at offset ${offset} is out of place (batch ${batch.baseOffset} to ${batch.lastOffset})`,
          })
          return
        }
        last = offset
      }
    } catch (error) {
      if (!(error instanceof MalformedBatchError)) throw error
      this.damage({ ...at, message: `the checksum is right, but its records cannot be read: ${error.message}` })
    }
  }

  /** Takes an undamaged batch into what is derived from the log. */
  private take(batch: BatchView, aborts: AbortsOfSegment): void {
    this.completeness.see(batch, this.nextOffset)
    const { partitionLeaderEpoch: epoch } = batch
    this.lastEpoch = Math.max(this.lastEpoch, epoch)
    if (epoch >= 0 && epoch !== this.epochs.latest?.epoch) this.epochs.assign(epoch, batch.baseOffset)
    this.nextOffset = Math.max(this.nextOffset, batch.nextOffset)
    if (!batch.hasProducerId) return
    try {
      if (batch.isControl) aborts.control(batch)
      const completed = this.producers.apply(batch)
      if (completed?.aborted !== true) return
      const { producerId, firstOffset, lastOffset } = completed
      aborts.transactions.push({
        producerId,
        firstOffset,
        lastOffset,
        lastStableOffset: this.producers.lastStableOffset(completed),
      })
    } catch (error) {
      // Said already where the records were looked at.
      if (!(error instanceof MalformedBatchError)) throw error
    }
  }

  // ------------------------------------------------------------------------------------------------------- indexes

  private reportIndex(
    path: string,
    baseOffset: number,
    { problem, zeroEntries }: OffsetIndexCheck | TimeIndexCheck,
  ): void {
    if (zeroEntries > 1)
      this.note({
        path,
        message: `ends in ${zeroEntries} entries of zeros: ${allocatedInAdvance}`,
        kind: 'allocated',
      })
    if (problem === undefined) return
    const remedy = { kind: 'rebuild-indexes', segment: this.path(baseOffset, logSuffix), baseOffset } as const
    this.damage({ path, ...problem, remedy })
  }

  private checkTransactionIndex(baseOffset: number, aborts: AbortsOfSegment): void {
    const path = this.path(baseOffset, transactionIndexSuffix)
    const remedy = { kind: 'rebuild-transaction-index', segment: this.path(baseOffset, logSuffix), baseOffset } as const
    const { entries, oddBytes } = abortedEntries(this.disk, path)
    if (oddBytes > 0) this.damage({ path, message: `ends in ${oddBytes} bytes of an entry`, remedy })
    if (this.hasDamage) return
    const problem = aborts.problem(entries, this.derivation)
    if (problem === undefined) return
    const { index, offset, message } = problem
    this.damage({ path, position: index * 34, offset, message, remedy })
  }

  /** How what was derived from the batches so far is to be judged. */
  private get derivation() {
    return { isWhole: this.completeness.isWhole, logStartOffset: this.directory.baseOffsets[0] ?? 0 }
  }

  // --------------------------------------------------------------------------------------------- snapshots, epochs

  /** Compares the snapshots up to `offset` with the state that was reached. */
  private reachSnapshots(offset: number): void {
    for (; this.snapshots.length > 0 && this.snapshots[0]! <= offset; this.snapshots.shift()) {
      const at = this.snapshots[0]!
      if (at > this.nextOffset && offset === Infinity) {
        const path = this.path(at, '.snapshot')
        this.note({
          path,
          offset: at,
          message: `lies beyond the end of the log (${this.nextOffset}); no start uses it`,
        })
      } else this.checkSnapshot(at)
    }
  }

  private checkSnapshot(offset: number): void {
    const path = this.path(offset, '.snapshot')
    const remedy = { kind: 'rebuild-snapshot', path, offset } as const
    const damaged = (problem: Pick<Problem, 'message' | 'offset'>): void => {
      this.producersAt.set(offset, copyOf(this.producers))
      this.damage({ path, ...problem, remedy })
    }
    const bytes = readFile(this.disk, path)!
    const state = decodeProducerSnapshot(bytes)
    if (state === undefined) {
      const message = `its ${bytes.length} bytes have another checksum, count or version than a snapshot`
      return damaged({ message })
    }
    if (this.hasDamage) return
    const known = new Map(this.producers.all().map(producer => [producer.producerId, producer]))
    for (const producer of state) {
      const message = producerProblem(producer, known.get(producer.producerId), this.derivation)
      if (message !== undefined) return damaged({ offset, message })
    }
  }

  /** Of what was deleted the checkpoint has nothing to say: segments go whole, so that there may be batches of it. */
  private epochsFromLogStart(): EpochEntry[] {
    const from = this.options.logStartOffset
    return this.epochs.all.flatMap(({ epoch, startOffset }, index, all) => {
      const endOffset = all[index + 1]?.startOffset ?? this.nextOffset
      return endOffset <= from ? [] : [{ epoch, startOffset: Math.max(startOffset, from) }]
    })
  }

  private checkEpochs(): void {
    const path = `${this.directory.path}/leader-epoch-checkpoint`
    const remedy = { kind: 'rebuild-epochs', directory: this.directory.path } as const
    let inFile: LeaderEpochs
    try {
      inFile = new LeaderEpochs(readEpochCheckpoint(this.disk, path))
    } catch (error) {
      if (!(error instanceof DamagedFileError)) throw error
      return this.damage({ path, message: error.message.replace(`${path} is damaged: `, ''), remedy })
    }
    if (this.hasDamage) return
    for (const { epoch, startOffset } of this.epochsFromLogStart()) {
      const says = inFile.epochAt(startOffset)
      if (says === epoch) continue
      const message = `says ${says === undefined ? 'nothing' : `epoch ${says}`} of offset ${startOffset}, which epoch ${epoch} wrote`
      if (startOffset < this.options.recoveryPoint) return this.damage({ path, offset: startOffset, message, remedy })
      return this.note({ path, offset: startOffset, message: `${message}; a start reads that again from the batches` })
    }
  }

  /** Files of segments that are not there. */
  private checkOrphans(): void {
    const known = new Set(this.directory.baseOffsets)
    for (const { kind, path, offset, leftover } of this.directory.files) {
      const isIndex = kind === 'index' || kind === 'timeindex' || kind === 'txnindex'
      if (leftover === 'swap')
        this.note({ path, message: 'of a compaction that a stop interrupted: the next start of the broker ends it' })
      else if (leftover !== undefined)
        this.note({ path, message: 'left over: the next start of the broker removes it' })
      else if (isIndex && !known.has(offset)) this.note({ path, message: 'belongs to no segment' })
    }
  }
}

function copyOf(producers: ProducerStates): ProducerState[] {
  return producers.all().map(producer => ({ ...producer, batches: [...producer.batches] }))
}
