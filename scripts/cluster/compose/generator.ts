/**
 * Compose files: the same generator writes the ones in `compose/` that people read and use with plain `docker compose`, and the one of a
 * cluster that the toolkit started. The text is made for reading, so it is put together by hand.
 */
import { quickOptions } from '../apache-kafka/java-options.ts'
import { kafkaVersion } from '../apache-kafka/release.ts'
import { variableName } from '../../container/settings.ts'
import { proxyControlPort, proxyTopologyVariable } from '../../container/proxy-variables.ts'
import { installation } from '../../installation/here.ts'
import type { ClusterSpec } from '../cluster.ts'
import { brokerIds, controllerIds } from '../cluster.ts'
import { engineOf } from '../engine-name.ts'
import { brokerPort, fullyGrown, HOST, inspectorPort } from '../ports.ts'
import { proxyTopology } from '../process/proxied-addresses.ts'
import { nodeProperties, rolesOf } from '../properties.ts'
import type { ClusterSecurity } from '../security/material.ts'
import { firstUserSettings, nodeSecuritySettings } from '../security/node-settings.ts'
import { CLIENT_PORT, containerAddresses, containerPlaces, proxyService, serviceName } from './container-addresses.ts'

export { listenerNames, NETWORK_PORT, serviceName } from './container-addresses.ts'

export const brokerImage = installation.image.name
export const INSPECTOR_PORT = 9644
export const containerDataDir = '/var/lib/kafka/data'
/** Where a node that can be broken from inside takes orders, and keeps them for its next start: a volume of its own. */
export const containerFaultDir = '/var/lib/faultline'

/**
 * Where a node has its data. One that can lose its power has it in the volume of its orders: what it removes it moves aside until that is durable, and
 * nothing moves from one volume to another.
 */
export function dataDirIn(spec: ClusterSpec, id: number): string {
  return hasOneVolume(spec, id) ? `${containerFaultDir}/data` : containerDataDir
}

function hasOneVolume(spec: ClusterSpec, id: number): boolean {
  return spec.faults === true && spec.dataDir === undefined && engineOf(spec, id).engine === 'faultline'
}

export interface ComposeOptions {
  /** Comment lines at the top. */
  readonly title: readonly string[]
  /** Compose project: prefix of containers, network and volumes. */
  readonly project: string
  readonly clusterId: string
  /** Of nodes of Apache Kafka; left out: the public one of their release, with its own defaults. */
  readonly kafkaImage?: string
  /** Path from the Compose file to the project root, to build the image from; without it the image must be there. */
  readonly buildContext?: string
  /** Directory on the host for the data of a node, instead of a volume. */
  readonly dataDirectory?: (id: number) => string
  /** `uid:gid` of the containers, when the data lies in a directory of that user. */
  readonly user?: string
  /** Publishes each node's read-only HTTP state. */
  readonly inspectors?: boolean
  /** Keys and passwords of the nodes, of a cluster that is secured. */
  readonly security?: ClusterSecurity | undefined
  /** Services beside the nodes, and what they ask of these. */
  readonly extras?: ComposeExtras
}

/** Blocks beside the nodes. */
export interface ComposeExtras {
  /** Lines of `services`. */
  readonly services: readonly string[]
  /** Names of volumes. */
  readonly volumes?: readonly string[]
  /** Further settings of every node of ours. */
  readonly properties?: Readonly<Record<string, string>>
  /** Further mounts of every node. */
  readonly mounts?: readonly string[]
  /** A service that has to come to its end before the nodes start. */
  readonly after?: string
}

/** The text of a Compose file. */
export function composeFile(spec: ClusterSpec, options: ComposeOptions): string {
  const ids = [...new Set([...brokerIds(spec), ...controllerIds(spec)])]
  const variables = ids.map(id => nodeVariables(spec, id, options))
  const common = commonOf(variables)
  const lines = [
    ...options.title.map(line => (line === '' ? '#' : `# ${line}`)),
    '',
    `name: ${options.project}`,
    '',
    ...commonBlock(spec, common, options),
    '',
    'services:',
    ...ids.flatMap((id, index) => serviceBlock(spec, id, variables[index] ?? {}, common, options)),
    ...(spec.proxy === true ? proxyBlock(spec) : []),
    ...(options.extras?.services ?? []),
    ...volumesBlock(spec, ids, options),
    ...secretsBlock(options),
  ]
  return `${lines.join('\n').trimEnd()}\n`
}

