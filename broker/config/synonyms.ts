/** Names under which one broker setting may be given, finest unit first. Source: Kafka's DynamicBrokerConfig, KIP-226. */

const families: readonly (readonly string[])[] = [
  ['log.roll.ms', 'log.roll.hours'],
  ['log.roll.jitter.ms', 'log.roll.jitter.hours'],
  ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours'],
]
const units: ReadonlyMap<string, readonly string[]> = new Map([
  ...families.flatMap(family => family.map(name => [name, family] as const)),
  ['log.flush.interval.ms', ['log.flush.interval.ms', 'log.flush.scheduler.interval.ms']],
])

const ofListener = /^listener\.name\.[^.]*\.(.*)$/
/** Of these a listener has one for each SASL mechanism: listener.name.x.plain.sasl.jaas.config. */
const ofMechanism =
  /(sasl\.jaas\.config|sasl\.login\.callback\.handler\.class|sasl\.login\.class|sasl\.server\.callback\.handler\.class|connections\.max\.reauth\.ms)$/

/** The names, `name` among them; a setting of one listener falls back to the one of all. */
export function brokerSynonymNames(name: string): readonly string[] {
  const general = generalName(name)
  return general === undefined ? (units.get(name) ?? [name]) : [name, general]
}

/** The setting of all listeners that this one of a listener overrides; undefined for other settings. */
export function generalName(name: string): string | undefined {
  const general = ofListener.exec(name)?.[1]
  return general === undefined ? undefined : (ofMechanism.exec(general)?.[1] ?? general)
}
