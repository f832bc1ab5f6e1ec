/**
 * Where SCRAM finds what clients prove themselves with: users in the metadata image, and delegation tokens, whose password is the HMAC of their
 * id under the cluster's secret. What belongs to a token is derived when it is first used, and forgotten with the token.
 */
import type { MetadataImage } from '../../controller/image.ts'
import { scramKey } from '../../controller/mutable-image.ts'
import type { DelegationTokenRecord } from '../../controller/metadata-record.ts'
import type { Clock, Random } from '../../environment/environment.ts'
import { Principal } from '../../net/principal.ts'
import { credentialOf, saltedPassword, type ScramCredential, type ScramMechanism } from './scram.ts'
import type { ScramCredentials, TokenCredential } from './scram-server.ts'
import { tokenHmac } from './token-hmac.ts'

export interface CredentialStoreOptions {
  readonly metadata: () => MetadataImage
  readonly clock: Clock
  readonly random: Random
  /** delegation.token.secret.key; empty: there are no tokens. */
  readonly tokenSecret: string
}

const mostDerived = 10_000

export class CredentialStore implements ScramCredentials {
  readonly #options: CredentialStoreOptions
  readonly #derived = new Map<string, ScramCredential>()

  constructor(options: CredentialStoreOptions) {
    this.#options = options
  }

  user(mechanism: ScramMechanism, name: string): ScramCredential | undefined {
    return this.#options.metadata().scramCredentials.get(scramKey({ mechanism: mechanism.id, name }))
  }

  async token(mechanism: ScramMechanism, tokenId: string): Promise<TokenCredential | undefined> {
    const { metadata, clock, tokenSecret } = this.#options
    const record = metadata().delegationTokens.get(tokenId)
    const owner = record === undefined ? undefined : Principal.parse(record.owner)
    if (record === undefined || owner === undefined || tokenSecret === '') return undefined
    const expiresAtMs = record.expirationTimestamp
    if (expiresAtMs <= clock.wallMs()) return undefined
    return { owner, expiresAtMs, credential: await this.#derive(mechanism, record, tokenSecret) }
  }

  async #derive(mechanism: ScramMechanism, { tokenId }: DelegationTokenRecord, secret: string) {
    const key = `${mechanism.name}/${tokenId}`
    const known = this.#derived.get(key)
    if (known !== undefined) return known
    const password = tokenHmac(secret, tokenId).toString('base64')
    const salt = this.#options.random.bytes(mechanism.keyBytes)
    const iterations = mechanism.minIterations
    const salted = await saltedPassword(mechanism, password, salt, iterations)
    const credential = credentialOf(mechanism, salted, salt, iterations)
    this.#forgetStale()
    this.#derived.set(key, credential)
    return credential
  }

  #forgetStale(): void {
    if (this.#derived.size < mostDerived) return
    const { delegationTokens } = this.#options.metadata()
    for (const key of this.#derived.keys())
      if (!delegationTokens.has(key.slice(key.indexOf('/') + 1))) this.#derived.delete(key)
  }
}
