/**
 * What eligible leader replicas ask of min.insync.replicas: who is eligible follows from it, so all controllers must agree on it. While they
 * are on, it may be set for all brokers and for topics, not for one broker, and whoever changes it makes every eligible replica forgotten.
 * Source: KIP-966; Kafka's ConfigurationControlManager.
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import type { AlterConfigsInput } from './alter-configs.ts'
import { configResource } from './metadata-record.ts'
import type { ConfigRecord, MetadataRecord } from './metadata-record.ts'
import { itemError } from './operation.ts'
import type { ControllerState, ItemError } from './operation.ts'

const feature = 'eligible.leader.replicas.version'
const setting = 'min.insync.replicas'
const allBrokers = ''

/** Why a resource may not have its settings changed like this. */
export function elrSettingError(
  { image }: Pick<ControllerState, 'image'>,
  { resourceType, resourceName }: AlterConfigsInput['resources'][number],
  next: ReadonlyMap<string, string>,
  changed: ReadonlySet<string>,
): ItemError | undefined {
  if (image.feature(feature) < 1 || resourceType !== configResource.broker || !changed.has(setting)) return undefined
  if (resourceName !== allBrokers) {
    return itemError('INVALID_CONFIG', 'Broker-level min.insync.replicas cannot be altered while ELR is enabled.')
  }
  return next.has(setting)
    ? undefined
    : itemError('INVALID_CONFIG', 'Cluster-level min.insync.replicas cannot be removed while ELR is enabled.')
}

/** What follows when these settings are written. */
export function clearElrRecords(
  { image }: Pick<ControllerState, 'image'>,
  records: readonly MetadataRecord[],
): MetadataRecord[] {
  if (image.feature(feature) < 1) return []
  const changes = records.filter(
    (record): record is ConfigRecord => record.type === 'Config' && record.name === setting,
  )
  const ofAll = changes.some(({ resourceType }) => resourceType === configResource.broker)
  if (ofAll) return [{ type: 'ClearElr', topicName: '' }]
  const topics = new Set(changes.map(({ resourceName }) => resourceName))
  return [...topics].map(topicName => ({ type: 'ClearElr', topicName }))
}

function brokerValue(resourceName: string, value: string | null): MetadataRecord {
  return { type: 'Config', resourceType: configResource.broker, resourceName, name: setting, value }
}

/** When eligible leader replicas are turned on: one value for all brokers, which nobody may differ from. */
export function elrSafetyRecords(
  { image, config }: Pick<ControllerState, 'image' | 'config'>,
  update: { readonly feature: string; readonly level: number },
): MetadataRecord[] {
  if (update.feature !== feature || update.level < 1 || image.feature(feature) >= 1) return []
  const isSet = (name: string): boolean => image.config('broker', name).has(setting)
  const own = [...image.brokers.keys()].map(String).filter(isSet)
  const common = isSet(allBrokers) ? [] : [brokerValue(allBrokers, String(config[setting]))]
  return [...common, ...own.map(name => brokerValue(name, null))]
}

/** First records of a cluster: one that begins with eligible leader replicas has the common value from the start, as in Kafka. */
export function withElrSafety(
  bootstrap: readonly MetadataRecord[],
  config: Pick<BrokerConfig, typeof setting>,
): readonly MetadataRecord[] {
  const isOn = bootstrap.some(
    record => record.type === 'FeatureLevel' && record.name === feature && record.featureLevel > 0,
  )
  const isSet = bootstrap.some(
    record =>
      record.type === 'Config' &&
      record.resourceType === configResource.broker &&
      record.resourceName === allBrokers &&
      record.name === setting,
  )
  return isOn && !isSet ? [...bootstrap, brokerValue(allBrokers, String(config[setting]))] : bootstrap
}
