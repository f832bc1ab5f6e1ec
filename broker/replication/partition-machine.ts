/**
 * One replica of one partition, as leader or follower: leader epoch, in-sync replicas, high watermark. Decides only: it never touches a log, a
 * clock or the network; the log end offset is told to it, and what must happen outside comes back as `PartitionEffects`.
 * The high watermark never goes back, except that a truncation below it (unclean election) takes it along.
 *
 *   state     event                                next      what happens
 *   none      lead(epoch e)                        leader    followers start unknown; in-sync ones have replica.lag.time.max.ms to show up
 *   none      follow(epoch e)                      follower  high watermark from now on only from fetch responses
 *   leader    lead(same epoch, newer partition epoch)  leader    ISR := metadata; a proposal in flight is forgotten
 *   leader    lead(newer epoch)                    leader    epoch start offset := log end offset; followers are measured anew
 *   leader    follow                               follower  waiting acks=all appends fail with NOT_LEADER_OR_FOLLOWER
 *   follower  lead                                 leader
 *   any       lead/follow(older partition epoch)   same      ignored: an AlterPartition response was faster than the metadata log
 *
 *   ISR of a leader (one proposal at a time, KIP-497):
 *   committed     follower reached high watermark and epoch start, eligible   pending expand   maximal ISR = ISR + follower
 *   committed     member not caught up for replica.lag.time.max.ms            pending shrink   maximal ISR = ISR
 *   pending       success with our leader epoch and partition epoch >= ours   committed
 *   pending       OPERATION_NOT_ATTEMPTED, INELIGIBLE_REPLICA                 committed (as before): it surely was not applied
 *   pending       FENCED_LEADER_EPOCH, INVALID_UPDATE_VERSION, UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION, INVALID_REQUEST,
 *                 NEW_LEADER_ELECTED                                          pending until newer metadata arrives: it may have been applied
 *   pending       any other error                                             pending; sent again
 *
 * Sources: KIP-101, KIP-279 (epochs), KIP-392 (HW), KIP-497 and KIP-841 (AlterPartition), KIP-903 (broker epochs), KIP-966 (no HW below min ISR).
 */
import type { ErrorName } from '../protocol/errors.ts'
import { FollowerProgress } from './follower-progress.ts'

/** What the metadata says of a partition; PartitionImage satisfies it. */
export interface Assignment {
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly leader: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
}

/** What the metadata says of a registered broker. */
export interface BrokerStatus {
  readonly epoch: number
  readonly fenced: boolean
  readonly inControlledShutdown: boolean
}

/** The machine's view of the rest of this broker. */
export interface PartitionSurroundings {
  readonly brokerId: number
  /** Undefined: not registered. */
  brokerStatus(id: number): BrokerStatus | undefined
  localBrokerEpoch(): number
  readonly replicaLagTimeMaxMs: number
}

/** An AlterPartition request that waits for its answer. */
export interface IsrProposal {
  readonly kind: 'expand' | 'shrink'
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  readonly isr: readonly { readonly brokerId: number; readonly brokerEpoch: number }[]
  /** The replicas that come or go. */
  readonly changed: readonly number[]
}

export type IsrProposalResult =
  | { readonly leaderEpoch: number; readonly partitionEpoch: number; readonly isr: readonly number[] }
  | { readonly error: ErrorName }

export interface PartitionEffects {
  readonly highWatermarkAdvanced: boolean
  /** To be sent to the controller, with `alterPartitionDone` as the answer. */
  readonly propose?: IsrProposal
}

export type CommitStatus = 'waiting' | 'committed' | 'NOT_LEADER_OR_FOLLOWER' | 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'

export interface FollowerFetch {
  readonly replicaId: number
  /** -1: the request carries none (Fetch below v15). */
  readonly brokerEpoch: number
  readonly fetchOffset: number
  readonly logStartOffset: number
}

/** The controller says that the partition epoch was right and nothing changed. */
const surelyNotApplied: ReadonlySet<ErrorName> = new Set(['OPERATION_NOT_ATTEMPTED', 'INELIGIBLE_REPLICA'])
/** Ours is out of date, or was applied: only newer metadata can tell. */
const awaitsMetadata: ReadonlySet<ErrorName> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
  'FENCED_LEADER_EPOCH',
  'INVALID_UPDATE_VERSION',
  'INVALID_REQUEST',
  'NEW_LEADER_ELECTED',
])

const nothing: PartitionEffects = { highWatermarkAdvanced: false }
const advanced: PartitionEffects = { highWatermarkAdvanced: true }

