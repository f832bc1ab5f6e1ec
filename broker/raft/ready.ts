/**
 * What goes into the quorum machine and what comes out of it. The driver carries a Ready out strictly in the order of its fields: nothing
 * is sent or answered before `hardState` is durable, and the machine itself holds back what needs the log to be durable until it hears
 * `persisted`. After etcd-raft's Ready.
 */
import type { FetchedRecords, QuorumRequest, QuorumResponse, SnapshotId, StoredSnapshot } from './quorum-messages.ts'
import type { LeaderAndEpoch } from './raft.ts'

/** What a node must never forget: kept in the file quorum-state. */
export interface HardState {
  readonly epoch: number
  readonly leaderId: number | undefined
  readonly votedId: number | undefined
}

export type QuorumEvent =
  /** A deadline passed, or just: look again. */
  | { readonly kind: 'tick' }
  | { readonly kind: 'request'; readonly token: number; readonly request: QuorumRequest }
  /** The requester is gone: its parked fetch need not be answered. */
  | { readonly kind: 'forget'; readonly token: number }
  | { readonly kind: 'response'; readonly from: number; readonly requestId: number; readonly response: QuorumResponse }
  /**
   * Nobody knows whether the request took effect. `unsupported`: the peer does not know this version. `refused`: nobody
   * listens at its address.
   */
  | {
      readonly kind: 'failed'
      readonly from: number
      readonly requestId: number
      readonly unsupported?: boolean
      readonly refused?: boolean
    }
  /** The log is durable below `durableOffset`; `generation` is that of the flush. */
  | { readonly kind: 'persisted'; readonly durableOffset: number; readonly generation: number }
  | { readonly kind: 'propose'; readonly epoch: number; readonly records: readonly Buffer[] }
  /** All chunks of a snapshot that was being fetched are durable in its temporary file. */
  | { readonly kind: 'snapshotReceived'; readonly snapshot: StoredSnapshot }
  /** This node wrote a snapshot of its own state. */
  | { readonly kind: 'snapshotCreated'; readonly snapshot: StoredSnapshot }
  | { readonly kind: 'shutdown'; readonly timeoutMs: number }
  /** A leader of this epoch gives its leadership up: it could not take what was proposed. */
  | { readonly kind: 'resign'; readonly epoch: number }

export type Append =
  | {
      readonly kind: 'leaderChange'
      readonly epoch: number
      readonly baseOffset: number
      readonly leaderId: number
      readonly voters: readonly number[]
      readonly grantingVoters: readonly number[]
    }
  | {
      readonly kind: 'records'
      readonly epoch: number
      readonly baseOffset: number
      readonly values: readonly Buffer[]
    }
  | { readonly kind: 'batches'; readonly fetched: FetchedRecords }

export interface Send {
  readonly to: number
  readonly requestId: number
  readonly request: QuorumRequest
}

export interface Reply {
  readonly token: number
  readonly response: QuorumResponse
}

export type SnapshotWork =
  /** Open a temporary file for this snapshot. */
  | { readonly kind: 'begin'; readonly id: SnapshotId }
  | { readonly kind: 'write'; readonly id: SnapshotId; readonly position: number; readonly bytes: Buffer }
  /** Make the temporary file durable, then report `snapshotReceived`. */
  | { readonly kind: 'finish'; readonly id: SnapshotId }
  /** Give the file its name, then empty the log and go on at `id.endOffset`. */
  | { readonly kind: 'install'; readonly id: SnapshotId }
  | { readonly kind: 'discard'; readonly id: SnapshotId }

/** Snapshots to remove, and the log start that the oldest one kept allows. */
export interface Retention {
  readonly remove: readonly SnapshotId[]
  readonly logStartOffset: number
}

export interface Ready {
  /** 1. Make durable, before all else. */
  hardState: HardState | undefined
  /** 2. Drop the log at and above this offset. */
  truncateTo: number | undefined
  /** 3. In order. */
  snapshotWork: SnapshotWork[]
  /** 4. Note the epoch in the log, which begins at this offset. */
  startEpoch: { readonly epoch: number; readonly startOffset: number } | undefined
  /** 5. Append in order. */
  appends: Append[]
  /** 6. In order. */
  replies: Reply[]
  sends: Send[]
  /** 7. Make the log durable off the event loop, then report `persisted` with this generation. */
  flush: number | undefined
  retention: Retention | undefined
  /** 8. Everything below is committed: deliver it. */
  highWatermark: number
  /** 9. A change to tell. For this node itself only once everything below `tellAfterOffset` has been delivered. */
  leader: (LeaderAndEpoch & { readonly tellAfterOffset: number }) | undefined
  /** Responses that were ignored because their epoch is too far ahead: to be warned of. */
  leaps: { readonly from: number; readonly epoch: number }[]
  /** When the machine wants a tick, monotonic ms; Infinity for never. */
  deadlineMs: number
  /** Answer to `propose`; undefined when it was refused. */
  proposed: { readonly baseOffset: number; readonly lastOffset: number } | undefined
  /** A shutdown is complete. */
  stopped: boolean
}

export function emptyReady(): Ready {
  return {
    hardState: undefined,
    truncateTo: undefined,
    snapshotWork: [],
    startEpoch: undefined,
    appends: [],
    replies: [],
    sends: [],
    flush: undefined,
    retention: undefined,
    highWatermark: 0,
    leader: undefined,
    leaps: [],
    deadlineMs: Infinity,
    proposed: undefined,
    stopped: false,
  }
}
