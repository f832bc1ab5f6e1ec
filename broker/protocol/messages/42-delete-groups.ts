/**
 * DeleteGroups, API key 42, v0-2.
 *
 * Deletes empty groups (KIP-229).
 *
 * Versions: v2 flexible.
 */
import { array, int16, int32, message, string, type Infer } from '../schema.ts'

export const deleteGroupsRequest = message({
  key: 42,
  name: 'DeleteGroupsRequest',
  kind: 'request',
  versions: '0-2',
  flexible: '2+',
  fields: {
    groupsNames: array(string()),
  },
})
export type DeleteGroupsRequest = Infer<typeof deleteGroupsRequest>

export const deleteGroupsResponse = message({
  key: 42,
  name: 'DeleteGroupsResponse',
  kind: 'response',
  versions: '0-2',
  flexible: '2+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    results: array({
      groupId: string(),
      errorCode: int16(),
    }),
  },
})
export type DeleteGroupsResponse = Infer<typeof deleteGroupsResponse>
