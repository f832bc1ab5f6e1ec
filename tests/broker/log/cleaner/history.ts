/** All that was ever appended to a log, and what its readers may see of it after any number of cleanings. */
import { isDeepStrictEqual } from 'node:util'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { buildBatch, buildEndTransactionMarker } from '#broker/protocol/records/batch-build.ts'
import type { CompressionName } from '#broker/protocol/records/batch.ts'
import { asClient, startWallMs } from '../harness.ts'
import { lastValues, readAll, readCommitted } from './harness.ts'
import type { SeenRecord } from './harness.ts'

interface Entry extends SeenRecord {
  /** Of the transaction it belongs to. */
  readonly producerId: bigint | undefined
  readonly marker: 'abort' | 'commit' | undefined
}

export interface Change {
  readonly key: string
  /** Null deletes the key. */
  readonly value: string | null
}

export interface AppendOptions {
  readonly leaderEpoch?: number
  readonly compression?: CompressionName
  /** Of an idempotent producer; with `transactional` of a transaction of it. */
  readonly producerId?: bigint
  readonly transactional?: boolean
  readonly nowMs?: number
}

/** Throws when they differ. */
export function same(what: string, got: unknown, expected: unknown): void {
  if (isDeepStrictEqual(got, expected)) return
  throw new Error(`${what}: got ${JSON.stringify(got)}, expected ${JSON.stringify(expected)}`)
}

export class History {
  /** By offset. */
  readonly entries: Entry[] = []
  private readonly sequences = new Map<bigint, number>()

  /** One batch; counts from here on, since a crash in the middle of the append may leave it. */
  append(log: SegmentedLog, changes: readonly Change[], options: AppendOptions = {}): void {
    const { producerId, leaderEpoch = 0, compression = 'none', transactional = false } = options
    const timestamp = startWallMs + (options.nowMs ?? 0)
    const sequence = producerId === undefined ? -1 : (this.sequences.get(producerId) ?? 0)
    if (producerId !== undefined) this.sequences.set(producerId, sequence + changes.length)
    for (const { key, value } of changes) {
      const offset = this.entries.length
      this.entries.push({
        offset,
        key,
        value,
        timestamp,
        producerId: transactional ? producerId : undefined,
        marker: undefined,
      })
    }
    const producer = producerId === undefined ? {} : { producerId, producerEpoch: 0, baseSequence: sequence }
    const batch = buildBatch(changes, { timestamp, compression, transactional, ...producer })
    const result = log.appendAsLeader(batch, { ...asClient, leaderEpoch })
    if (!('appended' in result)) throw new Error(`refused: ${JSON.stringify(result)}`)
    log.setHighWatermark(log.logEndOffset)
  }

  end(
    log: SegmentedLog,
    marker: 'abort' | 'commit',
    producerId: bigint,
    at: Pick<AppendOptions, 'leaderEpoch' | 'nowMs'> = {},
  ): void {
    const { leaderEpoch = 0, nowMs = 0 } = at
    const offset = this.entries.length
    const timestamp = startWallMs + nowMs
    this.entries.push({ offset, key: null, value: null, timestamp, producerId, marker })
    const options = { producerId, producerEpoch: 0, coordinatorEpoch: 0, timestamp }
    const bytes = buildEndTransactionMarker(marker, options)
    const result = log.appendAsLeader(bytes, { ...asClient, leaderEpoch, origin: 'coordinator' })
    if (!('appended' in result)) throw new Error(`refused: ${JSON.stringify(result)}`)
    log.setHighWatermark(log.logEndOffset)
  }

  /** The log ends here now. */
  cut(offset: number): void {
    this.entries.length = Math.min(this.entries.length, offset)
  }

  /** Producers go on from what the log still knows of them. */
  sequencesFrom(log: SegmentedLog): void {
    this.sequences.clear()
    for (const { producerId, lastSequence } of log.producers()) this.sequences.set(producerId, lastSequence + 1)
  }

  /** The value of each key that a reader of committed records ends with. */
  lastCommitted(): Map<string, string> {
    return lastValues(this.committed())
  }

  /** First offset of the earliest transaction that is open. */
  get lastStableOffset(): number {
    const open = new Map<bigint, number>()
    for (const { offset, producerId, marker } of this.entries) {
      if (producerId === undefined) continue
      if (marker !== undefined) open.delete(producerId)
      else if (!open.has(producerId)) open.set(producerId, offset)
    }
    return Math.min(this.entries.length, ...open.values())
  }

  /** Records that a reader of committed ones sees in a log that was never cleaned. */
  committed(): SeenRecord[] {
    const aborted = new Set<Entry>()
    const open = new Map<bigint, Entry[]>()
    for (const entry of this.entries) {
      const { producerId, marker } = entry
      if (producerId === undefined) continue
      if (marker === undefined) open.set(producerId, [...(open.get(producerId) ?? []), entry])
      else {
        if (marker === 'abort') for (const each of open.get(producerId) ?? []) aborted.add(each)
        open.delete(producerId)
      }
    }
    const end = this.lastStableOffset
    return this.entries.filter(each => each.marker === undefined && each.offset < end && !aborted.has(each))
  }

  /** What every reader of the log relies on, from any offset. */
  check(log: SegmentedLog, where = ''): void {
    same(`${where}: log end`, log.logEndOffset, this.entries.length)
    same(`${where}: last stable offset`, log.lastStableOffset, this.lastStableOffset)
    const all = readAll(log)
    for (const [index, record] of all.entries()) {
      const { key, value, timestamp } = this.entries[record.offset]!
      if (record.key !== key || record.value !== value || record.timestamp !== timestamp)
        throw new Error(`${where}: found ${JSON.stringify(record)}, appended was ${key}=${value} at ${timestamp}`)
      if (index > 0 && record.offset <= all[index - 1]!.offset) throw new Error(`${where}: offsets go back`)
    }
    // Above the last stable offset nothing may go.
    const undecided = this.entries.filter(each => each.offset >= this.lastStableOffset && each.marker === undefined)
    const found = new Set(all.map(({ offset }) => offset))
    for (const { offset } of undecided) if (!found.has(offset)) throw new Error(`${where}: lost ${offset}`)
    const committed = this.committed()
    const visible = readCommitted(log)
    const known = new Set(committed.map(({ offset }) => offset))
    for (const { offset } of visible)
      if (!known.has(offset)) throw new Error(`${where}: a reader of committed records sees ${offset}`)
    same(`${where}: values`, Object.fromEntries(lastValues(visible)), Object.fromEntries(lastValues(committed)))
    this.checkFrom(log, committed, where)
  }

  /** A reader that begins in the middle sees the newest record of each key that is not before it, and none that is older. */
  private checkFrom(log: SegmentedLog, committed: readonly SeenRecord[], where: string): void {
    const newest = new Map(committed.map(record => [record.key, record]))
    const step = Math.max(1, Math.floor(this.entries.length / 7))
    for (let from = log.logStartOffset; from < log.lastStableOffset; from += step) {
      const values = lastValues(readCommitted(log, from, 1 << 20))
      for (const [key, { offset, value }] of newest) {
        const expected = offset >= from && value !== null ? value : undefined
        if (values.get(key!) !== expected)
          throw new Error(`${where}: from ${from} on ${key} is ${values.get(key!)}, not ${expected}`)
      }
    }
  }
}
