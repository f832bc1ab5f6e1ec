import { expect, it } from 'vitest'
import type { RequestContext } from '#broker/handlers/handler.ts'
import { createDelegationToken } from '#broker/handlers/38-create-delegation-token.ts'
import { describeDelegationToken } from '#broker/handlers/41-describe-delegation-token.ts'
import { Principal } from '#broker/net/principal.ts'
import { codec } from '#broker/protocol/codec.ts'
import { createDelegationTokenResponse } from '#broker/protocol/messages/38-create-delegation-token.ts'
import { describeDelegationTokenResponse } from '#broker/protocol/messages/41-describe-delegation-token.ts'

const token = {
  owner: 'User:alice',
  requester: 'User:bob',
  renewers: ['User:carol'],
  issueTimestamp: 1,
  expirationTimestamp: 2,
  maxTimestamp: 3,
  tokenId: 'token',
}

function contextOf(apiVersion: number): RequestContext {
  return {
    apiVersion,
    config: { 'delegation.token.secret.key': 'secret' },
    connection: { principal: new Principal('User', 'alice'), securityProtocol: 'SASL_SSL' },
    services: { metadata: () => ({ delegationTokens: new Map([['token', token]]) }) },
  } as unknown as RequestContext
}

it.each([1, 2, 3])('a refused delegation token can be told in version %i', version => {
  const response = createDelegationToken.fail(
    { ownerPrincipalType: null, ownerPrincipalName: null, renewers: [], maxLifetimeMs: 1 } as never,
    'DELEGATION_TOKEN_AUTH_DISABLED',
    '',
    contextOf(version),
  )
  const side = codec(createDelegationTokenResponse, version)
  const told = side.decode(side.encodeToBuffer(response as never))
  expect(told).toMatchObject({ principalName: 'alice', tokenRequesterPrincipalName: version >= 3 ? 'alice' : '' })
})

it.each([1, 2, 3])('delegation tokens can be described in version %i', async version => {
  const response = await describeDelegationToken.handle({ owners: null } as never, contextOf(version))
  const side = codec(describeDelegationTokenResponse, version)
  const { tokens } = side.decode(side.encodeToBuffer(response as never))
  expect(tokens).toMatchObject([{ tokenId: 'token', tokenRequesterPrincipalName: version >= 3 ? 'bob' : '' }])
})
