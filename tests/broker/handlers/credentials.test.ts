/** What is told of SCRAM users (API 50) and of delegation tokens (API 41), and to whom. */
import { beforeAll, describe, expect, it } from 'vitest'
import { alterScramCredentials } from '#broker/controller/alter-scram-credentials.ts'
import { createDelegationToken } from '#broker/controller/delegation-tokens.ts'
import { isRefusal } from '#broker/controller/operation.ts'
import { describeDelegationToken } from '#broker/handlers/41-describe-delegation-token.ts'
import { describeUserScramCredentials } from '#broker/handlers/50-describe-user-scram-credentials.ts'
import type { RequestContext } from '#broker/handlers/handler.ts'
import { anonymous, Principal } from '#broker/net/principal.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import {
  describeUserScramCredentialsRequest,
  describeUserScramCredentialsResponse,
} from '#broker/protocol/messages/50-describe-user-scram-credentials.ts'
import { tokenHmac } from '#broker/security/authentication/token-hmac.ts'
import { TestNode } from './controller-context.ts'

const user = (name: string, more = false) => new Principal('User', name, more)

describe('SCRAM users', () => {
  const node = new TestNode()
  const messages = [describeUserScramCredentialsRequest, describeUserScramCredentialsResponse] as const
  const ask = (users: string[] | null) =>
    node.ask(describeUserScramCredentials, messages, 0, { users: users?.map(name => ({ name })) ?? null })

  beforeAll(async () => {
    const upsertion = (name: string, mechanism: number, iterations: number) => ({
      name,
      mechanism,
      iterations,
      salt: Buffer.from('salt'),
      saltedPassword: Buffer.alloc(mechanism === 1 ? 32 : 64, 1),
    })
    for (const [name, mechanism, iterations] of [
      ['alice', 1, 4096],
      ['alice', 2, 8192],
      ['bob', 2, 5000],
    ] as const)
      await node.controller.submit(alterScramCredentials, {
        deletions: [],
        upsertions: [upsertion(name, mechanism, iterations)],
      })
  })

  const alice = {
    user: 'alice',
    errorCode: 0,
    errorMessage: null,
    credentialInfos: [
      { mechanism: 1, iterations: 4096 },
      { mechanism: 2, iterations: 8192 },
    ],
  }
  const bob = { user: 'bob', errorCode: 0, errorMessage: null, credentialInfos: [{ mechanism: 2, iterations: 5000 }] }

  it('are all described when none is named, in either way', async () => {
    for (const users of [null, []])
      expect(await ask(users)).toMatchObject({ errorCode: 0, errorMessage: null, results: [alice, bob] })
  })

  it('are described by name; who is unknown or named twice has an error of their own', async () => {
    const { errorCode: code, results } = await ask(['bob', 'eve', 'alice', 'bob'])
    expect(code).toBe(0)
    expect(results.map(each => [each.user, each.errorCode, each.credentialInfos.length])).toEqual([
      ['bob', errorCode('DUPLICATE_RESOURCE'), 0],
      ['eve', errorCode('RESOURCE_NOT_FOUND'), 0],
      ['alice', 0, 2],
    ])
  })
})

describe('delegation tokens', () => {
  const node = new TestNode({ 'delegation.token.secret.key': 'secret' })
  const ids = new Map<string, string>()

  beforeAll(async () => {
    const create = async (owner: string, requester: string, renewers: string[]) => {
      const input = { owner: user(owner), requester: user(requester), renewers, maxLifetimeMs: 5000, wallMs: 1000 }
      const reply = await node.controller.submit(createDelegationToken, input)
      if (isRefusal(reply)) throw new Error(reply.message)
      ids.set(owner, reply.token.tokenId)
    }
    await create('alice', 'alice', ['User:carol'])
    await create('bob', 'dave', [])
  })

  /** Owners of the tokens that are shown. */
  async function ask(
    principal: Principal,
    owners: readonly string[] | null,
    { rights = [], on = node }: { rights?: readonly string[]; on?: TestNode } = {},
  ) {
    const context = on.context(describeDelegationToken, 3)
    const asked: RequestContext = Object.assign(Object.create(context) as RequestContext, {
      connection: { ...context.connection, principal },
      authorize: (operation: string, type: string, name: string) => rights.includes(`${operation} ${type} ${name}`),
    })
    const request = { owners: owners?.map(name => ({ principalType: 'User', principalName: name })) ?? null }
    const reply = await describeDelegationToken.handle(request as never, asked)
    return reply as { errorCode: number; tokens: { principalName: string; tokenId: string; hmac: Buffer }[] }
  }
  const owners = async (...question: Parameters<typeof ask>) =>
    (await ask(...question)).tokens.map(({ principalName }) => principalName).toSorted()

  it('are shown to owners, renewers and who asked for them, to nobody else', async () => {
    expect(await owners(user('alice'), null)).toEqual(['alice'])
    expect(await owners(user('carol'), null)).toEqual(['alice'])
    expect(await owners(user('bob'), null)).toEqual(['bob'])
    expect(await owners(user('dave'), null)).toEqual(['bob'])
    expect(await owners(user('eve'), null)).toEqual([])
  })

  it('are shown to who may describe them, or the tokens of their owner', async () => {
    expect(await owners(user('eve'), null, { rights: ['DescribeTokens User User:bob'] })).toEqual(['bob'])
    const rights = [`Describe DelegationToken ${ids.get('alice')}`]
    expect(await owners(user('eve'), null, { rights })).toEqual(['alice'])
  })

  it('are those of the owners that are named; of an empty list none', async () => {
    const rights = ['DescribeTokens User User:alice', 'DescribeTokens User User:bob']
    expect(await owners(user('eve'), null, { rights })).toEqual(['alice', 'bob'])
    expect(await owners(user('eve'), ['bob', 'nobody'], { rights })).toEqual(['bob'])
    expect(await owners(user('eve'), [], { rights })).toEqual([])
  })

  it('come with their password and all that is known of them', async () => {
    const { tokens } = await ask(user('carol'), null)
    const tokenId = ids.get('alice') ?? ''
    expect(tokens).toEqual([
      {
        principalType: 'User',
        principalName: 'alice',
        tokenRequesterPrincipalType: 'User',
        tokenRequesterPrincipalName: 'alice',
        issueTimestamp: 1000,
        expiryTimestamp: 6000,
        maxTimestamp: 6000,
        tokenId,
        hmac: tokenHmac('secret', tokenId),
        renewers: [{ principalType: 'User', principalName: 'carol' }],
      },
    ])
  })

  it('are not for who has not proven a name, or has done so with a token', async () => {
    for (const principal of [anonymous, user('alice', true)])
      expect(await ask(principal, null)).toEqual({
        errorCode: errorCode('DELEGATION_TOKEN_REQUEST_NOT_ALLOWED'),
        tokens: [],
      })
  })

  it('are not there without a secret', async () => {
    expect(await ask(user('alice'), null, { on: new TestNode() })).toEqual({
      errorCode: errorCode('DELEGATION_TOKEN_AUTH_DISABLED'),
      tokens: [],
    })
  })
})
