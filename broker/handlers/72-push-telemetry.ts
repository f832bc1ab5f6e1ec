/**
 * PushTelemetry: v0. The metrics of a client, as it was asked for them (KIP-714).
 *
 * Behavior: see observe/client-telemetry.ts. They are shown at /metrics of the inspector.
 * Errors: INVALID_REQUEST after the last push or with a reserved id, THROTTLING_QUOTA_EXCEEDED, UNKNOWN_SUBSCRIPTION_ID,
 * UNSUPPORTED_COMPRESSION_TYPE, TELEMETRY_TOO_LARGE, INVALID_RECORD.
 */
import { errorCode } from '../protocol/errors.ts'
import type { PushTelemetryRequest, pushTelemetryResponse } from '../protocol/messages/72-push-telemetry.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler } from './handler.ts'
import { telemetryClient } from './telemetry-client.ts'

type Response = Input<typeof pushTelemetryResponse>

export const pushTelemetry = handler<PushTelemetryRequest, Response>({
  apiKey: 72,
  versions: [0, 0],
  listeners: ['broker'],
  authorization: 'anyone',
  fail: (_request, error) => ({ errorCode: errorCode(error) }),
  handle: (request, context) => {
    const refused = brokerOf(context).telemetry.push(request, telemetryClient(context), context.receivedMs)
    return { errorCode: errorCode(refused ?? 'NONE') }
  },
})
