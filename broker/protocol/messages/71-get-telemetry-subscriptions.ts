/**
 * GetTelemetrySubscriptions, API key 71, v0.
 *
 * Which client metrics the broker wants pushed (KIP-714).
 */
import { array, bool, int16, int32, int8, message, string, uuid, type Infer } from '../schema.ts'

export const getTelemetrySubscriptionsRequest = message({
  key: 71,
  name: 'GetTelemetrySubscriptionsRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    clientInstanceId: uuid(),
  },
})
export type GetTelemetrySubscriptionsRequest = Infer<typeof getTelemetrySubscriptionsRequest>

export const getTelemetrySubscriptionsResponse = message({
  key: 71,
  name: 'GetTelemetrySubscriptionsResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    clientInstanceId: uuid(),
    subscriptionId: int32(),
    acceptedCompressionTypes: array(int8()),
    pushIntervalMs: int32(),
    telemetryMaxBytes: int32(),
    deltaTemporality: bool(),
    requestedMetrics: array(string()),
  },
})
export type GetTelemetrySubscriptionsResponse = Infer<typeof getTelemetrySubscriptionsResponse>
