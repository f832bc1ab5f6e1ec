/**
 * IncrementalAlterConfigs v0-1 as an operation: settings of topics, of one broker, or (name '') of all brokers. Each resource is changed as
 * a whole or not at all. Unknown topic settings are refused; unknown broker settings are kept, since plug-ins may have some.
 * Sources: KIP-339, KIP-226 (dynamic broker settings); messages as Kafka's ConfigAdminManager and ControllerConfigurationValidator.
 */
import { brokerConfig } from '../config/broker-config.ts'
import { ConfigError, parseSetting, type Setting } from '../config/table.ts'
import { topicConfig } from '../config/topic-config.ts'
import { effectiveTopicValue } from './effective-config.ts'
import { configResourceTypeId, configResourceTypeOf } from './image-to-records.ts'
import type { ConfigResourceType } from './image.ts'
import type { MetadataRecord } from './metadata-record.ts'
import { errorFields, itemError, maxRecordsPerUserOperation, refuse } from './operation.ts'
import type { ControllerState, ItemError, Operation } from './operation.ts'
import { invalidTopicName } from './topic-names.ts'

export interface AlterConfigsInput {
  readonly resources: readonly AlterConfigsResource[]
  readonly validateOnly: boolean
}

interface AlterConfigsResource {
  readonly resourceType: number
  readonly resourceName: string
  readonly configs: readonly AlterableConfig[]
}

interface AlterableConfig {
  readonly name: string
  /** 0 set, 1 delete, 2 append, 3 subtract. */
  readonly configOperation: number
  readonly value: string | null
}

export interface AlterConfigsReply {
  readonly responses: readonly {
    readonly errorCode: number
    readonly errorMessage: string | null
    readonly resourceType: number
    readonly resourceName: string
  }[]
}

export const alterOperation = { set: 0, delete: 1, append: 2, subtract: 3 } as const
type Settings = Readonly<Record<string, Setting<unknown> | undefined>>
const tables: Readonly<Record<'topic' | 'broker', Settings>> = { topic: topicConfig, broker: brokerConfig }

export const incrementalAlterConfigs: Operation<AlterConfigsInput, AlterConfigsReply> = (state, request) => {
  const keys = request.resources.map(({ resourceType, resourceName }) => `${resourceType}/${resourceName}`)
  const records: MetadataRecord[] = []
  const responses = request.resources.map((resource, index) => {
    const twice = keys.indexOf(keys[index] ?? '') !== keys.lastIndexOf(keys[index] ?? '')
    const altered = twice
      ? itemError('INVALID_REQUEST', 'Each resource must appear at most once.')
      : alterResource(state, resource)
    const failure = 'error' in altered ? altered : undefined
    if (!('error' in altered)) records.push(...altered)
    const { resourceType, resourceName } = resource
    return { ...errorFields(failure), resourceType, resourceName }
  })
  if (records.length > maxRecordsPerUserOperation) {
    return refuse('POLICY_VIOLATION', 'Too many settings in one request.')
  }
  return { records: request.validateOnly ? [] : records, reply: { responses } }
}

function alterResource(state: ControllerState, resource: AlterConfigsResource): MetadataRecord[] | ItemError {
  const type = configResourceTypeOf(resource.resourceType)
  if (type !== 'topic' && type !== 'broker') {
    return itemError(
      'INVALID_REQUEST',
      `Unexpected resource type ${resource.resourceType}: only topics and brokers have settings here.`,
    )
  }
  const invalid = requestError(resource.configs) ?? resourceError(state, type, resource.resourceName)
  if (invalid !== undefined) return invalid
  const current = state.image.config(type, resource.resourceName)
  const next = new Map(current)
  const records: MetadataRecord[] = []
  for (const change of resource.configs) {
    const value = valueAfter(type, current, change)
    if (value !== null && typeof value === 'object') return value
    if (value === null) next.delete(change.name)
    else next.set(change.name, value)
    // Brokers load files named in their settings again when told the same setting once more.
    if (value === (current.get(change.name) ?? null) && type === 'topic') continue
    records.push({
      type: 'Config',
      resourceType: configResourceTypeId(type),
      resourceName: resource.resourceName,
      name: change.name,
      value,
    })
  }
  const changed = new Set(resource.configs.map(({ name }) => name))
  const refused =
    type === 'topic' ? checkTopicConfig(state, next) : checkBrokerConfig(resource.resourceName, next, changed)
  return refused ?? records
}

function requestError(configs: readonly AlterableConfig[]): ItemError | undefined {
  const names = configs.map(({ name }) => name)
  const duplicates = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))]
  if (duplicates.length > 0) {
    return itemError('INVALID_REQUEST', `Error due to duplicate config keys: ${duplicates.join(',')}`)
  }
  const nulls = configs.filter(
    ({ configOperation, value }) => configOperation !== alterOperation.delete && value === null,
  )
  if (nulls.length > 0) {
    return itemError('INVALID_REQUEST', `Null value not supported for : ${nulls.map(({ name }) => name).join(',')}`)
  }
  const unknown = configs.find(({ configOperation }) => configOperation < 0 || configOperation > 3)
  return unknown === undefined
    ? undefined
    : itemError('INVALID_REQUEST', `Unknown operation type ${unknown.configOperation} for ${unknown.name}.`)
}

