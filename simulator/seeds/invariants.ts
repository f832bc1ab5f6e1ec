/**
 * What must hold after every single event, whatever broke: KRaft's promises (one leader per epoch, epochs and high watermarks that do not
 * go back, committed metadata the same everywhere) and that of replication (committed records the same on every replica; a leader and an
 * in-sync set out of replicas that are never none).
 *
 * Only the node that an event belongs to is looked at, and its log only when its high watermark has moved.
 */
import type { SimulatedCluster } from '#scripts/cluster/simulated/simulated-cluster.ts'
import type { Broker, SimulatedNode } from '#scripts/cluster/simulated/simulated-node.ts'
import type { World } from '../world/world.ts'
import { CommittedLog } from './committed-log.ts'
import { LogReader } from './log-reader.ts'

/** What a broker lets the invariants see of its quorum. */
export interface QuorumView {
  readonly role: string
  readonly leader: { readonly leaderId: number | undefined; readonly epoch: number }
  readonly highWatermark: number
  readonly logEndOffset: number
}

/** What a broker lets the invariants see of a partition. */
export interface PartitionsView {
  highWatermark(partition: { topic: string; partition: number }): number | undefined
}

/** What a broker lets the invariants see of the metadata that it follows. */
export interface MetadataView {
  readonly topicsById: ReadonlyMap<
    string,
    { readonly name: string; readonly partitions: ReadonlyMap<number, AssignmentView> }
  >
}

interface AssignmentView {
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly leader: number
  readonly addingReplicas: readonly number[]
  readonly removingReplicas: readonly number[]
}

export interface BrokerView {
  readonly quorum: QuorumView | undefined
  readonly partitions: PartitionsView | undefined
  readonly metadata: MetadataView | undefined
}

export interface InvariantOptions {
  readonly view: (broker: Broker) => BrokerView
  readonly topic: string
  readonly partitions: number
  /** Where a broker may keep the log of a partition. */
  readonly logDirs: readonly string[]
}

const metadataDirectory = '/data/__cluster_metadata-0'

export function watchInvariants(world: World, cluster: SimulatedCluster, options: InvariantOptions): void {
  const leaders = new Map<number, number>()
  const metadata = new CommittedLog('__cluster_metadata-0')
  const data = Array.from({ length: options.partitions }, (_, index) => new CommittedLog(`${options.topic}-${index}`))
  const watches = new Map(
    cluster.members.map(member => [member.machine, new NodeWatch(member, { leaders, metadata, data, options })]),
  )
  world.onEvent(machine => {
    if (machine !== undefined) watches.get(machine)?.look()
  })
}

interface Shared {
  /** Epoch → the node that led it. */
  readonly leaders: Map<number, number>
  readonly metadata: CommittedLog
  readonly data: readonly CommittedLog[]
  readonly options: InvariantOptions
}

class NodeWatch {
  readonly #node: SimulatedNode
  readonly #shared: Shared
  readonly #logs: readonly ReplicaWatch[]
  readonly #metadata: ReplicaWatch
  #incarnation = -1
  #epoch = 0
  #highWatermark = 0
  #seen: MetadataView | undefined

