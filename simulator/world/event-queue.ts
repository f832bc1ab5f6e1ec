/**
 * Events in the order (time, sequence): a binary heap. Two events of the same microsecond run in the order in which they were scheduled,
 * which is what makes a run repeatable. Cancelled events stay until they surface, or until they are the majority.
 */
import type { SimulatedNode } from './node.ts'

/** What an event is, for traces, hashes and statistics; its place in the list is its number in a hash. */
const eventKinds = [
  'start',
  'timer',
  'soon',
  'fsync',
  'listen',
  'accept',
  'opened',
  'data',
  'drain',
  'closed',
  'client-timer',
  'fault',
  'control',
  'outside',
] as const
export type EventKind = (typeof eventKinds)[number]

const kindNumbers = Object.fromEntries(eventKinds.map((kind, number) => [kind, number])) as Record<EventKind, number>

export function eventKindNumber(kind: EventKind): number {
  return kindNumbers[kind]
}

export function eventKindOf(number: number): EventKind {
  const kind = eventKinds[number]
  if (kind === undefined) throw new RangeError(`Expected the number of a kind of event, got ${number}`)
  return kind
}

export class WorldEvent {
  readonly timeUs: number
  readonly sequence: number
  readonly kind: EventKind
  /** The node whose process runs it; undefined for the world itself and for clients. */
  readonly node: SimulatedNode | undefined
  /** The life of that process which scheduled it: the event dies with it. */
  readonly incarnation: number
  run: (() => void) | undefined
  /** Called in its place when that life is over: a packet for a process that is gone. */
  lost: (() => void) | undefined = undefined
  /** In the queue, not taken out or waiting elsewhere. */
  queued = false
  /** Bytes that arrive with the event, and their CRC, both part of the rolling hash. */
  bytes = 0
  crc = 0

  constructor(timeUs: number, sequence: number, kind: EventKind, node: SimulatedNode | undefined, run: () => void) {
    this.timeUs = timeUs
    this.sequence = sequence
    this.kind = kind
    this.node = node
    this.incarnation = node?.incarnation ?? 0
    this.run = run
  }
}

export class EventQueue {
  #heap: WorldEvent[] = []
  #cancelled = 0

  get size(): number {
    return this.#heap.length - this.#cancelled
  }

  push(event: WorldEvent): void {
    const heap = this.#heap
    let index = heap.length
    event.queued = true
    heap.push(event)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!before(event, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = event
  }

  /** The next event that was not cancelled. */
  pop(): WorldEvent | undefined {
    for (;;) {
      const event = this.#take()
      if (event === undefined) return undefined
      event.queued = false
      if (event.run !== undefined) return event
      this.#cancelled--
    }
  }

  /** When the next event is due; undefined when there is none. */
  nextTimeUs(): number | undefined {
    while (this.#heap[0]?.run === undefined) {
      const cancelled = this.#take()
      if (cancelled === undefined) return undefined
      cancelled.queued = false
      this.#cancelled--
    }
    return this.#heap[0].timeUs
  }

  cancel(event: WorldEvent): void {
    if (event.run === undefined) return
    event.run = undefined
    if (!event.queued) return
    this.#cancelled++
    if (this.#cancelled > 1024 && this.#cancelled * 2 > this.#heap.length) this.#compact()
  }

  #take(): WorldEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    this.#sink(last, 0)
    return first
  }

  #sink(event: WorldEvent, from: number): void {
    const heap = this.#heap
    let index = from
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, event)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = event
  }

  #compact(): void {
    this.#heap = this.#heap.filter(event => event.run !== undefined).sort(order)
    this.#cancelled = 0
  }
}

function before(a: WorldEvent, b: WorldEvent): boolean {
  return a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.sequence < b.sequence)
}

function order(a: WorldEvent, b: WorldEvent): number {
  return a.timeUs - b.timeUs || a.sequence - b.sequence
}
