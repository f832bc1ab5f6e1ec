/**
 * Why settings are not possible for a resource, all of them together. Unknown settings of topics, groups and client metrics are refused;
 * unknown ones of brokers are kept, since plug-ins may have some.
 * Sources: Kafka's ControllerConfigurationValidator, LogConfig, DynamicBrokerConfig, GroupConfig, ClientMetricsConfigs; messages as there.
 */
import { brokerConfig } from '../config/broker-config.ts'
import { clientMetricsConfig } from '../config/client-metrics-config.ts'
import { parseMatch } from '../config/client-match.ts'
import { groupConfig, resolveGroupConfig, type GroupConfigName } from '../config/group-config.ts'
import { generalName } from '../config/synonyms.ts'
import { ConfigError, parseSetting, type Setting, type Table } from '../config/table.ts'
import { topicConfig } from '../config/topic-config.ts'
import { effectiveTopicValue } from './effective-config.ts'
import { metadataVersionOf } from './features.ts'
import { itemError } from './operation.ts'
import type { ControllerState, ItemError } from './operation.ts'

type Settings = ReadonlyMap<string, string>

export const topicTable: Table = topicConfig
export const brokerTable: Table = brokerConfig

export function checkTopicConfig(state: ControllerState, overrides: Settings): ItemError | undefined {
  const unknown = [...overrides.keys()].find(name => topicTable[name] === undefined)
  if (unknown !== undefined) return itemError('INVALID_CONFIG', `Unknown topic config name: ${unknown}`)
  const invalid = firstInvalid(topicTable, overrides)
  if (invalid !== undefined) return itemError('INVALID_CONFIG', invalid)
  const shortest = effectiveTopicValue(state, overrides, 'min.compaction.lag.ms')
  const longest = effectiveTopicValue(state, overrides, 'max.compaction.lag.ms')
  if (shortest > longest) {
    const conflict = `min.compaction.lag.ms (${shortest}) > max.compaction.lag.ms (${longest})`
    return itemError('INVALID_CONFIG', `conflict topic config setting ${conflict}`)
  }
  if (effectiveTopicValue(state, overrides, 'remote.storage.enable')) {
    return itemError(
      'INVALID_CONFIG',
      'Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.',
    )
  }
  return undefined
}

/** @param changed  only these: what was set before is there to stay */
export function checkBrokerConfig(
  resourceName: string,
  settings: Settings,
  changed: ReadonlySet<string>,
): ItemError | undefined {
  const names = [...changed]
  const named = (some: readonly string[]) => `[${some.join(', ')}]`
  const fixed = names.filter(name => brokerTable[name]?.update === 'read-only')
  if (fixed.length > 0) return itemError('INVALID_REQUEST', `Cannot update these configs dynamically: ${named(fixed)}`)
  const bare = names.filter(name => name.startsWith('ssl.') && brokerTable[name]?.update === 'per-broker')
  if (bare.length > 0) {
    const message = 'These security configs can be dynamically updated only per-listener using the listener prefix'
    return itemError('INVALID_REQUEST', `${message}: ${named(bare)}`)
  }
  for (const name of names) {
    const text = settings.get(name)
    const definition = brokerTable[name] ?? brokerTable[generalName(name) ?? name]
    const invalid = text === undefined || definition === undefined ? undefined : parseError(name, definition, text)
    if (invalid !== undefined) return itemError('INVALID_REQUEST', invalid)
  }
  if (resourceName !== '') return undefined
  const perBroker = names.filter(name => isPerBroker(name))
  if (perBroker.length === 0) return undefined
  const message = 'Cannot update these configs at default cluster level, broker id must be specified'
  return itemError('INVALID_REQUEST', `${message}: ${named(perBroker)}`)
}

/**
 * Cordoning needs its metadata.version; and through a controller, which does not know the directories of the broker, it can only be taken
 * back (KIP-1066).
 */
export function cordonSettingError(
  { image }: ControllerState,
  settings: { readonly before: Settings; readonly after: Settings; readonly isForwarded: boolean },
): ItemError | undefined {
  const name = 'cordoned.log.dirs'
  if (image.metadataVersion() < metadataVersionOf.cordonedDirectories) {
    const needed = 'it requires metadata.version >= 4.3-IV0'
    return itemError('INVALID_CONFIG', `The ${name} configuration value cannot be set because ${needed}`)
  }
  const parts = (text: string | undefined) => (text ?? '').split(',').flatMap(part => part.trim() || [])
  const before = parts(settings.before.get(name))
  const isLess = before.includes('*') || parts(settings.after.get(name)).every(part => before.includes(part))
  if (settings.isForwarded || isLess) return undefined
  const message = `When updating ${name} via controllers,  the new value must be a subset of the current configuration value.`
  return itemError('INVALID_CONFIG', message)
}

const clusterLevelOfListeners = new Set(['max.connections', 'max.connection.creation.rate', 'num.network.threads'])

function isPerBroker(name: string): boolean {
  const general = generalName(name)
  if (general !== undefined) return !clusterLevelOfListeners.has(general)
  return brokerTable[name]?.update === 'per-broker'
}

