/**
 * The end of one way of a connection: what is to be sent, in order, each piece when its time has come. Without faults a chunk goes from socket
 * to socket by reference and nothing is queued.
 *
 * Must never: send out of order, or hold more than `queuedBytesMax` and one more chunk (`isFull()` tells the source to wait).
 */
import type { Socket } from 'node:net'
import type { WayBehaviour } from './byte-faults.ts'

/** One fault's behaviour on this way, and where it counts that it did something. */
export interface WayFault {
  readonly behaviour: WayBehaviour
  readonly hit: () => void
}

/** Something that keeps all behind it from going out. */
export interface Gate {
  isOpen: boolean
  /** Opens by itself; `performance.now()` ms. */
  readonly untilMs: number | undefined
  /** Nothing waits for it any more. */
  readonly passed: () => void
}

interface Item {
  readonly bytes: Buffer | undefined
  readonly arrivedMs: number
  dueMs: number
  /** Those of the faults that it has taken its turn at, once that has come. */
  turns: readonly WayFault[] | undefined
  readonly gate: Gate | undefined
  readonly passed?: () => void
  /** What to do instead of writing: the end of the way. */
  readonly finish: (() => void) | undefined
}

export const queuedBytesMax = 4 * 1024 * 1024
/** Where the source goes on again. */
const queuedBytesLow = queuedBytesMax / 2

export class Outlet {
  #faults: readonly WayFault[] = []
  #isBlocked = false
  #items: Item[] = []
  #queuedBytes = 0
  #lastDueMs = 0
  #timer: NodeJS.Timeout | undefined
  #sink: Socket | undefined
  #isDiscarding = false
  #wasFull = false
  readonly #hasSpace: () => void

  /** @param hasSpace  told when `isFull()` became false */
  constructor(hasSpace: () => void) {
    this.#hasSpace = hasSpace
  }

  /** From now on there is somebody to send to. */
  attach(sink: Socket): void {
    this.#sink = sink
    sink.on('drain', () => this.pump())
    this.pump()
  }

  /** The source should wait until `hasSpace`. */
  isFull(): boolean {
    const isFull =
      !this.#isDiscarding &&
      (this.#isBlocked ||
        this.#queuedBytes > (this.#wasFull ? queuedBytesLow : queuedBytesMax) ||
        (this.#items.length === 0 && this.#sink?.writableNeedDrain === true))
    this.#wasFull = isFull
    return isFull
  }

  get isIdle(): boolean {
    return this.#items.length === 0
  }

  /** Faults came or went. When one went, what waits is judged anew by those that stay. */
  replan(faults: readonly WayFault[]): void {
    const isHealed = this.#faults.some(fault => !faults.includes(fault))
    this.#faults = faults
    this.#isBlocked = faults.some(({ behaviour }) => behaviour.blocks === true)
    if (isHealed) {
      this.#giveBack()
      this.#lastDueMs = 0
      for (const item of this.#items) item.dueMs = this.#due(item)
    }
    this.pump()
  }

  push(bytes: Buffer): void {
    if (this.#isDiscarding) return
    if (this.#faults.length === 0 && this.#items.length === 0 && this.#sink !== undefined) {
      this.#sink.write(bytes)
      return
    }
    const arrivedMs = performance.now()
    for (const piece of this.#split(bytes)) this.#queue({ bytes: piece, arrivedMs, gate: undefined, finish: undefined })
    this.pump()
  }

  /** What is pushed from now on waits for it; `passed` is told when that goes on. */
  wait(gate: Gate, passed: () => void): void {
    if (this.#isDiscarding) return
    this.#queue({ bytes: undefined, arrivedMs: performance.now(), gate, passed, finish: undefined })
  }

  /** Once all before it is out. */
  finish(action: () => void): void {
    if (this.#isDiscarding) return action()
    this.#queue({ bytes: undefined, arrivedMs: performance.now(), gate: undefined, finish: action })
    this.pump()
  }

  /** Nobody is there to send to any more. */
  discard(): void {
    this.#isDiscarding = true
    this.#giveBack()
    this.#items = []
    this.#queuedBytes = 0
    clearTimeout(this.#timer)
    this.#hasSpace()
  }

  /** Sends what may go now. */
  pump(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    let sent = 0
    while (sent < this.#items.length && this.#sendOne(this.#items[sent])) sent++
    if (sent > 0) this.#items.splice(0, sent)
    if (this.#wasFull && !this.isFull()) this.#hasSpace()
  }

  /** False: it has to wait; a timer or an event will bring us back. */
  #sendOne(item: Item | undefined): boolean {
    if (item === undefined || this.#isBlocked || this.#sink === undefined) return false
    const now = performance.now()
    const gate = item.gate
    if (gate !== undefined && !gate.isOpen && !(gate.untilMs !== undefined && gate.untilMs <= now)) {
      if (gate.untilMs !== undefined) this.#wakeIn(gate.untilMs - now)
      return false
    }
    item.passed?.()
    if (item.dueMs <= now) this.#takeTurn(item)
    if (item.dueMs > now) {
      this.#wakeIn(item.dueMs - now)
      return false
    }
    if (item.bytes !== undefined) {
      if (this.#sink.writableNeedDrain) return false
      this.#queuedBytes -= item.bytes.length
      if (!this.#sink.destroyed) this.#sink.write(item.bytes)
    }
    item.finish?.()
    return true
  }

  #wakeIn(ms: number): void {
    this.#timer = setTimeout(() => this.pump(), Math.ceil(ms))
  }

  /** Of the first alone, and once: what is behind it takes no time of the link before its own turn, which may never come. */
  #takeTurn(item: Item): void {
    const { bytes } = item
    if (item.turns !== undefined || bytes === undefined) return
    item.turns = this.#faults.filter(({ behaviour }) => behaviour.takeTurn !== undefined)
    for (const { behaviour, hit } of item.turns) {
      const before = item.dueMs
      item.dueMs = behaviour.takeTurn?.(before, bytes.length) ?? before
      if (item.dueMs > before) hit()
    }
  }

  #giveBack(): void {
    const [first] = this.#items
    for (const { behaviour } of first?.turns ?? []) behaviour.giveBack?.(first?.bytes?.length ?? 0)
    if (first !== undefined) first.turns = undefined
  }

  #queue(item: Omit<Item, 'dueMs' | 'turns'>): void {
    const queued = { ...item, dueMs: 0, turns: undefined }
    queued.dueMs = this.#due(queued)
    this.#items.push(queued)
    this.#queuedBytes += item.bytes?.length ?? 0
  }

  #split(bytes: Buffer): readonly Buffer[] {
    let pieces: readonly Buffer[] = [bytes]
    for (const { behaviour } of this.#faults)
      if (behaviour.split !== undefined) pieces = pieces.flatMap(piece => behaviour.split?.(piece) ?? [piece])
    return pieces
  }

  #due({ bytes, arrivedMs, finish }: Item): number {
    let dueMs = arrivedMs
    for (const { behaviour, hit } of this.#faults) {
      const before = dueMs
      if (finish !== undefined) dueMs += behaviour.closeDelayMs ?? 0
      else if (bytes !== undefined) dueMs = behaviour.dueMs?.(dueMs, bytes.length) ?? dueMs
      if (dueMs > before || behaviour.blocks === true) hit()
    }
    this.#lastDueMs = Math.max(this.#lastDueMs, dueMs)
    return this.#lastDueMs
  }
}
