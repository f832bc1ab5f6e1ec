/**
 * ListConfigResources: v0-1. Names of the resources that have settings.
 *
 * Behavior: topics and brokers are all there are; of groups and client metrics subscriptions those with settings of their own.
 * Versions: v0 client metrics subscriptions only (KIP-1000); v1 any kinds, none named means all (KIP-1142).
 * Errors: UNSUPPORTED_VERSION for a kind that does not exist.
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  ListConfigResourcesRequest,
  listConfigResourcesResponse,
} from '../protocol/messages/74-list-config-resources.ts'
import type { Input } from '../protocol/schema.ts'
import { handler, requestRight, type RequestContext } from './handler.ts'

type Response = Input<typeof listConfigResourcesResponse>

/** ConfigResource.Type of Kafka, in the order of its answer. */
const types = { group: 32, clientMetrics: 16, brokerLogger: 8, broker: 4, topic: 2 } as const
const every: readonly number[] = Object.values(types)

function namesOf(type: number, { services, connection }: RequestContext): Iterable<string> {
  const image = services.metadata()
  if (type === types.group) return image.configsOf('group').keys()
  if (type === types.clientMetrics) return image.configsOf('client-metrics').keys()
  if (type === types.topic) return image.topicsByName.keys()
  return [...image.brokers.values()]
    .filter(({ fenced, endpoints }) => !fenced && endpoints.some(({ name }) => name === connection.listenerName))
    .map(({ id }) => String(id))
}

const refused = (error: ErrorName): Response => ({ errorCode: errorCode(error), configResources: [] })

export const listConfigResources = handler<ListConfigResourcesRequest, Response>({
  apiKey: 74,
  versions: [0, 1],
  listeners: ['broker'],
  authorization: [requestRight('DescribeConfigs')],
  fail: (_request, error) => refused(error),
  handle: ({ resourceTypes }, context) => {
    const asked = context.apiVersion === 0 ? [types.clientMetrics] : resourceTypes
    if (asked.some(type => !every.includes(type))) return refused('UNSUPPORTED_VERSION')
    const wanted = asked.length === 0 ? every : every.filter(type => asked.includes(type))
    const configResources = wanted.flatMap(resourceType =>
      [...namesOf(resourceType, context)].map(resourceName => ({ resourceName, resourceType })),
    )
    return { errorCode: 0, configResources }
  },
})
