/**
 * Whether a new connection may begin: connections per address, and new connections per second from an address (KIP-612) and in all. A machine.
 * An address beyond its rate is let go after a wait, beyond its count at once; when all together come too fast, the new one waits.
 */
import type { Admission } from '../../net/listener.ts'
import { SampledRate, throttleTimeMs, type SampleWindow } from './sampled-rate.ts'

export interface ConnectionLimits {
  readonly perIp: number
  /** Address to its own limit, instead of `perIp`. */
  readonly perIpOverrides: ReadonlyMap<string, number>
  /** New connections per second in all. */
  readonly rate: number
  /** New connections per second from an address; undefined for no limit. */
  rateOf(ip: string): number | undefined
}

/** Kafka's Int.MaxValue: no limit. */
const unlimited = 2_147_483_647

export class ConnectionQuotas {
  readonly #window: SampleWindow
  readonly #limits: () => ConnectionLimits
  readonly #counts = new Map<string, number>()
  readonly #rates = new Map<string, SampledRate>()
  readonly #all: SampledRate

  constructor(window: SampleWindow, limits: () => ConnectionLimits) {
    this.#window = window
    this.#limits = limits
    this.#all = new SampledRate(window)
  }

  /** Counts the connection unless it is refused; then `left` must not be called. */
  admit(ip: string, nowMs: number): Admission {
    const limits = this.#limits()
    const waitMs = this.#ipWaitMs(ip, limits.rateOf(ip), nowMs)
    if (waitMs > 0) return { refused: 'the address opens connections too fast', afterMs: waitMs }
    const count = this.#counts.get(ip) ?? 0
    if (count >= (limits.perIpOverrides.get(ip) ?? limits.perIp))
      return { refused: 'the address has too many connections', afterMs: 0 }
    this.#counts.set(ip, count + 1)
    if (limits.rate >= unlimited) return { waitMs: 0 }
    this.#all.record(1, nowMs)
    return { waitMs: Math.min(throttleTimeMs(this.#all, limits.rate, nowMs), this.#window.sampleMs) }
  }

  left(ip: string): void {
    const count = (this.#counts.get(ip) ?? 0) - 1
    if (count > 0) this.#counts.set(ip, count)
    else this.#counts.delete(ip)
  }

  /** A refused connection does not count towards the rate. */
  #ipWaitMs(ip: string, bound: number | undefined, nowMs: number): number {
    if (bound === undefined || bound >= unlimited) return 0
    this.#sweep(nowMs)
    let rate = this.#rates.get(ip)
    if (rate === undefined) this.#rates.set(ip, (rate = new SampledRate(this.#window)))
    rate.record(1, nowMs)
    const waitMs = throttleTimeMs(rate, bound, nowMs)
    if (waitMs > 0) rate.record(-1, nowMs)
    return Math.min(waitMs, this.#window.sampleMs)
  }

  #sweptMs = 0

  /** Addresses that came long ago are forgotten. */
  #sweep(nowMs: number): void {
    const { samples, sampleMs } = this.#window
    if (nowMs - this.#sweptMs < samples * sampleMs) return
    this.#sweptMs = nowMs
    for (const [ip, rate] of this.#rates) if (rate.measure(nowMs) === 0) this.#rates.delete(ip)
  }
}

/** `address:count` each, as max.connections.per.ip.overrides has them; IPv6 addresses have colons of their own. */
export function parseOverrides(entries: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    entries.map(entry => {
      const colon = entry.lastIndexOf(':')
      return [entry.slice(0, colon).trim(), Number(entry.slice(colon + 1))] as const
    }),
  )
}
