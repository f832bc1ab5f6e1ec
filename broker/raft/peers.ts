/**
 * Which requests of this node are on their way, one at most per peer, and which peers are left alone for a while after a failure.
 * A response that is not the one awaited is ignored; it belongs to an earlier state of the machine.
 * Source: KIP-595; Kafka's RequestManager behaves the same.
 */
import type { Random } from '../environment/environment.ts'

interface Peer {
  inFlight: { readonly requestId: number; readonly sentMs: number } | undefined
  backoffUntilMs: number
}

export class Peers {
  private readonly peers = new Map<number, Peer>()
  private readonly limits: { readonly requestTimeoutMs: number; readonly retryBackoffMs: number }
  private lastRequestId = 0

  constructor(ids: readonly number[], limits: { requestTimeoutMs: number; retryBackoffMs: number }) {
    this.limits = limits
    for (const id of ids) this.peers.set(id, { inFlight: undefined, backoffUntilMs: 0 })
  }

  /** Notes a new request to `id` and returns its number. */
  sent(id: number, nowMs: number): number {
    const peer = this.peer(id)
    this.lastRequestId += 1
    peer.inFlight = { requestId: this.lastRequestId, sentMs: nowMs }
    return this.lastRequestId
  }

  /** Whether this is the response awaited from `id`; from now on none is. */
  answered(id: number, requestId: number): boolean {
    const peer = this.peers.get(id)
    if (peer?.inFlight?.requestId !== requestId) return false
    peer.inFlight = undefined
    return true
  }

  backOff(id: number, nowMs: number): void {
    this.peer(id).backoffUntilMs = nowMs + this.limits.retryBackoffMs
  }

  /** Gives up on requests without an answer. */
  expire(nowMs: number): void {
    for (const peer of this.peers.values()) {
      if (peer.inFlight === undefined || nowMs < peer.inFlight.sentMs + this.limits.requestTimeoutMs) continue
      peer.inFlight = undefined
      peer.backoffUntilMs = nowMs + this.limits.retryBackoffMs
    }
  }

  isReady(id: number, nowMs: number): boolean {
    const peer = this.peer(id)
    return peer.inFlight === undefined && nowMs >= peer.backoffUntilMs
  }

  isBackingOff(id: number, nowMs: number): boolean {
    return nowMs < this.peer(id).backoffUntilMs
  }

  anyInFlight(): boolean {
    for (const peer of this.peers.values()) if (peer.inFlight !== undefined) return true
    return false
  }

  /** A peer to ask at random, undefined when all are busy or backing off. */
  pickReady(random: Random, nowMs: number): number | undefined {
    const ready = [...this.peers.keys()].filter(id => this.isReady(id, nowMs))
    return ready.length === 0 ? undefined : ready[random.below(ready.length)]
  }

  /** When the first request times out or the first backoff ends. */
  nextDeadlineMs(nowMs: number): number {
    let deadlineMs = Infinity
    for (const peer of this.peers.values()) {
      if (peer.inFlight !== undefined)
        deadlineMs = Math.min(deadlineMs, peer.inFlight.sentMs + this.limits.requestTimeoutMs)
      else if (peer.backoffUntilMs > nowMs) deadlineMs = Math.min(deadlineMs, peer.backoffUntilMs)
    }
    return deadlineMs
  }

  /** Forgets requests and backoffs: the state they served is gone. */
  reset(): void {
    for (const peer of this.peers.values()) {
      peer.inFlight = undefined
      peer.backoffUntilMs = 0
    }
  }

  private peer(id: number): Peer {
    const peer = this.peers.get(id)
    if (peer === undefined) throw new Error(`expected the id of another voter, got ${id}`)
    return peer
  }
}
