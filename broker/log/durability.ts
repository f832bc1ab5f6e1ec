/**
 * What of a log is durable, and how it gets there: blocking flushes, flushes off the event loop, the timer of flush.ms,
 * and the fsync of the directories that hold new names. It never says that something is durable before the fsync of
 * bytes, names and topic id has ended.
 */
import { DiskError } from '../environment/environment.ts'
import type { Environment, Timer } from '../environment/environment.ts'
import { Flusher } from './flusher.ts'
import type { FlushResult } from './flusher.ts'
import { makeMetadataDurable } from './partition-metadata.ts'
import type { ProducerSnapshots } from './producer-snapshots.ts'
import { isShortage } from './log-failure.ts'
import { segmentIndexOf } from './log-reader.ts'
import type { Segment } from './segment.ts'
import type { SegmentTally } from './segment-tally.ts'
import { parentOf } from './small-files.ts'
import type { TransactionIndexes } from './transaction-indexes.ts'

/** Kafka's default for flush.ms: never. */
const forever = Number.MAX_SAFE_INTEGER

/** The log whose durability this is. */
export interface DurableLog {
  readonly directory: string
  readonly topicId: string
  readonly logEndOffset: number
  readonly flushMs: number
  /** By base offset; the last one is active. */
  readonly currentSegments: readonly Segment[]
  readonly tally: SegmentTally
  readonly snapshots: ProducerSnapshots
  readonly transactions: TransactionIndexes
  /** Marks the log as failed. */
  fail(error: unknown): DiskError
}

export class Durability {
  /** Below it everything is durable. */
  recoveryPoint: number
  private namesDirty: boolean
  private namesUnderWay = 0
  private parentDirty: boolean
  private metadataSynced = false
  private unflushedMessages = 0
  private bytesSinceWriteback = 0
  private writingBack = false
  private readonly writebackBytes: number
  private timer: Timer | undefined
  private stopped = false
  private failure: DiskError | undefined
  private readonly environment: Pick<Environment, 'disk' | 'timers'>
  private readonly log: DurableLog
  private readonly flusher: Flusher

  /** `created`: the directory itself is new and its name not durable yet. */
  constructor(
    environment: Pick<Environment, 'disk' | 'timers'>,
    log: DurableLog,
    options: { readonly recoveryPoint: number; readonly created: boolean; readonly writebackBytes: number },
  ) {
    this.environment = environment
    this.log = log
    this.recoveryPoint = options.recoveryPoint
    this.writebackBytes = options.writebackBytes
    this.namesDirty = options.created
    this.parentDirty = options.created
    this.flusher = new Flusher({
      end: () => log.logEndOffset,
      sync: (end, done) => this.syncBelow(end, done),
      reached: end => this.raiseRecoveryPoint(end),
    })
  }

  /** A file of the directory was created, renamed or removed since the directory was fsynced. */
  get directoryDirty(): boolean {
    return this.namesDirty || this.namesUnderWay > 0
  }
  set directoryDirty(dirty: boolean) {
    this.namesDirty = dirty
  }

  /** The recovery point that may be checkpointed: a recovery from there makes the indexes anew that are not durable yet. */
  get checkpointOffset(): number {
    const active = this.log.currentSegments.at(-1)
    const unsynced = this.log.tally.unsyncedSegments.find(segment => segment !== active)
    return Math.min(this.recoveryPoint, unsynced?.baseOffset ?? Infinity)
  }

  /** Whether flush.messages asks for a flush after so many more messages. */
  mustFlushAfter(messages: number, flushMessages: number): boolean {
    return this.unflushedMessages + messages >= flushMessages
  }

  /** Everything of a flush but the bytes of the active segment, before they are appended. Throws DiskError; can be done again. */
  prepareFlush(): void {
    this.syncDirectories()
    const active = this.log.currentSegments.at(-1)
    for (const segment of this.log.tally.unsyncedSegments) if (segment !== active) segment.sync()
    this.log.transactions.sync()
  }

  /** Counts an append; flushes it if that was prepared, else starts the clock of flush.ms. Throws DiskError. */
  appended(messages: number, bytes: number, flushes: boolean): void {
    this.bytesSinceWriteback += bytes
    if (this.bytesSinceWriteback >= this.writebackBytes && !this.writingBack) this.writeBack()
    this.unflushedMessages += messages
    if (flushes) this.flushAppended()
    else if (this.timer === undefined && this.log.flushMs < forever) this.startTimer()
  }

  /**
   * Starts writing dirty pages while they are few. Left alone, a sustained load fills the page cache up to the limit at
   * which the kernel stops whoever writes, which here is the event loop. Says nothing about durability: names may not
   * be on disk yet.
   */
  private writeBack(): void {
    this.bytesSinceWriteback = 0
    this.writingBack = true
    this.log.currentSegments.at(-1)!.syncLater(error => {
      this.writingBack = false
      if (error !== undefined && !this.stopped) this.log.fail(error)
    })
  }

  /** flush.ms changed. */
  flushMsChanged(): void {
    if (this.unflushedMessages > 0 && this.timer === undefined && this.log.flushMs < forever) this.startTimer()
  }

  private startTimer(): void {
    this.timer = this.environment.timers.after(this.log.flushMs, () => {
      this.timer = undefined
      if (!this.stopped) this.flushLater(() => {})
    })
  }

  /** fsyncs everything, blocking. Throws DiskError. */
  flush(): void {
    this.prepareFlush()
    const active = this.log.currentSegments.at(-1)!
    if (active.unsynced) active.syncLog()
    this.raiseRecoveryPoint(this.log.logEndOffset)
  }

