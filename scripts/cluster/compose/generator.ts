/**
 * Compose files: the same generator writes the ones in `compose/` that people read and use with plain `docker compose`, and the one of a
 * cluster that the toolkit started. The text is made for reading, so it is put together by hand.
 */
import { kafkaVersion } from '../apache-kafka/release.ts'
import { variableName } from '../../container/settings.ts'
import { installation } from '../../installation/here.ts'
import type { ClusterSpec } from '../cluster.ts'
import { brokerIds, controllerIds, FIRST_CONTROLLER_ID } from '../cluster.ts'
import { engineOf } from '../engine-name.ts'
import { brokerPort, HOST, inspectorPort } from '../ports.ts'
import type { NodeAddresses } from '../properties.ts'
import { nodeProperties, rolesOf } from '../properties.ts'
import { traitsOf } from '../security/kinds.ts'
import type { ClusterSecurity } from '../security/material.ts'
import { firstUserSettings, nodeSecuritySettings } from '../security/node-settings.ts'

export const brokerImage = installation.image.name
const CLIENT_PORT = 9092
const CONTROLLER_PORT = 9093
export const NETWORK_PORT = 19092
export const INSPECTOR_PORT = 9644
export const containerDataDir = '/var/lib/kafka/data'

export interface ComposeOptions {
  /** Comment lines at the top. */
  readonly title: readonly string[]
  /** Compose project: prefix of containers, network and volumes. */
  readonly project: string
  readonly clusterId: string
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

/** broker-1 … , controller-1 … : the names by which containers reach each other. */
export function serviceName(spec: ClusterSpec, id: number): string {
  return spec.controllers > 0 && id >= FIRST_CONTROLLER_ID
    ? `controller-${id - FIRST_CONTROLLER_ID + 1}`
    : `broker-${id}`
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
    ...commonBlock(common, options),
    '',
    'services:',
    ...ids.flatMap((id, index) => serviceBlock(spec, id, variables[index] ?? {}, common, options)),
    ...(options.extras?.services ?? []),
    ...volumesBlock(spec, ids, options),
    ...secretsBlock(options),
  ]
  return `${lines.join('\n').trimEnd()}\n`
}

/** Of the listener for the containers' network, and of the one for clients on this machine. */
export function listenerNames(spec: ClusterSpec): readonly [inNetwork: string, onHost: string] {
  const { protocol } = traitsOf(spec.security)
  return [protocol, `${protocol}_HOST`]
}

function nodeVariables(spec: ClusterSpec, id: number, options: ComposeOptions): Record<string, string> {
  const name = serviceName(spec, id)
  const { security } = options
  const [inNetwork, onHost] = listenerNames(spec)
  const addresses: NodeAddresses = {
    bindHost: '',
    listeners: [
      { name: inNetwork, port: NETWORK_PORT, advertised: `${name}:${NETWORK_PORT}` },
      { name: onHost, port: CLIENT_PORT, advertised: `${HOST}:${brokerPort(spec, id)}` },
    ],
    interBrokerListener: inNetwork,
    controllers: [{ name: 'CONTROLLER', port: CONTROLLER_PORT }],
    voters: controllerIds(spec).map(voter => `${voter}@${serviceName(spec, voter)}:${CONTROLLER_PORT}`),
    ...(security === undefined
      ? {}
      : { security: nodeSecuritySettings(security, { listeners: [inNetwork, onHost], keys: 'inline' }) }),
  }
  const properties = {
    ...nodeProperties(spec, id, addresses, containerDataDir),
    ...firstUserSettings(security),
    ...(options.inspectors === true ? { 'inspector.listener': `0.0.0.0:${INSPECTOR_PORT}` } : {}),
    ...(engineOf(spec, id).engine === 'faultline' ? options.extras?.properties : {}),
  }
  const variables = Object.entries(properties).map(([key, value]) => [variableName(key), value])
  return { CLUSTER_ID: options.clusterId, ...Object.fromEntries(variables) }
}

/** What all nodes have in common stands once. */
function commonOf(all: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [first = {}, ...others] = all
  return Object.fromEntries(Object.entries(first).filter(([key, value]) => others.every(other => other[key] === value)))
}

function commonBlock(common: Readonly<Record<string, string>>, options: ComposeOptions): string[] {
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
    ...(rolesOf(spec, id).includes('broker') ? [`${HOST}:${brokerPort(spec, id)}:${CLIENT_PORT}`] : []),
    ...(options.inspectors === true ? [`${HOST}:${inspectorPort(spec, id)}:${INSPECTOR_PORT}`] : []),
  ]
  const source = options.dataDirectory === undefined ? name : options.dataDirectory(id)
  const { mounts = [], after } = options.extras ?? {}
  return [
    `  ${name}:`,
    ...templateOf(spec, id),
    `    hostname: ${name}`,
    ...(after === undefined
      ? []
      : ['    depends_on:', `      ${after}:`, '        condition: service_completed_successfully']),
    ...(ports.length === 0 ? [] : ['    ports:', ...ports.map(port => `      - ${quote(port)}`)]),
    '    environment:',
    '      <<: *environment',
    ...variableLines(own, '      '),
    '    volumes:',
    `      - ${options.dataDirectory === undefined ? `${source}:${containerDataDir}` : quote(`${source}:${containerDataDir}`)}`,
    ...mounts.map(mount => `      - ${mount}`),
    '',
  ]
}

/** What a service begins with: our image, or Apache Kafka's own, which writes into its file system and has no health check. */
function templateOf(spec: ClusterSpec, id: number): string[] {
  const { engine, engineVersion = kafkaVersion } = engineOf(spec, id)
  if (engine === 'faultline') return ['    <<: *node']
  return [`    image: apache/kafka:${engineVersion}`, '    stop_grace_period: 30s']
}

function volumesBlock(spec: ClusterSpec, ids: readonly number[], options: ComposeOptions): string[] {
  const ofNodes = options.dataDirectory === undefined ? ids.map(id => serviceName(spec, id)) : []
  const names = [...ofNodes, ...(options.extras?.volumes ?? [])]
  return names.length === 0 ? [] : ['volumes:', ...names.map(name => `  ${name}:`)]
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
