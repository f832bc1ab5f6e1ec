/**
 * Where a consumer had better read (KIP-392): from a replica in its own rack, if the leader is in another. Only replicas in sync that hold the
 * offset asked for come into question; of several the one that is furthest.
 */
import type { MetadataImage } from '../controller/image.ts'
import type { LocalReplica } from './local-replica.ts'

/** Kafka's name of this way to choose, in replica.selector.class; its other one, and the default, is the leader. */
export const rackAwareSelector = 'org.apache.kafka.common.replica.RackAwareReplicaSelector'

export interface ReadingClient {
  readonly rackId: string
  /** The replica must be reachable on the listener that the client uses. */
  readonly listenerName: string
}

/** Broker id of the replica to read from instead of `leader`; undefined: from the leader. */
export function preferredReadReplica(
  leader: LocalReplica,
  fetchOffset: number,
  client: ReadingClient,
  metadata: { readonly image: MetadataImage; readonly ownId: number },
): number | undefined {
  const { machine, gone } = leader
  if (client.rackId === '' || machine.role !== 'leader' || gone !== undefined) return undefined
  const { image, ownId } = metadata
  const isInRack = (id: number): boolean => {
    const broker = image.brokers.get(id)
    if (broker === undefined || broker.fenced || broker.rack !== client.rackId) return false
    return broker.endpoints.some(({ name }) => name === client.listenerName)
  }
  if (isInRack(ownId)) return undefined
  const [best] = machine
    .followerStates()
    .filter(({ brokerId, logEndOffset, logStartOffset }) => {
      const holdsOffset = logEndOffset >= fetchOffset && logStartOffset <= fetchOffset
      return holdsOffset && machine.isr.includes(brokerId) && isInRack(brokerId)
    })
    .sort((a, b) => b.logEndOffset - a.logEndOffset || b.lastCaughtUpMs - a.lastCaughtUpMs || b.brokerId - a.brokerId)
  return best?.brokerId
}
