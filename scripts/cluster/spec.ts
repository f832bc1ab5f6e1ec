/** From what a person asked for to a complete, checked description of a cluster. Touches nothing on the machine. */
import { resolve } from 'node:path'
import { usageError } from '../errors.ts'
import type { ClusterSpec, RuntimeName } from './cluster.ts'
import { brokerIds, nodeIds, runtimeNames } from './cluster.ts'
import { requireRedpandaSpec } from './compose/redpanda.ts'
import { engineOf, enginesOf, engineText, parseEngine } from './engine-name.ts'
import { portSpan, proxiedNodesMax } from './ports.ts'
import { securityKinds, type SecurityKind } from './security/kinds.ts'
import { logDirectories } from './state.ts'

export const defaultName = 'default'
export const brokersMax = 99
const CONTROLLERS_MAX = 9

export interface SpecRequest {
  readonly name?: string
  readonly runtime: string
  readonly engine?: string
  readonly brokers?: number
  readonly added?: number | undefined
  readonly controllers?: number
  readonly port?: number
  readonly dataDir?: string | undefined
  readonly settings?: Readonly<Record<string, string>>
  readonly nodes?: ClusterSpec['nodes'] | undefined
  readonly logDirs?: number | undefined
  readonly links?: ClusterSpec['links'] | undefined
  readonly security?: string | undefined
  readonly proxy?: boolean | undefined
  readonly faults?: boolean | undefined
  readonly metrics?: boolean | undefined
  readonly seed?: number
}

/** Fills in defaults and refuses, with a usage error, what cannot be meant. */
export function clusterSpec(request: SpecRequest): ClusterSpec {
  if (request.dataDir?.trim() === '')
    throw usageError(
      '--data needs a folder, and got an empty text.',
      'Leave it away: the data is in .faultline/NAME then.',
    )
  const security = oneOf<SecurityKind>('--security', request.security ?? 'none', securityKinds)
  const port = integer('--port', request.port ?? 9092, 0, 65_535 - portSpan({ proxy: request.proxy === true }))
  const spec: ClusterSpec = {
    name: checkedName(request.name ?? defaultName),
    runtime: oneOf<RuntimeName>('--runtime', request.runtime, runtimeNames),
    ...parseEngine('--engine', request.engine ?? 'faultline'),
    brokers: integer('--brokers', request.brokers ?? 3, 1, brokersMax),
    ...(request.added === undefined ? {} : { added: request.added }),
    controllers: integer('--controllers', request.controllers ?? 0, 0, CONTROLLERS_MAX),
    port,
    ...(request.dataDir === undefined ? {} : { dataDir: resolve(request.dataDir) }),
    settings: request.settings ?? {},
    ...(request.nodes === undefined ? {} : { nodes: request.nodes }),
    ...(request.logDirs === undefined ? {} : { logDirs: request.logDirs }),
    ...(request.links === undefined ? {} : { links: request.links }),
    ...(security === 'none' ? {} : { security }),
    ...(request.proxy === true ? { proxy: true } : {}),
    ...(request.faults === true ? { faults: true } : {}),
    ...(request.metrics === true ? { metrics: true } : {}),
    seed: integer('--seed', request.seed ?? 1, 0, Number.MAX_SAFE_INTEGER),
  }
  if (spec.proxy === true) requireProxy(spec)
  if (spec.faults === true) requireFaults(spec)
  requireEnginesOfNodes(spec)
  if (spec.runtime === 'compose' && spec.engine === 'apache-kafka' && security !== 'none')
    throw usageError(
      '--security is not there for Apache Kafka in containers: its public image takes keys as files only.',
      'Use --runtime process.',
    )
  if (enginesOf(spec).some(engine => engine.startsWith('redpanda'))) requireRedpandaSpec(spec)
  for (const { settings = {} } of [spec, ...Object.values(spec.nodes ?? {})]) requireFreeSettings(settings)
  if (spec.runtime !== 'process' && nodeIds(spec).some(id => logDirectories(spec, id).length > 1))
    throw usageError(
      `Several log directories for a node are not there on the runtime ${spec.runtime}.`,
      'Use --runtime process.',
    )
  return spec
}

/**
 * A number of brokers that somebody asks for is of all, also of those that a cluster has grown by.
 *
 * @param kept  the cluster as it is
 */
export function brokersAsked(
  total: number,
  { brokers = 3, added = 0 }: Pick<SpecRequest, 'brokers' | 'added'>,
): Pick<SpecRequest, 'brokers' | 'added'> {
  return added > 0 && total === brokers + added ? { brokers, added } : { brokers: total, added: undefined }
}

/**
 * Where a cluster is another one than the wanted: a line each, in the words of `up`. Nothing where it is the same. A wanted port of 0 is any.
 */
