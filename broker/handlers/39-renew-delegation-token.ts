/**
 * RenewDelegationToken: v1-2. Makes a token good for longer, at most to the end of its life (KIP-48).
 *
 * Behavior: forwarded to the active controller (KIP-590); only the owner and the renewers of a token may.
 * Versions: v2 flexible.
 * Errors: DELEGATION_TOKEN_AUTH_DISABLED, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, DELEGATION_TOKEN_NOT_FOUND,
 *   DELEGATION_TOKEN_OWNER_MISMATCH, DELEGATION_TOKEN_EXPIRED, NOT_CONTROLLER.
 */
import { renewDelegationToken as operation } from '../controller/delegation-tokens.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  RenewDelegationTokenRequest,
  renewDelegationTokenResponse,
} from '../protocol/messages/39-renew-delegation-token.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { mayAskForTokens } from './delegation-token-requests.ts'
import { handler } from './handler.ts'

type Response = Input<typeof renewDelegationTokenResponse>

const refused = (error: ErrorName): Response => ({ errorCode: errorCode(error), expiryTimestampMs: -1 })

export const renewDelegationToken = handler<RenewDelegationTokenRequest, Response>({
  apiKey: 39,
  versions: [1, 2],
  listeners: ['broker', 'controller'],
  authorization: 'anyone',
  forwardToController: true,
  fail: (_request, error) => refused(error),
  handle: ({ hmac, renewPeriodMs }, context) => {
    if (!mayAskForTokens(context)) return refused('DELEGATION_TOKEN_REQUEST_NOT_ALLOWED')
    const wallMs = context.environment.clock.wallMs()
    const input = { hmac, periodMs: renewPeriodMs, requester: context.connection.principal, wallMs }
    return submit(context, operation, input, {
      reply: ({ expiryTimestampMs }): Response => ({ errorCode: 0, expiryTimestampMs }),
      refused,
    })
  },
})
