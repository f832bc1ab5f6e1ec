/**
 * SaslHandshake, API key 17, v0-1.
 *
 * Chooses a SASL mechanism.
 *
 * Versions: v1 tokens then travel in SaslAuthenticate instead of raw frames (KIP-152).
 */
import { array, int16, message, string, type Infer } from '../schema.ts'

export const saslHandshakeRequest = message({
  key: 17,
  name: 'SaslHandshakeRequest',
  kind: 'request',
  versions: '0-1',
  flexible: 'none',
  fields: {
    mechanism: string(),
  },
})
export type SaslHandshakeRequest = Infer<typeof saslHandshakeRequest>

export const saslHandshakeResponse = message({
  key: 17,
  name: 'SaslHandshakeResponse',
  kind: 'response',
  versions: '0-1',
  flexible: 'none',
  fields: {
    errorCode: int16(),
    mechanisms: array(string()),
  },
})
export type SaslHandshakeResponse = Infer<typeof saslHandshakeResponse>
