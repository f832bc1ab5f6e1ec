/**
 * GetTelemetrySubscriptions: v0. Which metrics a client shall push, and how often (KIP-714).
 *
 * Behavior: see observe/client-telemetry.ts. A client that asks again before its push interval is over is refused, unless it was told to.
 * Errors: THROTTLING_QUOTA_EXCEEDED.
 */
import { acceptedCompressionTypes } from '../observe/client-telemetry.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  GetTelemetrySubscriptionsRequest,
  getTelemetrySubscriptionsResponse,
} from '../protocol/messages/71-get-telemetry-subscriptions.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler } from './handler.ts'
import { telemetryClient } from './telemetry-client.ts'

type Response = Input<typeof getTelemetrySubscriptionsResponse>

const refused = (error: ErrorName, clientInstanceId: string): Response => ({
  errorCode: errorCode(error),
  clientInstanceId,
  subscriptionId: 0,
  acceptedCompressionTypes: [],
  pushIntervalMs: 0,
  telemetryMaxBytes: 0,
  deltaTemporality: false,
  requestedMetrics: [],
})

export const getTelemetrySubscriptions = handler<GetTelemetrySubscriptionsRequest, Response>({
  apiKey: 71,
  versions: [0, 0],
  listeners: ['broker'],
  authorization: 'anyone',
  fail: ({ clientInstanceId }, error) => refused(error, clientInstanceId),
  handle: ({ clientInstanceId }, context) => {
    const { telemetry } = brokerOf(context)
    const answer = telemetry.get(clientInstanceId, telemetryClient(context), context.receivedMs)
    if ('refused' in answer) return refused(answer.refused, clientInstanceId)
    return {
      errorCode: 0,
      clientInstanceId: answer.clientInstanceId,
      subscriptionId: answer.subscriptionId,
      acceptedCompressionTypes: [...acceptedCompressionTypes],
      pushIntervalMs: answer.pushIntervalMs,
      telemetryMaxBytes: context.config['telemetry.max.bytes'],
      deltaTemporality: true,
      requestedMetrics: [...answer.requestedMetrics],
    }
  },
})
