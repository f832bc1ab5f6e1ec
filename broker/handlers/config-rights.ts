/** Rights on the settings of a resource: topics and groups have their own, everything else is the cluster's. Source: Kafka's ConfigHelper. */
import { configResourceTypeOf } from '../controller/image-to-records.ts'
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'
import { clusterName, refusalOf, type ResourceType } from '../security/authorization/acl.ts'
import type { RequestContext } from './handler.ts'

interface ConfigResource {
  readonly resourceType: number
  readonly resourceName: string
}

/** Why the sender may not; undefined when it may. */
export function configRefusal(
  context: RequestContext,
  operation: 'DescribeConfigs' | 'AlterConfigs',
  { resourceType, resourceName }: ConfigResource,
): ErrorName | undefined {
  const type = configResourceTypeOf(resourceType)
  const isOwn = type === 'topic' || type === 'group'
  const owner: ResourceType = type === 'topic' ? 'Topic' : type === 'group' ? 'Group' : 'Cluster'
  return context.authorize(operation, owner, isOwn ? resourceName : clusterName) ? undefined : refusalOf[owner]
}

/** Resources whose settings the sender may alter, and the answers for the others. */
export function sortByAlterRight<R extends ConfigResource>(resources: readonly R[], context: RequestContext) {
  const allowed: R[] = []
  const refused: { errorCode: number; errorMessage: string; resourceType: number; resourceName: string }[] = []
  for (const resource of resources) {
    const error = configRefusal(context, 'AlterConfigs', resource)
    const { resourceType, resourceName } = resource
    if (error === undefined) allowed.push(resource)
    else refused.push({ errorCode: errorCode(error), errorMessage: errorMessage(error), resourceType, resourceName })
  }
  return { allowed, refused }
}
