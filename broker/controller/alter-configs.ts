/**
 * IncrementalAlterConfigs v0-1 as an operation: settings of topics, groups, client metrics subscriptions, of one broker, or (name '') of all
 * brokers. Each resource is changed as a whole or not at all.
 * Sources: KIP-339, KIP-226 (dynamic broker settings); messages as Kafka's ConfigAdminManager and ConfigurationControlManager.
 */
import { clientMetricsConfig } from '../config/client-metrics-config.ts'
import { groupConfig } from '../config/group-config.ts'
import type { Table } from '../config/table.ts'
import {
  brokerTable,
  checkBrokerConfig,
  checkClientMetrics,
  checkGroupConfig,
  checkTopicConfig,
  cordonSettingError,
  topicTable,
} from './check-configs.ts'
import { clearElrRecords, elrSettingError } from './elr-settings.ts'
import { configResourceTypeId, configResourceTypeOf } from './image-to-records.ts'
import type { ConfigResourceType } from './image.ts'
import type { MetadataRecord } from './metadata-record.ts'
import { errorFields, itemError, maxRecordsPerUserOperation, refuse } from './operation.ts'
import type { ControllerState, ItemError, Operation } from './operation.ts'
import { invalidTopicName } from './topic-names.ts'

export interface AlterConfigsInput {
  readonly resources: readonly AlterConfigsResource[]
  readonly validateOnly: boolean
  /** By a broker, which has looked at its own settings. */
  readonly isForwarded?: true | undefined
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
const tables: Readonly<Record<ConfigResourceType, Table>> = {
  topic: topicTable,
  broker: brokerTable,
  group: groupConfig,
  'client-metrics': clientMetricsConfig,
}
/** Java's Short.MAX_VALUE. */
const longestValue = 32_767

export const incrementalAlterConfigs: Operation<AlterConfigsInput, AlterConfigsReply> = (state, request) => {
  const keys = request.resources.map(({ resourceType, resourceName }) => `${resourceType}/${resourceName}`)
  const records: MetadataRecord[] = []
  const responses = request.resources.map((resource, index) => {
    const twice = keys.indexOf(keys[index] ?? '') !== keys.lastIndexOf(keys[index] ?? '')
    const altered = twice
      ? itemError('INVALID_REQUEST', 'Each resource must appear at most once.')
      : alterResource(state, resource, request.isForwarded === true)
    const failure = 'error' in altered ? altered : undefined
    if (!('error' in altered)) records.push(...altered)
    const { resourceType, resourceName } = resource
    return { ...errorFields(failure), resourceType, resourceName }
  })
  records.push(...clearElrRecords(state, records))
  if (records.length > maxRecordsPerUserOperation) {
    return refuse('POLICY_VIOLATION', 'Too many settings in one request.')
  }
  return { records: request.validateOnly ? [] : records, reply: { responses } }
}

function alterResource(
  state: ControllerState,
  resource: AlterConfigsResource,
  isForwarded: boolean,
): MetadataRecord[] | ItemError {
  const type = configResourceTypeOf(resource.resourceType)
  if (type === undefined) return itemError('INVALID_REQUEST', `Unknown resource type ${resource.resourceType}`)
  const invalid = requestError(resource.configs) ?? resourceError(state, type, resource.resourceName)
  if (invalid !== undefined) return invalid
  const current = state.image.config(type, resource.resourceName)
  const next = new Map(current)
  const records: MetadataRecord[] = []
  for (const change of resource.configs) {
    const value = valueAfter(type, current, change)
    if (value !== null && typeof value === 'object') return value
    if (value !== null && value.length > longestValue) return tooLong
    if (value === null) next.delete(change.name)
    else next.set(change.name, value)
    // Brokers load files named in their settings again when told the same setting once more.
    if (value === (current.get(change.name) ?? null) && type !== 'broker') continue
    records.push({
      type: 'Config',
      resourceType: configResourceTypeId(type),
      resourceName: resource.resourceName,
      name: change.name,
      value,
    })
  }
  const changed = new Set(resource.configs.map(({ name }) => name))
  const notWithElr = elrSettingError(state, resource, next, changed)
  if (type === 'broker' && changed.has('cordoned.log.dirs')) {
    const notCordoned = cordonSettingError(state, { before: current, after: next, isForwarded })
    if (notCordoned !== undefined) return notCordoned
  }
  return notWithElr ?? checkConfig(state, { type, name: resource.resourceName, settings: next, changed }) ?? records
}

const tooLong = itemError(
  'INVALID_CONFIG',
  `The configuration value cannot be added because it exceeds the maximum value size of ${longestValue} bytes.`,
)

function checkConfig(
  state: ControllerState,
  altered: {
    readonly type: ConfigResourceType
    readonly name: string
    readonly settings: ReadonlyMap<string, string>
    readonly changed: ReadonlySet<string>
  },
): ItemError | undefined {
  switch (altered.type) {
    case 'topic':
      return checkTopicConfig(state, altered.settings)
    case 'broker':
      return checkBrokerConfig(altered.name, altered.settings, altered.changed)
    case 'group':
      return checkGroupConfig(state, altered.settings)
    case 'client-metrics':
      return checkClientMetrics(altered.settings)
  }
}

function requestError(configs: readonly AlterableConfig[]): ItemError | undefined {
  const names = configs.map(({ name }) => name)
  if (new Set(names).size < names.length) return itemError('INVALID_REQUEST', 'Error due to duplicate config keys')
  const nulls = configs.filter(
    ({ configOperation, value }) => configOperation !== alterOperation.delete && value === null,
  )
  if (nulls.length > 0) {
    return itemError('INVALID_REQUEST', `Null value not supported for : ${nulls.map(({ name }) => name).join(', ')}`)
  }
  const unknown = configs.find(({ configOperation }) => configOperation < 0 || configOperation > 3)
  return unknown === undefined
    ? undefined
    : itemError('INVALID_REQUEST', `Unknown operations type ${unknown.configOperation}`)
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
  if (type === 'group') {
    return name === '' ? itemError('INVALID_REQUEST', 'Default group resources are not allowed.') : undefined
  }
  if (type === 'client-metrics') {
    return name === '' ? itemError('INVALID_REQUEST', "Subscription name can't be empty") : undefined
  }
  if (name === '') return undefined
  if (!/^-?\d+$/.test(name)) return itemError('INVALID_REQUEST', 'Unable to parse broker name as a base 10 number.')
  const id = Number(name)
  if (id < 0) return itemError('INVALID_REQUEST', 'Invalid negative broker ID.')
  return image.brokers.has(id) || image.controllers.has(id)
    ? undefined
    : itemError('BROKER_ID_NOT_REGISTERED', `No node with id ${id} found.`)
}

/** What a change makes of one setting; null takes it away. */
export function valueAfter(
  type: ConfigResourceType,
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