export class PartitionMachine {
  role: 'none' | 'leader' | 'follower' = 'none'
  leaderId = -1
  leaderEpoch = -1
  partitionEpoch = -1
  replicas: readonly number[] = []
  /** In-sync set as the controller committed it; empty on a follower. */
  isr: readonly number[] = []
  highWatermark: number
  logEndOffset: number
  /** Log end offset when this leadership began; undefined on a follower. */
  leaderEpochStartOffset: number | undefined = undefined
  minInsyncReplicas: number
  private pending: IsrProposal | undefined = undefined
  private followers = new Map<number, FollowerProgress>()
  private readonly surroundings: PartitionSurroundings

  constructor(
    surroundings: PartitionSurroundings,
    start: { highWatermark: number; logEndOffset: number; minInsyncReplicas: number },
  ) {
    this.surroundings = surroundings
    this.highWatermark = start.highWatermark
    this.logEndOffset = start.logEndOffset
    this.minInsyncReplicas = start.minInsyncReplicas
  }

  // ------------------------------------------------------------------------------------------------------ leadership

  /** The metadata makes this replica the leader, or changes the partition it leads. */
  lead(assignment: Assignment, nowMs: number): PartitionEffects & { isNewEpoch: boolean; ignored: boolean } {
    if (assignment.partitionEpoch < this.partitionEpoch) return { ...nothing, isNewEpoch: false, ignored: true }
    const isNewLeader = this.role !== 'leader'
    const isNewEpoch = assignment.leaderEpoch > this.leaderEpoch
    this.takeAssignment(assignment)
    this.role = 'leader'
    this.isr = assignment.isr
    const followers = new Map<number, FollowerProgress>()
    for (const id of assignment.replicas) {
      if (id !== this.surroundings.brokerId) followers.set(id, this.followers.get(id) ?? new FollowerProgress(id))
    }
    this.followers = followers
    if (isNewEpoch) {
      this.leaderEpoch = assignment.leaderEpoch
      this.leaderEpochStartOffset = this.logEndOffset
      for (const follower of followers.values()) {
        const isInSync = assignment.isr.includes(follower.brokerId)
        follower.reset({ isNewLeader, isInSync, leaderEndOffset: this.logEndOffset }, nowMs)
      }
    }
    return { ...this.raiseHighWatermark(nowMs), isNewEpoch, ignored: false }
  }

  /** The metadata makes this replica a follower; leader -1: of nobody. */
  follow(assignment: Assignment): { isNewEpoch: boolean; ignored: boolean } {
    if (assignment.partitionEpoch < this.partitionEpoch) return { isNewEpoch: false, ignored: true }
    const isNewEpoch = assignment.leaderEpoch > this.leaderEpoch
    this.takeAssignment(assignment)
    this.role = 'follower'
    this.leaderEpoch = assignment.leaderEpoch
    this.leaderEpochStartOffset = undefined
    this.isr = []
    this.followers = new Map()
    return { isNewEpoch, ignored: false }
  }

  private takeAssignment(assignment: Assignment): void {
    // The metadata may repeat what an AlterPartition response said before: a proposal made since then is still open, and may be accepted.
    if (assignment.partitionEpoch > this.partitionEpoch) this.pending = undefined
    this.leaderId = assignment.leader
    this.partitionEpoch = assignment.partitionEpoch
    this.replicas = assignment.replicas
  }

  /**
   * Whether a request that expects leader epoch `currentLeaderEpoch` (-1: any) may be served here (KIP-320). Followers serve only those who ask
   * for any replica (`onlyLeader` false).
   */
  refusal(
    currentLeaderEpoch: number,
    onlyLeader: boolean,
  ): 'FENCED_LEADER_EPOCH' | 'UNKNOWN_LEADER_EPOCH' | 'NOT_LEADER_OR_FOLLOWER' | undefined {
    if (currentLeaderEpoch >= 0) {
      if (currentLeaderEpoch < this.leaderEpoch) return 'FENCED_LEADER_EPOCH'
      if (currentLeaderEpoch > this.leaderEpoch) return 'UNKNOWN_LEADER_EPOCH'
    }
    return this.role === 'none' || (onlyLeader && this.role !== 'leader') ? 'NOT_LEADER_OR_FOLLOWER' : undefined
  }

  // ------------------------------------------------------------------------------------------------------------- log

  /** Before an append by a client that waits for all in-sync replicas. */
  hasEnoughReplicas(): boolean {
    return this.isr.length >= this.effectiveMinIsr()
  }

  /** min.insync.replicas, but never more than there are replicas. */
  effectiveMinIsr(): number {
    return Math.min(this.minInsyncReplicas, this.replicas.length)
  }

