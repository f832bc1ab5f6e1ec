/**
 * DeleteGroups: v0-2. Removes groups without members, and their offsets.
 *
 * Versions: v2 flexible.
 * Errors: COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP.
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { DeleteGroupsRequest, deleteGroupsResponse } from '../protocol/messages/42-delete-groups.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right } from './handler.ts'

export const deleteGroups = handler<DeleteGroupsRequest, Input<typeof deleteGroupsResponse>>({
  apiKey: 42,
  versions: [0, 2],
  listeners: ['broker'],
  authorization: [right('Delete', 'Group')],
  fail: (request, error) => ({
    results: request.groupsNames.map(groupId => ({ groupId, errorCode: errorCode(error) })),
  }),
  handle: async (request, context) => {
    const { groups, shareGroups } = brokerOf(context)
    const results = await Promise.all(
      request.groupsNames.map(async groupId => {
        if (!context.authorize('Delete', 'Group', groupId))
          return { groupId, errorCode: errorCode('GROUP_AUTHORIZATION_FAILED') }
        const share = await shareGroups.delete(groupId)
        if (share !== undefined) return { groupId, errorCode: errorCode(share) }
        const outcome = await groups.ask<ErrorName>(
          groupId,
          error => error,
          (shard, ticket) => shard.deleteGroup(groupId, ticket),
        )
        return { groupId, errorCode: errorCode(outcome) }
      }),
    )
    return { results }
  },
})
