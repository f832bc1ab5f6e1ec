/**
 * Moves replicas between the log directories of this broker while they serve (KIP-113). A copy grows beside the log; when it has caught up,
 * the controller is told of the directory, and only after that the copy becomes the log (KIP-858).
 *
 *   state      event                                       next
 *   copying    the copy ends where the log ends            flushing    fsync of the copy, off the event loop
 *   flushing   durable up to there                         assigning   AssignReplicasToDirs with the new directory
 *   assigning  the controller took it                      assigned
 *   assigning  the controller refused                      copying     after a while again
 *   assigned   the copy ends where the log ends            closing     fsync of what was added meanwhile
 *   closing    durable                                     (moved)     the rest is copied, and the copy becomes the log, in one turn
 *   flushing, closing   no file descriptor for the fsync   copying     after a while again
 *   any        another directory is asked for, the replica leaves, a disk fails or is full: the move is over; the controller is told where the log is
 *
 * In every state the copy follows: records are copied as they come, and what the log drops the copy drops. Copying takes turns with
 * everything else this broker does: one piece of one partition per turn of the event loop, within
 * `replica.alter.log.dirs.io.max.bytes.per.second`.
 * Sources: KIP-113, KIP-858; Kafka's ReplicaManager.alterReplicaLogDirs and ReplicaAlterLogDirsThread.
 */
import { DiskError, type Environment, type Timer } from '../environment/environment.ts'
import { futureDirectoryName } from '../log/log-files.ts'
import type { LogConfig, LogManager, PartitionLog, TopicPartition } from '../log/log.ts'
import { isDiskFull, isOutOfFiles, isShortage } from '../log/log-failure.ts'
import { CorruptRecordsError } from '../log/replicated-batches.ts'
import type { ErrorName } from '../protocol/errors.ts'
import { align, copyNext, followCut } from './log-copy.ts'
import type { LocalReplica } from './local-replica.ts'
import { ReplicationQuota, type RateWindows } from './replication-quotas.ts'

/** Copied per turn: short enough that nobody waits for it. */
const pieceBytes = 256 * 1024
/** How often a copy that was too fast looks whether it may go on. */
const throttledMs = 100
const refusedMs = 1_000

export interface LogDirMovesHost {
  readonly environment: Pick<Environment, 'clock' | 'timers' | 'log'>
  readonly logs: LogManager
  readonly windows: RateWindows
  /** The settings of the topic's logs now. */
  logConfig(topic: string): LogConfig
  /** Tells the controller where the replica will be; `done` with whether it took that. */
  assignDirectory(replica: ReplicaId, directoryId: string, done: (taken: boolean) => void): void
  /** `directoryOf` answers differently for this replica. */
  directoryChanged(replica: ReplicaId): void
  diskFailed(replica: LocalReplica, error: DiskError): void
}

export interface ReplicaId {
  readonly topicId: string
  readonly partition: number
}

type MoveState = 'copying' | 'flushing' | 'assigning' | 'assigned' | 'closing'

interface Move {
  readonly replica: LocalReplica
  readonly path: string
  readonly directoryId: string
  state: MoveState
  /** Monotonic ms before which the controller is not asked again. */
  notBeforeMs: number
  /** Monotonic ms before which nothing is copied. */
  pausedUntilMs: number
}

export class LogDirMoves {
  readonly #host: LogDirMovesHost
  readonly #quota: ReplicationQuota
  /** In the order in which they are given turns. */
  readonly #moves = new Map<LocalReplica, Move>()
  #timer: Timer | undefined
  #isScheduled = false
  #isStopped = false

  constructor(host: LogDirMovesHost) {
    this.#host = host
    this.#quota = new ReplicationQuota(host.windows)
  }

  get size(): number {
    return this.#moves.size
  }

  /** Bytes per second over all moves. */
  limit(bytesPerSecond: number): void {
    this.#quota.limit = bytesPerSecond
    this.#schedule()
  }