function nodeVariables(spec: ClusterSpec, id: number, options: ComposeOptions): Record<string, string> {
  const { security } = options
  const addresses = containerAddresses(spec, id)
  const names = (listeners: readonly { readonly name: string }[]) => listeners.map(({ name }) => name)
  const secured = security && {
    security: nodeSecuritySettings(security, {
      listeners: names(addresses.listeners),
      controllers: names(addresses.controllers),
      keys: 'inline',
    }),
  }
  const properties = {
    ...nodeProperties(spec, id, { ...addresses, ...secured }, dataDirIn(spec, id)),
    ...firstUserSettings(security),
    ...(options.inspectors === true ? { 'inspector.listener': `0.0.0.0:${INSPECTOR_PORT}` } : {}),
    ...(engineOf(spec, id).engine === 'faultline' ? options.extras?.properties : {}),
  }
  const variables = Object.entries(properties).map(([key, value]) => [variableName(key), value])
  return { CLUSTER_ID: options.clusterId, ...Object.fromEntries(variables), ...engineVariables(spec, id, options) }
}

/** What is no setting of Kafka. */
function engineVariables(spec: ClusterSpec, id: number, { kafkaImage }: ComposeOptions): Record<string, string> {
  if (kafkaImage === undefined || engineOf(spec, id).engine !== 'apache-kafka') return {}
  const performance = process.env['KAFKA_JVM_PERFORMANCE_OPTS'] ?? (spec.lab === undefined ? undefined : quickOptions)
  return {
    KAFKA_HEAP_OPTS: process.env['KAFKA_HEAP_OPTS'] ?? '-Xmx512m -Xms512m',
    ...(performance === undefined ? {} : { KAFKA_JVM_PERFORMANCE_OPTS: performance }),
    ...(spec.faults === true ? { FAULTLINE_FAULTS: containerFaultDir } : {}),
  }
}

/** What all nodes have in common stands once. */
function commonOf(all: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [first = {}, ...others] = all
  return Object.fromEntries(Object.entries(first).filter(([key, value]) => others.every(other => other[key] === value)))
}

/** The first process of a container cannot end itself, as some faults have to. */
const init = 'init: true'

function commonBlock(spec: ClusterSpec, common: Readonly<Record<string, string>>, options: ComposeOptions): string[] {
  const lines = ['x-node: &node', `  image: ${brokerImage}`]
  if (options.buildContext !== undefined) {
    lines.push(
      '  build:',
      `    context: ${options.buildContext}`,
      '    dockerfile: images/broker/Dockerfile',
      '    secrets: [ca]',
    )
  }
  if (options.user !== undefined) lines.push(`  user: ${quote(options.user)}`)
  if (spec.faults === true)
    lines.push(`  ${init}`, `  command: [/etc/kafka/docker/run, --fault-control, ${containerFaultDir}]`)
  lines.push(
    '  read_only: true',
    '  stop_grace_period: 30s',
    '',
    'x-environment: &environment',
    ...variableLines(common, '  '),
  )
  return lines
}

function serviceBlock(
  spec: ClusterSpec,
  id: number,
  variables: Readonly<Record<string, string>>,
  common: Readonly<Record<string, string>>,
  options: ComposeOptions,
): string[] {
  const name = serviceName(spec, id)
  const own = Object.fromEntries(Object.entries(variables).filter(([key]) => common[key] === undefined))
  const ports = [
    ...(rolesOf(spec, id).includes('broker') && spec.proxy !== true
      ? [`${HOST}:${brokerPort(spec, id)}:${CLIENT_PORT}`]
      : []),
    ...(options.inspectors === true ? [`${HOST}:${inspectorPort(spec, id)}:${INSPECTOR_PORT}`] : []),
  ]
  const source = options.dataDirectory === undefined ? name : options.dataDirectory(id)
  const { mounts = [], after } = options.extras ?? {}
  const dependsOn =
    after === undefined
      ? spec.proxy === true
        ? [`    depends_on: [${proxyService}]`]
        : []
      : ['    depends_on:', `      ${after}:`, '        condition: service_completed_successfully']
  return [
    `  ${name}:`,
    ...templateOf(spec, id, options),
    `    hostname: ${name}`,
    ...dependsOn,
    ...(ports.length === 0 ? [] : ['    ports:', ...ports.map(port => `      - ${quote(port)}`)]),
    '    environment:',
    '      <<: *environment',
    ...variableLines(own, '      '),
    '    volumes:',
    ...(hasOneVolume(spec, id)
      ? [`      - ${source}:${containerFaultDir}`]
      : [
          `      - ${options.dataDirectory === undefined ? `${source}:${containerDataDir}` : quote(`${source}:${containerDataDir}`)}`,
          ...(spec.faults === true ? [`      - ${name}-faults:${containerFaultDir}`] : []),
        ]),
    ...mounts.map(mount => `      - ${mount}`),
    '',
  ]
}

