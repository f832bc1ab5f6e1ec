/**
 * DescribeGroups, API key 15, v0-6.
 *
 * State and members of groups of the classic protocol.
 *
 * Versions: v3 authorized operations (KIP-430); v4 group instance id; v5 flexible; v6 GROUP_ID_NOT_FOUND and error message (KIP-1043).
 */
import { array, bool, bytes, int16, int32, message, string, type Infer } from '../schema.ts'

export const describeGroupsRequest = message({
  key: 15,
  name: 'DescribeGroupsRequest',
  kind: 'request',
  versions: '0-6',
  flexible: '5+',
  fields: {
    groups: array(string()),
    includeAuthorizedOperations: bool({ versions: '3+' }),
  },
})
export type DescribeGroupsRequest = Infer<typeof describeGroupsRequest>

export const describeGroupsResponse = message({
  key: 15,
  name: 'DescribeGroupsResponse',
  kind: 'response',
  versions: '0-6',
  flexible: '5+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    groups: array({
      errorCode: int16(),
      errorMessage: string({ versions: '6+', nullable: '6+', default: null }),
      groupId: string(),
      groupState: string(),
      protocolType: string(),
      protocolData: string(),
      members: array({
        memberId: string(),
        /** Set for a static member (KIP-345). */
        groupInstanceId: string({ versions: '4+', nullable: '4+', default: null, ignorable: true }),
        clientId: string(),
        clientHost: string(),
        memberMetadata: bytes(),
        memberAssignment: bytes(),
      }),
      /** Bit field; -2147483648 when not asked for (KIP-430). */
      authorizedOperations: int32({ versions: '3+', default: -2147483648 }),
    }),
  },
})
export type DescribeGroupsResponse = Infer<typeof describeGroupsResponse>
