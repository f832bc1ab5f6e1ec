/** Where SCRAM finds users and delegation tokens: in the metadata as it is at that moment. */
import { describe, expect, it } from 'vitest'
import { applyRecords } from '#broker/controller/image-builder.ts'
import { MetadataImage } from '#broker/controller/image.ts'
import type { DelegationTokenRecord, MetadataRecord } from '#broker/controller/metadata-record.ts'
import { CredentialStore } from '#broker/security/authentication/credential-store.ts'
import {
  credentialOf,
  saltedPassword,
  scramMechanisms,
  type ScramMechanism,
} from '#broker/security/authentication/scram.ts'
import { tokenHmac } from '#broker/security/authentication/token-hmac.ts'

function mechanism(name: string): ScramMechanism {
  const found = scramMechanisms.find(each => each.name === name)
  if (found === undefined) throw new Error(name)
  return found
}

const sha256 = mechanism('SCRAM-SHA-256')
const sha512 = mechanism('SCRAM-SHA-512')
const token: DelegationTokenRecord = {
  type: 'DelegationToken',
  owner: 'User:alice',
  requester: 'User:alice',
  renewers: [],
  issueTimestamp: 0,
  maxTimestamp: 9000,
  expirationTimestamp: 5000,
  tokenId: 'the-token',
}

class Fixture {
  image = MetadataImage.empty('c')
  wallMs = 1000
  salts = 0
  readonly store

  constructor(tokenSecret = 'secret') {
    this.store = new CredentialStore({
      metadata: () => this.image,
      clock: { monotonicMs: () => 0, wallMs: () => this.wallMs },
      random: { below: () => 0, bytes: count => Buffer.alloc(count, ++this.salts) },
      tokenSecret,
    })
  }

  apply(...records: MetadataRecord[]): void {
    this.image = applyRecords(this.image, records, { offset: this.image.offset + 1, epoch: 1 }).image
  }
}

describe('a user', () => {
  it('is found by mechanism and name, as soon as the metadata have it and no longer', () => {
    const fixture = new Fixture()
    const credential = {
      salt: Buffer.from('s'),
      storedKey: Buffer.from('k'),
      serverKey: Buffer.from('v'),
      iterations: 4096,
    }
    expect(fixture.store.user(sha256, 'bob')).toBeUndefined()
    fixture.apply({ type: 'UserScramCredential', name: 'bob', mechanism: 1, ...credential })
    expect(fixture.store.user(sha256, 'bob')).toMatchObject(credential)
    expect(fixture.store.user(sha512, 'bob')).toBeUndefined()
    expect(fixture.store.user(sha256, 'Bob')).toBeUndefined()
    fixture.apply({ type: 'RemoveUserScramCredential', name: 'bob', mechanism: 1 })
    expect(fixture.store.user(sha256, 'bob')).toBeUndefined()
  })
})

describe('a delegation token', () => {
  it.each(['SCRAM-SHA-256', 'SCRAM-SHA-512'])('has its HMAC in base64 as its password over %s', async name => {
    const fixture = new Fixture()
    fixture.apply(token)
    const found = await fixture.store.token(mechanism(name), 'the-token')
    if (found === undefined) throw new Error('no token')
    const { salt, iterations } = found.credential
    const password = tokenHmac('secret', 'the-token').toString('base64')
    const salted = await saltedPassword(mechanism(name), password, salt, iterations)
    expect(found.credential).toEqual(credentialOf(mechanism(name), salted, salt, iterations))
    expect(found).toMatchObject({ expiresAtMs: 5000, owner: { type: 'User', name: 'alice' } })
  })

  it('is derived once for each mechanism', async () => {
    const fixture = new Fixture()
    fixture.apply(token)
    const first = await fixture.store.token(sha256, 'the-token')
    expect((await fixture.store.token(sha256, 'the-token'))?.credential).toBe(first?.credential)
    expect((await fixture.store.token(sha512, 'the-token'))?.credential).not.toBe(first?.credential)
    expect(fixture.salts).toBe(2)
  })

  it('is good until it expires, also when it is renewed', async () => {
    const fixture = new Fixture()
    fixture.apply(token)
    fixture.wallMs = 4999
    expect(await fixture.store.token(sha256, 'the-token')).toBeDefined()
    fixture.wallMs = 5000
    expect(await fixture.store.token(sha256, 'the-token')).toBeUndefined()
    fixture.apply({ ...token, expirationTimestamp: 6000 })
    expect((await fixture.store.token(sha256, 'the-token'))?.expiresAtMs).toBe(6000)
    fixture.apply({ type: 'RemoveDelegationToken', tokenId: 'the-token' })
    expect(await fixture.store.token(sha256, 'the-token')).toBeUndefined()
  })

  it('is nobody’s where the cluster has no secret', async () => {
    const fixture = new Fixture('')
    fixture.apply(token)
    expect(await fixture.store.token(sha256, 'the-token')).toBeUndefined()
  })
})
