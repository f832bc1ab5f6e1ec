/** From key/value text to a checked BrokerConfig: defaults, settings that derive from others, relations between settings. */
import { brokerConfig, givenSettings, type BrokerConfig } from './broker-config.ts'
import { cleanerSettingsError } from './cleaner-settings.ts'
import { cordonedLogDirsError } from './cordoned-log-dirs.ts'
import { parseVoters, resolveListeners } from './listeners.ts'
import { ConfigError, parseTable, unknownSetting, type Table } from './table.ts'

/** Of plug-ins: Kafka passes these on without knowing them. */
const prefixed = /^(ssl\.|sasl\.|metrics?\.|config\.providers\.|rsm\.config\.|rlmm\.config\.)/

export interface ParsedConfig {
  readonly config: BrokerConfig
  /** Keys that were given and have no effect here. */
  readonly ignored: readonly string[]
  /** Keys that neither Kafka nor we know, each with what may have been meant. They have no effect, as in Kafka. */
  readonly unknown: readonly string[]
}

const hourMs = 3_600_000

function firstGiven(
  given: ReadonlyMap<string, string>,
  choices: readonly (readonly [string, number])[],
): number | undefined {
  for (const [name, unitMs] of choices) {
    const text = given.get(name)
    if (text !== undefined) return Number(text) < 0 ? -1 : Number(text) * unitMs
  }
  return undefined
}

function derive(config: BrokerConfig, given: ReadonlyMap<string, string>): BrokerConfig {
  const nodeId = config['node.id'] >= 0 ? config['node.id'] : config['broker.id']
  const logDirs = config['log.dirs'].length > 0 ? config['log.dirs'] : config['log.dir']
  const retentionMs = firstGiven(given, [
    ['log.retention.ms', 1],
    ['log.retention.minutes', 60_000],
    ['log.retention.hours', hourMs],
  ])
  const rollMs = firstGiven(given, [
    ['log.roll.ms', 1],
    ['log.roll.hours', hourMs],
  ])
  const jitterMs = firstGiven(given, [
    ['log.roll.jitter.ms', 1],
    ['log.roll.jitter.hours', hourMs],
  ])
  const flushMs = given.has('log.flush.interval.ms')
    ? config['log.flush.interval.ms']
    : config['log.flush.scheduler.interval.ms']
  return {
    ...config,
    'log.flush.interval.ms': flushMs,
    'node.id': nodeId,
    'broker.id': nodeId,
    'log.dirs': logDirs,
    'metadata.log.dir': config['metadata.log.dir'] || (logDirs[0] ?? ''),
    ...(retentionMs === undefined ? {} : { 'log.retention.ms': retentionMs }),
    ...(rollMs === undefined ? {} : { 'log.roll.ms': rollMs }),
    ...(jitterMs === undefined ? {} : { 'log.roll.jitter.ms': jitterMs }),
  }
}

