/**
 * ListGroups, API key 16, v0-5.
 *
 * Groups that this broker coordinates.
 *
 * Versions: v3 flexible; v4 filter by state (KIP-518); v5 filter by type (KIP-848).
 */
import { array, int16, int32, message, string, type Infer } from '../schema.ts'

export const listGroupsRequest = message({
  key: 16,
  name: 'ListGroupsRequest',
  kind: 'request',
  versions: '0-5',
  flexible: '3+',
  fields: {
    statesFilter: array({ versions: '4+' }, string()),
    typesFilter: array({ versions: '5+' }, string()),
  },
})
export type ListGroupsRequest = Infer<typeof listGroupsRequest>

export const listGroupsResponse = message({
  key: 16,
  name: 'ListGroupsResponse',
  kind: 'response',
  versions: '0-5',
  flexible: '3+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    errorCode: int16(),
    groups: array({
      groupId: string(),
      protocolType: string(),
      groupState: string({ versions: '4+', ignorable: true }),
      groupType: string({ versions: '5+', ignorable: true }),
    }),
  },
})
export type ListGroupsResponse = Infer<typeof listGroupsResponse>
