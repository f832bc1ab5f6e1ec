/**
 * The settings of a broker in a container, found the way the apache/kafka image finds them (KIP-975), so that in an existing Compose file
 * only the image's name changes:
 *
 * - KAFKA_FOO_BAR=x is foo.bar=x; two underscores stand for one, three for a dash; some KAFKA_ variables are about the JVM and are not settings
 * - a file /mnt/shared/config/server.properties comes first, variables win over it
 * - with neither, one broker that is its own controller, for clients on localhost:9092
 * - CLUSTER_ID names the cluster that an empty data directory is formatted for
 *
 * Differs in one thing: data goes to the volume /var/lib/kafka/data unless log.dirs says otherwise, not to /tmp.
 */
import { propertiesFromEnvironment } from '#broker/config/parse.ts'
import { parseProperties } from '#broker/config/properties.ts'

export type Variables = Readonly<Record<string, string | undefined>>

export const mountedFile = '/mnt/shared/config/server.properties'
/** Fixed in the apache/kafka image too: containers of one cluster must agree on it without talking to each other. */
export const defaultClusterId = '5L6g3nShT-eMCtK--X86sw'
export const dataVolume = '/var/lib/kafka/data'

const singleBroker: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.quorum.voters': '1@localhost:9093',
  listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
  'advertised.listeners': 'PLAINTEXT://localhost:9092',
  'inter.broker.listener.name': 'PLAINTEXT',
  'controller.listener.names': 'CONTROLLER',
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
}

/**
 * @param mounted text of the mounted server.properties, if there is one
 * @returns property names and values, ready for the broker
 */
export function containerSettings(variables: Variables, mounted: string | undefined): Record<string, string> {
  const fromVariables = variableSettings(variables)
  const fromFile = mounted === undefined ? {} : Object.fromEntries(parseProperties(mounted))
  const given = { ...fromFile, ...fromVariables }
  const settings = Object.keys(given).length === 0 ? { ...singleBroker } : given
  const advertised = settings['advertised.listeners']
  if (settings['listeners'] === undefined && advertised !== undefined) settings['listeners'] = bindAll(advertised)
  settings['log.dirs'] ??= settings['log.dir'] ?? dataVolume
  settings['cluster.id'] ??= variables['CLUSTER_ID'] ?? defaultClusterId
  return settings
}

function variableSettings(variables: Variables): Record<string, string> {
  const settings = Object.fromEntries(propertiesFromEnvironment(variables))
  // An empty variable is how a Compose file takes a setting away; Kafka's image does so for this one.
  if (settings['advertised.listeners'] === '') delete settings['advertised.listeners']
  return settings
}

/** log.retention.ms → KAFKA_LOG_RETENTION_MS */
export function variableName(setting: string): string {
  return `KAFKA_${setting.replaceAll('_', '__').replaceAll('-', '___').replaceAll('.', '_').toUpperCase()}`
}

/** Where clients are sent is not where a container listens: it does on all of its addresses. */
function bindAll(advertised: string): string {
  return advertised.replaceAll(/:\/\/[^:,]*:/g, '://0.0.0.0:')
}