function check(config: BrokerConfig, given: ReadonlyMap<string, string>): void {
  const fail = (setting: string, message: string): never => {
    throw new ConfigError(setting, `${setting}: ${message}`)
  }
  if (config['process.roles'].length === 0)
    fail('process.roles', 'expected broker, controller or broker,controller; ZooKeeper mode does not exist any more')
  if (config['node.id'] < 0) fail('node.id', 'expected a number from 0; it must be unique in the cluster')
  if (config['controller.quorum.voters'].length === 0) {
    const dynamic = config['controller.quorum.bootstrap.servers'].length > 0
    fail(
      'controller.quorum.voters',
      'expected id@host:port of every controller, e.g. 1@localhost:9093' +
        (dynamic
          ? '; controller.quorum.bootstrap.servers alone is for dynamic voters (kraft.version 1), not there yet'
          : ''),
    )
  }
  const voterIds = parseVoters(config).map(voter => voter.id)
  if (new Set(voterIds).size !== voterIds.length) fail('controller.quorum.voters', 'the same node id is there twice')
  const isController = config['process.roles'].includes('controller')
  if (isController && !voterIds.includes(config['node.id']))
    fail(
      'controller.quorum.voters',
      `node.id ${config['node.id']} has the role controller and must be among the voters`,
    )
  if (!isController && voterIds.includes(config['node.id']))
    fail(
      'process.roles',
      `node.id ${config['node.id']} is among controller.quorum.voters and so needs the role controller`,
    )
  if (config['replica.fetch.wait.max.ms'] > config['replica.lag.time.max.ms'])
    fail(
      'replica.fetch.wait.max.ms',
      'must not be above replica.lag.time.max.ms, or in-sync replicas would leave the set for waiting',
    )
  if (config['broker.heartbeat.interval.ms'] * 2 > config['broker.session.timeout.ms'])
    fail(
      'broker.heartbeat.interval.ms',
      'must be at most half of broker.session.timeout.ms, or one late heartbeat fences the broker',
    )
  if (config['group.min.session.timeout.ms'] > config['group.max.session.timeout.ms'])
    fail('group.min.session.timeout.ms', 'must not be above group.max.session.timeout.ms')
  const cleaner = cleanerSettingsError(config)
  if (cleaner !== undefined)
    fail(
      'log.cleaner.dedupe.buffer.size',
      `${cleaner} Expected more than ${1_048_576 * Math.max(1, config['log.cleaner.threads'])}, got ${config['log.cleaner.dedupe.buffer.size']}.`,
    )
  const cordoned = cordonedLogDirsError(config['cordoned.log.dirs'], config['log.dirs'])
  if (cordoned !== undefined && config['process.roles'].includes('broker')) fail('cordoned.log.dirs', cordoned)
  resolveListeners(config)
  if (given.has('security.inter.broker.protocol') && given.has('inter.broker.listener.name'))
    fail('security.inter.broker.protocol', 'not together with inter.broker.listener.name, which implies it')
}

/** @throws ConfigError that names the setting, what was expected and what came. */
export function parseBrokerConfig(given: ReadonlyMap<string, string>): ParsedConfig {
  const isSilent = (name: string): boolean => (brokerConfig as Table)[name]?.doc.startsWith('No effect here') === true
  const names = [...given.keys()]
  const config = { ...derive(parseTable(brokerConfig, given), given), [givenSettings]: given }
  check(config, given)
  return {
    config,
    ignored: names.filter(name => (name in brokerConfig ? isSilent(name) : prefixed.test(name))),
    unknown: names
      .filter(name => !(name in brokerConfig) && !name.startsWith('listener.name.') && !prefixed.test(name))
      .map(name => unknownSetting(name, Object.keys(brokerConfig))),
  }
}

const environmentPrefix = 'KAFKA_'
/** Variables that the apache/kafka image itself gives a meaning, not the broker. */
const imageVariables = new Set([
  'KAFKA_HEAP_OPTS',
  'KAFKA_OPTS',
  'KAFKA_JVM_PERFORMANCE_OPTS',
  'KAFKA_GC_LOG_OPTS',
  'KAFKA_LOG4J_OPTS',
  'KAFKA_JMX_OPTS',
  'KAFKA_JMX_PORT',
  'KAFKA_TOOLS_LOG4J_LOGLEVEL',
  'KAFKA_LOG4J_LOGGERS',
  'KAFKA_LOG4J_ROOT_LOGLEVEL',
  'KAFKA_VERSION',
  'KAFKA_HOME',
])

/** KAFKA_FOO_BAR=x means foo.bar=x; a double underscore is an underscore, a triple one a dash, as in the apache/kafka image. */
export function propertiesFromEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
): Map<string, string> {
  const result = new Map<string, string>()
  for (const [name, value] of Object.entries(variables)) {
    if (!name.startsWith(environmentPrefix) || imageVariables.has(name) || value === undefined) continue
    const key = name
      .slice(environmentPrefix.length)
      .toLowerCase()
      .replaceAll('___', '-')
      .replaceAll('__', '\u0000')
      .replaceAll('_', '.')
      .replaceAll('\u0000', '_')
    result.set(key, value)
  }
  return result
}
