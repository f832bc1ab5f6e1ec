/**
 * Drives the SASL machine of one connection: decodes what belongs to the conversation, asks mechanisms, holds back the answer to a client that
 * failed (connection.failed.authentication.delay.ms), lets everything else through once the client is known.
 */
import type { Environment } from '../../environment/environment.ts'
import type {
  AuthenticatedConnection,
  ConnectionAuthentication,
  RequestServer,
} from '../../net/connection-authentication.ts'
import type { Reply } from '../../net/connection.ts'
import { frame as framed } from '../../net/framer.ts'
import type { Principal } from '../../net/principal.ts'
import { codec } from '../../protocol/codec.ts'
import { errorCode, ProtocolError } from '../../protocol/errors.ts'
import { decodeRequestHeader, encodeResponseFrame, type RequestHeader } from '../../protocol/headers.ts'
import { saslHandshakeRequest, saslHandshakeResponse } from '../../protocol/messages/17-sasl-handshake.ts'
import { saslAuthenticateRequest, saslAuthenticateResponse } from '../../protocol/messages/36-sasl-authenticate.ts'
import { Reader } from '../../protocol/reader.ts'
import type { MechanismFactory, MechanismStep, ServerMechanism } from './mechanism.ts'
import { SaslMachine, type Verdict } from './sasl-machine.ts'

export interface SaslSessionOptions {
  readonly environment: Environment
  readonly enabled: readonly string[]
  readonly mechanism: MechanismFactory
  readonly maxReauthenticationMs: (mechanism: string) => number
  readonly failureDelayMs: number
  /** sasl.server.max.receive.size, until the client is known. */
  readonly maxReceiveBytes: number
  /** socket.request.max.bytes, from then on. */
  readonly maxRequestBytes: number
}

const handshakeVersions = [0, 1] as const
const authenticateVersions = [0, 2] as const

export class SaslSession implements ConnectionAuthentication {
  readonly #options: SaslSessionOptions
  readonly #connection: AuthenticatedConnection
  readonly #machine: SaslMachine
  #mechanism: ServerMechanism | undefined
  /** Set while a token is looked at or an answer is held back; frames that come meanwhile wait for it. */
  #busy: Promise<Reply> | undefined

  constructor(connection: AuthenticatedConnection, options: SaslSessionOptions) {
    this.#options = options
    this.#connection = connection
    this.#machine = new SaslMachine(options)
    connection.limitFrames(options.maxReceiveBytes)
  }

  get principal(): Principal {
    return this.#machine.principal
  }