  /** The local log grew, by an append as the leader or as a follower. */
  appended(logEndOffset: number, nowMs: number): PartitionEffects {
    this.logEndOffset = logEndOffset
    return this.role === 'leader' ? this.raiseHighWatermark(nowMs) : nothing
  }

  /** The local log was cut. Returns true when committed records may have gone with it. */
  truncated(logEndOffset: number): boolean {
    this.logEndOffset = logEndOffset
    if (this.highWatermark <= logEndOffset) return false
    this.highWatermark = logEndOffset
    return true
  }

  /** The local log was emptied and begins at `offset` now: all before it was committed by others. */
  restartedAt(offset: number): void {
    this.logEndOffset = offset
    this.highWatermark = offset
  }

  /** The log start offset rose (retention, DeleteRecords): what is gone was committed. */
  logStartRaised(logStartOffset: number): void {
    if (this.highWatermark < logStartOffset) this.highWatermark = logStartOffset
  }

  /** Follower: the leader's high watermark, from a fetch response. */
  leaderHighWatermark(offset: number): PartitionEffects {
    const bounded = Math.min(offset, this.logEndOffset)
    if (this.role !== 'follower' || bounded <= this.highWatermark) return nothing
    this.highWatermark = bounded
    return advanced
  }

  /** Whether an append that ends at `requiredOffset` (exclusive) is on all in-sync replicas. */
  commitStatus(requiredOffset: number): CommitStatus {
    if (this.role !== 'leader') return 'NOT_LEADER_OR_FOLLOWER'
    if (this.highWatermark < requiredOffset) return 'waiting'
    return this.maximalIsrSize() >= this.effectiveMinIsr() ? 'committed' : 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'
  }

  // ------------------------------------------------------------------------------------------------------- followers

  /** Whether `fetch` comes from a replica of this partition, in the registration that counts now. Call before reading for it. */
  followerRefusal(
    fetch: { replicaId: number; brokerEpoch: number },
    hasLeaderEpoch: boolean,
  ): 'UNKNOWN_LEADER_EPOCH' | 'NOT_LEADER_OR_FOLLOWER' | undefined {
    // A reassignment may have reached the follower first: with an epoch it is told to try again, else that it is wrong here.
    if (!this.followers.has(fetch.replicaId)) return hasLeaderEpoch ? 'UNKNOWN_LEADER_EPOCH' : 'NOT_LEADER_OR_FOLLOWER'
    const status = this.surroundings.brokerStatus(fetch.replicaId)
    const isStale =
      fetch.brokerEpoch !== -1 && status !== undefined && !status.fenced && status.epoch > fetch.brokerEpoch
    return isStale ? 'NOT_LEADER_OR_FOLLOWER' : undefined
  }

  /** A follower, admitted by `followerRefusal`, asked for records from `fetchOffset` on: it holds all below. */
  followerFetched(fetch: FollowerFetch, nowMs: number): PartitionEffects {
    const follower = this.followers.get(fetch.replicaId)
    if (this.role !== 'leader' || follower === undefined) return nothing
    const before = follower.logEndOffset
    follower.fetched(
      {
        fetchOffset: fetch.fetchOffset,
        logStartOffset: fetch.logStartOffset,
        leaderEndOffset: this.logEndOffset,
        brokerEpoch: fetch.brokerEpoch,
      },
      nowMs,
    )
    const propose = this.expandFor(follower)
    const raised = before === fetch.fetchOffset ? nothing : this.raiseHighWatermark(nowMs)
    return propose === undefined ? raised : { highWatermarkAdvanced: raised.highWatermarkAdvanced, propose }
  }

  /** Call every replica.lag.time.max.ms / 2: members of the ISR that fell behind leave it. */
  tick(nowMs: number): PartitionEffects {
    if (this.role !== 'leader' || this.pending !== undefined) return nothing
    const outOfSync = this.isr.filter(id => id !== this.surroundings.brokerId && !this.isCaughtUp(id, nowMs))
    if (outOfSync.length === 0) return nothing
    const remaining = this.isr.filter(id => !outOfSync.includes(id))
    return { highWatermarkAdvanced: false, propose: this.proposeIsr('shrink', remaining, outOfSync) }
  }

  private isCaughtUp(id: number, nowMs: number): boolean {
    const follower = this.followers.get(id)
    return follower?.isCaughtUp(this.logEndOffset, nowMs, this.surroundings.replicaLagTimeMaxMs) === true
  }

