/**
 * The states of all share partitions that live in one partition of `__share_group_state`, the machine. A state is made by the group
 * (initialize), read and written by the leader of the partition, and deleted by the group again. Two epochs keep old owners out: the state
 * epoch grows when the group sets the state anew, the leader epoch when the partition gets a new leader. What the summary says is
 * committed; all else is applied when it is appended, so that a snapshot holds what came before it.
 * Source: KIP-932; KIP-1226 (count of completed deliveries).
 */
import type { ErrorName } from '../../protocol/errors.ts'
import { Effects, type CoordinatorRecord, type Effect, type Ticket } from '../runtime/effects.ts'
import type { CoordinatorShard, RecordOrigin } from '../runtime/shard.ts'
import {
  coordinatorKey,
  decodeShareRecord,
  encodeSnapshot,
  encodeTombstone,
  encodeUpdate,
  type ShareKey,
} from './share-records.ts'
import { combineBatches, type StateBatch } from './state-batches.ts'

export interface Refused {
  readonly error: ErrorName
  /** More than the error's own text. */
  readonly message?: string
}

export interface ShareState {
  readonly stateEpoch: number
  /** -1: nobody has begun to read. */
  readonly startOffset: number
  readonly stateBatches: readonly StateBatch[]
}

export interface ShareSummary {
  readonly stateEpoch: number
  readonly leaderEpoch: number
  readonly startOffset: number
  readonly deliveryCompleteCount: number
}

/** -1 of an epoch: not checked, and left as it is; of the start offset: left as it is. */
export interface ShareStateUpdate {
  readonly stateEpoch: number
  readonly leaderEpoch: number
  readonly startOffset: number
  readonly deliveryCompleteCount: number
  readonly stateBatches: readonly StateBatch[]
}

export interface ShareShardOptions {
  readonly updatesPerSnapshot: number
  readonly coldSnapshotIntervalMs: number
  hasPartition(topicId: string, partition: number): boolean
}

interface Entry extends ShareSummary {
  readonly key: ShareKey
  readonly snapshotEpoch: number
  readonly createTimestamp: number
  readonly writeTimestamp: number
  readonly stateBatches: readonly StateBatch[]
  /** Since the last snapshot. */
  readonly updates: number
}

const zeroTopicId = 'AAAAAAAAAAAAAAAAAAAAAA'
const absent: ShareSummary = { stateEpoch: 0, leaderEpoch: 0, startOffset: -1, deliveryCompleteCount: -1 }

export class ShareShard implements CoordinatorShard {
  readonly #options: ShareShardOptions
  readonly #effects = new Effects()
  readonly #entries = new Map<string, Entry>()
  /** What is committed of each entry: they differ while a write is on its way. */
  readonly #committed = new Map<string, ShareSummary>()
  /** Where the last snapshot of each entry lies, for pruning; a tombstone needs none. */
  readonly #snapshotOffsets = new Map<string, number>()
  #wallMs = 0

  constructor(options: ShareShardOptions) {
    this.#options = options
  }

  // ---------------------------------------------------------------------------------------------------- the fold

  replay(key: Buffer, value: Buffer | null, origin: Pick<RecordOrigin, 'offset'>): void {
    const record = decodeShareRecord(key, value)
    if (record === undefined) return
    const name = coordinatorKey(record.key)
    this.#apply(key, value)
    const entry = this.#entries.get(name)
    if (entry === undefined) {
      this.#committed.delete(name)
      this.#snapshotOffsets.delete(name)
    } else {
      this.#committed.set(name, entry)
      if (record.kind === 'snapshot') this.#snapshotOffsets.set(name, origin.offset)
    }
  }

