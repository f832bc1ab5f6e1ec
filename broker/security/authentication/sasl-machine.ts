/**
 * The SASL conversation of one connection, the broker's side, as a machine: which request may come when, and what an outcome means.
 *
 *   versions --ApiVersions--> handshake --SaslHandshake--> authenticate --(last token)--> complete
 *      └───────────────SaslHandshake──────────────────────────┘                              │
 *                                                  authenticate <--SaslHandshake, again------┘   (KIP-368)
 *
 * Whatever else comes ends the connection. Before `complete` nothing but these requests may reach the broker.
 * SaslHandshake v0 is followed by bare tokens, v1 by SaslAuthenticate (KIP-152). Sources: KIP-43, KIP-152, KIP-368; messages as
 * Kafka's SaslServerAuthenticator.
 */
import { anonymous, type Principal } from '../../net/principal.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import type { MechanismStep } from './mechanism.ts'

export const apiKeys = { saslHandshake: 17, apiVersions: 18, saslAuthenticate: 36 } as const
const latestApiVersions = 4
/** A client that authenticates again sooner is not listened to, as in Kafka. */
const leastReauthenticationIntervalMs = 1000

export interface Moment {
  readonly monotonicMs: number
  readonly wallMs: number
}

/** What to do with a frame. */
export type Decision =
  | { readonly act: 'serve' }
  | { readonly act: 'handshake' }
  | { readonly act: 'token'; readonly form: 'bare' | 'framed' }
  /** The connection is about to be closed: nothing counts any more. */
  | { readonly act: 'drop' }
  /** Send the refusal this API has, if there is one to send, and close. */
  | { readonly act: 'close'; readonly reason: string; readonly refusal?: ErrorName }

/** What to answer to a token. */
export interface Verdict {
  readonly error: ErrorName | undefined
  readonly message: string | null
  readonly token: Buffer
  readonly sessionLifetimeMs: number
  /** For the log, when it failed. */
  readonly reason: string
}

export interface SaslMachineOptions {
  readonly enabled: readonly string[]
  /** connections.max.reauth.ms of a mechanism; 0 for none. */
  readonly maxReauthenticationMs: (mechanism: string) => number
}

export class SaslMachine {
  readonly #options: SaslMachineOptions
  #state: 'versions' | 'handshake' | 'authenticate' | 'complete' | 'closed' = 'versions'
  #isFramed = false
  #mechanism = ''
  #principal = anonymous
  /** Set while a client authenticates again: what it was before. */
  #former: { readonly principal: Principal; readonly mechanism: string } | undefined
  #sessionEndsMs = Infinity
  #reauthenticatedMs = -Infinity

  constructor(options: SaslMachineOptions) {
    this.#options = options
  }

  get isComplete(): boolean {
    return this.#state === 'complete'
  }

  get principal(): Principal {
    return this.#principal
  }

  get mechanism(): string {
    return this.#mechanism
  }

  /** True while whole frames are tokens, so that their first bytes mean nothing. */
  get expectsBareToken(): boolean {
    return this.#state === 'authenticate' && !this.#isFramed
  }

