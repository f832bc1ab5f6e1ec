/**
 * The history of a run: one list of operations in the order in which they happened, in Jepsen's form. Clients, faults and observations
 * of the cluster share it, so that a checker or a reader can say "the write was acknowledged, then the leader was killed, then …".
 *
 * An operation is two entries: `invoke`, then one completion. `ok`: it definitely happened; `fail`: it definitely did not; `info`: nobody
 * knows. After `info` the process is retired: the client is closed and its successor gets a new process number, because a late effect
 * may still come. So one process number is one client instance.
 *
 * Source: jepsen.tests.kafka (history, micro-operations), jepsen.history.
 */

/** Topic and partition, written `topic-0`. Jepsen calls it the key of a log; here "key" is left to the keys of records. */
export type PartitionName = string

/** What a record carried. Unique within its partition; checkers depend on it. Written `recordKey:sequence` by the append workload. */
export type Value = string

export type Offset = number

/** A record as it was seen in a log: the offset is null when nobody told us (acks=0). */
export type OffsetValue = readonly [offset: Offset | null, value: Value]

/** `['send', partition, value]` when invoked or not acknowledged, `['send', partition, [offset, value]]` when acknowledged. */
export type SendMicroOp = readonly ['send', PartitionName, Value | OffsetValue]

/** `['poll']` when invoked, `['poll', { partition: [[offset, value], …] }]` when complete. */
export type PollMicroOp = readonly ['poll', PolledRecords?]

export type PolledRecords = Readonly<Record<PartitionName, readonly (readonly [Offset, Value])[]>>

export type MicroOp = SendMicroOp | PollMicroOp

export type OperationType = 'invoke' | 'ok' | 'fail' | 'info'

/** Clients are numbers. `nemesis` breaks things, `observer` looks at the cluster, `lab` marks the phases of a run. */
export type Process = number | 'nemesis' | 'observer' | 'lab'

export interface OperationError {
  /** Kafka's error name or the client's error class, e.g. `REQUEST_TIMED_OUT`, `KafkaJSConnectionError`. */
  readonly code: string
  readonly message: string
  /** True when the operation certainly did not happen. */
  readonly definite: boolean
}

interface Entry {
  readonly index: number
  /** Milliseconds since the start of the run, on the clock of the cluster (virtual in the simulator). */
  readonly timeMs: number
  readonly type: OperationType
  readonly error?: OperationError
}

/**
 * A client's work on records. `txn` is one transaction with its sends and polls in order: `ok` when it was committed, `fail` when it was
 * aborted or fenced for certain, `info` when nobody knows.
 */
export interface RecordOperation extends Entry {
  readonly process: number
  /** The workload's thread behind the process, e.g. `producer-1`. */
  readonly client: string
  readonly f: 'send' | 'poll' | 'txn'
  readonly value: readonly MicroOp[]
  /** Of a `txn`. */
  readonly transactionalId?: string
  /** Offsets that a `txn` commits for a group, or that a consumer committed right after its poll: the next offset to read. */
  readonly commits?: CommittedOffsets
  /** Of an operation with polls; absent: the client's default, which is `read_committed` in every client but Kafka's own. */
  readonly isolation?: 'read_committed' | 'read_uncommitted'
  /** Partitions that were assigned to or taken from the client since its last operation: reading may begin anew there. */
  readonly rebalanced?: readonly PartitionName[]
}

export interface CommittedOffsets {
  readonly group: string
  /** Next offset to read of each partition. */
  readonly offsets: Readonly<Record<PartitionName, Offset>>
}

/**
 * What a member of a group did or was told. `joined`: it has an assignment, all of its partitions are named. `revoked`: it gave partitions up
 * and may still commit. `lost`: they were taken from it without being asked. `commit`: offsets outside of a transaction.
 */
export interface GroupOperation extends Entry {
  readonly process: number
  readonly client: string
  readonly f: 'joined' | 'revoked' | 'lost' | 'commit'
  readonly value: GroupValue
}

