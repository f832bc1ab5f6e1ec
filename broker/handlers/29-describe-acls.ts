/**
 * DescribeAcls: v1-3. Access control entries that match a filter, from the metadata of this node.
 *
 * Behavior: entries of one resource pattern come together. A filter with UNKNOWN (0) in it closes the connection, as in Kafka.
 * Versions: v1 pattern types (KIP-290); v2 flexible; v3 users as resources.
 * Errors: CLUSTER_AUTHORIZATION_FAILED, SECURITY_DISABLED without an authorizer.
 */
import { errorCode, ProtocolError } from '../protocol/errors.ts'
import type { DescribeAclsRequest, describeAclsResponse } from '../protocol/messages/29-describe-acls.ts'
import type { Input } from '../protocol/schema.ts'
import type { AclBinding } from '../security/authorization/acl.ts'
import { matches, unknownCode, type AclFilter } from '../security/authorization/acl-filter.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof describeAclsResponse>
type Resource = NonNullable<Response['resources']>[number]

export function refuseUnknownFilter(filter: AclFilter): void {
  const codes = [filter.resourceTypeFilter, filter.patternTypeFilter, filter.operation, filter.permissionType]
  if (codes.includes(unknownCode)) throw new ProtocolError('a filter of access control entries has UNKNOWN elements')
}

function byResource(acls: readonly AclBinding[]): Resource[] {
  const resources = new Map<string, Resource & { acls: Resource['acls'][number][] }>()
  for (const { resourceType, resourceName, patternType, ...acl } of acls) {
    const key = `${resourceType}/${patternType}/${resourceName}`
    let resource = resources.get(key)
    if (resource === undefined) {
      resources.set(key, (resource = { resourceType, resourceName, patternType, acls: [] }))
    }
    resource.acls.push(acl)
  }
  return [...resources.values()]
}

export const describeAcls = handler<DescribeAclsRequest, Response>({
  apiKey: 29,
  versions: [1, 3],
  listeners: ['broker', 'controller'],
  authorization: [requestRight('Describe')],
  fail: (_request, error, errorMessage) => ({ errorCode: errorCode(error), errorMessage, resources: [] }),
  check: refuseUnknownFilter,
  handle: (request, { services: { authorizer } }) => {
    if (authorizer === undefined) {
      const errorMessage = 'No Authorizer is configured on the broker'
      return { errorCode: errorCode('SECURITY_DISABLED'), errorMessage, resources: [] }
    }
    const found = [...authorizer.acls].filter(acl => matches(request, acl))
    return { errorCode: 0, errorMessage: null, resources: byResource(found) }
  },
})
