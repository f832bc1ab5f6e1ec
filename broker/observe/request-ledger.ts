/**
 * Which requests this node has served: per API, version and client software (KIP-511). For metrics, and as evidence which client was seen
 * to use which version. Bounded: software beyond the first `softwareMax` names is counted as `other`.
 */

export interface LedgerEntry {
  readonly apiKey: number
  readonly apiVersion: number
  /** Name that the client gave in ApiVersions v3+; `unknown` when it gave none. */
  readonly software: string
  readonly requests: number
  /** Of these: met a bug or a fault that nobody foresaw, and were answered with UNKNOWN_SERVER_ERROR. */
  readonly failures: number
}

interface Count {
  requests: number
  failures: number
}

const softwareMax = 50
/** Versions of an API are below it: one number names both. */
const versionSpan = 256

export class RequestLedger {
  readonly #bySoftware = new Map<string, Map<number, Count>>()

  served(apiKey: number, apiVersion: number, software: string): void {
    this.#count(apiKey, apiVersion, software).requests++
  }

  failed(apiKey: number, apiVersion: number, software: string): void {
    this.#count(apiKey, apiVersion, software).failures++
  }

  entries(): LedgerEntry[] {
    return [...this.#bySoftware].flatMap(([software, counts]) =>
      [...counts].map(([key, { requests, failures }]) => {
        const apiVersion = key % versionSpan
        return { apiKey: (key - apiVersion) / versionSpan, apiVersion, software, requests, failures }
      }),
    )
  }

  #count(apiKey: number, apiVersion: number, software: string): Count {
    let counts = this.#bySoftware.get(software)
    if (counts === undefined) {
      if (this.#bySoftware.size >= softwareMax && software !== 'other') return this.#count(apiKey, apiVersion, 'other')
      counts = new Map<number, Count>()
      this.#bySoftware.set(software, counts)
    }
    const key = apiKey * versionSpan + apiVersion
    let count = counts.get(key)
    if (count === undefined) {
      count = { requests: 0, failures: 0 }
      counts.set(key, count)
    }
    return count
  }
}
