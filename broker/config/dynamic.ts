/** Broker settings with what was altered at run time (KIP-226): the cluster-wide default first, then this broker's own. */
import { brokerConfig, type BrokerConfig } from './broker-config.ts'
import { ConfigError, parseSetting, type Setting } from './table.ts'

/**
 * @param overrides  from least to most specific
 * @param refused    told of a value that cannot be parsed; the setting keeps what it had
 */
export function withOverrides(
  config: BrokerConfig,
  overrides: readonly ReadonlyMap<string, string>[],
  refused: (error: ConfigError) => void,
): BrokerConfig {
  if (overrides.every(each => each.size === 0)) return config
  const ofListeners = new Map<string, string>()
  const result: Record<string, unknown> = { ...config, ofListeners }
  for (const [name, text] of overrides.flatMap(each => [...each])) {
    if (name.startsWith('listener.name.')) ofListeners.set(name, text)
    const setting = (brokerConfig as Readonly<Record<string, Setting<unknown>>>)[name]
    if (setting === undefined || setting.update === 'read-only') continue
    try {
      result[name] = parseSetting(name, setting, text)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      refused(error)
    }
  }
  return result as BrokerConfig
}
