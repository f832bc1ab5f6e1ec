/**
 * The server's side of a SCRAM exchange: client-first → server-first → client-final → server-final (RFC 5802), with Kafka's extension
 * `tokenauth=true`, under which the name is the id of a delegation token and its HMAC the password (KIP-48). Of a failure the client learns
 * nothing: not even whether the user exists.
 */
import { Principal, userType } from '../../net/principal.ts'
import { differentAuthorizationId, failed, refusedWith, type MechanismStep, type ServerMechanism } from './mechanism.ts'
import { hmac, nonceOf, proofIsRight, userOfSaslName, type ScramCredential, type ScramMechanism } from './scram.ts'

export interface TokenCredential {
  readonly credential: ScramCredential
  readonly owner: Principal
  readonly expiresAtMs: number
}

/** Where credentials come from; undefined when there are none of that name. */
export interface ScramCredentials {
  user(mechanism: ScramMechanism, name: string): ScramCredential | undefined
  token(mechanism: ScramMechanism, tokenId: string): Promise<TokenCredential | undefined>
}

const clientFirst = /^n,(?:a=([^,]+))?,((?:m=[^,\0]+,)?n=([^,\0]+),r=([\x21-\x2b\x2d-\x7e]+)((?:,[A-Za-z]+=[^,\0]+)*))$/
const clientFinal = /^(c=([A-Za-z0-9+/=]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]+=[^,\0]+)*),p=([A-Za-z0-9+/=]+)$/

interface Begun {
  readonly header: string
  readonly bare: string
  readonly serverFirst: string
  readonly nonce: string
  readonly credential: ScramCredential
  readonly principal: Principal
  readonly expiresAtMs: number | undefined
}

interface Claim {
  readonly credential: ScramCredential
  readonly principal: Principal
  readonly expiresAtMs: number | undefined
}

export class ScramServer implements ServerMechanism {
  readonly #mechanism: ScramMechanism
  readonly #credentials: ScramCredentials
  readonly #random: { bytes(count: number): Buffer }
  #begun: Begun | undefined

  constructor(mechanism: ScramMechanism, credentials: ScramCredentials, random: { bytes(count: number): Buffer }) {
    this.#mechanism = mechanism
    this.#credentials = credentials
    this.#random = random
  }

  step(token: Buffer): MechanismStep | Promise<MechanismStep> {
    const text = token.toString('utf8')
    return this.#begun === undefined ? this.#first(text) : this.#final(text, this.#begun)
  }

  #first(text: string): MechanismStep | Promise<MechanismStep> {
    const match = clientFirst.exec(text)
    if (match === null) return failed('a client-first message that cannot be read')
    const [, authorizationId = '', bare = '', name = '', clientNonce = '', extensions = ''] = match
    const user = userOfSaslName(name)
    if (user === undefined) return failed('a user name that cannot be read')
    const header = text.slice(0, text.length - bare.length)
    const begin = (claim: Claim | undefined): MechanismStep => {
      if (claim === undefined) return failed(`no credentials of ${user}`)
      if (authorizationId !== '' && userOfSaslName(authorizationId) !== user)
        return refusedWith(differentAuthorizationId)
      return this.#begin(header, bare, clientNonce, claim)
    }
    if (!/,tokenauth=true(?:,|$)/i.test(extensions)) return begin(this.#userClaim(user))
    return this.#tokenClaim(user).then(begin)
  }

  #userClaim(user: string): Claim | undefined {
    const credential = this.#credentials.user(this.#mechanism, user)
    if (credential === undefined) return undefined
    return { credential, principal: new Principal(userType, user), expiresAtMs: undefined }
  }

  async #tokenClaim(tokenId: string): Promise<Claim | undefined> {
    const found = await this.#credentials.token(this.#mechanism, tokenId)
    if (found === undefined) return undefined
    const { owner, credential, expiresAtMs } = found
    return { credential, principal: new Principal(owner.type, owner.name, true), expiresAtMs }
  }

  #begin(header: string, bare: string, clientNonce: string, claim: Claim): MechanismStep {
    const { salt, iterations } = claim.credential
    if (iterations < this.#mechanism.minIterations) return failed(`credentials of only ${iterations} iterations`)
    const nonce = clientNonce + nonceOf(this.#random)
    const serverFirst = `r=${nonce},s=${salt.toString('base64')},i=${iterations}`
    this.#begun = { header, bare, serverFirst, nonce, ...claim }
    return { kind: 'continue', token: Buffer.from(serverFirst) }
  }

  #final(text: string, begun: Begun): MechanismStep {
    const match = clientFinal.exec(text)
    if (match === null) return failed('a client-final message that cannot be read')
    const [, withoutProof = '', binding = '', nonce = '', proof = ''] = match
    if (nonce !== begun.nonce) return failed('a client-final message with a nonce that is not ours')
    // Java's client always writes the header without an authorization id.
    const header = Buffer.from(binding, 'base64').toString('utf8')
    if (header !== begun.header && header !== 'n,,') return failed('a channel binding that was not agreed')
    const authMessage = `${begun.bare},${begun.serverFirst},${withoutProof}`
    if (!proofIsRight(this.#mechanism, begun.credential, authMessage, Buffer.from(proof, 'base64')))
      return failed('a wrong password')
    const signature = hmac(this.#mechanism, begun.credential.serverKey, authMessage)
    const { principal, expiresAtMs } = begun
    const token = Buffer.from(`v=${signature.toString('base64')}`)
    return { kind: 'done', token, principal, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) }
  }
}
