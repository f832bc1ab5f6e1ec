/**
 * What the rest of the broker knows of the KRaft quorum that keeps `__cluster_metadata-0`. The quorum machine decides, `raft-driver.ts`
 * persists, sends and delivers. The records are opaque here: the controller and the metadata image give them meaning.
 * Sources: KIP-595, KIP-630 (snapshots), KIP-996 (pre-vote).
 */
import type { Address } from '../environment/environment.ts'

export interface Voter {
  readonly id: number
  readonly address: Address
}

export interface QuorumConfig {
  readonly nodeId: number
  readonly clusterId: string
  /** Static voters (controller.quorum.voters). A node that is not among them is an observer. */
  readonly voters: readonly Voter[]
  readonly electionTimeoutMs: number
  /**
   * In epoch 0 nobody can be leading: a new quorum need not wait for a leader to be heard. Its voters, started together, stand within
   * this time. Undefined: after the election timeout, as in Kafka.
   */
  readonly firstElectionWithinMs?: number
  readonly electionBackoffMaxMs: number
  readonly fetchTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly retryBackoffMs: number
  /** Largest batch the leader appends, bytes. */
  readonly maxBatchBytes: number
  /** Snapshot when the log grew by this many bytes, or after this time, since the last one. */
  readonly snapshotAfterBytes: number
  readonly snapshotAfterMs: number
}

/** A run of committed records of one epoch, or a whole snapshot, in the form in which both controller and brokers replay it. */
export interface CommittedBatch {
  readonly baseOffset: number
  /** Inclusive. */
  readonly lastOffset: number
  readonly epoch: number
  readonly appendTimeMs: number
  /** Record values: framed metadata records (frame version, api key, version, body). Control records are not delivered. */
  readonly records: readonly Buffer[]
}

export interface MetadataListener {
  /** Committed batches in order, each once per start of the node. */
  committed(batch: CommittedBatch): void
  /** Forget all state and take this instead: at start, or when the leader's log no longer reaches back to us. */
  loadSnapshot(snapshot: CommittedBatch): void
  /**
   * `leaderId` undefined while unknown. When this node is the leader it is told only after every record committed before its epoch
   * has been delivered, so that a controller starts with the whole state.
   */
  leaderChanged(leader: LeaderAndEpoch): void
  /** The state as records, for a snapshot that ends at the last batch delivered. */
  snapshot(): readonly Buffer[]
}

export interface LeaderAndEpoch {
  readonly leaderId: number | undefined
  readonly epoch: number
}

export interface MetadataQuorum {
  start(listener: MetadataListener): void
  /** Resigns when leading (EndQuorumEpoch), flushes, stops. */
  stop(): Promise<void>
  readonly leader: LeaderAndEpoch
  /** Address of the leader's controller listener, when known. */
  leaderAddress(): Address | undefined
  readonly highWatermark: number
  readonly logEndOffset: number
  /**
   * Appends the records as one atomic batch if this node still leads `epoch`; `lastOffset` of them is committed once
   * `committed` delivered it. Undefined: no longer leader.
   */
  propose(
    epoch: number,
    records: readonly Buffer[],
  ): { readonly baseOffset: number; readonly lastOffset: number } | undefined
}
