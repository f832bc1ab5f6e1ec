/**
 * Makes segments durable off the event loop, one round at a time: requests that come while a round is under way share
 * the next one. Knows nothing of offsets except how far a round will have come.
 */
import type { DiskError } from '../environment/environment.ts'

export type FlushResult = { readonly durableOffset: number } | { readonly error: Error }

export interface FlushTarget {
  /** The offset (exclusive) up to which a round that starts now can make the log durable. */
  end(): number
  /** fsyncs everything below `end`; calls `done` once, in a later turn, also on failure. */
  sync(end: number, done: (error: DiskError | undefined) => void): void
  /**
   * The round is over: everything below `end` is durable. Returns what is durable now (truncation may have taken some).
   */
  reached(end: number): number
}

interface Request {
  /** Undefined: everything that is in the log when the round starts. */
  readonly end: number | undefined
  readonly done: (result: FlushResult) => void
}

export class Flusher {
  private readonly target: FlushTarget
  private waiting: Request[] = []
  private roundEnd = -1
  private running = false

  constructor(target: FlushTarget) {
    this.target = target
  }

  /** Asks for a round that covers `end` (default: the log end when the round starts). */
  request(done: (result: FlushResult) => void, end?: number): void {
    this.waiting.push({ end, done })
    if (!this.running) this.startRound()
  }

  /** Bytes at and above `offset` are gone: a round under way makes nothing durable there. */
  truncated(offset: number): void {
    this.roundEnd = Math.min(this.roundEnd, offset)
  }

  private startRound(): void {
    const requests = this.waiting
    this.waiting = []
    const all = requests.some(request => request.end === undefined)
    this.roundEnd = all ? this.target.end() : Math.max(...requests.map(request => request.end ?? 0))
    this.running = true
    this.target.sync(this.roundEnd, error => this.finishRound(requests, error))
  }

  private finishRound(requests: readonly Request[], error: DiskError | undefined): void {
    this.running = false
    const result: FlushResult = error === undefined ? { durableOffset: this.target.reached(this.roundEnd) } : { error }
    for (const request of requests) request.done(result)
    if (this.waiting.length > 0 && !this.running) this.startRound()
  }
}
