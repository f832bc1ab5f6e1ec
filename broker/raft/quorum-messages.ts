/**
 * The requests and responses of the KRaft protocol as the quorum machine sees them: one partition, names of errors instead of codes, the
 * directory id of a replica as base64url text. Translation to and from the wire is quorum-wire.ts. No behaviour lives here.
 * Sources: KIP-595, KIP-630 (snapshots), KIP-853 (voter keys), KIP-996 (pre-vote), KIP-1166 (high watermark in Fetch).
 */
import type { ErrorName } from '../protocol/errors.ts'

/** The all-zero UUID: a replica whose directory id is not known. */
export const noDirectoryId = 'AAAAAAAAAAAAAAAAAAAAAA'

/** Names a snapshot by the log it replaces: everything below `endOffset`, whose last record has `epoch`. */
export interface SnapshotId {
  readonly endOffset: number
  readonly epoch: number
}

/** A snapshot that is complete and durable on this node. */
export interface StoredSnapshot extends SnapshotId {
  readonly bytes: number
}

export interface EpochEnd {
  readonly epoch: number
  readonly endOffset: number
}

export interface VoteRequest {
  readonly kind: 'vote'
  readonly clusterId: string | null
  /** The replica that is asked; -1 in version 0. */
  readonly voterId: number
  readonly voterDirectoryId: string
  readonly epoch: number
  readonly replicaId: number
  readonly replicaDirectoryId: string
  readonly lastEpoch: number
  readonly lastOffset: number
  readonly preVote: boolean
}

export interface BeginQuorumEpochRequest {
  readonly kind: 'beginQuorumEpoch'
  readonly clusterId: string | null
  readonly voterId: number
  readonly voterDirectoryId: string
  readonly leaderId: number
  readonly epoch: number
}

export interface EndQuorumEpochRequest {
  readonly kind: 'endQuorumEpoch'
  readonly clusterId: string | null
  readonly leaderId: number
  readonly epoch: number
  /** Voters by descending fetch offset: who is first should start the election. */
  readonly preferredSuccessors: readonly number[]
}

export interface FetchRequest {
  readonly kind: 'fetch'
  readonly clusterId: string | null
  /** -1 for a reader that is no replica. */
  readonly replicaId: number
  readonly replicaDirectoryId: string
  readonly epoch: number
  readonly fetchOffset: number
  readonly lastFetchedEpoch: number
  readonly maxWaitMs: number
  readonly maxBytes: number
  /** What the replica knows; -1 nothing yet, Infinity when it does not say (before version 18). */
  readonly highWatermark: number
}

export interface FetchSnapshotRequest {
  readonly kind: 'fetchSnapshot'
  readonly clusterId: string | null
  readonly replicaId: number
  readonly replicaDirectoryId: string
  readonly epoch: number
  readonly snapshotId: SnapshotId
  readonly position: number
  readonly maxBytes: number
}

export type QuorumRequest =
  VoteRequest | BeginQuorumEpochRequest | EndQuorumEpochRequest | FetchRequest | FetchSnapshotRequest

/** What every response carries: the error of the request as a whole, that of the partition, and who leads. */
export interface ResponseHead {
  readonly topLevelError: ErrorName
  readonly error: ErrorName
  /** -1 when unknown. */
  readonly leaderId: number
  readonly epoch: number
}

export interface VoteResponse extends ResponseHead {
  readonly kind: 'vote'
  readonly voteGranted: boolean
}

export interface BeginQuorumEpochResponse extends ResponseHead {
  readonly kind: 'beginQuorumEpoch'
}

export interface EndQuorumEpochResponse extends ResponseHead {
  readonly kind: 'endQuorumEpoch'
}

/** Batches a follower received, with what the machine must know of them: the offsets they cover and where epochs begin in them. */
export interface FetchedRecords {
  readonly bytes: Buffer
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  /** First offset of each run of batches of one epoch, ascending. */
  readonly epochs: readonly EpochStart[]
}

export interface EpochStart {
  readonly epoch: number
  readonly startOffset: number
}

export interface FetchResponse extends ResponseHead {
  readonly kind: 'fetch'
  /** -1 while the leader does not know it. */
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly divergingEpoch: EpochEnd | undefined
  readonly snapshotId: SnapshotId | undefined
  /** On its way out: what to read from the log. */
  readonly read: { readonly offset: number; readonly maxBytes: number } | undefined
  /** On its way in: what was read. */
  readonly records: FetchedRecords | undefined
}

export interface FetchSnapshotResponse extends ResponseHead {
  readonly kind: 'fetchSnapshot'
  readonly snapshotId: SnapshotId | undefined
  readonly sizeBytes: number
  readonly position: number
  /** On its way out: bytes to read from the snapshot at `position`. */
  readonly readBytes: number
  /** On its way in. */
  readonly bytes: Buffer | undefined
}

export type QuorumResponse =
  VoteResponse | BeginQuorumEpochResponse | EndQuorumEpochResponse | FetchResponse | FetchSnapshotResponse
