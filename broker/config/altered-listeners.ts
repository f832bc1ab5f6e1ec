/**
 * What altering `listeners` of a running broker may change and what it does change. Source: Kafka 4.3's DynamicListenerConfig; messages as there.
 * Listeners are told apart by name alone: one that keeps its name keeps its address until the next start. What a broker has registered stays as it
 * is, so that a new listener is advertised to nobody, and one that is advertised cannot go.
 */
import { brokerConfig, givenSettings, type BrokerConfig } from './broker-config.ts'
import { resolveListeners, type ListenerConfig, type Listeners } from './listeners.ts'
import type { Table } from './table.ts'

const limitsOfListeners = ['max.connections', 'max.connection.creation.rate', 'num.network.threads']
/** Of these an existing listener may have others at any time. */
const changeable = new Set([
  ...limitsOfListeners,
  'ssl.keystore.type',
  'ssl.keystore.location',
  'ssl.keystore.password',
  'ssl.key.password',
  'ssl.truststore.type',
  'ssl.truststore.location',
  'ssl.truststore.password',
  'ssl.keystore.certificate.chain',
  'ssl.keystore.key',
  'ssl.truststore.certificates',
])

/** A change of one of these has the listeners looked at. */
const watched = [
  ...limitsOfListeners,
  ...Object.entries(brokerConfig as Table).flatMap(([name, { update }]) =>
    update === 'per-broker' && name !== 'cordoned.log.dirs' ? [name] : [],
  ),
]

const all = ({ broker, controller }: Listeners): readonly ListenerConfig[] => [...broker, ...controller]
const setOf = (listeners: readonly ListenerConfig[]): string => `Set(${listeners.map(({ name }) => name).join(', ')})`

/** What listener.name.<listener>.… says of a listener, without what may change. */
function fixedSettings(config: BrokerConfig, listener: string): ReadonlyMap<string, string> {
  const prefix = `listener.name.${listener.toLowerCase()}.`
  const given = [...(config[givenSettings] ?? []), ...(config.ofListeners ?? [])]
  return new Map(given.filter(([name]) => name.startsWith(prefix) && !changeable.has(name.slice(prefix.length))))
}

function sameEntries(left: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>): boolean {
  return left.size === right.size && [...left].every(([name, value]) => right.get(name) === value)
}

const formatted = (config: BrokerConfig, name: string): string =>
  String((config as Readonly<Record<string, unknown>>)[name])

/**
 * Why the listeners cannot be altered so; undefined when they can. Throws ConfigError for what could not be started with either.
 *
 * @param unbound  names of listeners that could not be bound: as good as not there, so that what is wrong with them can be corrected
 */
export function alteredListenersRefusal(
  current: BrokerConfig,
  next: BrokerConfig,
  unbound: ReadonlySet<string> = new Set(),
): string | undefined {
  if (watched.every(name => formatted(current, name) === formatted(next, name))) return undefined
  const before = resolveListeners(current)
  const after = resolveListeners(next)
  const listeners = all(after)
  const isThere = (name: string) => listeners.some(listener => listener.name === name)
  if (!before.advertised.every(({ name }) => isThere(name)))
    return `Advertised listeners '${setOf(before.advertised)}' must be a subset of listeners '${setOf(listeners)}'`
  for (const { name, securityProtocol } of all(before)) {
    const same = listeners.find(listener => listener.name === name)
    if (same === undefined || unbound.has(name)) continue
    if (!sameEntries(fixedSettings(current, name), fixedSettings(next, name)))
      return `Configs cannot be updated dynamically for existing listener ${name}, restart broker or create a new listener for update`
    if (same.securityProtocol !== securityProtocol)
      return `Security protocol cannot be updated for existing listener ${name}`
  }
  return undefined
}
