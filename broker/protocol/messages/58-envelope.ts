/**
 * Envelope, API key 58, v0.
 *
 * Carries a client's request from a broker to the controller, with the client's principal and address (KIP-590).
 */
import { bytes, int16, message, type Infer } from '../schema.ts'

export const envelopeRequest = message({
  key: 58,
  name: 'EnvelopeRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    /** The client's frame from the header on, without the size. */
    requestData: bytes(),
    /** The client's principal, see records/principal-data.ts; null when the broker vouches for itself. */
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
    /** The controller's frame from the header on; null with an error. */
    responseData: bytes({ nullable: '0+', default: null }),
    errorCode: int16(),
  },
})
export type EnvelopeResponse = Infer<typeof envelopeResponse>