function resourceError({ image }: ControllerState, type: ConfigResourceType, name: string): ItemError | undefined {
  if (type === 'topic') {
    const invalid = name === '' ? 'Default topic resources are not allowed.' : invalidTopicName(name)
    if (invalid !== undefined) {
      return itemError(name === '' ? 'INVALID_REQUEST' : 'INVALID_TOPIC_EXCEPTION', invalid)
    }
    return image.topicsByName.has(name)
      ? undefined
      : itemError('UNKNOWN_TOPIC_OR_PARTITION', `The topic '${name}' does not exist.`)
  }
  if (name === '') return undefined
  if (!/^-?\d+$/.test(name)) return itemError('INVALID_REQUEST', 'Unable to parse broker name as a base 10 number.')
  const id = Number(name)
  if (id < 0) return itemError('INVALID_REQUEST', 'Invalid negative broker ID.')
  return image.brokers.has(id) || image.controllers.has(id)
    ? undefined
    : itemError('BROKER_ID_NOT_REGISTERED', `No node with id ${id} found.`)
}

function valueAfter(
  type: 'topic' | 'broker',
  current: ReadonlyMap<string, string>,
  { name, configOperation, value }: AlterableConfig,
): string | null | ItemError {
  if (configOperation === alterOperation.delete || value === null) return null
  if (configOperation === alterOperation.set) return value
  const definition = tables[type][name]
  if (definition?.type !== 'list') {
    const verb = configOperation === alterOperation.append ? 'APPEND' : 'SUBTRACT'
    return itemError('INVALID_CONFIG', `Can't ${verb} to key ${name} because its type is not LIST.`)
  }
  // Kafka begins with the default of the table, whatever the brokers have.
  const parts = (current.get(name) ?? definition.defaultText ?? '').split(',').filter(part => part !== '')
  const given = value.split(',').filter(part => part !== '')
  return configOperation === alterOperation.append
    ? [...parts, ...given.filter((part, index) => !parts.includes(part) && given.indexOf(part) === index)].join(',')
    : parts.filter(part => !given.includes(part)).join(',')
}

/** Why these settings, all together, are not possible for a topic. */
export function checkTopicConfig(
  state: ControllerState,
  overrides: ReadonlyMap<string, string>,
): ItemError | undefined {
  for (const [name, text] of overrides) {
    const definition = tables.topic[name]
    if (definition === undefined) return itemError('INVALID_CONFIG', `Unknown topic config name: ${name}`)
    const invalid = parseError(name, definition, text)
    if (invalid !== undefined) return invalid
  }
  if (overrides.get('remote.storage.enable')?.trim().toLowerCase() === 'true') {
    return itemError(
      'INVALID_CONFIG',
      'Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.',
    )
  }
  const lag = (name: 'min.compaction.lag.ms' | 'max.compaction.lag.ms') => effectiveTopicValue(state, overrides, name)
  if (lag('max.compaction.lag.ms') < lag('min.compaction.lag.ms')) {
    return itemError(
      'INVALID_CONFIG',
      `conflict topic config setting min.compaction.lag.ms (${lag('min.compaction.lag.ms')}) > max.compaction.lag.ms (${lag('max.compaction.lag.ms')})`,
    )
  }
  return undefined
}

function checkBrokerConfig(
  resourceName: string,
  settings: ReadonlyMap<string, string>,
  changed: ReadonlySet<string>,
): ItemError | undefined {
  const known = [...changed].map(name => [name, tables.broker[name]] as const)
  const fixed = known.filter(([, definition]) => definition?.update === 'read-only').map(([name]) => name)
  if (fixed.length > 0) {
    return itemError('INVALID_REQUEST', `Cannot update these configs dynamically: Set(${fixed.join(', ')})`)
  }
  const perBroker = known.filter(([, definition]) => definition?.update === 'per-broker').map(([name]) => name)
  if (resourceName === '' && perBroker.length > 0) {
    return itemError(
      'INVALID_REQUEST',
      `Cannot update these configs at default cluster level, broker id must be specified: Set(${perBroker.join(', ')})`,
    )
  }
  for (const [name, definition] of known) {
    const text = settings.get(name)
    const invalid = definition === undefined || text === undefined ? undefined : parseError(name, definition, text)
    if (invalid !== undefined) return invalid
  }
  return undefined
}

function parseError(name: string, definition: Setting<unknown>, text: string): ItemError | undefined {
  try {
    parseSetting(name, definition, text)
    return undefined
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return itemError('INVALID_CONFIG', error.message)
  }
}
