/**
 * CreateDelegationToken: v1-3. A token with which others may act as the owner for a while (KIP-48).
 *
 * Behavior: forwarded to the active controller (KIP-590); the reply alone carries the token's HMAC, its password.
 * Versions: v2 flexible; v3 a token for somebody else (KIP-373).
 * Errors: DELEGATION_TOKEN_AUTH_DISABLED, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, DELEGATION_TOKEN_AUTHORIZATION_FAILED,
 *   INVALID_PRINCIPAL_TYPE, NOT_CONTROLLER.
 */
import { createDelegationToken as operation } from '../controller/delegation-tokens.ts'
import { Principal, userType } from '../net/principal.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  CreateDelegationTokenRequest,
  createDelegationTokenResponse,
} from '../protocol/messages/38-create-delegation-token.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { mayAskForTokens } from './delegation-token-requests.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof createDelegationTokenResponse>

/** Before it, everyone asked for tokens of their own. */
const requesterSince = 3

function ownerOf(request: CreateDelegationTokenRequest, { connection }: RequestContext): Principal {
  const { ownerPrincipalType, ownerPrincipalName } = request
  if (ownerPrincipalName === null || ownerPrincipalName === '') return connection.principal
  return new Principal(ownerPrincipalType ?? userType, ownerPrincipalName)
}

function refused(request: CreateDelegationTokenRequest, error: ErrorName, context: RequestContext): Response {
  const owner = ownerOf(request, context)
  const { principal } = context.connection
  return {
    errorCode: errorCode(error),
    principalType: owner.type,
    principalName: owner.name,
    ...(context.apiVersion >= requesterSince
      ? { tokenRequesterPrincipalType: principal.type, tokenRequesterPrincipalName: principal.name }
      : {}),
    issueTimestampMs: -1,
    expiryTimestampMs: -1,
    maxTimestampMs: -1,
    tokenId: '',
    hmac: Buffer.alloc(0),
  }
}

export const createDelegationToken = handler<CreateDelegationTokenRequest, Response>({
  apiKey: 38,
  versions: [1, 3],
  listeners: ['broker', 'controller'],
  authorization: [right('CreateTokens', 'User')],
  forwardToController: true,
  fail: (request, error, _message, context) => refused(request, error, context),
  handle: (request, context) => {
    if (!mayAskForTokens(context)) return refused(request, 'DELEGATION_TOKEN_REQUEST_NOT_ALLOWED', context)
    const requester = context.connection.principal
    const owner = ownerOf(request, context)
    if (!owner.equals(requester) && !context.authorize('CreateTokens', 'User', String(owner)))
      return refused(request, 'DELEGATION_TOKEN_AUTHORIZATION_FAILED', context)
    if (request.renewers.some(({ principalType }) => principalType !== userType))
      return refused(request, 'INVALID_PRINCIPAL_TYPE', context)
    const renewers = request.renewers.map(({ principalType, principalName }) => `${principalType}:${principalName}`)
    const wallMs = context.environment.clock.wallMs()
    const input = { owner, requester, renewers, maxLifetimeMs: request.maxLifetimeMs, wallMs }
    return submit(context, operation, input, {
      reply: ({ token, hmac }): Response => ({
        ...refused(request, 'UNKNOWN_SERVER_ERROR', context),
        errorCode: 0,
        issueTimestampMs: token.issueTimestamp,
        expiryTimestampMs: token.expirationTimestamp,
        maxTimestampMs: token.maxTimestamp,
        tokenId: token.tokenId,
        hmac,
      }),
      refused: error => refused(request, error, context),
    })
  },
})