  #apply(key: Buffer, value: Buffer | null): void {
    const record = decodeShareRecord(key, value)
    if (record === undefined) return
    const name = coordinatorKey(record.key)
    if (record.kind === 'snapshot') {
      if (record.value === undefined) this.#entries.delete(name)
      else this.#entries.set(name, { ...record.value, key: record.key, updates: 0 })
      return
    }
    const before = this.#entries.get(name)
    if (before === undefined) {
      const { value: update } = record
      const stateBatches = combineBatches([], update.stateBatches, update.startOffset)
      const times = { createTimestamp: 0, writeTimestamp: 0 }
      this.#entries.set(name, { ...update, ...times, key: record.key, stateEpoch: 0, stateBatches, updates: 1 })
      return
    }
    const { leaderEpoch, startOffset, deliveryCompleteCount, stateBatches } = record.value
    const start = startOffset === -1 ? before.startOffset : startOffset
    this.#entries.set(name, {
      ...before,
      leaderEpoch: leaderEpoch === -1 ? before.leaderEpoch : leaderEpoch,
      startOffset: start,
      deliveryCompleteCount,
      stateBatches: combineBatches(before.stateBatches, stateBatches, start),
      updates: before.updates + 1,
    })
  }

  loaded(): void {}

  unload(): void {}

  at(wallMs: number): void {
    this.#wallMs = wallMs
  }

  takeEffects(): Effect[] {
    return this.#effects.take()
  }

  deadlineMs(): number {
    return Infinity
  }

  tick(): void {}

  // ------------------------------------------------------------------------------------------------- requests

  /** The group sets the state anew. */
  initialize(key: ShareKey, state: { stateEpoch: number; startOffset: number }, ticket: Ticket<Refused>): void {
    const entry = this.#entries.get(coordinatorKey(key))
    const isOld = state.stateEpoch !== -1 && entry !== undefined && entry.stateEpoch > state.stateEpoch
    const refusal = this.#malformed(key) ?? (isOld ? { error: 'FENCED_STATE_EPOCH' } : this.#unknown(key))
    if (refusal !== undefined) {
      this.#effects.reply(ticket, refusal)
      return
    }
    const record = encodeSnapshot(key, {
      snapshotEpoch: entry === undefined ? 0 : entry.snapshotEpoch + 1,
      stateEpoch: state.stateEpoch,
      leaderEpoch: 0,
      startOffset: state.startOffset,
      deliveryCompleteCount: state.startOffset === -1 ? -1 : 0,
      createTimestamp: this.#wallMs,
      writeTimestamp: this.#wallMs,
      stateBatches: [],
    })
    this.#persist(key, record, error => this.#effects.reply(ticket, { error }))
  }

  /** A new leader reads with its epoch, which keeps the former leader from writing. */
  read(key: ShareKey, leaderEpoch: number, ticket: Ticket<Refused | ShareState>): void {
    const entry = this.#entries.get(coordinatorKey(key))
    const refusal = this.#refusal(key, { leaderEpoch, stateEpoch: -1 }, 'Read')
    if (refusal !== undefined || entry === undefined) {
      this.#effects.reply(ticket, refusal ?? { error: 'UNKNOWN_SERVER_ERROR' })
      return
    }
    const { stateEpoch, startOffset, stateBatches, deliveryCompleteCount } = entry
    const state: ShareState = { stateEpoch, startOffset, stateBatches }
    const isCommitted = this.#committed.get(coordinatorKey(key)) === entry
    if ((leaderEpoch === -1 || entry.leaderEpoch === leaderEpoch) && isCommitted) {
      this.#effects.reply(ticket, state)
      return
    }
    const update = { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount, stateBatches: [] }
    this.#persist(key, this.#updateRecord(entry, update), error =>
      this.#effects.reply(ticket, error === 'NONE' ? state : { error }),
    )
  }

  write(key: ShareKey, update: ShareStateUpdate, ticket: Ticket<Refused>): void {
    const entry = this.#entries.get(coordinatorKey(key))
    const refusal = this.#refusal(key, update, 'Write')
    if (refusal !== undefined || entry === undefined) {
      this.#effects.reply(ticket, refusal ?? { error: 'UNKNOWN_SERVER_ERROR' })
      return
    }
    this.#persist(key, this.#updateRecord(entry, update), error => this.#effects.reply(ticket, { error }))
  }

  /** Deleting what is not there is no error. */
  remove(key: ShareKey, ticket: Ticket<Refused>): void {
    const refusal = this.#malformed(key) ?? this.#unknown(key)
    if (refusal !== undefined) this.#effects.reply(ticket, refusal)
    else if (!this.#entries.has(coordinatorKey(key))) this.#effects.reply(ticket, { error: 'NONE' })
    else this.#persist(key, encodeTombstone(key), error => this.#effects.reply(ticket, { error }))
  }

  summary(key: ShareKey): Refused | ShareSummary {
    return this.#malformed(key) ?? this.#unknown(key) ?? this.#committed.get(coordinatorKey(key)) ?? absent
  }

  /** States of topics that are gone mean nothing any more. */
  topicsDeleted(topicIds: ReadonlySet<string>): void {
    for (const { key } of [...this.#entries.values()])
      if (topicIds.has(key.topicId)) this.#persist(key, encodeTombstone(key), () => undefined)
  }

  /** Writes anew what nobody has written for a while: its last snapshot holds back all records behind it. */
  snapshotCold(): void {
    for (const entry of [...this.#entries.values()]) {
      if (this.#wallMs - entry.writeTimestamp < this.#options.coldSnapshotIntervalMs) continue
      const { key, updates: _updates, ...state } = entry
      const stateBatches = [...state.stateBatches]
      const snapshotEpoch = state.snapshotEpoch + 1
      const record = encodeSnapshot(key, { ...state, stateBatches, snapshotEpoch, writeTimestamp: this.#wallMs })
      this.#persist(key, record, () => undefined)
    }
  }

  /** All records below it are superseded; undefined: nothing is known of the log yet. */
  get pruneOffset(): number | undefined {
    let earliest: number | undefined
    for (const name of this.#committed.keys()) {
      const offset = this.#snapshotOffsets.get(name)
      if (offset === undefined) return undefined
      earliest = Math.min(earliest ?? offset, offset)
    }
    return earliest
  }

  // ------------------------------------------------------------------------------------------------- refusals

  #refusal(
    key: ShareKey,
    epochs: { readonly leaderEpoch: number; readonly stateEpoch: number },
    what: 'Read' | 'Write',
  ): Refused | undefined {
    const malformed = this.#malformed(key)
    if (malformed !== undefined) return malformed
    const entry = this.#entries.get(coordinatorKey(key))
    if (entry === undefined)
      return { error: 'INVALID_REQUEST', message: `${what} operation on uninitialized share partition not allowed.` }
    if (epochs.leaderEpoch !== -1 && entry.leaderEpoch > epochs.leaderEpoch) return { error: 'FENCED_LEADER_EPOCH' }
    if (epochs.stateEpoch !== -1 && entry.stateEpoch > epochs.stateEpoch) return { error: 'FENCED_STATE_EPOCH' }
    return this.#unknown(key)
  }

  #malformed({ topicId, partition }: ShareKey): Refused | undefined {
    if (topicId === zeroTopicId) return { error: 'INVALID_REQUEST', message: 'The topic id cannot be null.' }
    if (partition >= 0) return undefined
    return { error: 'INVALID_REQUEST', message: 'The partition id cannot be a negative number.' }
  }

  #unknown({ topicId, partition }: ShareKey): Refused | undefined {
    return this.#options.hasPartition(topicId, partition) ? undefined : { error: 'UNKNOWN_TOPIC_OR_PARTITION' }
  }

  // -------------------------------------------------------------------------------------------------- records

  #updateRecord(entry: Entry, update: ShareStateUpdate): CoordinatorRecord {
    const leaderEpoch = update.leaderEpoch === -1 ? entry.leaderEpoch : update.leaderEpoch
    const { snapshotEpoch } = entry
    const { startOffset, deliveryCompleteCount, stateBatches } = update
    if (entry.updates < this.#options.updatesPerSnapshot) {
      const news = combineBatches([], stateBatches, startOffset)
      const value = { snapshotEpoch, leaderEpoch, startOffset, deliveryCompleteCount, stateBatches: news }
      return encodeUpdate(entry.key, value)
    }
    const start = startOffset === -1 ? entry.startOffset : startOffset
    return encodeSnapshot(entry.key, {
      snapshotEpoch: snapshotEpoch + 1,
      stateEpoch: entry.stateEpoch,
      leaderEpoch,
      startOffset: start,
      deliveryCompleteCount,
      createTimestamp: this.#wallMs,
      writeTimestamp: this.#wallMs,
      stateBatches: combineBatches(entry.stateBatches, stateBatches, start),
    })
  }

  #persist(key: ShareKey, record: CoordinatorRecord, then: (outcome: ErrorName) => void): void {
    const name = coordinatorKey(key)
    this.#apply(record.key, record.value)
    const entry = this.#entries.get(name)
    this.#effects.persist(
      [record],
      outcome => {
        if (outcome === 'NONE' && entry === undefined) {
          this.#committed.delete(name)
          this.#snapshotOffsets.delete(name)
        } else if (outcome === 'NONE' && entry !== undefined) this.#committed.set(name, entry)
        then(outcome)
      },
      { applied: true },
    )
  }
}
