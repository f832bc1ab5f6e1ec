/** The client's side of PLAIN and SCRAM, for connections of this node to others. */
import { timingSafeEqual } from 'node:crypto'
import type { SaslExchange } from '../../net/peer-security.ts'
import {
  clientKeyOf,
  hmac,
  nonceOf,
  saltedPassword,
  saslName,
  serverKeyOf,
  storedKeyOf,
  xor,
  type ScramMechanism,
} from './scram.ts'

export class SaslClientError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SaslClientError'
  }
}

export class PlainClient implements SaslExchange {
  readonly mechanism = 'PLAIN'
  readonly #user: string
  readonly #password: string

  constructor(user: string, password: string) {
    this.#user = user
    this.#password = password
  }

  first(): Buffer {
    return Buffer.from(`\0${this.#user}\0${this.#password}`)
  }

  next(): Promise<Buffer | undefined> {
    return Promise.resolve(undefined)
  }
}

const serverFirst = /^(?:m=[^,]+,)?r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=(\d+)(?:,.*)?$/
/** A server that asks for more would only keep us busy. */
const mostIterations = 10_000_000

export class ScramClient implements SaslExchange {
  readonly mechanism: string
  readonly #scram: ScramMechanism
  readonly #user: string
  readonly #password: string
  readonly #nonce: string
  readonly #extensions: string
  #serverSignature: Buffer | undefined

  constructor(
    scram: ScramMechanism,
    login: { readonly user: string; readonly password: string; readonly tokenAuthenticated?: boolean },
    random: { bytes(count: number): Buffer },
  ) {
    this.mechanism = scram.name
    this.#scram = scram
    this.#user = login.user
    this.#password = login.password
    this.#extensions = login.tokenAuthenticated === true ? ',tokenauth=true' : ''
    this.#nonce = nonceOf(random)
  }

  get #bare(): string {
    return `n=${saslName(this.#user)},r=${this.#nonce}${this.#extensions}`
  }

  first(): Buffer {
    return Buffer.from(`n,,${this.#bare}`)
  }

  next(challenge: Buffer): Promise<Buffer | undefined> {
    const text = challenge.toString('utf8')
    return this.#serverSignature === undefined ? this.#prove(text) : this.#checkServer(text, this.#serverSignature)
  }

  async #prove(text: string): Promise<Buffer> {
    const match = serverFirst.exec(text)
    if (match === null) throw new SaslClientError('the server-first message cannot be read')
    const [, nonce = '', salt = '', count = ''] = match
    const iterations = Number(count)
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce)
      throw new SaslClientError('the server answered with a nonce that is not ours')
    if (iterations < this.#scram.minIterations || iterations > mostIterations)
      throw new SaslClientError(`the server asks for ${iterations} iterations`)
    const salted = await saltedPassword(this.#scram, this.#password, Buffer.from(salt, 'base64'), iterations)
    const withoutProof = `c=${Buffer.from('n,,').toString('base64')},r=${nonce}`
    const authMessage = `${this.#bare},${text},${withoutProof}`
    const clientKey = clientKeyOf(this.#scram, salted)
    const proof = xor(clientKey, hmac(this.#scram, storedKeyOf(this.#scram, clientKey), authMessage))
    this.#serverSignature = hmac(this.#scram, serverKeyOf(this.#scram, salted), authMessage)
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
  }

  /** A server that does not know the stored keys is not the one we meant. */
  // eslint-disable-next-line typescript/require-await -- rejects, rather than throws
  async #checkServer(text: string, expected: Buffer): Promise<undefined> {
    const match = /^v=([A-Za-z0-9+/=]+)/.exec(text)
    const signature = Buffer.from(match?.[1] ?? '', 'base64')
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected))
      throw new SaslClientError('the server could not prove that it knows us')
  }
}
