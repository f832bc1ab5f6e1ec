/**
 * Where requests wait: acks=all appends for the high watermark, fetches for enough bytes. Nothing here decides what the answer is; it only
 * knows whom to ask again, and when. A parked request always ends: by what it waits for, by its timer, or because its connection closed.
 * Waking costs what is woken, never what is parked.
 * Kafka calls this a purgatory (DelayedProduce, DelayedFetch).
 */
import type { Environment, Timer } from '../environment/environment.ts'

/** The part of a connection that matters here; handlers pass theirs. */
export interface Parker {
  /** Runs once when the connection is gone; the function returned takes `run` back. */
  onClose(run: () => void): () => void
}

export interface CommitWaiter<Outcome> {
  /** Exclusive end of the append. */
  readonly requiredOffset: number
  /** Called at most once. */
  settle(outcome: Outcome): void
  /** True once it gave up by itself (timeout): it is dropped silently. */
  readonly isOver: boolean
}

/** Appends of one partition that wait to be committed, in log order: the high watermark takes them from the front. */
export class CommitQueue<Outcome> {
  private waiters: CommitWaiter<Outcome>[] = []
  private head = 0
  private over = 0

  get size(): number {
    return this.waiters.length - this.head
  }

  add(waiter: CommitWaiter<Outcome>): void {
    this.waiters.push(waiter)
  }

  /** Settles all that end at or below `highWatermark`. */
  committed(highWatermark: number, outcome: Outcome): void {
    const { waiters } = this
    let { head } = this
    for (;;) {
      const waiter = waiters[head]
      if (waiter === undefined || waiter.requiredOffset > highWatermark) break
      head += 1
      // Advance before settling: what settles may append and come back here.
      this.head = head
      if (!waiter.isOver) waiter.settle(outcome)
      head = this.head
    }
    this.compact()
  }

  /** Settles everything: the partition is no longer led here. */
  fail(outcome: Outcome): void {
    const failed = this.waiters.slice(this.head)
    this.waiters = []
    this.head = 0
    this.over = 0
    for (const waiter of failed) if (!waiter.isOver) waiter.settle(outcome)
  }

  /** A waiter gave up. While nothing is committed (a lone leader) timed-out producers would pile up otherwise. */
  noteOver(): void {
    this.over += 1
    if (this.over < 64 || this.over * 2 < this.size) return
    this.waiters = this.waiters.slice(this.head).filter(waiter => !waiter.isOver)
    this.head = 0
    this.over = 0
  }

  private compact(): void {
    if (this.head === this.waiters.length) {
      this.waiters.length = 0
      this.head = 0
      this.over = 0
    } else if (this.head > 1024 && this.head * 2 > this.waiters.length) {
      this.waiters.splice(0, this.head)
      this.head = 0
    }
  }
}

/** Something that waits for any of several keys. */
export interface ParkedOperation<Key> {
  readonly keys: readonly Key[]
  /** Whether it can be answered now. Called when a key woke. */
  isReady(wokenKey: Key): boolean
  /** Answers with what there is. Called once, unless the connection closed first. */
  complete(): void
}

interface Parked<Key> {
  readonly operation: ParkedOperation<Key>
  timer: Timer | undefined
  /** Takes the wish to be told of the connection's end back. */
  forget: (() => void) | undefined
  done: boolean
}

/** Parked operations by key. Waking is put off to the end of the turn, so that what several requests append is answered at once. */
export class Purgatory<Key extends object> {
  private readonly byKey = new Map<Key, Set<Parked<Key>>>()
  private readonly environment: Pick<Environment, 'timers'>
  private woken = new Set<Key>()
  private parkedCount = 0

  constructor(environment: Pick<Environment, 'timers'>) {
    this.environment = environment
  }

  get size(): number {
    return this.parkedCount
  }

  has(key: Key): boolean {
    return this.byKey.has(key)
  }

  park(operation: ParkedOperation<Key>, waitMs: number, connection: Parker): void {
    const parked: Parked<Key> = { operation, timer: undefined, forget: undefined, done: false }
    this.parkedCount += 1
    for (const key of operation.keys) {
      const set = this.byKey.get(key)
      if (set === undefined) this.byKey.set(key, new Set([parked]))
      else set.add(parked)
    }
    parked.forget = connection.onClose(() => this.remove(parked))
    parked.timer = this.environment.timers.after(waitMs, () => this.finish(parked))
  }

  /** Something changed for `key`: at the end of the turn those that wait for it are asked. */
  wake(key: Key): void {
    if (!this.byKey.has(key)) return
    if (this.woken.size === 0) this.environment.timers.soon(() => this.flush())
    this.woken.add(key)
  }

  /** Something changed that may concern all. */
  wakeAll(): void {
    for (const key of this.byKey.keys()) this.wake(key)
  }

  /** Answers all that wait for `key` now: it is going away. */
  flushKey(key: Key): void {
    for (const parked of Array.from(this.byKey.get(key) ?? [])) this.finish(parked)
  }

  /** Answers everything, for a stop. */
  flushAll(): void {
    for (const key of Array.from(this.byKey.keys())) this.flushKey(key)
  }

  private flush(): void {
    const woken = this.woken
    this.woken = new Set()
    for (const key of woken) {
      for (const parked of Array.from(this.byKey.get(key) ?? [])) {
        if (!parked.done && parked.operation.isReady(key)) this.finish(parked)
      }
    }
  }

  private finish(parked: Parked<Key>): void {
    if (parked.done) return
    this.remove(parked)
    parked.operation.complete()
  }

  private remove(parked: Parked<Key>): void {
    if (parked.done) return
    parked.done = true
    this.parkedCount -= 1
    parked.timer?.cancel()
    parked.forget?.()
    for (const key of parked.operation.keys) {
      const set = this.byKey.get(key)
      set?.delete(parked)
      if (set?.size === 0) this.byKey.delete(key)
    }
  }
}
