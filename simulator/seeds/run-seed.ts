/**
 * One seed: a cluster, clients, faults, and the verdict on what came out. Two phases. Safety: things break, and whatever is acknowledged
 * must survive. Liveness: everything is mended, and then the cluster must serve again, give back every acknowledged record, and groups
 * must go on.
 */
import { check } from '#scripts/checkers/check.ts'
import { SimulatedCluster } from '#scripts/cluster/simulated/simulated-cluster.ts'
import type { MakeBroker } from '#scripts/cluster/simulated/simulated-node.ts'
import type { ClusterSpec } from '#scripts/cluster/cluster.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import type { History } from '#scripts/history/operation.ts'
import { AppendWorkload, appendDefaults } from '#scripts/workload/append.ts'
import { Observer } from '#scripts/workload/observer.ts'
import { readReplicaLogs } from '#scripts/workload/replica-logs.ts'
import { admit, clientListener, liftLimits, worker, type Access } from '../actors/access.ts'
import { within, type Actor } from '../actors/actor.ts'
import { type ActorKind, makeActor, settingsFor } from '../actors/actors.ts'
import { transactionalTopics } from '../actors/transactions.ts'
import { Trespasser } from '../actors/trespasser.ts'
import { Wire } from '../actors/wire.ts'
import { withVirtualGlobals } from '../clients/virtual-globals.ts'
import { SimulationFailure } from '../world/failure.ts'
import { Prng } from '../world/prng.ts'
import { World, type WorldOptions } from '../world/world.ts'
import { allInSync } from './all-in-sync.ts'
import { type InvariantOptions, watchInvariants } from './invariants.ts'
import { watchLeaders } from './leaders.ts'
import { Mover } from './mover.ts'
import { Nemesis } from './nemesis.ts'
import { DirectoryMover } from './directory-mover.ts'
import { describeSwarm, drawSwarm, type Swarm } from './swarm.ts'

export interface SeedOptions {
  readonly seed: number
  readonly makeBroker: MakeBroker
  /** What the invariants may see of a broker. */
  readonly view: InvariantOptions['view']
  /** Length of the phase with faults; default: drawn from the seed. */
  readonly safetyMs?: number
  /** Other actors than the seed draws. */
  readonly actors?: readonly ActorKind[]
  /** Controlled access as given, whatever the seed draws. */
  readonly access?: Access
  readonly world?: Pick<WorldOptions, 'drain' | 'logLevel' | 'onLine'>
  /** Given the world before anything happens in it, to watch it. */
  readonly onWorld?: (world: World) => void
}

export interface SeedResult {
  readonly seed: number
  readonly swarm: string
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  readonly acknowledged: number
  readonly faults: number
  /** How much each actor did. */
  readonly deeds: Readonly<Record<string, number>>
  /** Undefined when all is well. */
  readonly failure?: string
  /** The newest log lines of all nodes before the failure. */
  readonly trace?: readonly string[]
  readonly history: History
}

/** Until a mended cluster must serve and be in sync again. */
const convergeMs = 90_000
const limitMs = 3_600_000
const topic = 'events'

export async function runSeed(options: SeedOptions): Promise<SeedResult> {
  const { seed } = options
  const drawn = drawSwarm(seed, options.safetyMs)
  const swarm = { ...drawn, actors: options.actors ?? drawn.actors, access: options.access ?? drawn.access }
  const world = new World({ seed, settings: swarm.settings, ...options.world })
  options.onWorld?.(world)
  const run = new SeedRun(world, swarm, options)
  const problem = await withVirtualGlobals(world, () =>
    world
      .run(() => run.perform(), { limitMs })
      .then(
        () => run.judge(),
        (error: unknown) => failureOf(error),
      ),
  )
  return {
    seed,
    swarm: describeSwarm(swarm),
    hash: world.hash,
    events: world.eventsRun,
    virtualMs: world.nowMs,
    acknowledged: run.acknowledged,
    faults: run.faults,
    deeds: run.deeds,
    history: run.history,
    ...problem,
  }
}

type Problem = Pick<SeedResult, 'failure' | 'trace'>

function failureOf(error: unknown): Problem {
  if (!(error instanceof SimulationFailure)) throw error
  const stack = error.cause instanceof Error ? `\n${error.cause.stack ?? ''}` : ''
  return { failure: error.message + stack, trace: error.trace }
}

class SeedRun {
  readonly #world: World
  readonly #swarm: Swarm
  readonly #cluster: SimulatedCluster
  readonly #recorder: HistoryRecorder
  readonly #workload: AppendWorkload
  readonly #actors: readonly Actor[]
  readonly #view: InvariantOptions['view']
  #faults = 0

