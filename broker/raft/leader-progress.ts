/**
 * What the leader of an epoch knows of the replicas that fetch from it: how far each is, when it last asked, whether a majority still
 * does. Computes the high watermark; never lowers it.
 * Sources: KIP-595 (high watermark), KIP-836 (last fetch and caught-up times), KAFKA-15489 (check quorum).
 */
import { noDirectoryId } from './quorum-messages.ts'

/** A leader that no majority has fetched from for 1.5 fetch timeouts steps down. */
const checkQuorumFactor = 1.5
/** An observer that has not fetched for this long is forgotten, ms. */
const observerSessionTimeoutMs = 300_000
/** Whoever asks under ever new names pushes out who has been silent for longest. */
const observersMost = 1_000

export interface ReplicaProgress {
  readonly id: number
  readonly directoryId: string
  /** Offset below which it holds everything, durably if a voter; undefined until it fetched in this epoch. */
  endOffset: number | undefined
  /** Monotonic ms, -1 for never. */
  lastFetchMs: number
  lastCaughtUpMs: number
  leaderEndOffsetAtLastFetch: number
}

export interface LeaderStart {
  readonly nodeId: number
  readonly voters: readonly number[]
  readonly epochStartOffset: number
  readonly fetchTimeoutMs: number
  readonly nowMs: number
}

export class LeaderProgress {
  readonly epochStartOffset: number
  /** Undefined until a majority holds a record of this epoch. */
  highWatermark: number | undefined = undefined
  readonly voters = new Map<number, ReplicaProgress>()
  private readonly observers = new Map<string, ReplicaProgress>()
  private readonly nodeId: number
  private readonly checkQuorumTimeoutMs: number
  private readonly fetchedVoters = new Set<number>()
  checkQuorumDeadlineMs: number

  constructor(start: LeaderStart) {
    this.nodeId = start.nodeId
    this.epochStartOffset = start.epochStartOffset
    this.checkQuorumTimeoutMs = Math.floor(start.fetchTimeoutMs * checkQuorumFactor)
    this.checkQuorumDeadlineMs = start.voters.length === 1 ? Infinity : start.nowMs + this.checkQuorumTimeoutMs
    // Static voters are known by id alone, as in Kafka with kraft.version 0.
    for (const id of start.voters) this.voters.set(id, newReplica(id, noDirectoryId))
  }

  /** This node's own log is durable below `offset`. Returns whether the high watermark rose. */
  localDurable(offset: number): boolean {
    const local = this.voters.get(this.nodeId)
    if (local === undefined) return false
    local.endOffset = Math.max(local.endOffset ?? 0, offset)
    return this.raiseHighWatermark()
  }

  /** A replica fetched at `fetchOffset`, so it holds everything below. Returns whether the high watermark rose. */
  fetched(
    replica: { id: number; directoryId: string },
    fetchOffset: number,
    leaderEndOffset: number,
    nowMs: number,
  ): boolean {
    const progress = this.replica(replica)
    if (fetchOffset >= leaderEndOffset) {
      progress.lastCaughtUpMs = Math.max(progress.lastCaughtUpMs, nowMs)
    } else if (progress.leaderEndOffsetAtLastFetch > 0 && fetchOffset >= progress.leaderEndOffsetAtLastFetch) {
      progress.lastCaughtUpMs = Math.max(progress.lastCaughtUpMs, progress.lastFetchMs)
    }
    progress.leaderEndOffsetAtLastFetch = leaderEndOffset
    progress.lastFetchMs = Math.max(progress.lastFetchMs, nowMs)
    progress.endOffset = fetchOffset
    this.heardFrom(replica.id, nowMs)
    return this.voters.has(replica.id) && this.raiseHighWatermark()
  }

  /** A voter still follows: it fetched, or fetched a piece of a snapshot. */
  heardFrom(id: number, nowMs: number): void {
    if (!this.voters.has(id) || id === this.nodeId) return
    this.fetchedVoters.add(id)
    const majorityBesidesLeader = Math.floor(this.voters.size / 2) + 1 - (this.voters.has(this.nodeId) ? 1 : 0)
    if (this.fetchedVoters.size < majorityBesidesLeader) return
    this.fetchedVoters.clear()
    this.checkQuorumDeadlineMs = nowMs + this.checkQuorumTimeoutMs
  }

  /** Other voters, furthest first: the order in which they should stand for election after this leader. */
  successors(): number[] {
    return [...this.voters.values()]
      .filter(voter => voter.id !== this.nodeId)
      .sort((left, right) => (right.endOffset ?? -1) - (left.endOffset ?? -1) || left.id - right.id)
      .map(voter => voter.id)
  }

  observerStates(nowMs: number): readonly ReplicaProgress[] {
    for (const [key, observer] of this.observers) {
      if (nowMs - observer.lastFetchMs >= observerSessionTimeoutMs) this.observers.delete(key)
    }
    return [...this.observers.values()]
  }

  private replica(key: { id: number; directoryId: string }): ReplicaProgress {
    const voter = this.voters.get(key.id)
    if (voter !== undefined) return voter
    const name = `${key.id} ${key.directoryId}`
    const observer = this.observers.get(name) ?? newReplica(key.id, key.directoryId)
    // The one heard last is the last of them.
    this.observers.delete(name)
    this.observers.set(name, observer)
    if (this.observers.size > observersMost) {
      const [longestSilent] = this.observers.keys()
      if (longestSilent !== undefined) this.observers.delete(longestSilent)
    }
    return observer
  }

  /** Raft §5.4.2: an entry is committed by counting only when it is of this epoch; older ones are committed with it. */
  private raiseHighWatermark(): boolean {
    const descending = [...this.voters.values()].map(voter => voter.endOffset ?? -1).sort((left, right) => right - left)
    const majorityOffset = descending[Math.floor(descending.length / 2)] ?? -1
    if (majorityOffset <= this.epochStartOffset || majorityOffset <= (this.highWatermark ?? -1)) return false
    this.highWatermark = majorityOffset
    return true
  }
}

function newReplica(id: number, directoryId: string): ReplicaProgress {
  return { id, directoryId, endOffset: undefined, lastFetchMs: -1, lastCaughtUpMs: -1, leaderEndOffsetAtLastFetch: -1 }
}
