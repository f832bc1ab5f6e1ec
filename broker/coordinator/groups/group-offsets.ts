/**
 * The offsets of the groups of one shard, the machine: commits, also inside transactions, deletion and expiry. Whether a member may commit
 * is for its group to say. An offset becomes visible once its record is committed, so that nobody reads what a failover could take back;
 * an offset of a transaction makes its partition unstable from the moment it is written.
 * Sources: KIP-98, KIP-211 (expiry), KIP-447 (unstable offsets), KIP-496 (OffsetDelete); Kafka's OffsetMetadataManager.
 */
import type { ErrorName } from '../../protocol/errors.ts'
import type { CoordinatorRecord, Effects, RecordsProducer, Ticket } from '../runtime/effects.ts'
import type { RecordOrigin, TransactionMarker } from '../runtime/shard.ts'
import { encodeOffset, offsetTombstone } from './group-records.ts'
import {
  OffsetStore,
  type CommittedOffset,
  type GroupOffsets,
  type OffsetEntry,
  type OffsetKey,
} from './offset-store.ts'

export interface CommitEntry {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
}

export interface CommitOptions {
  /** Undefined: the broker's default. */
  readonly retentionMs?: number | undefined
  /** Set when the offsets are part of a transaction. */
  readonly producer?: RecordsProducer
  /** 'NONE': may be committed. */
  readonly checkEntry?: (entry: CommitEntry) => ErrorName
}

export interface OffsetLimits {
  /** offset.metadata.max.bytes; characters, in fact. */
  readonly metadataMaxBytes: number
  readonly retentionMs: number
}

/** When offsets of a group expire. */
export interface ExpiryRule {
  /** Wall ms since which nobody uses them; undefined: since each was committed. */
  readonly unusedSinceWallMs: number | undefined
  isSubscribed(topic: string): boolean
}

export class Offsets {
  readonly #effects: Effects
  readonly #limits: OffsetLimits
  readonly #store = new OffsetStore()
  /** Commits on their way: such a group is not empty of offsets yet, whatever the store says. */
  readonly #inFlight = new Map<string, Set<OffsetKey>>()
  /**
   * Groups whose offsets were changed by loaded records above the high watermark. The new value may be lost yet, and the one before may long
   * be replaced, as far as the client knows that committed: they are not told until that is settled.
   */
  readonly #uncertain = new Set<string>()

  constructor(effects: Effects, limits: OffsetLimits) {
    this.#effects = effects
    this.#limits = limits
  }

  // --------------------------------------------------------------------------------------------------------- reading

  of(groupId: string): GroupOffsets {
    return this.#store.of(groupId)
  }

  /** An open transaction has an offset for the partition. */
  isUnstable(groupId: string, topic: string, partition: number): boolean {
    return this.#store.isUnstable({ groupId, topic, partition })
  }

  /** Neither what is stored nor what was before may be shown: see `tailCommitted`. */
  isUncertain(groupId: string): boolean {
    return this.#uncertain.has(groupId)
  }

  /** Nothing is stored, on its way or waiting for the end of a transaction. */
  isEmpty(groupId: string): boolean {
    return !this.#store.has(groupId) && !this.isBusy(groupId)
  }

  /** A commit is on its way or waits for the end of a transaction. */
  isBusy(groupId: string): boolean {
    return this.#inFlight.has(groupId) || this.#store.hasUnstable(groupId)
  }