  /**
   * Moves a replica to the log directory `path`, or notes that it shall be created there.
   * Refuses: INVALID_TOPIC_EXCEPTION (name too long for a copy), LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR (the directory, or the replica, is
   * offline), INVALID_REPLICA_ASSIGNMENT (cordoned, KIP-1066), REPLICA_NOT_AVAILABLE (not here yet), and what `found` says.
   */
  alter(partition: TopicPartition, path: string, found: LocalReplica | ErrorName): ErrorName | 'NONE' {
    const { logs } = this.#host
    if (futureDirectoryName(partition, '0'.repeat(32)) === undefined) return 'INVALID_TOPIC_EXCEPTION'
    const directory = logs.directories.find(each => each.path === path)
    if (directory === undefined) return 'LOG_DIR_NOT_FOUND'
    if (!directory.online) return 'KAFKA_STORAGE_ERROR'
    if (logs.isCordoned(path)) return 'INVALID_REPLICA_ASSIGNMENT'
    if (typeof found === 'string') {
      if (found === 'KAFKA_STORAGE_ERROR') return found
      logs.prefer(partition, path)
      return found === 'NOT_LEADER_OR_FOLLOWER' ? 'REPLICA_NOT_AVAILABLE' : found
    }
    const future = logs.future(partition)
    if (future !== undefined && future.path !== path) this.#giveUp(found)
    if (future?.path === path || logs.directoryOf(partition)?.path === path) return 'NONE'
    try {
      logs.createFuture(partition, path, this.#host.logConfig(partition.topic))
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      return 'KAFKA_STORAGE_ERROR'
    }
    this.#host.environment.log.info('moving a replica to another log directory', { ...partition, directory: path })
    this.resume(found)
    return 'NONE'
  }

  /** Goes on with the copy of a replica, if there is one. */
  resume(replica: LocalReplica): void {
    const future = this.#host.logs.future(replica.topicPartition)
    if (future === undefined) return
    const { path, directoryId } = future
    this.#moves.set(replica, { replica, path, directoryId, state: 'copying', notBeforeMs: 0, pausedUntilMs: 0 })
    this.#onDisk(replica, () => align(replica.log, future.log))
    this.#schedule()
  }

  /** Id of the log directory that the controller shall know of; undefined: where the log is. */
  directoryOf(partition: TopicPartition): string | undefined {
    for (const { replica, state, directoryId } of this.#moves.values()) {
      const { topicPartition: own } = replica
      const isPromised = state === 'assigning' || state === 'assigned' || state === 'closing'
      if (isPromised && own.topic === partition.topic && own.partition === partition.partition) return directoryId
    }
    return undefined
  }

  /** Records were added to a log. */
  grew(replica: LocalReplica): void {
    if (this.#moves.size > 0 && this.#moves.has(replica)) this.#schedule()
  }

  /** A log was cut, or begun anew. */
  cut(replica: LocalReplica): void {
    if (!this.#moves.has(replica)) return
    const future = this.#host.logs.future(replica.topicPartition)
    if (future !== undefined) this.#onDisk(replica, () => followCut(replica.log, future.log))
  }

  /** The replica is gone from here, or its log is; what there is of a copy is the log manager's. */
  forget(replica: LocalReplica): void {
    this.#moves.delete(replica)
  }

  /** Copies in a log directory that failed are lost. */
  directoryFailed(directoryId: string): void {
    for (const { replica, directoryId: own } of this.#all()) if (own === directoryId) this.#over(replica)
  }

  /** Segments of copies age as those of logs do. */
  enforceRetention(wallMs: number): void {
    for (const { replica } of this.#all()) {
      const future = this.#host.logs.future(replica.topicPartition)
      if (future === undefined) continue
      const committed = Math.min(replica.highWatermark, future.log.logEndOffset)
      // What there is no descriptor for now is done by the next pass.
      this.#onDisk(
        replica,
        () => future.log.enforceRetention(wallMs, committed),
        () => {},
      )
    }
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    this.#moves.clear()
  }

  // ---------------------------------------------------------------------------------------------------------- copying

  #all(): Move[] {
    return [...this.#moves.values()]
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isStopped || this.#moves.size === 0) return
    this.#isScheduled = true
    this.#host.environment.timers.soon(() => {
      this.#isScheduled = false
      this.#turn()
    })
  }

  #wakeAfter(delayMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#host.environment.timers.after(delayMs, () => {
      this.#timer = undefined
      this.#schedule()
    })
  }

  #turn(): void {
    if (this.#isStopped) return
    const nowMs = this.#host.environment.clock.monotonicMs()
    const move = this.#all().find(each => this.#hasWork(each, nowMs))
    if (move === undefined) {
      const laterMs = this.#all().flatMap(({ state, notBeforeMs, pausedUntilMs }) => [
        ...(state === 'copying' ? [Math.max(notBeforeMs, pausedUntilMs)] : []),
        ...(pausedUntilMs > nowMs ? [pausedUntilMs] : []),
      ])
      if (laterMs.length > 0) this.#wakeAfter(Math.max(0, Math.min(...laterMs) - nowMs))
      return
    }
    if (this.#quota.isExceeded(nowMs)) {
      this.#wakeAfter(throttledMs)
      return
    }
    // The next turn is another's.
    this.#moves.delete(move.replica)
    this.#moves.set(move.replica, move)
    const pause = (): void => void (move.pausedUntilMs = nowMs + refusedMs)
    this.#onDisk(move.replica, () => this.#step(move, nowMs), pause)
    this.#schedule()
  }

  #hasWork({ replica, state, notBeforeMs, pausedUntilMs }: Move, nowMs: number): boolean {
    const copy = this.#host.logs.future(replica.topicPartition)?.log
    if (copy === undefined || nowMs < pausedUntilMs) return false
    if (copy.logEndOffset < replica.log.logEndOffset) return true
    return (state === 'copying' && nowMs >= notBeforeMs) || state === 'assigned'
  }

  #step(move: Move, nowMs: number): void {
    const { replica } = move
    const copy = this.#copyOf(move)
    const copied = copyNext(replica.log, copy, Math.min(pieceBytes, Math.max(1, this.#quota.limit)))
    this.#quota.record(copied, nowMs)
    if (copy.logEndOffset !== replica.log.logEndOffset) return
    if (move.state === 'copying' && nowMs >= move.notBeforeMs) {
      move.state = 'flushing'
      this.#flushed(move, copy, () => this.#assign(move))
    } else if (move.state === 'assigned') {
      move.state = 'closing'
      this.#flushed(move, copy, () => this.#finish(move))
    }
  }

  #copyOf({ replica }: Move): PartitionLog {
    const copy = this.#host.logs.future(replica.topicPartition)?.log
    if (copy === undefined) throw new Error('Bug: a move without a copy.')
    return copy
  }

  #flushed(move: Move, copy: PartitionLog, done: () => void): void {
    copy.flushLater(result => {
      if (!this.#isUnderWay(move)) return
      this.#onDisk(move.replica, () => {
        if (!('error' in result)) done()
        else if (isOutOfFiles(result.error)) this.#again(move)
        else throw result.error
      })
    })
  }

  /** The copy stays, and what was told of it may be taken back. */
  #again(move: Move): void {
    move.state = 'copying'
    move.notBeforeMs = this.#host.environment.clock.monotonicMs() + refusedMs
    this.#host.directoryChanged(idOf(move.replica))
    this.#schedule()
  }

  #isUnderWay(move: Move): boolean {
    return !this.#isStopped && this.#moves.get(move.replica) === move
  }

  #assign(move: Move): void {
    move.state = 'assigning'
    this.#host.assignDirectory(idOf(move.replica), move.directoryId, taken => {
      if (!this.#isUnderWay(move)) return
      if (!taken) return this.#again(move)
      move.state = 'assigned'
      this.#schedule()
    })
  }

  #finish(move: Move): void {
    const { replica, path } = move
    const { topicPartition } = replica
    const copy = this.#copyOf(move)
    // What came during the fsync, and in any case where the log begins now; nothing can come in between any more.
    do copyNext(replica.log, copy, pieceBytes)
    while (copy.logEndOffset < replica.log.logEndOffset)
    const { logs, environment } = this.#host
    const config = this.#host.logConfig(topicPartition.topic)
    replica.moveTo(logs.promoteFuture(topicPartition, config))
    this.#moves.delete(replica)
    environment.log.info('moved a replica to another log directory', { ...topicPartition, directory: path })
  }

  // ------------------------------------------------------------------------------------------------------- giving up

  /** The move is over; the copy, if it can be reached, goes. */
  #giveUp(replica: LocalReplica): void {
    this.#host.logs.dropFuture(replica.topicPartition)
    this.#over(replica)
  }

  #over(replica: LocalReplica): void {
    if (this.#moves.delete(replica)) this.#host.directoryChanged(idOf(replica))
  }

  /** `again`: work that can be done again when there are file descriptors; without it the move is given up. */
  #onDisk(replica: LocalReplica, work: () => void, again?: () => void): void {
    try {
      work()
    } catch (error) {
      const { log } = this.#host.environment
      if (error instanceof CorruptRecordsError) {
        log.error('a replica cannot be moved: its log is damaged', { ...replica.topicPartition, error })
        this.#giveUp(replica)
        return
      }
      if (isOutOfFiles(error) && again !== undefined) return again()
      if (isShortage(error)) {
        const problem = isDiskFull(error) ? 'the other log directory is full' : 'there is no file descriptor left'
        log.error(`a replica cannot be moved: ${problem}`, { ...replica.topicPartition, error })
        this.#giveUp(replica)
        return
      }
      if (!(error instanceof DiskError)) throw error
      log.error('a move between log directories ended with a disk', { ...replica.topicPartition, error })
      this.#over(replica)
      if (this.#host.logs.get(replica.topicPartition) === undefined) this.#host.diskFailed(replica, error)
    }
  }
}

function idOf({ topicId, topicPartition }: LocalReplica): ReplicaId {
  return { topicId, partition: topicPartition.partition }
}
