/**
 * The settings of a resource as DescribeConfigs tells them: value, source, synonyms, type, whether it can be changed at run time. What is
 * secret, and what nobody knows, has no value.
 * Sources: KIP-133, KIP-226, KIP-569, KIP-714 (client metrics), KIP-848 (groups); as Kafka's ConfigHelper.
 */
import { brokerConfig, givenSettings } from '../config/broker-config.ts'
import { extensionSettings } from '../config/settings/extensions.ts'
import { internalSettings } from '../config/settings/internal.ts'
import { clientMetricsConfig } from '../config/client-metrics-config.ts'
import { groupConfig } from '../config/group-config.ts'
import { generalName } from '../config/synonyms.ts'
import type { Setting, Table } from '../config/table.ts'
import { topicConfig, type TopicConfigName } from '../config/topic-config.ts'
import { brokerSynonyms, configSource, effectiveTopicValue, topicSynonyms } from './effective-config.ts'
import type { ConfigContext, Synonym } from './effective-config.ts'

export interface DescribedConfig {
  readonly name: string
  /** Null: not set, or secret. */
  readonly value: string | null
  /** Undefined for a name that is in no table. */
  readonly definition: Setting<unknown> | undefined
  readonly readOnly: boolean
  readonly isSensitive: boolean
  readonly source: number
  readonly synonyms: readonly { readonly name: string; readonly value: string | null; readonly source: number }[]
}

type Wanted = (name: string) => boolean

const brokerTable: Table = brokerConfig
/** What Kafka describes whether or not it is set. */
const listed: ReadonlySet<string> = new Set(
  Object.keys(brokerConfig).filter(name => !(name in extensionSettings) && !(name in internalSettings)),
)

export function describeTopic(context: ConfigContext, topic: string, wanted: Wanted): DescribedConfig[] {
  const overrides = context.image.config('topic', topic)
  return (Object.keys(topicConfig) as TopicConfigName[]).filter(wanted).map(name => {
    const definition = topicConfig[name] as Setting<unknown>
    const value = definition.format(effectiveTopicValue(context, overrides, name))
    // Of the topic itself Kafka shows the value as it understood it.
    const synonyms = topicSynonyms(context, overrides, name).map(each =>
      each.source === configSource.dynamicTopic ? { ...each, value } : each,
    )
    return entry({ name, value, definition, synonyms, readOnly: false })
  })
}

/** Every setting of this broker; of those that Kafka's table does not have, also of names that nobody knows, the ones that were set. */
export function describeBroker(context: ConfigContext, wanted: Wanted): DescribedConfig[] {
  const { image, nodeId, config } = context
  const strangers = [
    ...(config[givenSettings]?.keys() ?? []),
    ...image.config('broker', '').keys(),
    ...image.config('broker', String(nodeId)).keys(),
  ].filter(name => !listed.has(name))
  return [...listed, ...new Set(strangers)].filter(wanted).map(name => {
    const synonyms = brokerSynonyms(context, name)
    return brokerEntry(name, synonyms, text => (text === undefined ? null : parsedText(name, text)))
  })
}

/** What was set for all brokers, and nothing else. */
export function describeAllBrokers({ image }: ConfigContext, wanted: Wanted): DescribedConfig[] {
  return [...image.config('broker', '')]
    .filter(([name]) => wanted(name))
    .map(([name, value]) =>
      brokerEntry(name, [{ name, value, source: configSource.dynamicDefaultBroker }], text => text ?? null),
    )
}

/** A group has settings whether or not it exists. */
export function describeGroup(context: ConfigContext, group: string, wanted: Wanted): DescribedConfig[] {
  const own = context.image.config('group', group)
  return Object.entries<Setting<unknown>>(groupConfig)
    .filter(([name]) => wanted(name))
    .map(([name, definition]) => {
      const text = own.get(name)
      const inherited =
        definition.brokerName === undefined
          ? [{ name, value: definition.defaultText ?? '', source: configSource.default }]
          : brokerSynonyms(context, definition.brokerName)
      const set = text === undefined ? [] : [{ name, value: text, source: configSource.dynamicGroup }]
      const synonyms = [...set, ...inherited]
      return entry({ name, value: synonyms[0]?.value ?? null, definition, synonyms, readOnly: false })
    })
}

export function describeClientMetrics({ image }: ConfigContext, name: string, wanted: Wanted): DescribedConfig[] {
  const own = image.config('client-metrics', name)
  return Object.entries<Setting<unknown>>(clientMetricsConfig)
    .filter(([each]) => wanted(each))
    .map(([each, definition]) => {
      const text = own.get(each)
      const synonyms =
        text === undefined ? [] : [{ name: each, value: text, source: configSource.dynamicClientMetrics }]
      return entry({ name: each, value: text ?? definition.defaultText, definition, synonyms, readOnly: false })
    })
}

/** Log levels of this broker. */
export function describeLoggers(levels: ReadonlyMap<string, string> | undefined, wanted: Wanted): DescribedConfig[] {
  return [...(levels ?? [])]
    .filter(([name]) => wanted(name))
    .map(([name, value]) => ({
      ...{ name, value, definition: undefined, readOnly: false, isSensitive: false },
      ...{ source: configSource.dynamicBrokerLogger, synonyms: [] },
    }))
}

function brokerEntry(
  name: string,
  synonyms: readonly Synonym[],
  show: (text: string | undefined) => string | null,
): DescribedConfig {
  const definition = definitionOf(name)
  const readOnly = (brokerTable[name]?.update ?? 'read-only') === 'read-only'
  return entry({ name, value: show(synonyms[0]?.value), definition, synonyms, readOnly })
}

/** Of a setting of one listener, the definition of the setting of all. */
function definitionOf(name: string): Setting<unknown> | undefined {
  return brokerTable[name] ?? brokerTable[generalName(name) ?? name]
}

function parsedText(name: string, text: string): string {
  const definition = definitionOf(name)
  // A string is shown as it was written, also where any case is good.
  if (definition === undefined || definition.type === 'string') return text.trim()
  try {
    return definition.format(definition.parse(text))
  } catch (error) {
    // It was good once, on another version, say.
    if (!(error instanceof Error)) throw error
    return text
  }
}

function entry(described: {
  readonly name: string
  readonly value: string | null
  readonly definition: Setting<unknown> | undefined
  readonly synonyms: readonly Synonym[]
  readonly readOnly: boolean
}): DescribedConfig {
  const isSensitive = described.definition?.sensitive ?? true
  const shown = (value: string | null): string | null => (isSensitive ? null : value)
  return {
    ...described,
    value: shown(described.value),
    isSensitive,
    source: described.synonyms[0]?.source ?? configSource.default,
    synonyms: described.synonyms.map(each => ({ ...each, value: shown(each.value) })),
  }
}