  frame(request: { readonly apiKey: number; readonly apiVersion: number }, { monotonicMs }: Moment): Decision {
    const { apiKey, apiVersion } = request
    switch (this.#state) {
      case 'versions':
      case 'handshake':
        if (apiKey === apiKeys.saslHandshake) return { act: 'handshake' }
        if (apiKey !== apiKeys.apiVersions) return this.#close(`${nameOf(apiKey)} came before SaslHandshake`)
        if (this.#state === 'handshake') return this.#close('ApiVersions came a second time')
        // A version we do not know is answered with what we know, and asked again.
        if (apiVersion <= latestApiVersions) this.#state = 'handshake'
        return { act: 'serve' }
      case 'authenticate':
        if (!this.#isFramed) return { act: 'token', form: 'bare' }
        if (apiKey === apiKeys.saslAuthenticate) return { act: 'token', form: 'framed' }
        return this.#close(
          `Unexpected Kafka request of type ${nameOf(apiKey)} during SASL authentication.`,
          'ILLEGAL_SASL_STATE',
        )
      case 'complete':
        if (apiKey === apiKeys.saslHandshake && this.#mayBeginAgain(monotonicMs)) return { act: 'handshake' }
        if (monotonicMs > this.#sessionEndsMs)
          return this.#close('its session is over and it did not authenticate again')
        return { act: 'serve' }
      case 'closed':
        return { act: 'drop' }
    }
  }

  /** SaslHandshake came. */
  handshake(version: number, mechanism: string): { readonly error: ErrorName | undefined; readonly reason: string } {
    if (!this.#options.enabled.includes(mechanism)) {
      this.#state = 'closed'
      return { error: 'UNSUPPORTED_SASL_MECHANISM', reason: `mechanism ${mechanism} is not enabled` }
    }
    this.#isFramed = version >= 1
    this.#mechanism = mechanism
    this.#state = 'authenticate'
    return { error: undefined, reason: '' }
  }

  /** Why a token of this mechanism may not even be looked at: a second authentication must use the mechanism of the first. */
  get changedMechanism(): string | undefined {
    const former = this.#former?.mechanism
    if (former === undefined || former === this.#mechanism) return undefined
    return `SASL mechanism '${this.#mechanism}' requested by client is not supported for re-authentication of mechanism '${former}'`
  }

  /** The mechanism took a token. */
  stepped(step: MechanismStep, moment: Moment): Verdict {
    if (step.kind === 'continue')
      return { error: undefined, message: null, token: step.token, sessionLifetimeMs: 0, reason: '' }
    if (step.kind === 'failed') return this.#failed(step.told ?? this.#genericFailure(), step.reason)
    const former = this.#former?.principal
    if (former !== undefined && !former.equals(step.principal)) {
      const from = `${former.type}.${former.name}`
      const message = `Cannot change principals during re-authentication from ${from}: ${step.principal.type}.${step.principal.name}`
      return this.#failed(message, message)
    }
    this.#former = undefined
    this.#principal = step.principal
    this.#state = 'complete'
    const lifetimeMs = this.#lifetimeMs(step.expiresAtMs, moment)
    this.#sessionEndsMs = lifetimeMs === undefined ? Infinity : moment.monotonicMs + lifetimeMs
    return { error: undefined, message: null, token: step.token, sessionLifetimeMs: lifetimeMs ?? 0, reason: '' }
  }

  #mayBeginAgain(nowMs: number): boolean {
    if (nowMs - this.#reauthenticatedMs < leastReauthenticationIntervalMs) return false
    this.#reauthenticatedMs = nowMs
    this.#former = { principal: this.#principal, mechanism: this.#mechanism }
    return true
  }

  /** Undefined: for ever. */
  #lifetimeMs(expiresAtMs: number | undefined, { wallMs }: Moment): number | undefined {
    const maxMs = this.#options.maxReauthenticationMs(this.#mechanism)
    if (expiresAtMs === undefined) return maxMs > 0 ? maxMs : undefined
    const leftMs = Math.max(0, expiresAtMs - wallMs)
    return maxMs > 0 ? Math.min(leftMs, maxMs) : leftMs
  }

  #genericFailure(): string {
    const what = this.#former === undefined ? 'authentication' : 're-authentication'
    return `Authentication failed during ${what} due to invalid credentials with SASL mechanism ${this.#mechanism}`
  }

  #failed(message: string, reason: string): Verdict {
    this.#state = 'closed'
    return { error: 'SASL_AUTHENTICATION_FAILED', message, token: Buffer.alloc(0), sessionLifetimeMs: 0, reason }
  }

  #close(reason: string, refusal?: ErrorName): Decision {
    this.#state = 'closed'
    return { act: 'close', reason, ...(refusal === undefined ? {} : { refusal }) }
  }
}

function nameOf(apiKey: number): string {
  if (apiKey === apiKeys.apiVersions) return 'ApiVersions'
  if (apiKey === apiKeys.saslHandshake) return 'SaslHandshake'
  return `API key ${apiKey}`
}
