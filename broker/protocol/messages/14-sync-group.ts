/**
 * SyncGroup, API key 14, v0-5.
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
    groupInstanceId: string({ versions: '3+', nullable: '3+', default: null }),
    protocolType: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    protocolName: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
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
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    errorCode: int16(),
    protocolType: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    protocolName: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    assignment: bytes(),
  },
})
export type SyncGroupResponse = Infer<typeof syncGroupResponse>