  /** The records are durable when this returns. An index for which there is a shortage is written later, or read from the log by a recovery. */
  private flushAppended(): void {
    this.log.currentSegments.at(-1)!.syncLog()
    try {
      this.prepareFlush()
      this.raiseRecoveryPoint(this.log.logEndOffset)
    } catch (error) {
      if (!isShortage(error)) throw error
      this.unflushedMessages = 0
    }
  }

  /** fsyncs off the event loop: everything, or what is below `end`. */
  flushLater(done: (result: FlushResult) => void, end?: number): void {
    this.flusher.request(done, end)
  }

  /** Bytes at and above `offset` go; what was durable there is no more. */
  lowerTo(offset: number): void {
    this.flusher.truncated(offset)
    this.recoveryPoint = Math.min(this.recoveryPoint, offset)
  }

  /**
   * fsyncs what a truncation left, blocking: if the old bytes came back after a power failure, below new ones, nobody
   * could tell, since their offsets and epochs would fit together.
   */
  syncTruncated(segment: Segment): void {
    segment.syncLog()
    this.syncDirectories()
  }

  /** The directory is new, and its partition.metadata not durable yet. */
  get hasNewMetadata(): boolean {
    return this.parentDirty && !this.metadataSynced
  }

  /** partition.metadata was fsynced; the names of the directory and in it are what is left to do. */
  metadataIsDurable(): void {
    this.metadataSynced = true
  }

  /** The name of the directory itself may not be durable. */
  get hasNewName(): boolean {
    return this.parentDirty
  }

  /** The parent was fsynced, which serves all logs there at once. */
  nameIsDurable(): void {
    if (this.metadataSynced) this.parentDirty = false
  }

  /** fsyncs the names in the directory off the event loop. */
  syncNamesLater(done: (error: DiskError | undefined) => void): void {
    if (!this.namesDirty) return done(undefined)
    const ended = (error: DiskError | undefined): void => {
      this.namesUnderWay--
      this.namesDirty ||= error !== undefined
      done(error)
    }
    this.namesDirty = false
    this.namesUnderWay++
    try {
      this.environment.disk.syncDirectoryLater(this.log.directory, ended)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      ended(error)
    }
  }

  /**
   * Files were removed. No record depends on that being durable, but the log may be one that nothing is written to any more: what a disk keeps of
   * removed files until then, as the journal of a node that can lose its power does, it would keep for ever.
   */
  namesWentAway(): void {
    if (this.stopped) return
    this.namesDirty = true
    this.syncNamesLater(error => {
      if (error !== undefined && !this.stopped && !isShortage(error)) this.log.fail(error)
    })
  }

  /** `failure`: why, unless the log is closed. A flush that is under way ends with it. */
  stop(failure?: DiskError): void {
    this.stopped = true
    this.failure ??= failure
    this.timer?.cancel()
    this.timer = undefined
  }

  private syncBelow(end: number, done: (error: DiskError | undefined) => void): void {
    const segments = this.log.currentSegments
    const due = this.log.tally.unsyncedSegments.filter(segment => segment.baseOffset < end)
    let left = due.length + 1
    let failed: DiskError | undefined
    const finished = (error: DiskError | undefined) => {
      failed ??= error
      if (--left > 0) return
      // A log that was closed or deleted meanwhile has no files any more that could fail; of one that failed nothing more is durable.
      if (this.stopped) failed = this.failure
      else if (failed !== undefined) this.log.fail(failed)
      else failed = this.syncNames()
      done(failed)
    }
    for (const segment of due) {
      try {
        this.syncSegment(segment, segments[segmentIndexOf(segments, segment.baseOffset) + 1], finished)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        finished(error)
      }
    }
    this.environment.timers.soon(() => finished(undefined))
  }

  /** The active segment has no `next`; a rolled one is fsynced with its indexes and the snapshot of its end. */
  private syncSegment(segment: Segment, next: Segment | undefined, done: (error: DiskError | undefined) => void): void {
    if (next === undefined) return segment.syncLater(done)
    segment.syncAllLater(error => {
      if (error === undefined && !this.stopped) this.log.snapshots.syncLater(next.baseOffset, done)
      else done(error)
    })
  }

  private syncNames(): DiskError | undefined {
    try {
      this.log.transactions.sync()
      this.syncDirectories()
      return undefined
    } catch (error) {
      return this.log.fail(error)
    }
  }

  private raiseRecoveryPoint(offset: number): number {
    const reached = Math.min(offset, this.log.logEndOffset)
    if (reached > this.recoveryPoint) this.recoveryPoint = reached
    if (reached === this.log.logEndOffset) {
      this.unflushedMessages = 0
      this.timer?.cancel()
      this.timer = undefined
    }
    return this.recoveryPoint
  }

  /** Names of new files must be as durable as what is in them. Throws DiskError. */
  syncDirectories(): void {
    const { disk } = this.environment
    if (this.parentDirty) {
      if (!this.metadataSynced) this.syncMetadata()
      disk.syncDirectory(parentOf(this.log.directory))
      this.parentDirty = false
    }
    if (this.directoryDirty) disk.syncDirectory(this.log.directory)
    this.directoryDirty = false
  }

  /** It was written when the directory was made; to write it anew a disk might have no space. */
  private syncMetadata(): void {
    makeMetadataDurable(this.environment.disk, this.log.directory, this.log.topicId)
    this.metadataSynced = true
  }
}
