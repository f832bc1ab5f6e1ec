/**
 * DescribeDelegationToken: v1-3. Tokens with their passwords, for owners, renewers and who may describe tokens of the owner (KIP-48).
 *
 * Behavior: null owners means all; an empty list means none.
 * Versions: v2 flexible; v3 who asked for the token (KIP-373).
 * Errors: DELEGATION_TOKEN_AUTH_DISABLED, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED.
 */
import type { DelegationTokenRecord } from '../controller/metadata-record.ts'
import { Principal } from '../net/principal.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  DescribeDelegationTokenRequest,
  describeDelegationTokenResponse,
} from '../protocol/messages/41-describe-delegation-token.ts'
import type { Input } from '../protocol/schema.ts'
import { tokenHmac } from '../security/authentication/token-hmac.ts'
import { mayAskForTokens } from './delegation-token-requests.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof describeDelegationTokenResponse>

/** Before it, everyone asked for tokens of their own. */
const requesterSince = 3

const refused = (error: ErrorName): Response => ({ errorCode: errorCode(error), tokens: [] })
const principalOf = (text: string): Principal => Principal.parse(text) ?? new Principal('', text)

function isVisible(token: DelegationTokenRecord, context: RequestContext): boolean {
  const who = String(context.connection.principal)
  if (token.owner === who || token.requester === who || token.renewers.includes(who)) return true
  return (
    context.authorize('Describe', 'DelegationToken', token.tokenId, 'filter') ||
    context.authorize('DescribeTokens', 'User', token.owner, 'filter')
  )
}

function described(token: DelegationTokenRecord, secret: string, apiVersion: number): Response['tokens'][number] {
  const owner = principalOf(token.owner)
  const requester = principalOf(token.requester)
  return {
    principalType: owner.type,
    principalName: owner.name,
    ...(apiVersion >= requesterSince
      ? { tokenRequesterPrincipalType: requester.type, tokenRequesterPrincipalName: requester.name }
      : {}),
    issueTimestamp: token.issueTimestamp,
    expiryTimestamp: token.expirationTimestamp,
    maxTimestamp: token.maxTimestamp,
    tokenId: token.tokenId,
    hmac: tokenHmac(secret, token.tokenId),
    renewers: token.renewers.map(principalOf).map(({ type, name }) => ({ principalType: type, principalName: name })),
  }
}

export const describeDelegationToken = handler<DescribeDelegationTokenRequest, Response>({
  apiKey: 41,
  versions: [1, 3],
  listeners: ['broker', 'controller'],
  authorization: [right('Describe', 'DelegationToken'), right('DescribeTokens', 'User')],
  fail: (_request, error) => refused(error),
  handle: ({ owners }, context) => {
    if (!mayAskForTokens(context)) return refused('DELEGATION_TOKEN_REQUEST_NOT_ALLOWED')
    const secret = context.config['delegation.token.secret.key']
    if (secret === '') return refused('DELEGATION_TOKEN_AUTH_DISABLED')
    const wanted = owners?.map(({ principalType, principalName }) => `${principalType}:${principalName}`)
    const tokens = [...context.services.metadata().delegationTokens.values()]
      .filter(token => wanted === undefined || wanted.includes(token.owner))
      .filter(token => isVisible(token, context))
    return { errorCode: 0, tokens: tokens.map(token => described(token, secret, context.apiVersion)) }
  },
})
