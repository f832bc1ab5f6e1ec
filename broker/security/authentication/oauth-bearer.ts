/**
 * SASL/OAUTHBEARER (RFC 7628, KIP-255), the broker's side of the conversation. A token that is refused is answered with a JSON status; the client
 * acknowledges that with one byte and only then learns that it failed.
 */
import { Principal, userType } from '../../net/principal.ts'
import { failed, refusedWith, type MechanismStep, type ServerMechanism } from './mechanism.ts'

/** A token that was found good. */
export interface VerifiedToken {
  readonly principalName: string
  readonly expiresAtMs: number
}

export interface RefusedToken {
  /** For the log. */
  readonly reason: string
  /** Scope that a token would need. */
  readonly scope?: string
}

/** Never rejects: whatever keeps a token from being verified refuses it. */
export type TokenValidator = (token: string) => Promise<VerifiedToken | RefusedToken>

/** Separated by control-A, as RFC 7628 has it. */
// eslint-disable-next-line no-control-regex
const clientFirst = /^n,(?:a=([^,\x01]+))?,\x01((?:[A-Za-z]+=[\x20-\x7e\t\r\n]*\x01)*)\x01$/
const bearer = /^(\w+) +([-_~+/.a-zA-Z0-9]+=*)$/
const acknowledgement = Buffer.from([1])

export class OAuthBearerServer implements ServerMechanism {
  readonly #validate: TokenValidator
  /** What the client was told when its token was refused. */
  #refusal: string | undefined

  constructor(validate: TokenValidator) {
    this.#validate = validate
  }

  step(token: Buffer): MechanismStep | Promise<MechanismStep> {
    if (this.#refusal !== undefined && token.equals(acknowledgement)) return refusedWith(this.#refusal)
    const match = clientFirst.exec(token.toString('utf8'))
    if (match === null) return failed('an OAUTHBEARER message that cannot be read')
    const [, authorizationId = '', pairs = ''] = match
    const values = new Map(pairs.split('\x01').map(pair => splitAtEquals(pair)))
    const [, scheme = '', text = ''] = bearer.exec(values.get('auth') ?? '') ?? []
    if (scheme.toLowerCase() !== 'bearer') return failed('an OAUTHBEARER message without a bearer token')
    return this.#verify(text, authorizationId)
  }

  async #verify(text: string, authorizationId: string): Promise<MechanismStep> {
    const verified = await this.#validate(text)
    if ('reason' in verified) {
      const scope = verified.scope === undefined ? '' : `, "scope":"${verified.scope}"`
      this.#refusal = `{"status":"invalid_token"${scope}}`
      return { kind: 'continue', token: Buffer.from(this.#refusal) }
    }
    const { principalName, expiresAtMs } = verified
    if (authorizationId !== '' && authorizationId !== principalName)
      return refusedWith(
        `Authentication failed: Client requested an authorization id (${authorizationId}) that is different from the token's principal name (${principalName})`,
      )
    return { kind: 'done', token: Buffer.alloc(0), principal: new Principal(userType, principalName), expiresAtMs }
  }
}

function splitAtEquals(pair: string): [string, string] {
  const at = pair.indexOf('=')
  return [pair.slice(0, at), pair.slice(at + 1)]
}
