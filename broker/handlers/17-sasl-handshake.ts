/**
 * SaslHandshake: v0-1. Which SASL mechanism the client wants to use.
 *
 * Behavior:
 * - On SASL listeners the conversation is held before requests come here (security/authentication/sasl-session.ts). What does come here is out
 *   of place: on a listener without SASL, or again within a second.
 * Versions: v1 wraps the tokens that follow into SaslAuthenticate (KIP-152).
 * Errors: ILLEGAL_SASL_STATE.
 */
import { errorCode } from '../protocol/errors.ts'
import type { SaslHandshakeRequest, saslHandshakeResponse } from '../protocol/messages/17-sasl-handshake.ts'
import type { Input } from '../protocol/schema.ts'
import { handler } from './handler.ts'

export const saslHandshake = handler<SaslHandshakeRequest, Input<typeof saslHandshakeResponse>>({
  apiKey: 17,
  versions: [0, 1],
  listeners: ['broker', 'controller'],
  authorization: 'anyone',
  fail: (_request, error) => ({ errorCode: errorCode(error), mechanisms: [] }),
  handle: () => ({ errorCode: errorCode('ILLEGAL_SASL_STATE'), mechanisms: [] }),
})