export interface GroupValue {
  readonly group: string
  readonly member?: string
  /** Generation of a classic group, member epoch of the new protocol. */
  readonly generation?: number
  /** Empty for `commit`. */
  readonly partitions: readonly PartitionName[]
  /** Of `commit`. */
  readonly offsets?: Readonly<Record<PartitionName, Offset>>
}

/** A client's relation to partitions. `assign`: it reads exactly these, from the offsets it chose; `subscribe`: a group decides. */
export interface ClientOperation extends Entry {
  readonly process: number
  readonly client: string
  readonly f: 'assign' | 'subscribe' | 'crash'
  readonly value: readonly PartitionName[]
}

/** Something done to the cluster: `f` is the kind of the fault (`kill`, `pause`, …). */
export interface FaultOperation extends Entry {
  readonly process: 'nemesis'
  readonly f: string
  readonly value: FaultValue
}

export interface FaultValue {
  /** Brokers it hit, once known. */
  readonly brokers: readonly number[]
  /** How the target was chosen, e.g. `leader of orders-0`. */
  readonly target: string
  readonly detail?: string
  /** Whoever looked on was not told. */
  readonly hidden?: true
}

/** The state of the cluster at one moment, as the brokers answered over the wire. */
export interface ObserveOperation extends Entry {
  readonly process: 'observer'
  readonly f: 'observe'
  readonly value: Observation
}

export interface Observation {
  /** Brokers which the metadata names, i.e. registered and not fenced. */
  readonly brokers: readonly number[]
  /** Brokers that answered this observation. */
  readonly reachable: readonly number[]
  /** Registered, and not allowed to lead or to be in sync; absent: none. */
  readonly fenced?: readonly number[]
  /** Active controller, -1 when nobody knows one. */
  readonly controller: number
  /** Epoch of the metadata quorum's leader; absent when the brokers do not tell. */
  readonly controllerEpoch?: number
  readonly partitions: Readonly<Record<PartitionName, ObservedPartition>>
  /** By id, when groups were watched. */
  readonly groups?: Readonly<Record<string, ObservedGroupState>>
  /** By transactional id, when transactions were watched. */
  readonly transactions?: Readonly<Record<string, ObservedTransactionState>>
}

export interface ObservedPartition {
  /** -1: no leader. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  /** Eligible leader replicas (KIP-966); absent: none. */
  readonly eligible?: readonly number[]
  /** Offset, exclusive, below which every in-sync replica has the records; null when the leader did not answer. */
  readonly highWatermark: Offset | null
  /** Where it differs from the high watermark: a transaction is open. */
  readonly lastStableOffset?: Offset
  /** Where it is above 0; absent it is 0, or unknown when the leader did not answer. */
  readonly logStartOffset?: Offset
  /** Offset after the last record of each replica that answered. */
  readonly logEndOffsets: Readonly<Record<string, Offset>>
}

export interface ObservedGroupState {
  readonly type: string
  readonly state: string
  /** Null for classic groups, whose generation no API tells. */
  readonly epoch: number | null
  /** What each member is assigned. */
  readonly members: Readonly<Record<string, readonly string[]>>
  /** Records that are committed to the log and not by the group, over all partitions; null when somebody did not tell. */
  readonly lag: number | null
}

export interface ObservedTransactionState {
  readonly state: string
  readonly producerId: string
  readonly producerEpoch: number
  readonly partitions: readonly PartitionName[]
}

/** The whole log of one replica, read over the wire after the run. */
export interface ReplicaLogOperation extends Entry {
  readonly process: 'observer'
  readonly f: 'read-replica'
  readonly value: ReplicaLog
}

export interface ReplicaLog {
  readonly broker: number
  readonly partition: PartitionName
  readonly leader: boolean
  /**
   * Whether the leader named it in sync after it had told its own high watermark and before this log told its end, so that it must hold all below
   * that high watermark. Absent: nobody knows, as the leader changed meanwhile, or the history is an old one.
   */
  readonly inSync?: boolean
  readonly logStartOffset: Offset
  readonly highWatermark: Offset
  readonly logEndOffset: Offset
  /** True when everything from `logStartOffset` to `highWatermark` was read. */
  readonly complete: boolean
  readonly batches: readonly ReplicaBatch[]
}