  constructor(world: World, swarm: Swarm, { makeBroker, view }: SeedOptions) {
    this.#world = world
    this.#swarm = swarm
    this.#view = view
    const login = swarm.access === undefined ? {} : { login: { listener: clientListener, ...worker } }
    this.#cluster = new SimulatedCluster({ world, spec: specOf(world.seed, swarm), makeBroker, ...login })
    const { partitions } = swarm.workload
    watchInvariants(world, this.#cluster, { view, topic, partitions, logDirs: swarm.logDirs })
    if (swarm.actors.includes('transactions')) watchLeaders(world, this.#cluster, transactionalTopics)
    this.#recorder = new HistoryRecorder({ nowMs: () => world.nowMs })
    this.#workload = new AppendWorkload(this.#cluster, this.#recorder, topic, {
      ...appendDefaults,
      ...swarm.workload,
    })
    const stage = { world, cluster: this.#cluster, faults: swarm.faults, secured: swarm.access !== undefined }
    const intruders = stage.secured ? [new Trespasser({ ...stage, random: new Prng(world.seed, 'trespasser') })] : []
    this.#actors = [...swarm.actors.map(kind => makeActor(kind, stage)), ...intruders]
  }

  get acknowledged(): number {
    return this.#workload.producers.acknowledged
  }

  /** What the actors did. */
  get deeds(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#actors.map(({ name, deeds }) => [name, deeds]))
  }

  get faults(): number {
    return this.#faults
  }

  get history(): History {
    return this.#recorder.history
  }

  async perform(): Promise<void> {
    const cluster = this.#cluster
    const workload = this.#workload
    cluster.startAll()
    await cluster.waitReady()
    await this.#withWire(admit)
    await workload.prepare()
    for (const actor of this.#actors) await actor.prepare()
    const observer = new Observer(cluster, this.#recorder, workload.topic)
    observer.start()
    workload.start()
    this.#recorder.phase('safety')
    const nemesis = this.#nemesis()
    const mover = this.#mover()
    const moving = mover?.run()
    const directoryMover = this.#directoryMover()
    const movingDirectories = directoryMover?.run()
    const acting = this.#actors.map(actor => this.#act(actor))
    await nemesis.run(this.#world.nowMs + this.#swarm.safetyMs)
    mover?.stop()
    directoryMover?.stop()
    for (const actor of this.#actors) actor.stop()
    await moving
    await movingDirectories
    this.#recorder.phase('liveness')
    await nemesis.heal()
    await cluster.waitReady({ timeoutMs: convergeMs })
    await mover?.settled(convergeMs)
    await workload.moreAcknowledged(5, convergeMs)
    await workload.finish(convergeMs)
    await this.#withWire(wire => liftLimits(wire))
    await readReplicaLogs(cluster, this.#recorder, workload.topic)
    await observer.stop()
    await within(this.#world, convergeMs, 'actors come to rest', Promise.all(acting))
    for (const actor of this.#actors) await actor.conclude(this.#world.nowMs + convergeMs)
  }

  /** Only where access is controlled. */
  async #withWire(work: (wire: Wire, access: Access) => Promise<void>): Promise<void> {
    const { access } = this.#swarm
    if (access === undefined) return
    const wire = new Wire(this.#cluster)
    await work(wire, access)
    wire.close()
  }

  /** What an actor cannot take ends the run at once. */
  async #act(actor: Actor): Promise<void> {
    try {
      await actor.run()
    } catch (error) {
      this.#world.fail(error, actor.name)
    }
  }

  /** What the checkers say of the history. */
  judge(): Problem {
    const verdict = check(this.history)
    const bad = verdict.results.filter(result => result.valid === false)
    if (bad.length === 0) return {}
    const lines = bad.map(({ name, count, explanation, cases }) => {
      const first = cases[0] === undefined ? '' : `\n    ${cases[0].explanation}`
      return `  ${name} (${count}): ${explanation}${first}`
    })
    return { failure: `seed ${this.#world.seed}: the history is invalid\n${lines.join('\n')}`, trace: [] }
  }

  #nemesis(): Nemesis {
    return new Nemesis({
      world: this.#world,
      cluster: this.#cluster,
      swarm: this.#swarm,
      random: new Prng(this.#world.seed, 'nemesis'),
      untilInSync: async () => {
        await this.#workload.untilInSync(convergeMs)
        await allInSync({ world: this.#world, cluster: this.#cluster, view: this.#view }, convergeMs)
      },
      report: (kind, brokers, detail) => this.#report(kind, brokers, detail),
    })
  }

  #mover(): Mover | undefined {
    const { moveMsMax, workload } = this.#swarm
    if (moveMsMax === undefined) return undefined
    return new Mover({
      world: this.#world,
      cluster: this.#cluster,
      random: new Prng(this.#world.seed, 'mover'),
      topic,
      partitions: workload.partitions,
      pauseMsMax: moveMsMax,
      report: (brokers, detail) => this.#report('reassign', brokers, detail),
    })
  }

  #directoryMover(): DirectoryMover | undefined {
    const { directoryMoveMsMax, logDirs, workload } = this.#swarm
    if (directoryMoveMsMax === undefined) return undefined
    return new DirectoryMover({
      world: this.#world,
      cluster: this.#cluster,
      random: new Prng(this.#world.seed, 'directory mover'),
      topic,
      partitions: workload.partitions,
      directories: logDirs,
      pauseMsMax: directoryMoveMsMax,
      report: (brokers, detail) => this.#report('move', brokers, detail),
    })
  }

  #report(kind: string, brokers: readonly number[], detail: string): void {
    this.#faults++
    this.#world.trace.add('nemesis', 'info', kind, { nodes: brokers, detail })
    const value = { brokers, target: brokers.map(id => `node ${id}`).join(', '), detail }
    this.#recorder.append({ process: 'nemesis', type: 'ok', f: kind, value })
  }
}

function specOf(seed: number, swarm: Swarm): ClusterSpec {
  return {
    name: `seed-${seed}`,
    runtime: 'simulated',
    engine: 'faultline',
    brokers: swarm.brokers,
    controllers: swarm.controllers,
    port: 0,
    settings: {
      ...settingsFor(swarm.actors, swarm.access),
      'log.dirs': swarm.logDirs.join(','),
      'metadata.log.dir': swarm.logDirs[0]!,
    },
    seed,
  }
}
