/**
 * The log of `__cluster_metadata-0` and its snapshots as the driver uses them: recovers both at start, carries out what the machine decided,
 * and makes the log durable by group commit, never blocking for it. Decides nothing.
 * Sources: KIP-595, KIP-630.
 */
import { DiskError, type Environment, type Timer } from '../environment/environment.ts'
import { isShortage } from '../log/log-failure.ts'
import type { PartitionLog } from '../log/log.ts'
import { LogDirectoryError } from '../log/meta-properties.ts'
import type { PartitionLogOptions } from '../log/partition-log-options.ts'
import { openPartitionLog, type SegmentedLog } from '../log/partition-log.ts'
import { DamagedLogError } from '../log/tail-checker.ts'
import { CommittedPoint, readCommittedPoint } from './committed-point.ts'
import { leaderChangeBatch, recordsBatch } from './metadata-batches.ts'
import type { Recovered } from './quorum-core.ts'
import { isAheadOfLog } from './quorum-machine.ts'
import type { EpochStart, SnapshotId, StoredSnapshot } from './quorum-messages.ts'
import type { Append, Retention, SnapshotWork } from './ready.ts'
import { SnapshotStore, type PartialSnapshot } from './snapshot-store.ts'

/** A flush for which there was no space, or no descriptor, is tried again after that time. */
const flushRetryMs = 1000

export interface MetadataLogListener {
  persisted(durableOffset: number, generation: number): void
  snapshotReceived(snapshot: StoredSnapshot): void
  failed(error: Error): void
}

function wayOut(directory: string): string {
  return (
    'These records are committed: a voter that forgets them can break the quorum, so nothing was cut. Where the other voters are healthy, ' +
    `move everything in ${directory} but quorum-state to another place, and start this node while they are running: it fetches the log ` +
    'from them. A quorum of one voter needs a backup.'
  )
}

/**
 * Opens the log of the metadata, and checks all of it. Throws LogDirectoryError, which says what to do, where something that is committed is
 * damaged.
 */
export function openMetadataLog(
  options: Omit<PartitionLogOptions, 'cleanShutdown' | 'recoveryPoint' | 'refusesDamage'>,
): SegmentedLog {
  const { environment, directory, topicPartition } = options
  const recoveryPoint = readCommittedPoint(environment.disk, environment.log, directory, topicPartition)
  try {
    return openPartitionLog({ ...options, cleanShutdown: false, recoveryPoint, refusesDamage: true })
  } catch (error) {
    if (!(error instanceof DamagedLogError)) throw error
    throw new LogDirectoryError(`the metadata log cannot be used: ${error.message}. ${wayOut(directory)}`)
  }
}

export class MetadataLog {
  readonly log: PartitionLog
  readonly snapshots: SnapshotStore
  private readonly environment: Environment
  private readonly listener: MetadataLogListener
  private readonly point: CommittedPoint
  private download: PartialSnapshot | undefined
  private isFlushing = false
  /** Generation of the flush to begin when the current one ends. */
  private nextFlush: number | undefined
  private retry: Timer | undefined

  constructor(environment: Environment, log: PartitionLog, listener: MetadataLogListener) {
    this.environment = environment
    this.log = log
    this.listener = listener
    this.snapshots = new SnapshotStore(environment.disk, log.directory)
    this.point = new CommittedPoint(environment, log, error => listener.failed(error))
  }

  /**
   * State at start. A snapshot that is ahead of the log was downloaded just before a crash: the log gives way to it. Throws when the log
   * begins above 0 and nothing holds what came before, or when it ends before what was committed does.
   */
  recover(): Omit<Recovered, 'hardState'> {
    const { log } = this
    let stored = this.snapshots.recover()
    const latest = stored.at(-1)
    const endOffset = Math.max(log.logEndOffset, latest?.endOffset ?? 0)
    if (endOffset < this.point.current)
      throw new LogDirectoryError(
        `the metadata log in ${log.directory} ends at offset ${endOffset}, but it was committed up to ${this.point.current}. ${wayOut(log.directory)}`,
      )
    if (
      latest !== undefined &&
      isAheadOfLog(latest, { lastEpoch: log.latestEpoch ?? 0, endOffset: log.logEndOffset })
    ) {
      log.truncateFullyAndStartAt(latest.endOffset)
    }
    const superseded = stored.filter(snapshot => snapshot.endOffset < log.logStartOffset)
    this.snapshots.remove(superseded)
    stored = stored.filter(snapshot => snapshot.endOffset >= log.logStartOffset)
    if (log.logStartOffset > 0 && stored.length === 0) {
      throw new Error(
        `${log.directory}: the metadata log begins at offset ${log.logStartOffset}, expected a snapshot that ends there or later; ` +
          'restore the .checkpoint file, or empty the directory if the other voters are healthy',
      )
    }
    if (log.logEndOffset > log.logStartOffset && log.latestEpoch === undefined) {
      throw new Error(`${log.directory}: the metadata log has records, but the epoch of the last one is not known`)
    }
    const epochs = epochsOf(log)
    const base = stored.find(snapshot => snapshot.endOffset === log.logStartOffset)
    return {
      snapshots: stored,
      log: {
        startOffset: log.logStartOffset,
        endOffset: log.logEndOffset,
        durableOffset: Math.min(log.recoveryPoint, log.logEndOffset),
        baseEpoch: base?.epoch ?? 0,
        epochs,
      },
    }
  }

