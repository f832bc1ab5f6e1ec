/**
 * Breaks things while a run is in its safety phase: one fault after the other, each for a while, some overlapping. Whatever it broke, it
 * can mend all of it at any moment. What it may break without breaking a promise of Kafka is decided here:
 *
 * - processes may be killed in any number and at any time: the page cache survives;
 * - the power of one machine may fail only when all replicas are in sync, and nothing else may happen until they are again: Kafka acks
 *   before it fsyncs, so more than that may rightly lose records;
 * - disks may be full or slow for a while, tear the write at which a process dies, and refuse all work in one log directory: what was written
 *   before is still there when the node starts again.
 */
import { clockJump } from '#broker/environment/faulty/clock-faults.ts'
import { failingDisk } from '#broker/environment/faulty/failing-disk.ts'
import type { Fault } from '#broker/environment/faulty/fault.ts'
import { fullDisk } from '#broker/environment/faulty/full-disk.ts'
import { slowDisk } from '#broker/environment/faulty/slow-disk.ts'
import { tornWrite } from '#broker/environment/faulty/torn-write.ts'
import type { SimulatedCluster } from '#scripts/cluster/simulated/simulated-cluster.ts'
import type { SimulatedNode } from '#scripts/cluster/simulated/simulated-node.ts'
import type { Prng } from '../world/prng.ts'
import type { World } from '../world/world.ts'
import type { FaultKind } from './fault-kinds.ts'
import type { Swarm } from './swarm.ts'

export interface NemesisOptions {
  readonly world: World
  readonly cluster: SimulatedCluster
  readonly swarm: Swarm
  readonly random: Prng
  /** Told of every fault: kind, nodes it hit, and what it did. */
  readonly report: (kind: string, nodes: readonly number[], detail: string) => void
  /** Resolves when all replicas are in sync; rejects when that takes too long. */
  readonly untilInSync: () => Promise<void>
}

export class Nemesis {
  readonly #options: NemesisOptions
  /** What is broken now, each with what mends it. */
  readonly #broken = new Set<() => Promise<void> | void>()
  readonly #down = new Set<SimulatedNode>()
  #running = true
  #underWay: Promise<void>[] = []

  constructor(options: NemesisOptions) {
    this.#options = options
  }

