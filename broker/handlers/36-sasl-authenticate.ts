/**
 * SaslAuthenticate: v0-2. One token of a SASL conversation.
 *
 * Behavior:
 * - On SASL listeners the conversation is held before requests come here (security/authentication/sasl-session.ts). What does come here is out
 *   of place: on a listener without SASL, or after the conversation is over.
 * Versions: v1 session lifetime (KIP-368); v2 flexible.
 * Errors: ILLEGAL_SASL_STATE.
 */
import { errorCode } from '../protocol/errors.ts'
import type { SaslAuthenticateRequest, saslAuthenticateResponse } from '../protocol/messages/36-sasl-authenticate.ts'
import type { Input } from '../protocol/schema.ts'
import { handler } from './handler.ts'

const nothing = Buffer.alloc(0)

export const saslAuthenticate = handler<SaslAuthenticateRequest, Input<typeof saslAuthenticateResponse>>({
  apiKey: 36,
  versions: [0, 2],
  listeners: ['broker', 'controller'],
  authorization: 'anyone',
  fail: (_request, error, message) => ({ errorCode: errorCode(error), errorMessage: message, authBytes: nothing }),
  handle: () => ({
    errorCode: errorCode('ILLEGAL_SASL_STATE'),
    errorMessage: 'SaslAuthenticate request received after successful authentication',
    authBytes: nothing,
  }),
})
