/**
 * JoinGroup, API key 11, v0-9.
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
    memberId: string(),
    groupInstanceId: string({ versions: '5+', nullable: '5+', default: null }),
    protocolType: string(),
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
    throttleTimeMs: int32({ versions: '2+', ignorable: true }),
    errorCode: int16(),
    generationId: int32({ default: -1 }),
    protocolType: string({ versions: '7+', nullable: '7+', default: null, ignorable: true }),
    protocolName: string({ nullable: '7+' }),
    leader: string(),
    skipAssignment: bool({ versions: '9+', default: false }),
    memberId: string(),
    members: array({
      memberId: string(),
      groupInstanceId: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
      metadata: bytes(),
    }),
  },
})
export type JoinGroupResponse = Infer<typeof joinGroupResponse>
