/** A cluster as `up --json` and `status --json` show it, and as a table. The document is a contract with scripts. */
import type { Cluster, NodeState, QuorumView } from '../cluster/cluster.ts'
import { dashboardFile, prometheusFile } from '../cluster/metrics.ts'
import type { SecurityDocument } from '../cluster/security/clients.ts'
import { paint } from '../output.ts'
import type { ProxyStatus } from '../proxy/model.ts'

export interface ClusterDocument {
  readonly name: string
  readonly runtime: string
  readonly engine: string
  /** Release of Apache Kafka, where one was named. */
  readonly engineVersion?: string
  /** As Kafka's bootstrap.servers: `host:port` with commas. */
  readonly bootstrap: string
  readonly brokers: readonly NodeState[]
  /** Nodes that are controllers and nothing else. */
  readonly controllers: readonly NodeState[]
  readonly security: SecurityDocument | { readonly kind: 'none' }
  /** Of a cluster behind a fault proxy. */
  readonly proxy?: ProxyStatus
  /** Where a Prometheus finds how to read its nodes; of a cluster that was asked for it. */
  readonly metrics?: { readonly prometheus: string; readonly dashboard: string }
}

export async function describeCluster(cluster: Cluster): Promise<ClusterDocument> {
  const [nodes, proxy] = await Promise.all([cluster.nodes(), cluster.links?.status()])
  return {
    name: cluster.spec.name,
    runtime: cluster.spec.runtime,
    engine: cluster.spec.engine,
    ...(cluster.spec.engineVersion === undefined ? {} : { engineVersion: cluster.spec.engineVersion }),
    bootstrap: cluster.bootstrap.join(','),
    brokers: nodes.filter(node => node.roles.includes('broker')),
    controllers: nodes.filter(node => !node.roles.includes('broker')),
    security: cluster.security ?? { kind: 'none' },
    ...(proxy === undefined ? {} : { proxy }),
    ...(cluster.spec.metrics === true
      ? { metrics: { prometheus: prometheusFile(cluster.spec.name), dashboard: dashboardFile } }
      : {}),
  }
}

/** No lines for a cluster that was not asked for it. */
export function metricsLines({ metrics }: ClusterDocument): string[] {
  if (metrics === undefined) return []
  return [`metrics: prometheus --config.file=${metrics.prometheus}; dashboard for Grafana: ${metrics.dashboard}`]
}

/** What somebody must know who wants to break links; no lines for a cluster without a fault proxy. */
export function proxyLines({ name, proxy }: ClusterDocument): string[] {
  if (proxy === undefined) return []
  if (proxy.state === 'running')
    return [`fault proxy: ${proxy.container ?? `process ${proxy.pid}`}, control ${proxy.control ?? 'not there yet'}`]
  if (proxy.state === 'stopped') return ['fault proxy: stopped']
  return [
    paint.red(`fault proxy: has ended by itself (${proxy.log}); no node reaches another one, and no client any node`),
    `./faultline fault heal --all --name ${name} starts it again`,
  ]
}

/** What somebody must know who wants to connect; no lines for a cluster without security. */
export function securityLines({ security }: ClusterDocument): string[] {
  if (!('directory' in security)) return []
  const names = Object.keys(security.clients)
  const who = Object.entries(security.clients).map(([name, { mayDo }]) =>
    mayDo === 'everything' ? `${name} may do everything` : `${name} nothing until an ACL says so`,
  )
  const rights = security.authorizer ? `authorizer on: ${who.join(', ')}` : 'no authorizer: everybody may do everything'
  return [
    `security: ${security.kind} (${security.protocol}), ${rights}`,
    `client files: ${security.directory}/ with ${names.join(' and ')} as .properties (Java), .kcat.conf (librdkafka), .kafkajs.json`,
  ]
}

const stateColours: Readonly<Record<NodeState['state'], (text: string) => string>> = {
  running: paint.green,
  starting: paint.yellow,
  paused: paint.yellow,
  stopped: paint.dim,
  dead: paint.red,
}

export async function nodeTable(document: ClusterDocument, quorum: QuorumView | undefined): Promise<string> {
  const nodes = [...document.brokers, ...document.controllers]
  const several = nodes.some(({ engine }) => engine !== undefined)
  const rows = nodes.map(node => [
    String(node.id),
    node.roles.join(', ') + (node.id === quorum?.leaderId ? ' (active)' : ''),
    `${node.host}:${node.port}`,
    stateColours[node.state](node.state),
    node.container ?? (node.pid === undefined ? '' : String(node.pid)),
    ...(several ? [node.engine ?? document.engine] : []),
    node.dataDir,
  ])
  const process = document.runtime === 'compose' ? 'container' : 'pid'
  const head = ['id', 'roles', 'address', 'state', process, ...(several ? ['engine'] : []), 'data']
  return await table(head, rows)
}

/** A plain table: no frame, so that it can be cut and piped. */
export async function table(head: readonly string[], rows: readonly (readonly string[])[]): Promise<string> {
  const { default: Table } = await import('cli-table3')
  const none = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
  }
  const chars = { ...none, left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' }
  const made = new Table({
    head: head.map(text => paint.bold(text)),
    chars,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  })
  made.push(...rows.map(row => [...row]))
  return made
    .toString()
    .split('\n')
    .map(line => line.trimEnd())
    .join('\n')
}
