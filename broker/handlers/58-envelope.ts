/**
 * Envelope: v0. A broker passes on a client's request to the active controller, with the client's principal and address (KIP-590).
 *
 * Behavior:
 * - Served on controller listeners only.
 * - The embedded request is served as that client: its principal and address, not the broker's.
 * - Only what brokers forward can be embedded; nothing else, an Envelope least of all.
 * - The reply carries the embedded response with its header, as bytes.
 * Errors: PRINCIPAL_DESERIALIZATION_FAILURE when the principal cannot be read; INVALID_REQUEST when the embedded bytes are no request, or none to forward,
 *   or the client's address is none; NOT_CONTROLLER when this controller is not the active one.
 */
import { errorCode, ProtocolError } from '../protocol/errors.ts'
import type { EnvelopeRequest, envelopeResponse } from '../protocol/messages/58-envelope.ts'
import type { Input } from '../protocol/schema.ts'
import { addressText } from '../net/ip-address.ts'
import { deserializePrincipal, type Principal } from '../net/principal.ts'
import { handler, requestRight, type ConnectionInfo } from './handler.ts'

/** The broker's connection, as far as it stands for its client. */
function embeddedClient(connection: ConnectionInfo, principal: Principal, clientHost: string): ConnectionInfo {
  // The client waits on its own connection, not on that of the broker.
  return { ...connection, principal, clientHost, isForwarded: true, mute: () => undefined }
}

export const envelope = handler<EnvelopeRequest, Input<typeof envelopeResponse>>({
  apiKey: 58,
  versions: [0, 0],
  listeners: ['controller'],
  authorization: [requestRight('ClusterAction')],
  fail: (_request, error) => ({ responseData: null, errorCode: errorCode(error) }),
  handle: async (request, { connection, services }) => {
    if (services.controller?.isActive !== true) return { responseData: null, errorCode: errorCode('NOT_CONTROLLER') }
    const principal = deserializePrincipal(request.requestPrincipal ?? Buffer.alloc(0))
    if (principal === undefined)
      return { responseData: null, errorCode: errorCode('PRINCIPAL_DESERIALIZATION_FAILURE') }
    const host = addressText(request.clientHostAddress)
    if (host === undefined) return { responseData: null, errorCode: errorCode('INVALID_REQUEST') }
    const client = embeddedClient(connection, principal, host)
    try {
      const response = await services.dispatch.serveEmbedded(request.requestData, client)
      return { responseData: Buffer.concat(response), errorCode: 0 }
    } catch (error) {
      if (error instanceof ProtocolError) return { responseData: null, errorCode: errorCode('INVALID_REQUEST') }
      throw error
    }
  },
})
