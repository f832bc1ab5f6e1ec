/**
 * The value a setting has in the end, and where it comes from: topic override, then dynamic settings of this broker, then those of all
 * brokers, then server.properties, then the default. Source: KIP-226, KIP-524 (synonyms).
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import { topicConfig, type TopicConfig, type TopicConfigName } from '../config/topic-config.ts'
import type { Setting } from '../config/table.ts'
import type { MetadataImage } from './image.ts'

/** Kafka's ConfigSource ids. */
export const configSource = {
  unknown: 0,
  dynamicTopic: 1,
  dynamicBroker: 2,
  dynamicDefaultBroker: 3,
  staticBroker: 4,
  default: 5,
} as const

export interface ConfigContext {
  readonly image: MetadataImage
  readonly config: BrokerConfig
  readonly nodeId: number
}

export interface Synonym {
  readonly name: string
  readonly value: string
  readonly source: number
}

/** Effective value of a topic setting. */
export function topicSetting<K extends TopicConfigName>(
  context: ConfigContext,
  topic: string,
  name: K,
): TopicConfig[K] {
  const definition = topicConfig[name] as unknown as Setting<TopicConfig[K]>
  const synonyms = topicSynonyms(context, context.image.config('topic', topic), name)
  return definition.parse(synonyms[0]!.value)
}

/** All values of a topic setting by falling precedence; the first one counts. Never empty. */
export function topicSynonyms(
  context: ConfigContext,
  overrides: ReadonlyMap<string, string>,
  name: TopicConfigName,
): Synonym[] {
  const definition = topicConfig[name] as Setting<unknown>
  const override = overrides.get(name)
  const own = override === undefined ? [] : [{ name, value: override, source: configSource.dynamicTopic }]
  const { brokerName } = definition
  const inherited = brokerName === undefined ? [] : brokerSynonyms(context, brokerName, definition)
  if (inherited.length > 0) return [...own, ...inherited]
  return [...own, { name, value: definition.format(definition.defaultValue), source: configSource.default }]
}

/** All values of a broker setting by falling precedence. Empty for a name the configuration does not have. */
export function brokerSynonyms(context: ConfigContext, name: string, definition: Setting<unknown>): Synonym[] {
  const given = (context.config as Readonly<Record<string, unknown>>)[name]
  if (given === undefined) return []
  const synonyms: Synonym[] = []
  const perBroker = context.image.config('broker', String(context.nodeId)).get(name)
  if (perBroker !== undefined) synonyms.push({ name, value: perBroker, source: configSource.dynamicBroker })
  const forAll = context.image.config('broker', '').get(name)
  if (forAll !== undefined) synonyms.push({ name, value: forAll, source: configSource.dynamicDefaultBroker })
  const value = definition.format(given)
  const defaultValue = definition.format(definition.defaultValue)
  if (value !== defaultValue) synonyms.push({ name, value, source: configSource.staticBroker })
  synonyms.push({ name, value: defaultValue, source: configSource.default })
  return synonyms
}
