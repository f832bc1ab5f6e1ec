/**
 * ExpireDelegationToken: v1-2. Lets a token end sooner or later; a time below zero ends it at once (KIP-48).
 *
 * Behavior: forwarded to the active controller (KIP-590); only the owner and the renewers of a token may.
 * Versions: v2 flexible.
 * Errors: DELEGATION_TOKEN_AUTH_DISABLED, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, DELEGATION_TOKEN_NOT_FOUND,
 *   DELEGATION_TOKEN_OWNER_MISMATCH, DELEGATION_TOKEN_EXPIRED, NOT_CONTROLLER.
 */
import { expireDelegationToken as operation } from '../controller/delegation-tokens.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  ExpireDelegationTokenRequest,
  expireDelegationTokenResponse,
} from '../protocol/messages/40-expire-delegation-token.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { mayAskForTokens } from './delegation-token-requests.ts'
import { handler } from './handler.ts'

type Response = Input<typeof expireDelegationTokenResponse>

const refused = (error: ErrorName): Response => ({ errorCode: errorCode(error), expiryTimestampMs: -1 })

export const expireDelegationToken = handler<ExpireDelegationTokenRequest, Response>({
  apiKey: 40,
  versions: [1, 2],
  listeners: ['broker', 'controller'],
  authorization: 'anyone',
  forwardToController: true,
  fail: (_request, error) => refused(error),
  handle: ({ hmac, expiryTimePeriodMs }, context) => {
    if (!mayAskForTokens(context)) return refused('DELEGATION_TOKEN_REQUEST_NOT_ALLOWED')
    const wallMs = context.environment.clock.wallMs()
    const input = { hmac, periodMs: expiryTimePeriodMs, requester: context.connection.principal, wallMs }
    return submit(context, operation, input, {
      reply: ({ expiryTimestampMs }): Response => ({ errorCode: 0, expiryTimestampMs }),
      refused,
    })
  },
})