export function differences(is: ClusterSpec, wanted: ClusterSpec): string[] {
  const words = (spec: ClusterSpec): Readonly<Record<string, string>> => ({
    '--runtime': spec.runtime,
    '--engine': engineText(spec),
    '--brokers': String(brokerIds(spec).length),
    '--controllers': String(spec.controllers),
    '--port': String(wanted.port === 0 ? 0 : spec.port),
    '--data': spec.dataDir ?? 'in the state directory',
    '--security': spec.security ?? 'none',
    '--proxy': String(spec.proxy === true),
    '--faults': String(spec.faults === true),
    'metrics for Prometheus': String(spec.metrics === true),
    '--set': textOf(spec.settings),
    'what single nodes have': textOf(spec.nodes ?? {}),
    'log directories of each node': String(spec.logDirs ?? 1),
    'faults of links': textOf(spec.links ?? []),
  })
  const now = words(is)
  return Object.entries(words(wanted)).flatMap(([what, text]) =>
    text === now[what] ? [] : [`${what} is ${now[what]}, not ${text}`],
  )
}

/** The same for the same values, whatever their order. */
function textOf(value: unknown): string {
  const ordered = (_: string, inner: unknown): unknown =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner
  return JSON.stringify(value, ordered)
}

function requireProxy(spec: ClusterSpec): void {
  if (spec.runtime !== 'process' && spec.runtime !== 'compose')
    throw usageError(
      `--proxy is not there on the runtime ${spec.runtime}.`,
      spec.runtime === 'simulated' ? 'Partitions are part of the simulation; leave it away.' : 'Use --runtime process.',
    )
  const nodes = nodeIds(spec).length
  if (nodes > proxiedNodesMax)
    throw usageError(
      `--proxy is for at most ${proxiedNodesMax} nodes, each pair of which has ports of its own; this cluster has ${nodes}.`,
    )
}

/** Nodes of several engines are processes, and those of Apache Kafka have no /metrics. */
function requireEnginesOfNodes(spec: ClusterSpec): void {
  const several = Object.values(spec.nodes ?? {}).some(({ engine }) => engine !== undefined)
  if (several && spec.runtime !== 'process')
    throw usageError(
      `Nodes with engines of their own are not there on the runtime ${spec.runtime}.`,
      'Use --runtime process.',
    )
  if (spec.metrics === true && spec.runtime === 'simulated')
    throw usageError('Metrics for Prometheus are not there on the runtime simulated.', 'Use --runtime process.')
  if (spec.metrics === true && !enginesOf(spec).includes('faultline'))
    throw usageError(
      `No node of this cluster has metrics for Prometheus: those of Apache Kafka have them in JMX alone.`,
      'Leave out "metrics", or let a node have the engine faultline.',
    )
}

function requireFaults(spec: ClusterSpec): void {
  const engines = [...new Set([spec.engine, ...nodeIds(spec).map(id => engineOf(spec, id).engine)])]
  if (engines.length > 1)
    throw usageError(
      `--faults is not there for nodes of several engines, and this cluster has ${engines.join(' and ')}.`,
      'Leave it out, or let all nodes have one engine, in whatever versions.',
    )
}

/** A name that can be a directory, a container's name and a DNS label at once. */
export function checkedName(name: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,39}$/.test(name)) return name
  throw usageError(
    `--name ${JSON.stringify(name)} cannot be used: expected 1 to 40 lower-case letters, digits or dashes, not starting with a dash.`,
    `For example: --name ${suggestedName(name)}`,
  )
}

function suggestedName(name: string): string {
  const clean = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40)
  return clean === '' ? 'my-cluster' : clean
}

/** `key=value` options, later ones win. A property name may hold no space and no `=`. */
export function parseSettings(pairs: readonly string[]): Record<string, string> {
  const settings: Record<string, string> = {}
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    const key = pair.slice(0, Math.max(at, 0)).trim()
    const value = pair.slice(at + 1)
    if (at < 1 || !/^[A-Za-z0-9._-]+$/.test(key) || /[\r\n]/.test(value)) {
      throw usageError(
        `--set ${JSON.stringify(pair)} is not understood: expected key=value.`,
        'For example: --set log.retention.ms=60000',
      )
    }
    settings[key] = value
  }
  requireFreeSettings(settings)
  return settings
}

function requireFreeSettings(settings: Readonly<Record<string, string>>): void {
  const key = Object.keys(settings).find(name => reservedSettings.has(name))
  if (key !== undefined)
    throw usageError(
      `--set ${key} is decided by the toolkit itself.`,
      'Use --brokers, --controllers, --port and --data instead.',
    )
}

/** What the toolkit must know itself to find its nodes again. */
export const reservedSettings: ReadonlySet<string> = new Set([
  'node.id',
  'broker.id',
  'process.roles',
  'cluster.id',
  'controller.quorum.voters',
  'controller.quorum.bootstrap.servers',
  'log.dirs',
  'log.dir',
  'listeners',
  'advertised.listeners',
])

function integer(option: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw usageError(`${option} must be a whole number from ${least} to ${most}, got ${value}.`)
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find(candidate => candidate === value)
  if (found !== undefined) return found
  throw usageError(`${option} must be one of ${allowed.join(', ')}, got ${JSON.stringify(value)}.`)
}
