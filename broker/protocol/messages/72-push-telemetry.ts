/**
 * PushTelemetry, API key 72, v0.
 *
 * Client metrics, as OTLP (KIP-714).
 */
import { bool, bytes, int16, int32, int8, message, uuid, type Infer } from '../schema.ts'

export const pushTelemetryRequest = message({
  key: 72,
  name: 'PushTelemetryRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    clientInstanceId: uuid(),
    subscriptionId: int32(),
    terminating: bool(),
    compressionType: int8(),
    metrics: bytes(),
  },
})
export type PushTelemetryRequest = Infer<typeof pushTelemetryRequest>

export const pushTelemetryResponse = message({
  key: 72,
  name: 'PushTelemetryResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
  },
})
export type PushTelemetryResponse = Infer<typeof pushTelemetryResponse>
