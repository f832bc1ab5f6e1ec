/**
 * The public keys of an identity provider (JWKS, RFC 7517), from an http(s) or file URL: read on first use, again every
 * sasl.oauthbearer.jwks.endpoint.refresh.ms, and when a token names a key that is not among them, but then not more often than every ten seconds:
 * anybody can name keys. Old keys stay in use while new ones cannot be had.
 */
import type { JSONWebKeySet } from 'jose'
import { DiskError, NetworkError, type Environment } from '../../environment/environment.ts'
import { readFile } from '../../log/small-files.ts'

export interface KeySourceOptions {
  readonly environment: Environment
  readonly url: string
  readonly refreshMs: number
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
}

const timeoutMs = 10_000
const maxBytes = 1024 * 1024
const unknownKeyIntervalMs = 10_000

export class KeySource {
  readonly #options: KeySourceOptions
  #current: JSONWebKeySet | undefined
  #readMs = -Infinity
  #failures = 0
  #failedMs = -Infinity
  #reading: Promise<JSONWebKeySet> | undefined

  constructor(options: KeySourceOptions) {
    this.#options = options
  }

  /** @param keyId  the key that is wanted */
  async keys(keyId: string | undefined): Promise<JSONWebKeySet> {
    const nowMs = this.#options.environment.clock.monotonicMs()
    const current = this.#current
    const knows = keyId === undefined || current?.keys.some(({ kid }) => kid === keyId) === true
    const dueMs = knows ? this.#options.refreshMs : Math.min(unknownKeyIntervalMs, this.#options.refreshMs)
    if (current !== undefined && nowMs - this.#readMs < dueMs) return current
    if (nowMs - this.#failedMs < this.#backoffMs()) {
      if (current !== undefined) return current
      throw new NetworkError('JWKS', `${this.#options.url} could not be read a moment ago`)
    }
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined))
    try {
      return await this.#reading
    } catch (error) {
      if (current === undefined) throw error
      return current
    }
  }

  #backoffMs(): number {
    if (this.#failures === 0) return 0
    return Math.min(this.#options.retryBackoffMaxMs, this.#options.retryBackoffMs * 2 ** (this.#failures - 1))
  }

  async #read(): Promise<JSONWebKeySet> {
    const { environment, url } = this.#options
    try {
      const keys = parseKeys(await this.#bytes())
      this.#current = keys
      this.#readMs = environment.clock.monotonicMs()
      this.#failures = 0
      return keys
    } catch (error) {
      this.#failures++
      this.#failedMs = environment.clock.monotonicMs()
      environment.log.warn('the keys of the identity provider could not be read', {
        url,
        reason: (error as Error).message,
      })
      throw error
    }
  }

  async #bytes(): Promise<Buffer> {
    const { environment, url } = this.#options
    if (!url.startsWith('file:')) {
      const answer = environment.network.download?.(url, { timeoutMs, maxBytes })
      if (answer === undefined) throw new NetworkError('JWKS', 'this machine cannot download')
      return answer
    }
    const path = decodeURIComponent(new URL(url).pathname)
    const bytes = readFile(environment.disk, path)
    if (bytes === undefined) throw new DiskError('ENOENT', 'read', path)
    return bytes
  }
}

function parseKeys(bytes: Buffer): JSONWebKeySet {
  const parsed = JSON.parse(bytes.toString('utf8')) as { keys?: unknown } | null
  if (!Array.isArray(parsed?.keys)) throw new NetworkError('JWKS', 'expected a JSON object with a list of keys')
  return parsed as JSONWebKeySet
}