/** What a service begins with: our image, or Apache Kafka's own, which writes into its file system and has no health check. */
function templateOf(spec: ClusterSpec, id: number, { kafkaImage, user }: ComposeOptions): string[] {
  const { engine, engineVersion = kafkaVersion } = engineOf(spec, id)
  if (engine === 'faultline') return ['    <<: *node']
  return [
    `    image: ${kafkaImage ?? `apache/kafka:${engineVersion}`}`,
    ...(user === undefined ? [] : [`    user: ${quote(user)}`]),
    ...(spec.faults === true ? [`    ${init}`] : []),
    '    stop_grace_period: 30s',
  ]
}

/** The fault proxy, which has the client ports of all brokers, also of those that may join: it gets no more while it runs. It waits for no name that nobody has: such a node is down. */
function proxyBlock(spec: ClusterSpec): string[] {
  const places = containerPlaces(spec)
  const inside = { ...spec, port: places.port }
  const ports = [
    ...brokerIds(fullyGrown(spec)).map(id => `${HOST}:${brokerPort(spec, id)}:${brokerPort(inside, id)}`),
    `${HOST}::${proxyControlPort}`,
  ]
  return [
    `  ${proxyService}:`,
    `    image: ${brokerImage}`,
    '    command: [node, --enable-source-maps, /opt/faultline/proxy.mjs]',
    `    hostname: ${proxyService}`,
    '    read_only: true',
    '    init: true',
    '    healthcheck:',
    '      disable: true',
    "    dns_opt: ['ndots:1']",
    '    ports:',
    ...ports.map(port => `      - ${quote(port)}`),
    '    environment:',
    ...variableLines({ [proxyTopologyVariable]: JSON.stringify(proxyTopology(spec, places)) }, '      '),
    '',
  ]
}

function volumesBlock(spec: ClusterSpec, ids: readonly number[], options: ComposeOptions): string[] {
  const names = (some: readonly number[]) => some.map(id => serviceName(spec, id))
  const withTwo = spec.faults === true ? ids.filter(id => !hasOneVolume(spec, id)) : []
  const volumes = [
    ...(options.dataDirectory === undefined ? names(ids) : []),
    ...names(withTwo).map(name => `${name}-faults`),
    ...(options.extras?.volumes ?? []),
  ]
  return volumes.length === 0 ? [] : ['volumes:', ...volumes.map(volume => `  ${volume}:`)]
}

/** Behind a proxy with a certificate authority of its own, the build needs its certificate; elsewhere the secret is empty. */
function secretsBlock(options: ComposeOptions): string[] {
  if (options.buildContext === undefined) return []
  const comment =
    '# Only for builds behind a proxy with a certificate authority of its own: its certificates, else nothing.'
  return ['', comment, 'secrets:', '  ca:', '    file: ${NODE_EXTRA_CA_CERTS:-/dev/null}']
}

function variableLines(variables: Readonly<Record<string, string>>, indent: string): string[] {
  return Object.entries(variables).map(([key, value]) => `${indent}${key}: ${quote(value)}`)
}

/** Quoted where YAML or Compose would read something else than the text; a dollar sign begins a variable in Compose. */
function quote(text: string): string {
  if (text.includes('\n')) return JSON.stringify(text).replaceAll('$', '$$$$')
  const plain = /^[A-Za-z/][A-Za-z0-9_./@,-]*$/.test(text) && !/^(true|false|yes|no|on|off|null|y|n)$/i.test(text)
  return plain ? text : `'${text.replaceAll("'", "''").replaceAll('$', '$$$$')}'`
}