/** A record batch with what tells a client's retry from a broker's mistake. */
export interface ReplicaBatch {
  readonly baseOffset: Offset
  readonly leaderEpoch: number
  /** Decimal; `-1` when the producer was not idempotent. */
  readonly producerId: string
  readonly producerEpoch: number
  readonly baseSequence: number
  /** Nobody's record is in a control batch. */
  readonly records: readonly (readonly [Offset, Value])[]
  /** Of a control batch: how it ends the producer's transaction. Absent: it is none, or the history is an old one, which leaves them out. */
  readonly marker?: string
}

/** A milestone of the run, e.g. `workload`, `heal`, `final-read`. */
export interface PhaseOperation extends Entry {
  readonly process: 'lab'
  readonly f: 'phase'
  readonly value: string
}

/** Something that the script of a lab measured or saw, for a check of its own: `lag after the pause` → 120. */
export interface FactOperation extends Entry {
  readonly process: 'lab'
  readonly f: 'fact'
  readonly value: { readonly name: string; readonly value: FactValue }
}

export type FactValue = number | string | boolean

/**
 * Records may leave the beginning of logs from now on, since somebody wants it so: a topic with retention, a request to delete records. Where
 * nothing of the kind is in a history, whatever is missing at the beginning of a log is lost.
 */
export interface RemovalOperation extends Entry {
  readonly process: 'lab'
  readonly f: 'removal'
  readonly value: Removal
}

export interface Removal {
  /** Absent: of every topic. */
  readonly topic?: string
  /** Of one partition only. */
  readonly partition?: PartitionName
  /** What lies below may go; absent: whatever is old or too much. */
  readonly before?: Offset
  /** In words, e.g. `retention.ms=600000`. */
  readonly by: string
}

export type Operation =
  | RecordOperation
  | ClientOperation
  | GroupOperation
  | FaultOperation
  | ObserveOperation
  | ReplicaLogOperation
  | PhaseOperation
  | FactOperation
  | RemovalOperation

export type History = readonly Operation[]

/** The records a send operation carried; offsets are null where the operation does not know them. */
export function sendsOf(
  operation: RecordOperation,
): { partition: PartitionName; offset: Offset | null; value: Value }[] {
  const sends = []
  for (const micro of operation.value) {
    if (micro[0] !== 'send') continue
    const [, partition, sent] = micro
    if (typeof sent === 'string') sends.push({ partition, offset: null, value: sent })
    else sends.push({ partition, offset: sent[0], value: sent[1] })
  }
  return sends
}

/** The records an operation polled, partition by partition in the order of delivery. */
export function pollsOf(
  operation: RecordOperation,
): { partition: PartitionName; records: readonly (readonly [Offset, Value])[] }[] {
  const polls = []
  for (const micro of operation.value) {
    if (micro[0] !== 'poll' || micro[1] === undefined) continue
    for (const [partition, records] of Object.entries(micro[1])) polls.push({ partition, records })
  }
  return polls
}

/** The key of the record that carried a value, by the convention `recordKey:sequence`; undefined for other values. */
export function recordKeyOf(value: Value): string | undefined {
  const colon = value.lastIndexOf(':')
  return colon < 0 ? undefined : value.slice(0, colon)
}

/** Whether the value stands for a tombstone, by the convention `recordKey:-sequence`: such a record has no content, so a header carries its sequence. */
export function isTombstone(value: Value): boolean {
  return /:-\d+$/.test(value)
}

/** What a copy of a record was made from, by the convention `value~attempt` of pipelines that may have to write the same again; else the value itself. */
export function originOf(value: Value): Value {
  const tilde = value.lastIndexOf('~')
  return tilde < 0 ? value : value.slice(0, tilde)
}

/** The topic of a partition's name. */
export function topicOf(partition: PartitionName): string {
  return partition.slice(0, partition.lastIndexOf('-'))
}

/** Whether a client's process wrote this entry, and it is about records. */
export function isRecordOperation(operation: Operation): operation is RecordOperation {
  return operation.f === 'send' || operation.f === 'poll' || operation.f === 'txn'
}
