/**
 * The value a setting has in the end, and where it comes from: the resource's own, then dynamic settings of this broker, then those of all
 * brokers, then server.properties, then the default. Source: KIP-226, KIP-524 (synonyms); order and names as Kafka's ConfigHelper.
 */
import { brokerConfig, givenSettings, type BrokerConfig } from '../config/broker-config.ts'
import { brokerSynonymNames } from '../config/synonyms.ts'
import type { Setting, Table } from '../config/table.ts'
import { topicConfig, topicDefault, type TopicConfig, type TopicConfigName } from '../config/topic-config.ts'
import type { MetadataImage } from './image.ts'

/** Kafka's ConfigSource ids. */
export const configSource = {
  unknown: 0,
  dynamicTopic: 1,
  dynamicBroker: 2,
  dynamicDefaultBroker: 3,
  staticBroker: 4,
  default: 5,
  dynamicBrokerLogger: 6,
  dynamicClientMetrics: 7,
  dynamicGroup: 8,
} as const

export interface ConfigContext {
  readonly image: MetadataImage
  /** As server.properties gave it. */
  readonly config: BrokerConfig
  readonly nodeId: number
}

export interface Synonym {
  readonly name: string
  readonly value: string
  readonly source: number
}

const brokerTable: Table = brokerConfig

/** Effective value of a topic setting. */
export function topicSetting<K extends TopicConfigName>(
  context: ConfigContext,
  topic: string,
  name: K,
): TopicConfig[K] {
  return effectiveTopicValue(context, context.image.config('topic', topic), name)
}

export function effectiveTopicValue<K extends TopicConfigName>(
  context: ConfigContext,
  overrides: ReadonlyMap<string, string>,
  name: K,
): TopicConfig[K] {
  const definition = topicConfig[name] as unknown as Setting<TopicConfig[K]>
  const override = overrides.get(name)
  if (override !== undefined) return definition.parse(override)
  const { brokerName } = definition
  if (brokerName !== undefined) {
    const dynamic = dynamicBrokerText(context, brokerName)
    if (dynamic !== undefined) return definition.parse(dynamic)
  }
  return topicDefault(name, context.config)
}

/** What was altered at run time, for this broker or else for all; undefined when nothing was. */
function dynamicBrokerText({ image, nodeId }: ConfigContext, name: string): string | undefined {
  return image.config('broker', String(nodeId)).get(name) ?? image.config('broker', '').get(name)
}

/** All values of a topic setting by falling precedence. The first one is the source; empty when not even a default has its name. */
export function topicSynonyms(
  context: ConfigContext,
  overrides: ReadonlyMap<string, string>,
  name: TopicConfigName,
): Synonym[] {
  const { brokerName } = topicConfig[name] as Setting<unknown>
  const override = overrides.get(name)
  const own = override === undefined ? [] : [{ name, value: override, source: configSource.dynamicTopic }]
  return brokerName === undefined ? own : [...own, ...brokerSynonyms(context, brokerName)]
}

/** All values of a broker setting by falling precedence, as Kafka lists them: only from the first one that has the name itself. */
export function brokerSynonyms(context: ConfigContext, name: string): Synonym[] {
  const { image, nodeId, config } = context
  const given = config[givenSettings]
  const names = brokerSynonymNames(name)
  const layers: readonly [number, (each: string) => string | null | undefined][] = [
    [configSource.dynamicBroker, each => image.config('broker', String(nodeId)).get(each)],
    [configSource.dynamicDefaultBroker, each => image.config('broker', '').get(each)],
    [configSource.staticBroker, each => given?.get(each) ?? given?.get(twins[each] ?? each)],
    [configSource.default, each => brokerTable[each]?.defaultText],
  ]
  const synonyms: Synonym[] = []
  for (const [source, valueOf] of layers) {
    for (const each of names) {
      const value = valueOf(each)
      if (value !== null && value !== undefined) synonyms.push({ name: each, value, source })
    }
  }
  const first = synonyms.findIndex(synonym => synonym.name === name)
  return first < 0 ? [] : synonyms.slice(first)
}

/** Two names of one setting: whoever gives one gives the other too. */
const twins: Readonly<Record<string, string>> = { 'broker.id': 'node.id', 'node.id': 'broker.id' }

/** Source of a topic setting in the answer to CreateTopics, which looks at other units of the same setting too (KIP-525). */
export function topicSource(
  context: ConfigContext,
  overrides: ReadonlyMap<string, string>,
  name: TopicConfigName,
): number {
  if (overrides.has(name)) return configSource.dynamicTopic
  const { brokerName } = topicConfig[name] as Setting<unknown>
  const names = brokerName === undefined ? [] : brokerSynonymNames(brokerName)
  const { image, nodeId, config } = context
  if (names.some(each => image.config('broker', String(nodeId)).has(each))) return configSource.dynamicBroker
  if (names.some(each => image.config('broker', '').has(each))) return configSource.dynamicDefaultBroker
  return names.some(each => config[givenSettings]?.has(each)) ? configSource.staticBroker : configSource.default
}
