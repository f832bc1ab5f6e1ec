/** Nodes of a metadata quorum on simulated machines, and scenarios with them. */
import type { Disk } from '#broker/environment/environment.ts'
import type { Voter } from '#broker/raft/raft.ts'
import { World } from '#simulator/world/world.ts'
import { RaftNode, type RaftNodeOptions } from './raft-node.ts'

export const port = 9093

export class RaftCluster {
  readonly world: World
  readonly voters: readonly Voter[]
  readonly nodes = new Map<number, RaftNode>()
  private readonly quorum: RaftNodeOptions['quorum']

  constructor(seed: number, votersCount: number, quorum: RaftNodeOptions['quorum'] = {}) {
    this.world = new World({ seed })
    this.quorum = quorum
    this.voters = Array.from({ length: votersCount }, (_, index) => ({
      id: index + 1,
      address: { host: `node-${index + 1}`, port },
    }))
  }

  start(id: number, identity: Pick<RaftNodeOptions, 'clusterId'> = {}): RaftNode {
    const environment = this.world.node(`node-${id}`).start()
    const isVoter = this.voters.some(voter => voter.id === id)
    const listen = isVoter ? { listen: { host: `node-${id}`, port } } : {}
    const node = new RaftNode(environment, {
      id,
      voters: this.voters,
      directory: '/meta',
      quorum: this.quorum ?? {},
      ...listen,
      ...identity,
    })
    this.nodes.set(id, node)
    return node
  }

  startAll(): void {
    for (const voter of this.voters) this.start(voter.id)
  }

  kill(id: number): void {
    this.nodes.delete(id)
    this.world.node(`node-${id}`).kill()
  }

  powerFailure(id: number): void {
    this.nodes.delete(id)
    this.world.node(`node-${id}`).powerFailure()
  }

  /** The disk of a machine as the test sees it. */
  diskOf(id: number): Disk {
    return this.world.node(`node-${id}`).disk.for({
      nowUs: 0,
      wallMs: 0,
      alive: () => {},
      fsyncBlocks: () => {},
      fsyncLater: done => done(),
      note: () => {},
    })
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    for (let waitedMs = 0; !condition(); waitedMs += 10) {
      if (waitedMs > 60_000) throw new Error(`still waiting for: ${what}`)
      await this.world.sleep(10)
    }
  }

  async leader(): Promise<RaftNode> {
    const find = (): RaftNode | undefined =>
      [...this.nodes.values()].find(node => node.listener.leaders.at(-1)?.leaderId === node.id)
    await this.until('a leader', () => find() !== undefined)
    return find() as RaftNode
  }

  /** Proposes until it is committed somewhere, and delivered everywhere. */
  async commit(...values: string[]): Promise<void> {
    let accepted = false
    await this.until('a leader that takes the proposal', () => {
      accepted ||= [...this.nodes.values()].some(node => node.isLeader && node.propose(...values) !== undefined)
      return accepted
    })
    const last = values.at(-1) ?? ''
    await this.until(`${last} everywhere`, () =>
      [...this.nodes.values()].every(node => node.listener.values.includes(last)),
    )
  }
}

export function scenario(
  seed: number,
  votersCount: number,
  run: (cluster: RaftCluster) => Promise<void>,
  quorum: RaftNodeOptions['quorum'] = {},
): Promise<void> {
  const cluster = new RaftCluster(seed, votersCount, quorum)
  return cluster.world.run(() => run(cluster), { limitMs: 600_000 })
}
