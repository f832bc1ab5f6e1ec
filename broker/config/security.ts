/** Security settings as one listener, or one mechanism on it, has them: the most specific name that was given wins (KIP-103, KIP-226). */
import { brokerConfig, givenSettings, type BrokerConfig, type BrokerConfigName } from './broker-config.ts'
import { parseSetting, type Setting } from './table.ts'

/** `mechanism` finds listener.name.<listener>.<mechanism>.<setting>, which goes before listener.name.<listener>.<setting>. */
export interface Scope {
  readonly listener: string
  readonly mechanism?: string
}

function prefixes({ listener, mechanism }: Scope): string[] {
  const own = `listener.name.${listener.toLowerCase()}.`
  return mechanism === undefined ? [own] : [`${own}${mechanism.toLowerCase()}.`, own]
}

function given(config: BrokerConfig, name: string): string | undefined {
  return (config.ofListeners?.get(name) ?? config[givenSettings]?.get(name))?.trim()
}

/** The value that was given with a prefix, if there is one. Throws ConfigError like `securitySetting`. */
export function prefixedSetting<K extends BrokerConfigName>(
  config: BrokerConfig,
  scope: Scope,
  name: K,
): BrokerConfig[K] | undefined {
  const definition = brokerConfig[name] as unknown as Setting<BrokerConfig[K]>
  for (const prefix of prefixes(scope)) {
    const text = given(config, prefix + name)
    if (text !== undefined) return parseSetting(prefix + name, definition, text)
  }
  return undefined
}

/** Throws ConfigError, with the whole name of the setting, for a value that cannot be. */
export function securitySetting<K extends BrokerConfigName>(
  config: BrokerConfig,
  scope: Scope,
  name: K,
): BrokerConfig[K] {
  return prefixedSetting(config, scope, name) ?? config[name]
}

/** The login module of a mechanism on a listener: has no form without a prefix. */
export function jaasText(config: BrokerConfig, listener: string, mechanism: string): string | undefined {
  return given(config, `listener.name.${listener.toLowerCase()}.${mechanism.toLowerCase()}.sasl.jaas.config`)
}
