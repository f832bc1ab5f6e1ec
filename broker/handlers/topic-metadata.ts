/**
 * What Metadata and DescribeTopicPartitions say about partitions and brokers, seen from one listener: clients get only addresses of the
 * listener they came in on. Source: Kafka's KRaftMetadataCache; KIP-112 (offline replicas).
 */
import { hasOnlineDirectory } from '../controller/partition-change.ts'
import type { BrokerImage, MetadataImage, PartitionImage } from '../controller/image.ts'
import type { ErrorName } from '../protocol/errors.ts'
import { clusterName } from '../security/authorization/acl.ts'
import type { RequestContext } from './handler.ts'

export const operationsNotAsked = -2_147_483_648

/** What the sender may do with the cluster, as far as it may know. */
export function clusterOperations(context: RequestContext): number {
  return context.authorize('Describe', 'Cluster', clusterName)
    ? context.authorizedOperations('Cluster', clusterName)
    : 0
}

export interface Node {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export function nodeOf(broker: BrokerImage, listenerName: string): Node | undefined {
  const endpoint = broker.endpoints.find(({ name }) => name === listenerName)
  if (endpoint === undefined) return undefined
  return { nodeId: broker.id, host: endpoint.host, port: endpoint.port, rack: broker.rack }
}

/** Brokers that are not fenced and have the listener. */
export function aliveNodes(image: MetadataImage, listenerName: string): Node[] {
  return [...image.brokers.values()]
    .filter(broker => !broker.fenced)
    .map(broker => nodeOf(broker, listenerName))
    .filter(node => node !== undefined)
}

/**
 * Any broker that is alive serves as "controller": it forwards. This one when it is alive, so that the client need not go elsewhere.
 * -1 when none is alive.
 */
export function controllerForClients(nodes: readonly Node[], thisNode: number): number {
  if (nodes.some(({ nodeId }) => nodeId === thisNode)) return thisNode
  return nodes.reduce((least, { nodeId }) => (least === -1 || nodeId < least ? nodeId : least), -1)
}

export interface PartitionView {
  readonly error: ErrorName
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly replicaNodes: readonly number[]
  readonly isrNodes: readonly number[]
  readonly offlineReplicas: readonly number[]
}

export interface ViewOptions {
  readonly listenerName: string
  /** Metadata v0: replicas that cannot be reached are left out, and that is an error. */
  readonly onlyAliveReplicas: boolean
  /** Metadata v6+: a leader without the listener is LISTENER_NOT_FOUND, not LEADER_NOT_AVAILABLE. */
  readonly reportMissingListener: boolean
}

export function viewPartition(image: MetadataImage, partition: PartitionImage, options: ViewOptions): PartitionView {
  const { listenerName, onlyAliveReplicas, reportMissingListener } = options
  const hasListener = (id: number) => {
    const broker = image.brokers.get(id)
    return broker !== undefined && nodeOf(broker, listenerName) !== undefined
  }
  const reachable = (id: number) => image.isBrokerAlive(id) && hasListener(id)
  const shown = (ids: readonly number[]) => (onlyAliveReplicas ? ids.filter(reachable) : ids)
  const replicaNodes = shown(partition.replicas)
  const isrNodes = shown(partition.isr)
  const offlineReplicas = partition.replicas.filter(id => !reachable(id) || !hasOnlineDirectory(image, partition, id))
  const view = { leaderEpoch: partition.leaderEpoch, replicaNodes, isrNodes, offlineReplicas }
  if (!hasListener(partition.leader)) {
    const known = image.brokers.has(partition.leader)
    const error = known && reportMissingListener ? 'LISTENER_NOT_FOUND' : 'LEADER_NOT_AVAILABLE'
    return { ...view, error, leaderId: -1 }
  }
  const complete = replicaNodes.length === partition.replicas.length && isrNodes.length === partition.isr.length
  return { ...view, error: complete ? 'NONE' : 'REPLICA_NOT_AVAILABLE', leaderId: partition.leader }
}
