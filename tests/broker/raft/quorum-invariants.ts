/**
 * What must hold in a quorum after every event, whatever was lost, delayed or crashed. Named after the invariants of Kafka's
 * RaftEventSimulationTest and the properties of the Raft paper (figure 3). A violation throws.
 */
import type { Entry, Node, World } from './quorum-world.ts'

export class Invariants {
  private readonly world: World
  private readonly leaderOf = new Map<number, number>()
  private readonly epochOf = new Map<number, number>()
  private readonly highWatermarkOf = new Map<string, number>()
  private readonly valueAt = new Map<string, string>()
  private readonly votes = new Map<string, number>()
  /** Everything that any node ever delivered, by offset. */
  readonly committed: Entry[] = []

  constructor(world: World) {
    this.world = world
  }

  afterStep(node: Node): void {
    const { machine, id } = node
    const { epoch, role, highWatermark } = machine
    this.world.note(`${this.world.nowMs} ${id} ${role} ${epoch} ${machine.logEndOffset} ${highWatermark}`)
    this.check(epoch >= (this.epochOf.get(id) ?? 0), node, `monotonic epoch: ${this.epochOf.get(id)} then ${epoch}`)
    this.epochOf.set(id, epoch)
    const incarnation = `${id}/${node.incarnation}`
    const before = this.highWatermarkOf.get(incarnation) ?? 0
    this.check(highWatermark >= before, node, `monotonic high watermark: ${before} then ${highWatermark}`)
    this.highWatermarkOf.set(incarnation, highWatermark)
    this.check(
      machine.logEndOffset === node.endOffset,
      node,
      `the machine's log ends at ${machine.logEndOffset}, the log at ${node.endOffset}`,
    )
    this.check(machine.logStartOffset === node.startOffset, node, 'log start')
    this.snapshotAtLogStart(node)
    this.votedOnce(node)
    if (role === 'leader') this.singleLeader(node)
  }

  /** Log matching: an offset and an epoch name one record, on all nodes. */
  appended(node: Node, offset: number, entry: Entry): void {
    const name = `${offset}/${entry.epoch}`
    const known = this.valueAt.get(name)
    this.check(
      known === undefined || known === entry.value,
      node,
      `log matching: ${name} is both ${known} and ${entry.value}`,
    )
    this.valueAt.set(name, entry.value)
  }

  /** Consistent committed data: all nodes deliver the same records, and a majority of voters holds them durably when the first one does. */
  applied(node: Node, state: readonly Entry[], from: number): void {
    for (let offset = from; offset < state.length; offset += 1) {
      const entry = state[offset]
      const known = this.committed[offset]
      if (entry === undefined) continue
      if (known === undefined) {
        this.check(
          offset === this.committed.length,
          node,
          `delivered ${offset}, but only ${this.committed.length} are committed`,
        )
        this.majorityHolds(node, offset, entry)
        this.committed.push(entry)
      } else {
        const same = known.epoch === entry.epoch && known.value === entry.value
        this.check(
          same,
          node,
          `offset ${offset}: delivered ${entry.epoch} ${entry.value}, others ${known.epoch} ${known.value}`,
        )
      }
    }
  }

  private majorityHolds(node: Node, offset: number, entry: Entry): void {
    const holders = this.world.voters.filter(id => {
      const held = this.world.node(id).durableEntry(offset)
      return held !== undefined && held.epoch === entry.epoch && held.value === entry.value
    })
    this.check(
      holders.length * 2 > this.world.voters.length,
      node,
      `majority reached high watermark: ${offset} is durable on ${holders.join()} only`,
    )
  }

  private singleLeader(node: Node): void {
    const { epoch } = node.machine
    const known = this.leaderOf.get(epoch)
    if (known === node.id) return
    this.check(known === undefined, node, `single leader: epoch ${epoch} is led by ${known} and ${node.id}`)
    this.leaderOf.set(epoch, node.id)
    // Leader completeness: everything committed so far is in the log of every later leader.
    for (const [offset, entry] of this.committed.entries()) {
      const held = node.entryAt(offset)
      const same = held !== undefined && held.epoch === entry.epoch && held.value === entry.value
      this.check(same, node, `leader completeness: leader of ${epoch} lacks ${offset}`)
    }
  }

  private snapshotAtLogStart(node: Node): void {
    if (node.startOffset === 0) return
    const there = [...node.disk.snapshots.values()].some(({ stored }) => stored.endOffset === node.startOffset)
    this.check(there, node, `snapshot at log start: none at ${node.startOffset}`)
  }

  private votedOnce(node: Node): void {
    const state = node.disk.hardState
    if (state?.votedId === undefined) return
    const name = `${node.id}/${state.epoch}`
    const known = this.votes.get(name)
    this.check(
      known === undefined || known === state.votedId,
      node,
      `one vote per epoch: ${name} for ${known} and ${state.votedId}`,
    )
    this.votes.set(name, state.votedId)
  }

  private check(holds: boolean, node: Node, what: string): void {
    if (!holds) throw new Error(`node ${node.id} at ${this.world.nowMs} ms: ${what}`)
  }
}
