/**
 * DescribeConfigs: v1-4. Settings of topics and of this broker with their sources.
 *
 * Behavior:
 * - A topic: every topic setting with what it is in the end. A broker: every setting of the table; name '' only what was set for all.
 * - A broker answers for itself only. Secrets have the value null.
 * Versions: v1 sources and synonyms (KIP-226); v3 types and documentation (KIP-569); v4 flexible.
 * Errors: UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, INVALID_REQUEST.
 * Not implemented: log levels, client metrics and group settings (INVALID_REQUEST).
 */
import { brokerConfig } from '../config/broker-config.ts'
import type { Setting, SettingType } from '../config/table.ts'
import { topicConfig, type TopicConfigName } from '../config/topic-config.ts'
import { brokerSynonyms, configSource, topicSynonyms } from '../controller/effective-config.ts'
import type { ConfigContext, Synonym } from '../controller/effective-config.ts'
import { configResourceTypeOf } from '../controller/image-to-records.ts'
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
  password: 9,
}

interface Described {
  readonly name: string
  readonly definition: Setting<unknown> | undefined
  readonly synonyms: readonly Synonym[]
  readonly readOnly: boolean
}

function entryOf({ name, definition, synonyms, readOnly }: Described, request: DescribeConfigsRequest): Entry {
  const isSensitive = definition?.sensitive === true
  // A setting that Kafka leaves null is an empty text in the table.
  const shown = (value: string) => (isSensitive || (value === '' && definition?.type === 'string') ? null : value)
  const [effective] = synonyms
  return {
    name,
    value: shown(effective?.value ?? ''),
    readOnly,
    configSource: effective?.source ?? configSource.unknown,
    isSensitive,
    synonyms: request.includeSynonyms ? synonyms.map(synonym => ({ ...synonym, value: shown(synonym.value) })) : [],
    configType: definition === undefined ? 0 : typeIds[definition.type],
    documentation: request.includeDocumentation ? (definition?.doc ?? null) : null,
  }
}

function topicSettings(context: ConfigContext, topic: string): Described[] {
  const overrides = context.image.config('topic', topic)
  return (Object.keys(topicConfig) as TopicConfigName[]).map(name => ({
    name,
    definition: topicConfig[name] as Setting<unknown>,
    synonyms: topicSynonyms(context, overrides, name),
    readOnly: false,
  }))
}

const brokerTable: Readonly<Record<string, Setting<unknown>>> = brokerConfig

function brokerSettings(context: ConfigContext): Described[] {
  const own = context.image.config('broker', String(context.nodeId))
  const strangers = [...own].filter(([name]) => brokerTable[name] === undefined)
  return [
    ...Object.entries(brokerTable).map(([name, definition]) => ({
      name,
      definition,
      synonyms: brokerSynonyms(context, name, definition),
      readOnly: definition.update === 'read-only',
    })),
    ...strangers.map(([name, value]) => stranger(name, value, configSource.dynamicBroker)),
  ]
}

/** What was set for all brokers, and nothing else. */
function defaultBrokerSettings(context: ConfigContext): Described[] {
  return [...context.image.config('broker', '')].map(([name, value]) => ({
    ...stranger(name, value, configSource.dynamicDefaultBroker),
    definition: brokerTable[name],
  }))
}

function stranger(name: string, value: string, source: number): Described {
  return { name, definition: undefined, synonyms: [{ name, value, source }], readOnly: false }
}

function describe(context: ConfigContext, { resourceType, resourceName }: Resource): Described[] | Failure {
  const { image, nodeId } = context
  const type = configResourceTypeOf(resourceType)
  if (type === 'topic') {
    const invalid = invalidTopicName(resourceName)
    if (invalid !== undefined) return { error: 'INVALID_TOPIC_EXCEPTION', message: invalid }
    if (!image.topicsByName.has(resourceName)) return { error: 'UNKNOWN_TOPIC_OR_PARTITION', message: null }
    return topicSettings(context, resourceName)
  }
  if (type === 'broker') {
    if (resourceName === '') return defaultBrokerSettings(context)
    if (resourceName === String(nodeId)) return brokerSettings(context)
    const message = `Unexpected broker id, expected ${nodeId} or empty string, but received ${resourceName}`
    return { error: 'INVALID_REQUEST', message }
  }
  return { error: 'INVALID_REQUEST', message: `Unsupported resource type: ${resourceType}` }
}

interface Failure {
  readonly error: ErrorName
  readonly message: string | null
}

function failed({ resourceType, resourceName }: Resource, { error, message }: Failure): Result {
  return { errorCode: errorCode(error), errorMessage: message, resourceType, resourceName, configs: [] }
}

function resultOf(resource: Resource, request: DescribeConfigsRequest, { services, config }: RequestContext): Result {
  const described = describe({ image: services.metadata(), config, nodeId: services.nodeId }, resource)
  if (!Array.isArray(described)) return failed(resource, described)
  const keys = resource.configurationKeys
  const wanted = keys === null || keys.length === 0 ? described : described.filter(({ name }) => keys.includes(name))
  return {
    errorCode: 0,
    errorMessage: null,
    resourceType: resource.resourceType,
    resourceName: resource.resourceName,
    configs: wanted.map(setting => entryOf(setting, request)),
  }
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
