/**
 * Heartbeat, API key 12, v0-4.
 *
 * Keeps a classic member alive and tells it to join again.
 *
 * Versions: v3 group instance id (KIP-345); v4 flexible.
 */
import { int16, int32, message, string, type Infer } from '../schema.ts'

export const heartbeatRequest = message({
  key: 12,
  name: 'HeartbeatRequest',
  kind: 'request',
  versions: '0-4',
  flexible: '4+',
  fields: {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    /** Set for a static member (KIP-345). */
    groupInstanceId: string({ versions: '3+', nullable: '3+', default: null }),
  },
})
export type HeartbeatRequest = Infer<typeof heartbeatRequest>

export const heartbeatResponse = message({
  key: 12,
  name: 'HeartbeatResponse',
  kind: 'response',
  versions: '0-4',
  flexible: '4+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    errorCode: int16(),
  },
})
export type HeartbeatResponse = Infer<typeof heartbeatResponse>
