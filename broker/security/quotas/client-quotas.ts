/**
 * What clients have used of their quotas, and how long they have to wait (KIP-13, KIP-55, KIP-124, KIP-219, KIP-599). A machine: no clock, no
 * timers; whoever serves the request delays the client. A client without a quota costs one look at a flag.
 */
import type { MetadataImage } from '../../controller/image.ts'
import { QuotaLimits, quotaKeys, type QuotaKey } from './quota-limits.ts'
import { SampledRate, throttleTimeMs, type SampleWindow } from './sampled-rate.ts'
import { TokenBucket } from './token-bucket.ts'

export interface QuotaSubject {
  /** Name of the principal, without its type. */
  readonly user: string
  readonly clientId: string
}

export interface ClientQuotasOptions {
  readonly window: SampleWindow
  readonly controllerWindow: SampleWindow
}

/** How one request may change metadata. */
export interface MutationQuota {
  /** Takes so many partitions out of the quota. False: it is exceeded, and nothing was taken. */
  take(partitions: number): boolean
  /** How long the client has to wait in the end, ms. */
  throttleMs(): number
}

const idleLimitMs = 3_600_000
const unlimited: MutationQuota = { take: () => true, throttleMs: () => 0 }

interface Used<T> {
  readonly meter: T
  lastMs: number
}

export class ClientQuotas {
  readonly #options: ClientQuotasOptions
  #limits = new QuotaLimits(new Map())
  #applied: MetadataImage['clientQuotas'] | undefined
  readonly #rates = new Map<string, Used<SampledRate>>()
  readonly #buckets = new Map<string, Used<TokenBucket>>()
  #sweptMs = 0
  /** Whether any client has a quota on requests of any kind. */
  isActive = false

  constructor(options: ClientQuotasOptions) {
    this.#options = options
  }

  get limits(): QuotaLimits {
    return this.#limits
  }

  applyMetadata({ clientQuotas }: MetadataImage): void {
    if (clientQuotas === this.#applied) return
    this.#applied = clientQuotas
    this.#limits = new QuotaLimits(clientQuotas)
    this.isActive = Object.values(quotaKeys).some(key => this.#limits.has(key))
  }

  /** Counts what a client used. @returns how long it has to wait, ms */
  record(key: QuotaKey, subject: QuotaSubject, value: number, nowMs: number): number {
    const limit = this.#limits.find(key, subject.user, subject.clientId)
    if (limit === undefined) return 0
    const rate = this.#rate(key, limit.sharedBy, nowMs)
    rate.record(value, nowMs)
    return throttleTimeMs(rate, limit.bound, nowMs)
  }

  /** Takes back what was recorded for a response that is not sent after all. */
  unrecord(key: QuotaKey, subject: QuotaSubject, value: number, nowMs: number): void {
    const limit = this.#limits.find(key, subject.user, subject.clientId)
    if (limit !== undefined) this.#rate(key, limit.sharedBy, nowMs).record(-value, nowMs)
  }

  /** Time a request took, in per cent of one second; the wait is one sample at most (KIP-124). */
  recordRequestMs(subject: QuotaSubject, tookMs: number, nowMs: number): number {
    const waitMs = this.record(quotaKeys.request, subject, tookMs / 10, nowMs)
    return Math.min(waitMs, this.#options.window.sampleMs)
  }

  /** Most bytes one fetch may bring, so that no response is larger than what the quota allows in all samples. */
  maxFetchBytes({ user, clientId }: QuotaSubject): number {
    const limit = this.#limits.find(quotaKeys.fetch, user, clientId)
    const { samples, sampleMs } = this.#options.window
    return limit === undefined ? Infinity : Math.floor(limit.bound * Math.max(1, samples - 1) * (sampleMs / 1000))
  }

  /**
   * @param isStrict  refuse what exceeds the quota; else take it and let the client wait (versions of the APIs from before KIP-599)
   * @param nowMs     asked again at each use: the records of the request may take a while
   */
  mutation(subject: QuotaSubject, isStrict: boolean, nowMs: () => number): MutationQuota {
    const limit = this.#limits.find(quotaKeys.controllerMutation, subject.user, subject.clientId)
    if (limit === undefined) return unlimited
    const { bound } = limit
    const bucket = this.#bucket(limit.sharedBy, nowMs())
    let waitMs = 0
    let sinceMs = nowMs()
    return {
      take: partitions => {
        sinceMs = nowMs()
        waitMs = bucket.throttleTimeMs(bound, sinceMs)
        if (isStrict && waitMs > 0) return false
        bucket.take(partitions, bound, sinceMs)
        if (!isStrict) waitMs = bucket.throttleTimeMs(bound, sinceMs)
        return true
      },
      throttleMs: () => Math.max(0, waitMs - (nowMs() - sinceMs)),
    }
  }

  #rate(key: QuotaKey, sharedBy: string, nowMs: number): SampledRate {
    return this.#used(this.#rates, `${key}\n${sharedBy}`, nowMs, () => new SampledRate(this.#options.window))
  }

  #bucket(sharedBy: string, nowMs: number): TokenBucket {
    return this.#used(this.#buckets, sharedBy, nowMs, () => new TokenBucket(this.#options.controllerWindow))
  }

  #used<T>(all: Map<string, Used<T>>, key: string, nowMs: number, make: () => T): T {
    this.#sweep(nowMs)
    let used = all.get(key)
    if (used === undefined) all.set(key, (used = { meter: make(), lastMs: nowMs }))
    used.lastMs = nowMs
    return used.meter
  }

  /** Clients that were not heard of for an hour have nothing left to pay for. */
  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < idleLimitMs) return
    this.#sweptMs = nowMs
    for (const all of [this.#rates, this.#buckets] as const)
      for (const [key, { lastMs }] of all) if (nowMs - lastMs >= idleLimitMs) all.delete(key)
  }
}
