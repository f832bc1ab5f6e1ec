/**
 * A bucket of tokens for controller mutations (KIP-599): it fills at the rate of the quota up to what all samples together would allow, and an
 * accepted operation may take it below zero, so that large operations are possible at all. Pure: the time comes from the caller.
 */
import type { SampleWindow } from './sampled-rate.ts'

export class TokenBucket {
  readonly #window: SampleWindow
  #tokens = 0
  /** As in Kafka: the bucket has been filling since long before it was first asked for. */
  #updatedMs = -Infinity

  constructor(window: SampleWindow) {
    this.#window = window
  }

  take(count: number, ratePerSecond: number, nowMs: number): void {
    this.#tokens = Math.min(this.#burst(ratePerSecond), this.measure(ratePerSecond, nowMs) - count)
  }

  /** Tokens there are; negative when more were taken than came in. */
  measure(ratePerSecond: number, nowMs: number): number {
    const cameIn = ratePerSecond * ((nowMs - this.#updatedMs) / 1000)
    this.#tokens = Math.min(this.#burst(ratePerSecond), this.#tokens + cameIn)
    this.#updatedMs = nowMs
    return this.#tokens
  }

  /** Until there are as many tokens as none, ms. */
  throttleTimeMs(ratePerSecond: number, nowMs: number): number {
    const tokens = this.measure(ratePerSecond, nowMs)
    return tokens < 0 ? Math.round((-tokens / ratePerSecond) * 1000) : 0
  }

  #burst(ratePerSecond: number): number {
    return ((this.#window.samples * this.#window.sampleMs) / 1000) * ratePerSecond
  }
}
