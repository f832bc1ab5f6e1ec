/**
 * LeaveGroup, API key 13, v0-5.
 *
 * Leaves a classic group.
 *
 * Versions: v3 several members at once (KIP-345); v4 flexible; v5 reason (KIP-800).
 */
import { array, int16, int32, message, string, type Infer } from '../schema.ts'

export const leaveGroupRequest = message({
  key: 13,
  name: 'LeaveGroupRequest',
  kind: 'request',
  versions: '0-5',
  flexible: '4+',
  fields: {
    groupId: string(),
    memberId: string({ versions: '0-2' }),
    members: array(
      { versions: '3+' },
      {
        memberId: string(),
        /** Set for a static member (KIP-345). */
        groupInstanceId: string({ nullable: '3+', default: null }),
        reason: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
      },
    ),
  },
})
export type LeaveGroupRequest = Infer<typeof leaveGroupRequest>

export const leaveGroupResponse = message({
  key: 13,
  name: 'LeaveGroupResponse',
  kind: 'response',
  versions: '0-5',
  flexible: '4+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    errorCode: int16(),
    members: array(
      { versions: '3+' },
      {
        memberId: string(),
        /** Set for a static member (KIP-345). */
        groupInstanceId: string({ nullable: '3+' }),
        errorCode: int16(),
      },
    ),
  },
})
export type LeaveGroupResponse = Infer<typeof leaveGroupResponse>
