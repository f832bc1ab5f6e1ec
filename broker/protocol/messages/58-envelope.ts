/**
 * Envelope, API key 58, v0.
 */
import { bytes, int16, message, type Infer } from '../schema.ts'

export const envelopeRequest = message({
  key: 58,
  name: 'EnvelopeRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    requestData: bytes(),
    requestPrincipal: bytes({ nullable: '0+' }),
    clientHostAddress: bytes(),
  },
})
export type EnvelopeRequest = Infer<typeof envelopeRequest>

export const envelopeResponse = message({
  key: 58,
  name: 'EnvelopeResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    responseData: bytes({ nullable: '0+', default: null }),
    errorCode: int16(),
  },
})
export type EnvelopeResponse = Infer<typeof envelopeResponse>
