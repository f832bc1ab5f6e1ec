/**
 * Committed offsets of all groups of one partition of `__consumer_offsets`, and those that wait for the end of a transaction. Offsets of a
 * transaction take effect with its commit marker, unless the group committed the same partition later on without one: the order of the
 * log decides. While they wait, the offset of their partition is unstable (KIP-447).
 * Sources: KIP-98, KIP-447; Kafka's OffsetMetadataManager.
 */

export interface CommittedOffset {
  readonly offset: number
  /** -1 when the client said none. */
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitWallMs: number
  /** Only commits with a retention of their own (OffsetCommit v2-4) have it. */
  readonly expireWallMs: number | undefined
}

export interface OffsetKey {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
}

export interface OffsetEntry extends OffsetKey {
  readonly committed: CommittedOffset
}

/** By topic and partition. */
export type GroupOffsets = ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>>

/** An offset and its place in the order of the log. */
interface Placed {
  readonly order: number
  readonly committed: CommittedOffset
}

type ByPartition<Value> = Map<string, Map<number, Value>>

const noOffsets: GroupOffsets = new Map<string, Map<number, CommittedOffset>>()

export class OffsetStore {
  readonly #offsets = new Map<string, ByPartition<CommittedOffset>>()
  /** Where in the log the committed offsets are that a transaction is open for, or was when they came. */
  readonly #orders = new Map<string, ByPartition<number>>()
  /** By producer, then group, topic, partition. */
  readonly #pending = new Map<bigint, Map<string, ByPartition<Placed>>>()
  /** How many transactions have, or are about to have, an offset for a partition of a group. */
  readonly #open = new Map<string, ByPartition<number>>()
  #order = 0

  /** Places are given out in the order in which records are written, before they are replicated. */
  nextOrder(): number {
    return ++this.#order
  }

  of(groupId: string): GroupOffsets {
    return this.#offsets.get(groupId) ?? noOffsets
  }

  has(groupId: string): boolean {
    return this.#offsets.has(groupId)
  }

  groupIds(): string[] {
    return [...new Set([...this.#offsets.keys(), ...this.#open.keys()])]
  }

  *entries(groupId: string): Generator<OffsetEntry> {
    for (const [topic, partitions] of this.of(groupId))
      for (const [partition, committed] of partitions) yield { groupId, topic, partition, committed }
  }

  store(key: OffsetKey, committed: CommittedOffset, order = this.nextOrder()): void {
    put(this.#offsets, key, committed)
    put(this.#orders, key, order)
  }

  /** A tombstone: also what open transactions have for the partition is void. */
  drop(key: OffsetKey): void {
    remove(this.#offsets, key)
    remove(this.#orders, key)
    for (const [producerId, groups] of this.#pending) {
      if (get(groups, key) === undefined) continue
      remove(groups, key)
      if (groups.size === 0) this.#pending.delete(producerId)
      this.transactionEnds(key)
    }
  }

  // ------------------------------------------------------------------------------------------------- transactions

  /** From the moment the record is written, until `transactionEnds` the partition is unstable. */
  transactionBegins(key: OffsetKey): void {
    put(this.#open, key, (get(this.#open, key) ?? 0) + 1)
  }

  transactionEnds(key: OffsetKey): void {
    const left = (get(this.#open, key) ?? 1) - 1
    if (left === 0) remove(this.#open, key)
    else put(this.#open, key, left)
  }

  /** Waits for the marker of the producer. */
  storePending(producerId: bigint, key: OffsetKey, committed: CommittedOffset, order = this.nextOrder()): void {
    const groups = this.#pending.get(producerId) ?? new Map<string, ByPartition<Placed>>()
    this.#pending.set(producerId, groups)
    if (get(groups, key) === undefined) this.transactionBegins(key)
    put(groups, key, { order, committed })
  }

  /** Groups for which the open transaction of the producer has offsets. */
  pendingGroups(producerId: bigint): Iterable<string> {
    return this.#pending.get(producerId)?.keys() ?? []
  }

  endTransaction(producerId: bigint, isCommitted: boolean): void {
    const groups = this.#pending.get(producerId)
    if (groups === undefined) return
    this.#pending.delete(producerId)
    for (const [groupId, topics] of groups)
      for (const [topic, partitions] of topics)
        for (const [partition, { committed, order }] of partitions) {
          const key = { groupId, topic, partition }
          this.transactionEnds(key)
          if (isCommitted && order > (get(this.#orders, key) ?? 0)) this.store(key, committed, order)
        }
  }

  isUnstable(key: OffsetKey): boolean {
    return get(this.#open, key) !== undefined
  }

  hasUnstable(groupId: string): boolean {
    return this.#open.has(groupId)
  }

  /** Partitions of the group that open transactions have offsets for. */
  *unstable(groupId: string): Generator<OffsetKey> {
    for (const [topic, partitions] of this.#open.get(groupId) ?? [])
      for (const partition of partitions.keys()) yield { groupId, topic, partition }
  }
}

function get<Value>(groups: ReadonlyMap<string, ByPartition<Value>>, key: OffsetKey): Value | undefined {
  return groups.get(key.groupId)?.get(key.topic)?.get(key.partition)
}

function put<Value>(groups: Map<string, ByPartition<Value>>, key: OffsetKey, value: Value): void {
  const topics: ByPartition<Value> = groups.get(key.groupId) ?? new Map<string, Map<number, Value>>()
  groups.set(key.groupId, topics)
  const partitions = topics.get(key.topic) ?? new Map<number, Value>()
  topics.set(key.topic, partitions)
  partitions.set(key.partition, value)
}

function remove<Value>(groups: Map<string, ByPartition<Value>>, key: OffsetKey): void {
  const topics = groups.get(key.groupId)
  topics?.get(key.topic)?.delete(key.partition)
  if (topics?.get(key.topic)?.size === 0) topics.delete(key.topic)
  if (topics?.size === 0) groups.delete(key.groupId)
}