  groupIds(): string[] {
    return [...new Set([...this.#store.groupIds(), ...this.#inFlight.keys()])]
  }

  // ------------------------------------------------------------------------------------------------------------ log

  replay(key: OffsetKey, committed: CommittedOffset | undefined, origin: RecordOrigin): void {
    const order = this.#store.nextOrder()
    if (committed !== undefined && origin.isTransactional) {
      // Shows to nobody before its marker, and makes its partition unstable at once.
      this.#store.storePending(origin.producerId, key, committed, order)
      return
    }
    if (origin.isUncommitted === true) this.#uncertain.add(key.groupId)
    if (committed === undefined) this.#store.drop(key)
    else this.#store.store(key, committed, order)
  }

  replayMarker({ producerId, committed }: TransactionMarker, origin: Pick<RecordOrigin, 'isUncommitted'> = {}): void {
    if (origin.isUncommitted === true)
      for (const groupId of this.#store.pendingGroups(producerId)) this.#uncertain.add(groupId)
    this.#store.endTransaction(producerId, committed)
  }

  /** The in-sync replicas have all that was loaded. */
  tailCommitted(): void {
    this.#uncertain.clear()
  }

  // --------------------------------------------------------------------------------------------------------- commits

  /** The answer has one error per entry, in order. */
  commit(
    groupId: string,
    entries: readonly CommitEntry[],
    ticket: Ticket<readonly ErrorName[]>,
    nowWallMs: number,
    { retentionMs, producer, checkEntry }: CommitOptions = {},
  ): void {
    const refusals = entries.map((entry): ErrorName => {
      if (entry.metadata.length > this.#limits.metadataMaxBytes) return 'OFFSET_METADATA_TOO_LARGE'
      return checkEntry?.(entry) ?? 'NONE'
    })
    const answer = (outcome: ErrorName): ErrorName[] =>
      refusals.map(refusal => (refusal === 'NONE' ? outcome : refusal))
    const expireWallMs = retentionMs === undefined ? undefined : nowWallMs + retentionMs
    const accepted = entries
      .filter((_entry, index) => refusals[index] === 'NONE')
      .map(({ topic, partition, offset, leaderEpoch, metadata }) => ({
        key: { groupId, topic, partition },
        committed: { offset, leaderEpoch, metadata, commitWallMs: nowWallMs, expireWallMs },
        order: this.#store.nextOrder(),
      }))
    if (accepted.length === 0) {
      this.#effects.reply(ticket, answer('NONE'))
      return
    }
    for (const { key } of accepted) this.#begin(key, producer)
    this.#effects.persist(
      accepted.map(({ key, committed }) => encodeOffset(groupId, key.topic, key.partition, committed)),
      outcome => {
        for (const { key, committed, order } of accepted) {
          if (outcome === 'NONE') {
            if (producer === undefined) this.#store.store(key, committed, order)
            else this.#store.storePending(producer.producerId, key, committed, order)
          }
          this.#end(key, producer)
        }
        this.#effects.reply(ticket, answer(outcome))
      },
      producer === undefined ? {} : { producer },
    )
  }

  #begin(key: OffsetKey, producer: RecordsProducer | undefined): void {
    if (producer !== undefined) this.#store.transactionBegins(key)
    const keys = this.#inFlight.get(key.groupId) ?? new Set<OffsetKey>()
    this.#inFlight.set(key.groupId, keys.add(key))
  }

  #end(key: OffsetKey, producer: RecordsProducer | undefined): void {
    if (producer !== undefined) this.#store.transactionEnds(key)
    const keys = this.#inFlight.get(key.groupId)
    keys?.delete(key)
    if (keys?.size === 0) this.#inFlight.delete(key.groupId)
  }

  // -------------------------------------------------------------------------------------------------- deletion, expiry

  /** The records that remove all that the group has; `forget` once they are committed. */
  tombstones(groupId: string): CoordinatorRecord[] {
    return this.#all(groupId).map(tombstoneOf)
  }

  forget(groupId: string): void {
    for (const key of this.#all(groupId)) this.#store.drop(key)
  }

  /** Stored, on its way or waiting for the end of a transaction, each once. */
  #all(groupId: string): OffsetKey[] {
    const keys = new Map<string, OffsetKey>()
    const sources = [this.#store.entries(groupId), this.#store.unstable(groupId), this.#inFlight.get(groupId) ?? []]
    for (const source of sources) for (const key of source) keys.set(nameOf(key), key)
    return [...keys.values()]
  }

  /** OffsetDelete: what the group does not have counts as deleted. */
  delete(
    groupId: string,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
    ticket: Ticket<ErrorName>,
  ): void {
    const wanted = new Map<string, Set<number>>()
    for (const { topic, partition } of partitions)
      wanted.set(topic, (wanted.get(topic) ?? new Set<number>()).add(partition))
    const keys = this.#all(groupId).filter(({ topic, partition }) => wanted.get(topic)?.has(partition))
    if (keys.length === 0) this.#effects.reply(ticket, 'NONE')
    else this.#remove(keys, outcome => this.#effects.reply(ticket, outcome))
  }

  /** Offsets of topics that are gone mean nothing any more; nor do those that are on their way. */
  topicsDeleted(topics: ReadonlySet<string>): void {
    for (const groupId of this.groupIds()) {
      const due = this.#all(groupId).filter(({ topic }) => topics.has(topic))
      if (due.length > 0) this.#remove(due)
    }
  }

  /**
   * Drops what nobody used for offsets.retention.minutes: counted from the moment the group became empty, or, for a consumer that assigns
   * itself, from the commit. An offset that a transaction is open for stays, and so does one that is being replaced.
   */
  expire(groupId: string, rule: ExpiryRule, nowWallMs: number): void {
    const coming = new Set([...(this.#inFlight.get(groupId) ?? [])].map(nameOf))
    const due = [...this.#store.entries(groupId)].filter(
      entry =>
        !rule.isSubscribed(entry.topic) &&
        !coming.has(nameOf(entry)) &&
        !this.#store.isUnstable(entry) &&
        this.#isExpired(entry, rule, nowWallMs),
    )
    if (due.length === 0) return
    for (const key of due) this.#store.drop(key)
    // Not reached the log: they expire again after the next load.
    this.#effects.persist(due.map(tombstoneOf), () => undefined)
  }

  #isExpired({ committed }: OffsetEntry, { unusedSinceWallMs }: ExpiryRule, nowWallMs: number): boolean {
    if (committed.expireWallMs !== undefined) return committed.expireWallMs <= nowWallMs
    return Math.max(unusedSinceWallMs ?? 0, committed.commitWallMs) + this.#limits.retentionMs <= nowWallMs
  }

  #remove(keys: readonly OffsetKey[], then: (outcome: ErrorName) => void = () => undefined): void {
    this.#effects.persist(keys.map(tombstoneOf), outcome => {
      if (outcome === 'NONE') for (const key of keys) this.#store.drop(key)
      then(outcome)
    })
  }
}

const tombstoneOf = ({ groupId, topic, partition }: OffsetKey): CoordinatorRecord =>
  offsetTombstone(groupId, topic, partition)

const nameOf = ({ topic, partition }: OffsetKey): string => `${partition}/${topic}`