export function checkGroupConfig(state: ControllerState, settings: Settings): ItemError | undefined {
  const unknown = [...settings.keys()].find(name => !(name in groupConfig))
  if (unknown !== undefined) return itemError('INVALID_CONFIG', `Unknown group config name: ${unknown}`)
  const invalid = firstInvalid(groupConfig, settings)
  if (invalid !== undefined) return itemError('INVALID_CONFIG', invalid)
  const values = resolveGroupConfig(settings, state.config)
  for (const [name, bound, broker] of groupBounds) {
    const value = values[name]
    const limit = state.config[broker]
    // What nobody asks for is the broker's own, whatever its bounds.
    if (name.endsWith('assignment.interval.ms') && !settings.has(name)) continue
    if (bound === 'min' ? value >= limit : value <= limit) continue
    const relation = bound === 'min' ? 'greater than or equal to' : 'less than or equal to'
    return itemError('INVALID_CONFIG', `${name} must be ${relation} ${broker}`)
  }
  for (const kind of ['consumer', 'share', 'streams'] as const) {
    if (values[`${kind}.session.timeout.ms`] > values[`${kind}.heartbeat.interval.ms`]) continue
    const names = `${kind}.session.timeout.ms must be greater than ${kind}.heartbeat.interval.ms`
    return itemError('INVALID_CONFIG', names)
  }
  return undefined
}

const groupBounds = [
  ['consumer.heartbeat.interval.ms', 'min', 'group.consumer.min.heartbeat.interval.ms'],
  ['consumer.heartbeat.interval.ms', 'max', 'group.consumer.max.heartbeat.interval.ms'],
  ['consumer.session.timeout.ms', 'min', 'group.consumer.min.session.timeout.ms'],
  ['consumer.session.timeout.ms', 'max', 'group.consumer.max.session.timeout.ms'],
  ['consumer.assignment.interval.ms', 'min', 'group.consumer.min.assignment.interval.ms'],
  ['consumer.assignment.interval.ms', 'max', 'group.consumer.max.assignment.interval.ms'],
  ['share.heartbeat.interval.ms', 'min', 'group.share.min.heartbeat.interval.ms'],
  ['share.heartbeat.interval.ms', 'max', 'group.share.max.heartbeat.interval.ms'],
  ['share.session.timeout.ms', 'min', 'group.share.min.session.timeout.ms'],
  ['share.session.timeout.ms', 'max', 'group.share.max.session.timeout.ms'],
  ['share.record.lock.duration.ms', 'min', 'group.share.min.record.lock.duration.ms'],
  ['share.record.lock.duration.ms', 'max', 'group.share.max.record.lock.duration.ms'],
  ['share.delivery.count.limit', 'min', 'group.share.min.delivery.count.limit'],
  ['share.delivery.count.limit', 'max', 'group.share.max.delivery.count.limit'],
  ['share.partition.max.record.locks', 'min', 'group.share.min.partition.max.record.locks'],
  ['share.partition.max.record.locks', 'max', 'group.share.max.partition.max.record.locks'],
  ['share.assignment.interval.ms', 'min', 'group.share.min.assignment.interval.ms'],
  ['share.assignment.interval.ms', 'max', 'group.share.max.assignment.interval.ms'],
  ['streams.heartbeat.interval.ms', 'min', 'group.streams.min.heartbeat.interval.ms'],
  ['streams.heartbeat.interval.ms', 'max', 'group.streams.max.heartbeat.interval.ms'],
  ['streams.session.timeout.ms', 'min', 'group.streams.min.session.timeout.ms'],
  ['streams.session.timeout.ms', 'max', 'group.streams.max.session.timeout.ms'],
  ['streams.num.standby.replicas', 'max', 'group.streams.max.standby.replicas'],
  ['streams.assignment.interval.ms', 'min', 'group.streams.min.assignment.interval.ms'],
  ['streams.assignment.interval.ms', 'max', 'group.streams.max.assignment.interval.ms'],
] as const satisfies readonly (readonly [GroupConfigName, 'min' | 'max', keyof typeof brokerConfig])[]

/** Kafka's bounds of interval.ms. */
const pushInterval = { min: 100, max: 3_600_000 } as const

export function checkClientMetrics(settings: Settings): ItemError | undefined {
  const unknown = [...settings.keys()].find(name => !(name in clientMetricsConfig))
  if (unknown !== undefined) return itemError('INVALID_REQUEST', `Unknown client metrics configuration: ${unknown}`)
  const invalid = firstInvalid(clientMetricsConfig, settings)
  if (invalid !== undefined) return itemError('INVALID_CONFIG', invalid)
  const interval = Number(settings.get('interval.ms') ?? pushInterval.max)
  if (interval < pushInterval.min || interval > pushInterval.max) {
    const message = `Invalid value ${interval} for interval.ms, interval must be between 100 and 3600000 (1 hour)`
    return itemError('INVALID_REQUEST', message)
  }
  const match = parseMatch(clientMetricsConfig.match.parse(settings.get('match') ?? ''))
  return 'illegal' in match
    ? itemError('INVALID_CONFIG', `Illegal client matching pattern: ${match.illegal}`)
    : undefined
}

function firstInvalid(table: Table, settings: Settings): string | undefined {
  for (const [name, text] of settings) {
    const definition = table[name]
    const invalid = definition === undefined ? undefined : parseError(name, definition, text)
    if (invalid !== undefined) return invalid
  }
  return undefined
}

function parseError(name: string, definition: Setting<unknown>, text: string): string | undefined {
  try {
    parseSetting(name, definition, text)
    return undefined
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message
  }
}