  /** Breaks things until `endMs`. */
  async run(endMs: number): Promise<void> {
    const { world, swarm, random } = this.#options
    while (this.#running && world.nowMs < endMs && swarm.faults.length > 0) {
      await world.sleep(random.between(swarm.calmMsMin, swarm.calmMsMax))
      if (world.nowMs >= endMs) break
      await this.#one(random.pick(swarm.faults))
    }
    // Without faults the time belongs to the clients alone.
    if (this.#running && world.nowMs < endMs) await world.sleep(endMs - world.nowMs)
  }

  /** Mends everything. */
  async heal(): Promise<void> {
    this.#running = false
    for (const mend of this.#broken) await mend()
    this.#broken.clear()
    await Promise.all(this.#underWay)
    for (const node of this.#options.cluster.members) if (!node.isUp) this.#start(node)
  }

  async #one(kind: FaultKind): Promise<void> {
    const { random, cluster } = this.#options
    const node = random.pick(cluster.members)
    switch (kind) {
      case 'kill':
        return this.#kill([node])
      case 'kill-all':
        return this.#kill(cluster.members)
      case 'restart':
        return this.#restart(node)
      case 'pause':
        return this.#pause(node)
      case 'isolate':
        return this.#cut('isolate', [node.id], this.#linksOf(node))
      case 'split':
        return this.#split()
      case 'one-way':
        return this.#oneWay(node)
      case 'slow-link':
        return this.#slow(node)
      case 'power-failure':
        return this.#powerFailure(node)
      case 'clock-jump':
        return this.#jump(node)
      case 'full-disk':
        return this.#fault(kind, node, fullDisk({ afterBytes: random.between(0, 20_000) }))
      case 'slow-disk':
        return this.#fault(
          kind,
          node,
          slowDisk({ operations: ['write', 'sync'], delayMs: random.between(1, 20), jitterMs: 20 }),
        )
      case 'disk-error':
        return this.#diskError(node)
      case 'torn-write':
        return this.#tornWrite(node)
    }
  }

  async #kill(nodes: readonly SimulatedNode[]): Promise<void> {
    const up = nodes.filter(node => node.isUp && !node.isStopping)
    if (up.length === 0) return
    for (const node of up) {
      node.kill()
      this.#down.add(node)
    }
    this.#options.report(up.length > 1 ? 'kill-all' : 'kill', ids(up), 'the process ends at once')
    await this.#lasts(() => {
      for (const node of up) this.#start(node)
    })
  }

  /** A controlled shutdown may take as long as it takes: other faults go on meanwhile. */
  #restart(node: SimulatedNode): void {
    if (node.status !== 'running' || node.isStopping) return
    const { world, random, report } = this.#options
    report('restart', [node.id], 'controlled shutdown, then start')
    const work = async (): Promise<void> => {
      // Who cannot say goodbye in time is ended, as every service manager does it.
      await node.stop().catch(() => {
        if (node.isUp) node.kill()
      })
      await world.sleep(random.between(1, 2000))
      this.#start(node)
    }
    this.#underWay.push(work())
  }

  async #pause(node: SimulatedNode): Promise<void> {
    if (!node.isUp || node.isStopping) return
    node.pause()
    this.#options.report('pause', [node.id], 'the process stands still')
    await this.#lasts(() => node.resume())
  }

  /** Two groups that cannot reach each other; clients still reach both. */
  #split(): Promise<void> {
    const { random, cluster } = this.#options
    const shuffled = random.shuffle(cluster.members)
    const left = shuffled.slice(0, random.between(1, shuffled.length - 1))
    const right = shuffled.filter(node => !left.includes(node))
    const pairs = left.flatMap(a => right.flatMap(b => both(host(a), host(b))))
    return this.#cut('split', ids(left), pairs)
  }

  /** One direction of one link. */
  #oneWay(node: SimulatedNode): Promise<void> {
    const { random, cluster } = this.#options
    const other = random.pick(cluster.members.filter(member => member !== node))
    return this.#cut('one-way', [node.id], [[host(node), host(other)]])
  }

  async #slow(node: SimulatedNode): Promise<void> {
    const { random, world, report } = this.#options
    const extraUs = random.between(1000, 400_000)
    const links = this.#linksOf(node)
    for (const [from, to] of links) world.network.links.slow(from, to, extraUs)
    report('slow-link', [node.id], `every packet takes ${Math.round(extraUs / 1000)} ms longer`)
    await this.#lasts(() => {
      for (const [from, to] of links) world.network.links.slow(from, to, 0)
    })
  }

  async #powerFailure(node: SimulatedNode): Promise<void> {
    await this.#mendAll()
    if (!this.#running) return
    await this.#options.untilInSync()
    if (!node.isUp || !this.#running) return
    node.powerFailure()
    this.#options.report('power-failure', [node.id], 'what was not fsynced is lost')
    await this.#lasts(() => this.#start(node))
    await this.#options.untilInSync()
  }

  async #jump(node: SimulatedNode): Promise<void> {
    const { random, report } = this.#options
    const offsetMs = random.between(-3_600_000, 3_600_000)
    const id = node.machine.faults.add(clockJump({ offsetMs }))
    report('clock-jump', [node.id], `wall clock ${offsetMs} ms off`)
    await this.#lasts(() => node.machine.faults.heal(id))
  }

  async #fault(kind: string, node: SimulatedNode, fault: Fault): Promise<void> {
    const id = node.machine.faults.add(fault)
    this.#options.report(kind, [node.id], fault.summary)
    await this.#lasts(() => node.machine.faults.heal(id))
  }

  /** A directory that failed comes back with the next process only. */
  async #diskError(node: SimulatedNode): Promise<void> {
    const { swarm, random, report } = this.#options
    const directory = random.pick(swarm.logDirs.slice(1))
    const fault = failingDisk({ path: new RegExp(`^${directory}(/|$)`) })
    const id = node.machine.faults.add(fault)
    report('disk-error', [node.id], fault.summary)
    await this.#lasts(() => {
      node.machine.faults.heal(id)
      if (node.isUp && !node.isStopping) {
        node.kill()
        this.#start(node)
      }
    })
  }

  /** The process ends when it comes to that write; else nothing happens. */
  async #tornWrite(node: SimulatedNode): Promise<void> {
    const { random, report } = this.#options
    const fault = tornWrite({ nth: random.between(1, 60), path: /\.(log|index|timeindex|snapshot|tmp)$/ })
    const id = node.machine.faults.add(fault)
    report('torn-write', [node.id], fault.summary)
    await this.#lasts(() => {
      node.machine.faults.heal(id)
      this.#start(node)
    })
  }

  async #cut(kind: string, nodes: readonly number[], links: readonly (readonly [string, string])[]): Promise<void> {
    const { world, report } = this.#options
    for (const [from, to] of links) world.network.cut(from, to)
    report(kind, nodes, links.map(([from, to]) => `${from} > ${to}`).join(', '))
    await this.#lasts(() => {
      for (const [from, to] of links) world.network.heal(from, to)
    })
  }

  /** A fault is over after a while; one in three goes on while the next begins. */
  async #lasts(mend: () => void): Promise<void> {
    const { world, random, swarm } = this.#options
    const lastsMs = random.between(swarm.faultMsMin, swarm.faultMsMax)
    const once = (): void => {
      if (this.#broken.delete(once)) mend()
    }
    this.#broken.add(once)
    const over = world.sleep(lastsMs).then(once)
    if (!random.chance(1, 3)) await over
  }

  async #mendAll(): Promise<void> {
    for (const mend of this.#broken) await mend()
    await Promise.all(this.#underWay)
    this.#underWay = []
  }

  #start(node: SimulatedNode): void {
    if (node.isUp) return
    this.#down.delete(node)
    node.start()
    this.#options.report('start', [node.id], 'on the disk as it is')
  }

  #linksOf(node: SimulatedNode): (readonly [string, string])[] {
    return this.#options.cluster.members.filter(other => other !== node).flatMap(other => both(host(node), host(other)))
  }
}

function host(node: SimulatedNode): string {
  return node.machine.name
}

function both(a: string, b: string): (readonly [string, string])[] {
  return [
    [a, b],
    [b, a],
  ]
}

function ids(nodes: readonly SimulatedNode[]): number[] {
  return nodes.map(node => node.id)
}
