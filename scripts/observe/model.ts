/**
 * What an observation is: one look at a cluster from outside, as its brokers answered over the wire. Older brokers
 * than Kafka 4 tell less; nothing is taken from a log file, a process or an inspector.
 *
 * A value that nobody told is `{ unknown: reason }`, never a guess, a default or what was true before.
 */
import type { Offset, PartitionName } from '../history/operation.ts'
import type { Change } from './changes.ts'

export interface Unknown {
  /** Who did not tell, and why, e.g. `broker 2 gave no answer within 1000 ms`. */
  readonly unknown: string
}

export type Known<T> = T | Unknown

export function unknown(reason: string): Unknown {
  return { unknown: reason }
}

export function isUnknown(value: unknown): value is Unknown {
  // Also of a list by name, where something may be called so.
  return typeof value === 'object' && value !== null && 'unknown' in value && typeof value.unknown === 'string'
}

/** The value, or undefined when it is unknown or was not asked for. */
export function known<T>(value: Known<T> | undefined): T | undefined {
  return isUnknown(value) ? undefined : value
}

/** What to look at; nothing but the brokers when all is left out. */
export interface Watch {
  /** Names, or all there are (internal ones too). */
  readonly topics?: readonly string[] | 'all'
  /** Ids, or all there are. */
  readonly groups?: readonly string[] | 'all'
  readonly quorum?: boolean
  /** Transactional ids, all there are, or those with a transaction that has not ended. */
  readonly transactions?: readonly string[] | 'all' | 'open'
  /** The producers that the leaders of the watched topics remember. */
  readonly producers?: boolean
}

export interface Observation {
  /** 1, 2, … of this watcher. */
  readonly sequence: number
  /** When the look began, ms on the clock of the cluster (virtual in the simulator). */
  readonly atMs: number
  readonly tookMs: number
  readonly brokers: readonly ObservedBroker[]
  /** Present when watched. */
  readonly quorum?: Known<ObservedQuorum>
  /** Null: there is no such topic. Unknown as a whole, like groups and transactions: all were asked for, and nobody told which there are. */
  readonly topics?: Known<Readonly<Record<string, Known<ObservedTopic | null>>>>
  /** Null: there is no such group. */
  readonly groups?: Known<Readonly<Record<string, Known<ObservedGroup | null>>>>
  /** Null: nobody coordinates such an id, or (when only open ones are watched) its transaction has ended. */
  readonly transactions?: Known<Readonly<Record<string, Known<ObservedTransaction | null>>>>
  /** Against the last observation in which the value was known. */
  readonly changes: readonly Change[]
}

export type Registration = 'alive' | 'fenced' | 'not registered'

export interface ObservedBroker {
  readonly id: number
  /** True, or why it did not answer this look. */
  readonly answers: Known<true>
  /** As the rest of the cluster knows it. `fenced`: registered, and not allowed to lead or be in sync (KIP-841). */
  readonly registration: Known<Registration>
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export interface ObservedTopic {
  readonly topicId: string
  readonly partitions: Readonly<Record<string, Known<ObservedPartition>>>
}

export interface ObservedPartition {
  readonly name: PartitionName
  /** -1: nobody leads. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  /** Out of sync, but with every record below the high watermark (KIP-966). */
  readonly elr: readonly number[]
  /** Members of the last eligible set that may have lost records. */
  readonly lastKnownElr: readonly number[]
  /** On brokers that are not alive, or on failed disks. */
  readonly offline: readonly number[]
  /** Offset, exclusive, below which every in-sync replica has the records, as the leader of this epoch says. */
  readonly highWatermark: Known<Offset>
  /** Offset, exclusive, below which every transaction is decided, as the leader says. */
  readonly lastStableOffset: Known<Offset>
  readonly logStartOffset: Known<Offset>
  /** By broker: what each replica says of its own log. */
  readonly logs: Readonly<Record<string, Known<ObservedLog>>>
  /** Present when watched: as the leader remembers them. */
  readonly producers?: Known<readonly ObservedProducer[]>
}

export interface ObservedLog {
  /** Offset after the last record. */
  readonly logEndOffset: Offset
  /** The leader epoch that this replica knows of. */
  readonly leaderEpoch: number
  /** What this replica knows of the high watermark: a follower hears of it with the fetch after. */
  readonly highWatermark: Known<Offset>
  readonly lastStableOffset: Known<Offset>
  readonly logStartOffset: Known<Offset>
}

export interface ObservedProducer {
  /** Decimal: an opaque 64-bit number. */
  readonly producerId: string
  readonly producerEpoch: number
  readonly lastSequence: number
  /** Of its last record, ms since 1970. */
  readonly lastTimestamp: number
  /** First record of its open transaction; null when it has none. */
  readonly transactionStartOffset: Offset | null
}

export interface ObservedQuorum {
  readonly leader: number
  readonly epoch: number
  /** Of the metadata log; offset, exclusive. */
  readonly highWatermark: Offset
  readonly voters: readonly QuorumReplica[]
  readonly observers: readonly QuorumReplica[]
}

export interface QuorumReplica {
  readonly id: number
  /** As the leader heard last. */
  readonly logEndOffset: Known<Offset>
  /** Records behind the leader's end. */
  readonly lag: Known<number>
  /** Wall clock of the leader at its last fetch and when it last had everything, ms since 1970. */
  readonly lastFetchTimestamp: number | null
  readonly lastCaughtUpTimestamp: number | null
}

export const groupTypes = ['classic', 'consumer', 'share', 'streams'] as const
export type GroupType = (typeof groupTypes)[number]

export interface ObservedGroup {
  readonly type: GroupType
  /** Kafka's word: Empty, Stable, PreparingRebalance, Assigning, Reconciling, … */
  readonly state: string
  /** Broker that coordinates the group. */
  readonly coordinator: number
  /** Of the group and of its assignment; null for classic groups, whose generation no API tells. */
  readonly epoch: number | null
  readonly assignmentEpoch: number | null
  /** Assignor, or the protocol that the members agreed on; empty when there is none. */
  readonly assignor: string
  readonly members: readonly ObservedMember[]
  /** Of share groups `committed` is the share-partition start offset. */
  readonly offsets: Known<Readonly<Record<PartitionName, ObservedGroupOffset>>>
}

export interface ObservedMember {
  readonly id: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** Null for members of classic groups. */
  readonly epoch: number | null
  /** Partitions `topic-0`; of streams groups tasks `subtopology_0`, with `(standby)` or `(warmup)` behind those that are not active. */
  readonly assignment: readonly string[]
}

export interface ObservedGroupOffset {
  readonly committed: Offset
  /** Records between `committed` and the high watermark, which was asked for afterwards; for share groups as the coordinator says. */
  readonly lag: Known<number>
}

export interface ObservedTransaction {
  /** Kafka's word: Empty, Ongoing, PrepareCommit, CompleteCommit, … */
  readonly state: string
  readonly coordinator: number
  /** Decimal: an opaque 64-bit number. */
  readonly producerId: string
  readonly producerEpoch: number
  readonly timeoutMs: number
  /** Wall clock, ms since 1970; null when no transaction is open. */
  readonly startedAt: number | null
  readonly partitions: readonly PartitionName[]
}

/** A partition as it was observed; undefined when it is unknown, absent or not watched. */
export function partitionOf(
  observation: Pick<Observation, 'topics'>,
  topic: string,
  index: number,
): ObservedPartition | undefined {
  return known(known(known(observation.topics)?.[topic])?.partitions[index])
}
