/** SCRAM credentials and delegation tokens as operations of the controller: what is refused, and what is written. */
import { describe, expect, it } from 'vitest'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import { alterScramCredentials } from '#broker/controller/alter-scram-credentials.ts'
import {
  createDelegationToken,
  expireDelegationToken,
  renewDelegationToken,
} from '#broker/controller/delegation-tokens.ts'
import { applyRecords } from '#broker/controller/image-builder.ts'
import { MetadataImage } from '#broker/controller/image.ts'
import type { MetadataRecord } from '#broker/controller/metadata-record.ts'
import { isRefusal, type ControllerState, type Operation } from '#broker/controller/operation.ts'
import { Principal } from '#broker/net/principal.ts'
import { Harness } from './harness.ts'

function config(secret: string) {
  return parseBrokerConfig(
    new Map([
      ['process.roles', 'broker,controller'],
      ['node.id', '1'],
      ['controller.quorum.voters', '1@localhost:9093'],
      ['listeners', 'PLAINTEXT://:9092,CONTROLLER://:9093'],
      ['delegation.token.secret.key', secret],
      ['delegation.token.max.lifetime.ms', '1000'],
      ['delegation.token.expiry.time.ms', '100'],
    ]),
  ).config
}

/** A controller's state that takes in what operations write. */
class Fixture {
  image = MetadataImage.empty('c')
  readonly #config
  #seed = 0

  constructor(secret = 'key') {
    this.#config = config(secret)
  }

