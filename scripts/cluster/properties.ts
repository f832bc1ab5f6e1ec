/**
 * The `server.properties` of a node: Kafka's property names, the same settings for both engines, so that a lab compares brokers and not
 * configurations. Where a value differs from Kafka's default, the reason stands beside it.
 */
import type { ClusterSpec } from './cluster.ts'
import { brokerIds, controllerIds } from './cluster.ts'
import { traitsOf } from './security/kinds.ts'

export type Properties = Readonly<Record<string, string>>

/** Where a node listens and where its peers and clients find it. */
export interface NodeAddresses {
  /** Host that the listeners bind; empty binds all interfaces. */
  readonly bindHost: string
  /** Listener name → port to bind and `host:port` to advertise. */
  readonly listeners: readonly { readonly name: string; readonly port: number; readonly advertised: string }[]
  readonly interBrokerListener: string
  /** Listeners of a controller: the first is the one that this node's own connections to controllers use. */
  readonly controllers: readonly { readonly name: string; readonly port: number; readonly advertised?: string }[]
  /** `id@host:port` of every voter. */
  readonly voters: readonly string[]
  /** What secures the listeners. */
  readonly security?: Properties
}

/** All properties of node `id`. Settings of the spec win over ours. */
export function nodeProperties(spec: ClusterSpec, id: number, addresses: NodeAddresses, logDir: string): Properties {
  const own = spec.nodes?.[String(id)]
  const roles = rolesOf(spec, id)
  const isBroker = roles.includes('broker')
  const isController = roles.includes('controller')
  const names = isBroker ? addresses.listeners : []
  const bound = [...names, ...(isController ? addresses.controllers : [])]
  const told = bound.flatMap(({ name, advertised }) => (advertised === undefined ? [] : [`${name}://${advertised}`]))
  return {
    'process.roles': roles.join(','),
    'node.id': String(id),
    'controller.quorum.voters': addresses.voters.join(','),
    listeners: bound.map(({ name, port }) => `${name}://${addresses.bindHost}:${port}`).join(','),
    ...(told.length === 0 ? {} : { 'advertised.listeners': told.join(',') }),
    ...(isBroker ? { 'inter.broker.listener.name': addresses.interBrokerListener } : {}),
    'controller.listener.names': addresses.controllers.map(({ name }) => name).join(','),
    'listener.security.protocol.map': [...addresses.controllers, ...addresses.listeners]
      .map(({ name }) => `${name}:${traitsOf(spec.security).protocol}`)
      .join(','),
    'log.dirs': logDir,
    ...addresses.security,
    ...clusterDefaults(spec),
    ...(own?.rack === undefined || !isBroker ? {} : { 'broker.rack': own.rack }),
    ...spec.settings,
    ...own?.settings,
  }
}

/** Replication that fits the number of brokers; Kafka's defaults of 3 would leave a single broker without internal topics. */
export function clusterDefaults(spec: ClusterSpec): Properties {
  const replicas = String(Math.min(3, spec.brokers))
  const leastInSync = String(spec.brokers >= 3 ? 2 : 1)
  return {
    'default.replication.factor': replicas,
    'min.insync.replicas': leastInSync,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': leastInSync,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': leastInSync,
    // Kafka waits 3 s for further members of a new group: right for production, a nuisance on a desk.
    'group.initial.rebalance.delay.ms': '0',
  }
}

export function rolesOf(spec: ClusterSpec, id: number): ('broker' | 'controller')[] {
  const roles: ('broker' | 'controller')[] = []
  if (brokerIds(spec).includes(id)) roles.push('broker')
  if (controllerIds(spec).includes(id)) roles.push('controller')
  return roles
}

/** The text of a Java properties file; keys in the order given. */
export function formatProperties(properties: Properties): string {
  return Object.entries(properties)
    .map(([key, value]) => `${escape(key).replaceAll(/[:= ]/g, character => `\\${character}`)}=${escape(value)}\n`)
    .join('')
}

function escape(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t').replace(/^ /, '\\ ')
}
