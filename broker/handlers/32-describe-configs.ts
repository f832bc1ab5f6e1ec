/**
 * DescribeConfigs: v1-4. Settings of topics, of this broker, of groups and of client metrics subscriptions, with their sources; log levels.
 *
 * Behavior:
 * - A topic: every topic setting with what it is in the end. A broker: every setting of the table; name '' only what was set for all.
 * - A broker answers for itself only. Secrets have the value null.
 * Versions: v1 sources and synonyms (KIP-226); v3 types and documentation (KIP-569); v4 flexible.
 * Errors: UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, INVALID_REQUEST.
 */
import type { SettingType } from '../config/table.ts'
import * as configs from '../controller/describe-configs.ts'
import { configSource } from '../controller/effective-config.ts'
import { invalidTopicName } from '../controller/topic-names.ts'
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'
import type { DescribeConfigsRequest, describeConfigsResponse } from '../protocol/messages/32-describe-configs.ts'
import type { Input } from '../protocol/schema.ts'
import { configRefusal } from './config-rights.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof describeConfigsResponse>
type Result = Response['results'][number]
type Entry = Result['configs'][number]
type Resource = DescribeConfigsRequest['resources'][number]

/** ConfigType of Kafka's DescribeConfigsResponse. */
const typeIds: Readonly<Record<SettingType, number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
}

/** ConfigResource.Type of Kafka. */
const resourceTypes = { topic: 2, broker: 4, brokerLogger: 8, clientMetrics: 16, group: 32 } as const

interface Failure {
  readonly error: ErrorName
  readonly message: string | null
}

const invalid = (message: string): Failure => ({ error: 'INVALID_REQUEST', message })

function describe(
  resource: Resource,
  { services, config, environment }: RequestContext,
): configs.DescribedConfig[] | Failure {
  const { resourceName: name, configurationKeys: keys } = resource
  const context = { image: services.metadata(), config, nodeId: services.nodeId }
  const wanted = (each: string): boolean => keys === null || keys.length === 0 || keys.includes(each)
  switch (resource.resourceType) {
    case resourceTypes.topic: {
      const illegal = invalidTopicName(name)
      if (illegal !== undefined) return { error: 'INVALID_TOPIC_EXCEPTION', message: illegal }
      if (!context.image.topicsByName.has(name)) return { error: 'UNKNOWN_TOPIC_OR_PARTITION', message: null }
      return configs.describeTopic(context, name, wanted)
    }
    case resourceTypes.broker:
      if (name === '') return configs.describeAllBrokers(context, wanted)
      return wrongBroker(name, context.nodeId, ' or empty string,') ?? configs.describeBroker(context, wanted)
    case resourceTypes.brokerLogger:
      if (name === '') return invalid('Broker id must not be empty')
      return wrongBroker(name, context.nodeId, '') ?? configs.describeLoggers(environment.log.levels?.all(), wanted)
    case resourceTypes.clientMetrics:
      if (name === '') return invalid('Client metrics subscription name must not be empty')
      return configs.describeClientMetrics(context, name, wanted)
    case resourceTypes.group:
      return name === '' ? invalid('Group name must not be empty') : configs.describeGroup(context, name, wanted)
    default:
      return invalid(`Unsupported resource type: ${resource.resourceType}`)
  }
}

function wrongBroker(name: string, nodeId: number, or: string): Failure | undefined {
  if (!/^[+-]?\d+$/.test(name)) return invalid(`Broker id must be an integer, but it is: ${name}`)
  if (Number(name) === nodeId) return undefined
  return invalid(`Unexpected broker id, expected ${nodeId}${or} but received ${name}`)
}

function entryOf(described: configs.DescribedConfig, request: DescribeConfigsRequest): Entry {
  const { name, value, readOnly, source, isSensitive, synonyms, definition } = described
  return {
    name,
    value,
    readOnly,
    configSource: source,
    isSensitive,
    synonyms: request.includeSynonyms ? [...synonyms] : [],
    configType: definition === undefined ? configSource.unknown : typeIds[definition.type],
    documentation: request.includeDocumentation ? (definition?.doc ?? null) : null,
  }
}

function failed({ resourceType, resourceName }: Resource, { error, message }: Failure): Result {
  return { errorCode: errorCode(error), errorMessage: message, resourceType, resourceName, configs: [] }
}

function resultOf(resource: Resource, request: DescribeConfigsRequest, context: RequestContext): Result {
  const described = describe(resource, context)
  if (!Array.isArray(described)) return failed(resource, described)
  const { resourceType, resourceName } = resource
  const entries = described.map(each => entryOf(each, request))
  return { errorCode: 0, errorMessage: null, resourceType, resourceName, configs: entries }
}

export const describeConfigs = handler<DescribeConfigsRequest, Response>({
  apiKey: 32,
  versions: [1, 4],
  listeners: ['broker', 'controller'],
  authorization: [
    right('DescribeConfigs', 'Topic'),
    right('DescribeConfigs', 'Cluster'),
    right('DescribeConfigs', 'Group'),
  ],
  fail: ({ resources }, error, message) => ({
    results: resources.map(resource => failed(resource, { error, message })),
  }),
  handle: (request, context) => ({
    results: request.resources.map(resource => {
      const error = configRefusal(context, 'DescribeConfigs', resource)
      return error === undefined
        ? resultOf(resource, request, context)
        : failed(resource, { error, message: errorMessage(error) })
    }),
  }),
})
