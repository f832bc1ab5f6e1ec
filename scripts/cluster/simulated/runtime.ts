/**
 * The runtime `simulated`: a whole cluster and its clients in this process, in virtual time, from a seed. While it is up, the globals of
 * the process (timers, clock, chance) belong to the simulation, so that unmodified kafkajs clients live in it too.
 *
 * Nothing of it outlives the command: `up` alone would leave nothing behind, it is for labs.
 */
import { Node } from '#broker/node.ts'
import { enterVirtualGlobals } from '#simulator/clients/virtual-globals.ts'
import type { SimulationFailure } from '#simulator/world/failure.ts'
import { World } from '#simulator/world/world.ts'
import { usageError } from '../../errors.ts'
import type { Availability, Cluster, ClusterSpec, Engine, Runtime, UpOptions } from '../cluster.ts'
import { SimulatedCluster, simulatedCapabilities } from './simulated-cluster.ts'
import type { MakeBroker } from './simulated-node.ts'

const makeBroker: MakeBroker = options => new Node(options)

/** Labs may be long: what ends a run that hangs is the lab's own time limits. */
const limitMs = 30 * 86_400_000

export const simulatedRuntime: Runtime = {
  name: 'simulated',
  capabilities: simulatedCapabilities,
  available(engine: Engine): Promise<Availability> {
    if (engine === 'faultline') return Promise.resolve({ available: true })
    return Promise.resolve({
      available: false,
      missing: `the simulator runs our own broker only, not ${engine}`,
      remedy: 'Use --runtime process.',
    })
  },
  up,
  attach(name: string): Promise<Cluster> {
    return Promise.reject(
      usageError(
        `The cluster ${name} is simulated: it lived in the command that started it.`,
        'Use --runtime process for a cluster that stays, or run a lab: ./faultline lab run LAB --runtime simulated',
      ),
    )
  },
}

async function up(spec: ClusterSpec, options: UpOptions = {}): Promise<Cluster> {
  options.signal?.throwIfAborted()
  const world = new World({ seed: spec.seed })
  const leave = enterVirtualGlobals(world)
  let failure: SimulationFailure | undefined
  const { promise: untilDown, resolve: end } = Promise.withResolvers<void>()
  const ended = world.run(() => untilDown, {
    limitMs,
    onFailure: found => (failure = found),
  })
  // Whoever waits in the world would wait for ever when it ends: `down` is told, and the error is not lost.
  ended.catch((error: unknown) => (failure ??= error as SimulationFailure))
  const cluster = new HostedCluster({ world, spec, makeBroker }, async () => {
    end()
    // How it ended is in `failure`.
    await Promise.allSettled([ended])
    leave()
    if (failure !== undefined) throw withTrace(failure)
  })
  try {
    cluster.startAll()
    if (options.skipReadyCheck !== true) await cluster.waitReady()
  } catch (error) {
    await cluster.down()
    throw error
  }
  return cluster
}

/** A cluster that owns its world: `down` ends both. */
class HostedCluster extends SimulatedCluster {
  readonly #end: () => Promise<void>
  #isDown = false

  constructor(options: ConstructorParameters<typeof SimulatedCluster>[0], end: () => Promise<void>) {
    super(options)
    this.#end = end
  }

  override async down(): Promise<void> {
    if (this.#isDown) return
    this.#isDown = true
    await super.down()
    await this.#end()
  }
}

/** The newest lines of all nodes tell what led to it. */
function withTrace(failure: SimulationFailure): Error {
  const lines = failure.trace?.slice(-40) ?? []
  return new Error(`The simulation failed: ${failure.message}\n${lines.join('\n')}`, { cause: failure })
}