  /** Records below `highWatermark` are committed. */
  committed(highWatermark: number): void {
    const { log } = this
    log.setHighWatermark(Math.min(highWatermark, log.logEndOffset))
    this.point.raise(Math.min(highWatermark, log.recoveryPoint))
  }

  truncateTo(offset: number): void {
    this.point.lower(offset)
    this.log.truncateTo(offset)
  }

  /** Makes everything durable, for the end of the node. Throws DiskError. */
  stop(): void {
    this.retry?.cancel()
    this.retry = undefined
    this.log.flush()
    this.point.stop()
  }

  append(append: Append): void {
    const { log } = this
    if (append.kind === 'batches') {
      log.appendAsFollower(append.fetched.bytes)
      return
    }
    const place = { baseOffset: append.baseOffset, epoch: append.epoch, wallMs: this.environment.clock.wallMs() }
    const batch = append.kind === 'leaderChange' ? leaderChangeBatch(append, place) : recordsBatch(append.values, place)
    const result = log.appendAsLeader(batch, { origin: 'raft', leaderEpoch: append.epoch, wallMs: place.wallMs })
    if ('refused' in result && result.refused === 'KAFKA_STORAGE_ERROR') {
      throw result.cause ?? new DiskError('OTHER', 'append', log.directory, new Error(result.message))
    }
    if (!('appended' in result) || result.appended.firstOffset !== append.baseOffset) {
      throw new Error(`metadata log refused the append at ${append.baseOffset}: ${JSON.stringify(result)}`)
    }
  }

  /** Begins a flush, or has one begun as soon as the one on its way ends: many appends share one fsync. */
  flush(generation: number): void {
    if (this.isFlushing) {
      this.nextFlush = generation
      return
    }
    this.isFlushing = true
    let isSameTurn = true
    this.log.flushLater(result => {
      // A log with nothing left to make durable may answer at once, in the middle of a Ready.
      if (isSameTurn) this.environment.timers.soon(() => this.flushed(result, generation))
      else this.flushed(result, generation)
    })
    isSameTurn = false
  }

  private flushed(result: { durableOffset: number } | { error: Error }, generation: number): void {
    if ('error' in result && isShortage(result.error)) return this.flushAgain(generation)
    this.isFlushing = false
    if ('error' in result) return this.listener.failed(result.error)
    const next = this.nextFlush
    this.nextFlush = undefined
    if (next !== undefined) this.flush(next)
    this.listener.persisted(result.durableOffset, generation)
  }

  /** Until then nothing more is durable, and nobody is told that it is. */
  private flushAgain(generation: number): void {
    this.retry = this.environment.timers.after(flushRetryMs, () => {
      this.retry = undefined
      this.isFlushing = false
      const newest = this.nextFlush ?? generation
      this.nextFlush = undefined
      this.flush(newest)
    })
  }

  carryOut(work: SnapshotWork): void {
    switch (work.kind) {
      case 'begin':
        this.download?.drop()
        this.download = this.snapshots.begin(work.id)
        return
      case 'write':
        this.download?.append(work.bytes)
        return
      case 'finish':
        return this.finishDownload()
      case 'install':
        return this.install(work.id)
      case 'discard':
        this.download?.drop()
        this.download = undefined
        return
    }
  }

  apply(retention: Retention, highWatermark: number): void {
    this.snapshots.remove(retention.remove)
    if (retention.logStartOffset <= this.log.logStartOffset) return
    this.log.advanceLogStart(retention.logStartOffset)
    this.log.enforceRetention(this.environment.clock.wallMs(), highWatermark)
  }

  private finishDownload(): void {
    const { download } = this
    if (download === undefined) return
    const snapshot = { endOffset: download.id.endOffset, epoch: download.id.epoch, bytes: download.sizeBytes }
    download.syncLater(error => {
      if (error !== undefined) this.listener.failed(error)
      else this.listener.snapshotReceived(snapshot)
    })
  }

  private install(id: SnapshotId): void {
    this.download?.finish()
    this.download = undefined
    this.log.truncateFullyAndStartAt(id.endOffset)
  }
}

/** The log's epochs, newest back to the log start. */
function epochsOf(log: PartitionLog): readonly EpochStart[] {
  const epochs: EpochStart[] = []
  if (log.logEndOffset === log.logStartOffset) return epochs
  let epoch = log.latestEpoch
  while (epoch !== undefined && epoch >= 0) {
    const before = log.endOffsetForEpoch(epoch - 1)
    const startOffset = Math.max(before.endOffset, log.logStartOffset)
    epochs.unshift({ epoch, startOffset })
    if (startOffset <= log.logStartOffset || before.leaderEpoch >= epoch) break
    epoch = before.leaderEpoch
  }
  return epochs
}
