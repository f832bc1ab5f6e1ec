/**
 * ListGroups: v0-5. The groups that this broker coordinates.
 *
 * Versions: v3 flexible; v4 filter by state (KIP-518); v5 filter by type (KIP-848).
 * Errors: COORDINATOR_LOAD_IN_PROGRESS when a partition is still loading, so that nobody takes a part for the whole.
 */
import { errorCode } from '../protocol/errors.ts'
import type { ListGroupsRequest, listGroupsResponse } from '../protocol/messages/16-list-groups.ts'
import type { Input } from '../protocol/schema.ts'
import { clusterName } from '../security/authorization/acl.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right } from './handler.ts'

const matches = (filter: readonly string[], value: string): boolean =>
  filter.length === 0 || filter.some(wanted => wanted.toLowerCase() === value.toLowerCase())

export const listGroups = handler<ListGroupsRequest, Input<typeof listGroupsResponse>>({
  apiKey: 16,
  versions: [0, 5],
  listeners: ['broker'],
  authorization: [right('Describe', 'Cluster'), right('Describe', 'Group')],
  fail: (_request, error) => ({ errorCode: errorCode(error), groups: [] }),
  handle: (request, context) => {
    const { groups, loading } = brokerOf(context).groups.list()
    if (loading) return { errorCode: errorCode('COORDINATOR_LOAD_IN_PROGRESS'), groups: [] }
    const maySeeAll = context.authorize('Describe', 'Cluster', clusterName, 'filter')
    return {
      errorCode: 0,
      groups: groups
        .filter(
          ({ groupId, type, state }) =>
            (maySeeAll || context.authorize('Describe', 'Group', groupId, 'filter')) &&
            state !== 'Dead' &&
            matches(request.statesFilter, state) &&
            matches(request.typesFilter, type),
        )
        .map(({ groupId, type, protocolType, state }) => ({
          groupId,
          protocolType,
          groupState: state,
          groupType: type.toLowerCase(),
        })),
    }
  },
})