  constructor(node: SimulatedNode, shared: Shared) {
    this.#node = node
    this.#shared = shared
    this.#metadata = new ReplicaWatch(node, [metadataDirectory], shared.metadata)
    const { topic, logDirs } = shared.options
    this.#logs = shared.data.map((log, index) => {
      const places = logDirs.map(path => `${path}/${topic}-${index}`)
      return new ReplicaWatch(node, places, log)
    })
  }

  look(): void {
    const { broker, machine } = this.#node
    if (broker === undefined) return
    if (machine.incarnation !== this.#incarnation) {
      this.#incarnation = machine.incarnation
      this.#highWatermark = 0
      this.#metadata.newLife()
      for (const log of this.#logs) log.newLife()
    }
    const { quorum, partitions, metadata } = this.#shared.options.view(broker)
    if (quorum !== undefined) this.#lookAtQuorum(quorum)
    if (metadata !== undefined && metadata !== this.#seen) this.#lookAtMetadata(metadata)
    if (partitions === undefined) return
    const { topic } = this.#shared.options
    for (const [partition, log] of this.#logs.entries()) {
      const highWatermark = partitions.highWatermark({ topic, partition })
      // Should the replica be moved here again, it begins with an empty log.
      if (highWatermark === undefined) log.newLife()
      else log.committedUntil(highWatermark)
    }
  }

  /** Images share what did not change: only the topics that are new to this node are looked at. */
  #lookAtMetadata(metadata: MetadataView): void {
    const before = this.#seen
    this.#seen = metadata
    for (const [id, topic] of metadata.topicsById) {
      if (before?.topicsById.get(id) === topic) continue
      for (const [index, partition] of topic.partitions) {
        const wrong = wrongWith(partition)
        if (wrong === undefined) continue
        throw new Error(`${this.#node.machine.name}: ${topic.name}-${index} has ${wrong}: ${JSON.stringify(partition)}`)
      }
    }
  }

  #lookAtQuorum({ role, leader, highWatermark, logEndOffset }: QuorumView): void {
    const { name } = this.#node.machine
    if (leader.epoch < this.#epoch) throw new Error(`${name} went back from epoch ${this.#epoch} to ${leader.epoch}`)
    this.#epoch = leader.epoch
    if (role === 'leader') this.#onlyLeader(leader.epoch)
    if (highWatermark === this.#highWatermark) return
    if (highWatermark < this.#highWatermark) {
      throw new Error(
        `${name}: the high watermark of the quorum went back from ${this.#highWatermark} to ${highWatermark}`,
      )
    }
    if (highWatermark > logEndOffset) {
      throw new Error(`${name}: the high watermark ${highWatermark} is beyond the end of the log, ${logEndOffset}`)
    }
    this.#highWatermark = highWatermark
    this.#metadata.committedUntil(highWatermark)
  }

  #onlyLeader(epoch: number): void {
    const { leaders } = this.#shared
    const { id } = this.#node
    const known = leaders.get(epoch)
    if (known === undefined) leaders.set(epoch, id)
    else if (known !== id) throw new Error(`two leaders of epoch ${epoch} of the quorum: node ${known} and node ${id}`)
  }
}

function wrongWith({ replicas, isr, leader, addingReplicas, removingReplicas }: AssignmentView): string | undefined {
  const outside = (ids: readonly number[]): boolean => ids.some(id => !replicas.includes(id))
  if (replicas.length === 0) return 'no replicas'
  if (new Set(replicas).size !== replicas.length) return 'a replica twice'
  if (outside(isr)) return 'an in-sync set outside of its replicas'
  if (leader !== -1 && !replicas.includes(leader)) return 'a leader that is no replica'
  return outside([...addingReplicas, ...removingReplicas]) ? 'a reassignment outside of its replicas' : undefined
}

/** One replica of one log: checks what becomes committed on it, each batch once per life of its node. */
class ReplicaWatch {
  readonly #node: SimulatedNode
  readonly #directories: readonly string[]
  readonly #committed: CommittedLog
  #reader: LogReader
  #until = 0

  constructor(node: SimulatedNode, directories: readonly string[], committed: CommittedLog) {
    this.#node = node
    this.#directories = directories
    this.#committed = committed
    this.#reader = new LogReader(node.machine.disk, directories)
  }

  newLife(): void {
    if (this.#until === 0) return
    this.#until = 0
    this.#reader = new LogReader(this.#node.machine.disk, this.#directories)
  }

  committedUntil(highWatermark: number): void {
    if (highWatermark <= this.#until) return
    for (const batch of this.#reader.batches(this.#until, highWatermark)) {
      // A batch that reaches beyond the high watermark is looked at when it is committed as a whole.
      if (batch.nextOffset > highWatermark) return
      this.#committed.add(batch, this.#node.machine.name)
      this.#until = batch.nextOffset
    }
  }
}