  run<Request, Reply>(operation: Operation<Request, Reply>, request: Request) {
    const random = { below: () => 0, bytes: (count: number) => Buffer.alloc(count, ++this.#seed) }
    const state = { image: this.image, config: this.#config, random, nowMs: 0, wallMs: 0, nodeId: 1, nextOffset: 0 }
    const outcome = operation(state as unknown as ControllerState, request)
    if (isRefusal(outcome)) return { refused: outcome.refused, records: [] as MetadataRecord[] }
    this.image = applyRecords(this.image, outcome.records, { offset: this.image.offset + 1, epoch: 1 }).image
    return { reply: outcome.reply, records: outcome.records }
  }
}

const upsertion = (name: string, over: object = {}) => ({
  name,
  mechanism: 1,
  iterations: 4096,
  salt: Buffer.from('salt'),
  saltedPassword: Buffer.alloc(32, 1),
  ...over,
})

describe('credentials', () => {
  const errors = (
    fixture: Fixture,
    deletions: { name: string; mechanism: number }[],
    upsertions: ReturnType<typeof upsertion>[],
  ) =>
    Object.fromEntries(
      fixture
        .run(alterScramCredentials, { deletions, upsertions })
        .reply?.results.map(({ user, failure }) => [user, failure?.error]) ?? [],
    )

  it('are set, replaced and removed, of one mechanism at a time', () => {
    const fixture = new Fixture()
    expect(errors(fixture, [], [upsertion('alice'), upsertion('bob', { mechanism: 2 })])).toEqual({})
    expect([...fixture.image.scramCredentials.keys()]).toEqual(['1/alice', '2/bob'])
    expect(fixture.image.scramCredentials.get('1/alice')).not.toHaveProperty('saltedPassword')
    errors(fixture, [{ name: 'bob', mechanism: 2 }], [upsertion('alice', { iterations: 8192 })])
    expect([...fixture.image.scramCredentials.values()].map(({ iterations }) => iterations)).toEqual([8192])
  })

  it('that cannot be accepted are refused one by one', () => {
    const fixture = new Fixture()
    const found = errors(
      fixture,
      [{ name: 'nobody', mechanism: 1 }],
      [
        upsertion(''),
        upsertion('unknown', { mechanism: 3 }),
        upsertion('few', { iterations: 4095 }),
        upsertion('many', { iterations: 16_385 }),
        upsertion('twice'),
        upsertion('twice', { mechanism: 2 }),
        upsertion('good'),
      ],
    )
    expect(found).toEqual({
      nobody: 'RESOURCE_NOT_FOUND',
      '': 'UNACCEPTABLE_CREDENTIAL',
      unknown: 'UNSUPPORTED_SASL_MECHANISM',
      few: 'UNACCEPTABLE_CREDENTIAL',
      many: 'UNACCEPTABLE_CREDENTIAL',
      twice: 'DUPLICATE_RESOURCE',
    })
    expect([...fixture.image.scramCredentials.keys()]).toEqual(['1/good'])
  })
})

describe('a delegation token', () => {
  const alice = new Principal('User', 'alice')
  const bob = new Principal('User', 'bob')
  const creation = { owner: alice, requester: alice, renewers: ['User:bob'], maxLifetimeMs: -1, wallMs: 10_000 }

  function created(fixture: Fixture) {
    const { reply } = fixture.run(createDelegationToken, creation)
    if (reply === undefined) throw new Error('no token')
    return reply
  }

  it('lives as long as the settings and the request allow', () => {
    const fixture = new Fixture()
    expect(created(fixture).token).toMatchObject({ maxTimestamp: 11_000, expirationTimestamp: 10_100 })
    const short = fixture.run(createDelegationToken, { ...creation, maxLifetimeMs: 50 }).reply
    expect(short?.token).toMatchObject({ maxTimestamp: 10_050, expirationTimestamp: 10_050 })
    expect(fixture.image.delegationTokens.size).toBe(2)
  })

  it('is renewed by owner and renewers, never beyond its life', () => {
    const fixture = new Fixture()
    const { hmac } = created(fixture)
    const renew = (requester: Principal, periodMs: number, wallMs: number, key = hmac) =>
      fixture.run(renewDelegationToken, { hmac: key, periodMs, requester, wallMs })
    expect(renew(bob, 60, 10_050).reply?.expiryTimestampMs).toBe(10_110)
    expect(renew(alice, 500, 10_100).reply?.expiryTimestampMs).toBe(10_200)
    expect(renew(new Principal('User', 'eve'), 60, 10_100).refused).toBe('DELEGATION_TOKEN_OWNER_MISMATCH')
    expect(renew(bob, 60, 10_100, Buffer.from('x')).refused).toBe('DELEGATION_TOKEN_NOT_FOUND')
    expect(renew(bob, 60, 10_201).refused).toBe('DELEGATION_TOKEN_EXPIRED')
  })

  it('ends at once when that is asked for', () => {
    const fixture = new Fixture()
    const { hmac } = created(fixture)
    const request = { hmac, periodMs: -1, requester: bob, wallMs: 10_001 }
    expect(fixture.run(expireDelegationToken, request).reply).toEqual({ expiryTimestampMs: 10_001 })
    expect(fixture.image.delegationTokens.size).toBe(0)
  })

  it('that has expired is removed by the active controller at its next look, and no other', () => {
    const settings = {
      'delegation.token.secret.key': 'key',
      'delegation.token.expiry.time.ms': '5000',
      'delegation.token.expiry.check.interval.ms': '3000',
    }
    const harness = new Harness({ config: settings })
    const create = () =>
      harness.submit(createDelegationToken, { ...creation, wallMs: harness.nowMs }).token.issueTimestamp
    const issued = () => [...harness.committed.delegationTokens.values()].map(each => each.issueTimestamp)
    const first = create()
    harness.pass(4000)
    const second = create()
    expect(issued()).toEqual([first, second])
    harness.pass(1000)
    expect(issued()).toEqual([first, second])
    harness.pass(1000)
    expect(issued()).toEqual([second])
    harness.failOver()
    harness.pass(3000)
    expect(issued()).toEqual([second])
    harness.pass(3000)
    expect(issued()).toEqual([])
  })

  it('needs a secret', () => {
    expect(new Fixture('').run(createDelegationToken, creation).refused).toBe('DELEGATION_TOKEN_AUTH_DISABLED')
  })
})
