/**
 * SyncGroup, API key 14, v0-5.
 *
 * Hands the leader's assignment to the classic group, and each member its share of it.
 *
 * Versions: v3 group instance id (KIP-345); v4 flexible; v5 protocol type and name (KIP-559).
 */
import { array, bytes, int16, int32, message, string, type Infer } from '../schema.ts'

export const syncGroupRequest = message({
  key: 14,
  name: 'SyncGroupRequest',
  kind: 'request',
  versions: '0-5',
  flexible: '4+',
  fields: {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    /** Set for a static member (KIP-345). */
    groupInstanceId: string({ versions: '3+', nullable: '3+', default: null }),
    protocolType: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    protocolName: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    /** Filled by the leader only. */
    assignments: array({
      memberId: string(),
      assignment: bytes(),
    }),
  },
})
export type SyncGroupRequest = Infer<typeof syncGroupRequest>

export const syncGroupResponse = message({
  key: 14,
  name: 'SyncGroupResponse',
  kind: 'response',
  versions: '0-5',
  flexible: '4+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    errorCode: int16(),
    protocolType: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    protocolName: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    /** Opaque to the broker. */
    assignment: bytes(),
  },
})
export type SyncGroupResponse = Infer<typeof syncGroupResponse>
