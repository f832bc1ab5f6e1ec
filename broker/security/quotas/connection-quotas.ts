/**
 * Whether a new connection may begin: connections in all and of a listener (KIP-402), of an address, and new connections per second from an
 * address, on a listener and in all (KIP-612). A machine.
 *
 * - No connection left in all or on its listener: it waits until another one ends. The listener that brokers use among themselves is let in
 *   beyond what there is in all; then a connection of another listener has to go.
 * - An address beyond its rate is let go after a wait, beyond its count at once; when all together come too fast, the new one waits.
 */
import { hostAddress } from '../../net/ip-address.ts'
import type { Admission, Arrival } from '../../net/door.ts'
import { SampledRate, throttleTimeMs, type SampleWindow } from './sampled-rate.ts'

export interface ListenerLimits {
  readonly connections: number
  /** New connections per second. */
  readonly rate: number
}

export interface ConnectionLimits {
  readonly perIp: number
  /** Address to its own limit, instead of `perIp`. */
  readonly perIpOverrides: ReadonlyMap<string, number>
  /** Of all listeners together. */
  readonly all: ListenerLimits
  readonly ofListener: (name: string) => ListenerLimits
  /** New connections per second from an address; undefined for no limit. */
  readonly rateOf: (ip: string) => number | undefined
}

/** Kafka's Int.MaxValue: no limit. */
const unlimited = 2_147_483_647

export interface ConnectionQuotasOptions {
  readonly window: SampleWindow
  /** As they are now. */
  readonly limits: () => ConnectionLimits
  /** The listener between brokers, where it is not the only one. */
  readonly protectedListener: () => string | undefined
}

export class ConnectionQuotas {
  readonly #options: ConnectionQuotasOptions
  readonly #ofIp = new Map<string, number>()
  readonly #ofListener = new Map<string, number>()
  #total = 0
  readonly #ipRates = new Map<string, SampledRate>()
  readonly #listenerRates = new Map<string, SampledRate>()
  readonly #rate: SampledRate
  #sweptMs = 0

  constructor(options: ConnectionQuotasOptions) {
    this.#options = options
    this.#rate = new SampledRate(options.window)
  }

  /** Counts the connection if it may begin, be it after a wait; only then `left` must be called. */
  admit({ listener, ip }: Arrival, nowMs: number): Admission {
    const limits = this.#options.limits()
    if (!this.#hasRoom(listener, limits)) return 'full'
    const waitMs = this.#ipWaitMs(ip, limits.rateOf(ip), nowMs)
    if (waitMs > 0) return { refused: 'the address opens connections too fast', afterMs: waitMs }
    if ((this.#ofIp.get(ip) ?? 0) >= (limits.perIpOverrides.get(ip) ?? limits.perIp))
      return { refused: 'the address has too many connections', afterMs: 0 }
    count(this.#ofIp, ip, 1)
    count(this.#ofListener, listener, 1)
    this.#total++
    return { waitMs: this.#rateWaitMs(listener, limits, nowMs), costsAnother: this.#total > limits.all.connections }
  }

  left({ listener, ip }: Arrival): void {
    count(this.#ofIp, ip, -1)
    count(this.#ofListener, listener, -1)
    this.#total--
  }

  #hasRoom(listener: string, { all, ofListener }: ConnectionLimits): boolean {
    if ((this.#ofListener.get(listener) ?? 0) >= ofListener(listener).connections) return false
    return listener === this.#options.protectedListener() || this.#total < all.connections
  }

  #rateWaitMs(listener: string, limits: ConnectionLimits, nowMs: number): number {
    const ofListener = limits.ofListener(listener).rate
    const { sampleMs } = this.#options.window
    const waits = [
      waitOf(this.#rate, limits.all.rate, nowMs),
      ofListener >= unlimited ? 0 : waitOf(this.#rateOf(this.#listenerRates, listener), ofListener, nowMs),
    ]
    return Math.min(Math.max(...waits), sampleMs)
  }

  /** A refused connection does not count towards the rate. */
  #ipWaitMs(ip: string, bound: number | undefined, nowMs: number): number {
    if (bound === undefined || bound >= unlimited) return 0
    this.#sweep(nowMs)
    const rate = this.#rateOf(this.#ipRates, ip)
    const waitMs = waitOf(rate, bound, nowMs)
    if (waitMs > 0) rate.record(-1, nowMs)
    return Math.min(waitMs, this.#options.window.sampleMs)
  }

  #rateOf(rates: Map<string, SampledRate>, key: string): SampledRate {
    let rate = rates.get(key)
    if (rate === undefined) rates.set(key, (rate = new SampledRate(this.#options.window)))
    return rate
  }

  /** Addresses that came long ago are forgotten. */
  #sweep(nowMs: number): void {
    const { samples, sampleMs } = this.#options.window
    if (nowMs - this.#sweptMs < samples * sampleMs) return
    this.#sweptMs = nowMs
    for (const [ip, rate] of this.#ipRates) if (rate.measure(nowMs) === 0) this.#ipRates.delete(ip)
  }
}

/** Counts one more connection, and says how long that is too early. */
function waitOf(rate: SampledRate, bound: number, nowMs: number): number {
  if (bound >= unlimited) return 0
  rate.record(1, nowMs)
  return throttleTimeMs(rate, bound, nowMs)
}

function count(counts: Map<string, number>, key: string, change: number): void {
  const next = (counts.get(key) ?? 0) + change
  if (next > 0) counts.set(key, next)
  else counts.delete(key)
}

/** `address:count` each, as max.connections.per.ip.overrides has them; IPv6 addresses have colons of their own. */
export function parseOverrides(entries: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    entries.map(entry => {
      const colon = entry.lastIndexOf(':')
      const address = entry.slice(0, colon).trim().replaceAll(/[[\]]/g, '')
      return [hostAddress(address), Number(entry.slice(colon + 1))] as const
    }),
  )
}
