/**
 * Fetch of `__cluster_metadata-0`, for the Fetch handler of the controller listener: followers and observers of the quorum pull here.
 * Source: KIP-595 "Fetch", KIP-1166.
 */
import type { RequestContext } from '../handlers/handler.ts'
import { errorCode } from '../protocol/errors.ts'
import type { fetchResponse, FetchRequest } from '../protocol/messages/01-fetch.ts'
import type { Input } from '../protocol/schema.ts'
import { fetchFromWire, fetchResponseToWire } from './quorum-wire.ts'

export { isMetadataFetch } from './quorum-wire.ts'

type FetchResponseInput = Input<typeof fetchResponse>

/** INVALID_REQUEST when the request asks for any other partition besides; never answered when the connection is gone. */
export async function handleMetadataFetch(request: FetchRequest, context: RequestContext): Promise<FetchResponseInput> {
  const { quorum } = context.services
  const asked = fetchFromWire(request)
  if (asked === undefined) return { errorCode: errorCode('INVALID_REQUEST'), responses: [] }
  if (!quorum.isRunning) return { errorCode: errorCode('BROKER_NOT_AVAILABLE'), responses: [] }
  const { response, bytes } = await quorum.answer(asked, run => context.connection.onClose(run))
  const addressOf = (nodeId: number) => quorum.addressOf(nodeId)
  return fetchResponseToWire(response, bytes, { apiVersion: context.apiVersion, addressOf })
}
