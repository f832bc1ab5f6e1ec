/**
 * SaslAuthenticate, API key 36, v0-2.
 *
 * One step of a SASL exchange (KIP-152).
 *
 * Versions: v1 session lifetime (KIP-368); v2 flexible.
 */
import { bytes, int16, message, offset, string, type Infer } from '../schema.ts'

export const saslAuthenticateRequest = message({
  key: 36,
  name: 'SaslAuthenticateRequest',
  kind: 'request',
  versions: '0-2',
  flexible: '2+',
  fields: {
    authBytes: bytes(),
  },
})
export type SaslAuthenticateRequest = Infer<typeof saslAuthenticateRequest>

export const saslAuthenticateResponse = message({
  key: 36,
  name: 'SaslAuthenticateResponse',
  kind: 'response',
  versions: '0-2',
  flexible: '2+',
  fields: {
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    authBytes: bytes(),
    sessionLifetimeMs: offset({ versions: '1+', default: 0, ignorable: true }),
  },
})
export type SaslAuthenticateResponse = Infer<typeof saslAuthenticateResponse>