  serve(bytes: Buffer, requests: RequestServer): Reply | Promise<Reply> {
    if (this.#busy !== undefined) {
      const kept = Buffer.from(bytes)
      // One that fails closes the connection, and with it what waits.
      return this.#busy.then(() => this.serve(kept, requests))
    }
    const { clock } = this.#options.environment
    const moment = { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() }
    const isBare = this.#machine.expectsBareToken
    if (!isBare && bytes.length < 4) throw new ProtocolError(`expected a request, got ${bytes.length} bytes`)
    const request = { apiKey: isBare ? -1 : bytes.readInt16BE(0), apiVersion: isBare ? -1 : bytes.readInt16BE(2) }
    const decision = this.#machine.frame(request, moment)
    switch (decision.act) {
      case 'serve':
        return requests.serve(bytes)
      case 'handshake':
        return this.#handshake(bytes, requests)
      case 'token':
        return this.#hold(
          decision.form === 'bare' ? this.#bareToken(Buffer.from(bytes)) : this.#framedToken(bytes, requests),
        )
      case 'drop':
        return undefined
      case 'close': {
        const { refusal, reason } = decision
        const reply = refusal === undefined ? undefined : requests.refuse(Buffer.from(bytes), refusal, reason)
        return this.#turnAway(reason, reply)
      }
    }
  }

  #hold(work: Promise<Reply>): Promise<Reply> {
    const held: Promise<Reply> = work.finally(() => {
      if (this.#busy === held) this.#busy = undefined
    })
    this.#busy = held
    return held
  }

  #decode(
    bytes: Buffer,
    requests: RequestServer,
    [minimum, maximum]: readonly [number, number],
  ): { reader: Reader; header: RequestHeader } {
    const reader = new Reader(Buffer.from(bytes))
    const header = decodeRequestHeader(reader)
    if (header.requestApiVersion < minimum || header.requestApiVersion > maximum)
      throw new ProtocolError(`Version ${header.requestApiVersion} is not supported for API ${header.requestApiKey}`)
    requests.answered(header.requestApiKey, header.requestApiVersion)
    return { reader, header }
  }

  #handshake(bytes: Buffer, requests: RequestServer): Reply | Promise<Reply> {
    const { reader, header } = this.#decode(bytes, requests, handshakeVersions)
    const { requestApiVersion: version, correlationId } = header
    const { mechanism } = codec(saslHandshakeRequest, version).decode(reader)
    const { error, reason } = this.#machine.handshake(version, mechanism)
    const reply = encodeResponseFrame({ version, correlationId }, saslHandshakeResponse, {
      errorCode: error === undefined ? 0 : errorCode(error),
      mechanisms: [...this.#options.enabled],
    })
    if (error !== undefined) return this.#turnAway(reason, reply)
    this.#mechanism = this.#options.mechanism(mechanism)
    return reply
  }

  async #framedToken(bytes: Buffer, requests: RequestServer): Promise<Reply> {
    const { reader, header } = this.#decode(bytes, requests, authenticateVersions)
    const { requestApiVersion: version, correlationId } = header
    const { authBytes } = codec(saslAuthenticateRequest, version).decode(reader)
    const changed = this.#machine.changedMechanism
    if (changed !== undefined) return this.#turnAwayNow(changed, undefined)
    const verdict = await this.#evaluate(authBytes)
    const reply = encodeResponseFrame({ version, correlationId }, saslAuthenticateResponse, {
      errorCode: verdict.error === undefined ? 0 : errorCode(verdict.error),
      errorMessage: verdict.message,
      authBytes: verdict.token,
      sessionLifetimeMs: verdict.sessionLifetimeMs,
    })
    if (verdict.error !== undefined) return this.#turnAwayNow(verdict.reason, reply)
    return reply
  }

  /** A token without header (SaslHandshake v0): its failure has no form but the end of the connection. */
  async #bareToken(token: Buffer): Promise<Reply> {
    const changed = this.#machine.changedMechanism
    if (changed !== undefined) return this.#turnAwayNow(changed, undefined)
    const verdict = await this.#evaluate(token)
    if (verdict.error !== undefined) return this.#turnAwayNow(verdict.reason, undefined)
    return framed([verdict.token])
  }

  async #evaluate(token: Buffer): Promise<Verdict> {
    const { clock, log } = this.#options.environment
    const step: MechanismStep = (await this.#mechanism?.step(token)) ?? { kind: 'failed', reason: 'no mechanism' }
    const verdict = this.#machine.stepped(step, { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() })
    if (!this.#machine.isComplete) return verdict
    this.#mechanism = undefined
    this.#connection.limitFrames(this.#options.maxRequestBytes)
    log.debug('a client authenticated', { client: this.#client, principal: String(this.#machine.principal) })
    return verdict
  }

  get #client(): string {
    return `${this.#connection.remote.host}:${this.#connection.remote.port}`
  }

  #turnAway(reason: string, reply: Reply): Promise<Reply> {
    return this.#hold(this.#turnAwayNow(reason, reply))
  }

  /** The delay is what makes guessing passwords slow. */
  async #turnAwayNow(reason: string, reply: Reply): Promise<Reply> {
    const { environment, failureDelayMs } = this.#options
    environment.log.warn('authentication failed', {
      client: this.#client,
      mechanism: this.#machine.mechanism || 'none yet',
      reason,
    })
    if (failureDelayMs > 0) await new Promise<void>(resolve => environment.timers.after(failureDelayMs, resolve))
    this.#connection.closeAfterReplies()
    return reply
  }
}