  private expandFor(follower: FollowerProgress): IsrProposal | undefined {
    if (this.pending !== undefined || this.isr.includes(follower.brokerId)) return undefined
    // Between the high watermark and the epoch's start there may be committed records this leader does not know to be committed yet.
    const start = Math.max(this.highWatermark, this.leaderEpochStartOffset ?? Number.POSITIVE_INFINITY)
    if (follower.logEndOffset < start || !this.isEligible(follower)) return undefined
    return this.proposeIsr('expand', [...this.isr, follower.brokerId], [follower.brokerId])
  }

  /** Not fenced, not on its way out, and the registration that fetches is the one the metadata knows. */
  private isEligible(follower: FollowerProgress): boolean {
    const status = this.surroundings.brokerStatus(follower.brokerId)
    if (status === undefined || status.fenced || status.inControlledShutdown) return false
    return follower.brokerEpoch === -1 || follower.brokerEpoch === status.epoch
  }

  private proposeIsr(kind: 'expand' | 'shrink', isr: readonly number[], changed: readonly number[]): IsrProposal {
    const withEpochs = isr.map(brokerId => ({
      brokerId,
      // -1 for a member that has not fetched yet in this leadership: if it dies, the controller raises the partition epoch first.
      brokerEpoch:
        brokerId === this.surroundings.brokerId
          ? this.surroundings.localBrokerEpoch()
          : (this.followers.get(brokerId)?.brokerEpoch ?? -1),
    }))
    const { leaderEpoch, partitionEpoch } = this
    this.pending = { kind, leaderEpoch, partitionEpoch, isr: withEpochs, changed }
    return this.pending
  }

  /** The controller's answer to `proposal`. `propose` in the effects means: send it again. */
  alterPartitionDone(proposal: IsrProposal, result: IsrProposalResult, nowMs: number): PartitionEffects {
    if (this.pending !== proposal || this.role !== 'leader') return nothing
    if ('error' in result) return this.proposalRefused(proposal, result.error)
    if (result.leaderEpoch !== this.leaderEpoch || result.partitionEpoch < this.partitionEpoch) return nothing
    this.pending = undefined
    this.isr = result.isr
    this.partitionEpoch = result.partitionEpoch
    return this.raiseHighWatermark(nowMs)
  }

  private proposalRefused(proposal: IsrProposal, error: ErrorName): PartitionEffects {
    if (surelyNotApplied.has(error)) {
      this.pending = undefined
      return nothing
    }
    return awaitsMetadata.has(error) ? nothing : { highWatermarkAdvanced: false, propose: proposal }
  }

  /** The set that must hold a record before it counts as committed: an expansion in flight counts already, a shrink does not yet. */
  maximalIsr(): readonly number[] {
    return this.pending?.kind === 'expand' ? [...this.isr, ...this.pending.changed] : this.isr
  }

  private maximalIsrSize(): number {
    return this.pending?.kind === 'expand' ? this.isr.length + this.pending.changed.length : this.isr.length
  }

  private isInMaximalIsr(id: number): boolean {
    return this.isr.includes(id) || (this.pending?.kind === 'expand' && this.pending.changed.includes(id))
  }

  get isProposalPending(): boolean {
    return this.pending !== undefined
  }

  /** False once newer metadata has made the proposal pointless. */
  isStillProposed(proposal: IsrProposal): boolean {
    return this.pending === proposal
  }

  /**
   * Raises the high watermark to the least log end offset of the maximal ISR. It also waits for a follower that is caught up and may join: else
   * a leader that is alone would always be ahead of it. Never while the ISR is smaller than min.insync.replicas (KIP-966).
   */
  private raiseHighWatermark(nowMs: number): PartitionEffects {
    if (!this.hasEnoughReplicas()) return nothing
    let offset = this.logEndOffset
    for (const follower of this.followers.values()) {
      if (
        follower.logEndOffset < offset &&
        (this.isInMaximalIsr(follower.brokerId) || this.mayJoinSoon(follower, nowMs))
      ) {
        offset = follower.logEndOffset
      }
    }
    if (offset <= this.highWatermark) return nothing
    this.highWatermark = offset
    return advanced
  }

  private mayJoinSoon(follower: FollowerProgress, nowMs: number): boolean {
    const { replicaLagTimeMaxMs } = this.surroundings
    return follower.isCaughtUp(this.logEndOffset, nowMs, replicaLagTimeMaxMs) && this.isEligible(follower)
  }

  // ------------------------------------------------------------------------------------------------------ inspection

  /** Progress of the followers, for the inspector and for DeleteRecords' low watermark. */
  followerStates(): readonly Readonly<
    Pick<FollowerProgress, 'brokerId' | 'logEndOffset' | 'logStartOffset' | 'lastCaughtUpMs'>
  >[] {
    return [...this.followers.values()]
  }
}
