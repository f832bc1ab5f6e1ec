/**
 * JoinGroup, API key 11, v0-9.
 *
 * Enters a classic group; answered when the rebalance has gathered its members.
 *
 * Versions: v1 rebalance timeout; v4 MEMBER_ID_REQUIRED (KIP-394); v5 group instance id (KIP-345); v6 flexible; v7 protocol type in the response;
 * v8 reason (KIP-800); v9 the leader may be told to skip the assignment (KIP-814).
 */
import { array, bool, bytes, int16, int32, message, string, type Infer } from '../schema.ts'

export const joinGroupRequest = message({
  key: 11,
  name: 'JoinGroupRequest',
  kind: 'request',
  versions: '0-9',
  flexible: '6+',
  fields: {
    groupId: string(),
    sessionTimeoutMs: int32(),
    rebalanceTimeoutMs: int32({ versions: '1+', default: -1, ignorable: true }),
    /** Empty at the first attempt. */
    memberId: string(),
    /** Set for a static member (KIP-345). */
    groupInstanceId: string({ versions: '5+', nullable: '5+', default: null }),
    protocolType: string(),
    /** In order of preference; the metadata is opaque to the broker. */
    protocols: array({
      name: string(),
      metadata: bytes(),
    }),
    reason: string({ versions: '8+', nullable: '8+', default: null, ignorable: true }),
  },
})
export type JoinGroupRequest = Infer<typeof joinGroupRequest>

export const joinGroupResponse = message({
  key: 11,
  name: 'JoinGroupResponse',
  kind: 'response',
  versions: '0-9',
  flexible: '6+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ versions: '2+', ignorable: true }),
    errorCode: int16(),
    generationId: int32({ default: -1 }),
    protocolType: string({ versions: '7+', nullable: '7+', default: null, ignorable: true }),
    protocolName: string({ nullable: '7+' }),
    leader: string(),
    /** The leader should keep the assignment as it is (KIP-814). */
    skipAssignment: bool({ versions: '9+', default: false }),
    memberId: string(),
    /** Filled for the leader only. */
    members: array({
      memberId: string(),
      /** Set for a static member (KIP-345). */
      groupInstanceId: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
      metadata: bytes(),
    }),
  },
})
export type JoinGroupResponse = Infer<typeof joinGroupResponse>
