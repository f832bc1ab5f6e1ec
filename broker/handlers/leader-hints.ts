/** Where a partition is led now, for clients that came to the wrong broker: answers with the cure in them (KIP-951). */
import type { MetadataImage } from '../controller/image.ts'

export interface NodeEndpoint {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export interface LeaderHint {
  readonly leaderId: number
  readonly leaderEpoch: number
}

/** Collects hints for one response. Endpoints are those of the listener that the client uses. */
export class LeaderHints {
  private readonly image: MetadataImage
  private readonly listenerName: string
  private readonly nodes = new Map<number, NodeEndpoint>()

  constructor(image: MetadataImage, listenerName: string) {
    this.image = image
    this.listenerName = listenerName
  }

  /** Both -1 when the partition, or a leader of it, is not known. */
  of(topic: string, partition: number): LeaderHint {
    const state = this.image.partition(topic, partition)
    if (state === undefined) return { leaderId: -1, leaderEpoch: -1 }
    const broker = this.image.brokers.get(state.leader)
    const endpoint = broker?.endpoints.find(each => each.name === this.listenerName)
    if (broker !== undefined && !broker.fenced && endpoint !== undefined) {
      this.nodes.set(broker.id, { nodeId: broker.id, host: endpoint.host, port: endpoint.port, rack: broker.rack })
    }
    return { leaderId: state.leader, leaderEpoch: state.leaderEpoch }
  }

  endpoints(): NodeEndpoint[] {
    return [...this.nodes.values()]
  }
}
