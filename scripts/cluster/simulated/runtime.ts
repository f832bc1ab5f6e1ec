/**
 * The runtime `simulated`: a whole cluster and its clients in this process, in virtual time, from a seed. While it is up, the globals of
 * the process (timers, clock, chance) belong to the simulation, so that unmodified kafkajs clients live in it too.
 *
 * Nothing of that outlives the command: it is for labs. `upAndStay` puts the same nodes into a process of their own, in real time, for
 * clients that know nothing of a simulation.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { Node } from '#broker/node.ts'
import { enterVirtualGlobals } from '#simulator/clients/virtual-globals.ts'
import type { SimulationFailure } from '#simulator/world/failure.ts'
import { World } from '#simulator/world/world.ts'
import { failure, usageError } from '../../errors.ts'
import { installation } from '../../installation/here.ts'
import { takingBack } from '../../settle.ts'
import { randomUuid } from '../apache-kafka/uuid.ts'
import { poll } from '../clock.ts'
import type { Availability, Cluster, ClusterSpec, Engine, Runtime, UpOptions } from '../cluster.ts'
import { claimUp, findCluster, ownProcess } from '../lifecycle.ts'
import { releasePorts, requireFreePorts } from '../ports.ts'
import { writeClientFiles } from '../security/clients.ts'
import { traitsOf } from '../security/kinds.ts'
import { makeSecurity } from '../security/material.ts'
import { removeState, stateDirectory, writeRecord } from '../state.ts'
import { hostLogPath } from './host-protocol.ts'
import { HostedCluster, readHostFile } from './hosted-cluster.ts'
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
  upAndStay,
  attach(name: string): Promise<Cluster> {
    return Promise.resolve(new HostedCluster(findCluster(name)))
  },
}

const hostStartTimeoutMs = 30_000

/** Starts the process that hosts the simulation and waits until the cluster serves on its real ports. */
async function upAndStay(request: ClusterSpec, options: UpOptions = {}): Promise<Cluster> {
  const { progress = () => undefined, signal } = options
  if (request.engine !== 'faultline')
    throw usageError(`The simulator runs our own broker only, not ${request.engine}.`, 'Use --runtime process.')
  if (request.dataDir !== undefined)
    throw usageError('--data means nothing here: the disks of a simulated cluster are simulated too.', 'Leave it away.')
  if (traitsOf(request.security).tls)
    throw usageError(
      `--security ${request.security} is not there on the runtime simulated: the simulated network has no TLS.`,
      'Use --security sasl, or --runtime process.',
    )
  const { spec } = await claimUp(request)
  let cluster: HostedCluster | undefined
  try {
    const clusterId = randomUuid()
    const record = {
      version: 1,
      spec,
      clusterId,
      phase: 'starting',
      owner: await ownProcess(),
      foreignData: [],
    } as const
    writeRecord(record)
    if (request.port !== 0) await requireFreePorts(spec)
    progress(`Starting a simulation of ${spec.brokers} brokers in real time`)
    const security = await makeSecurity(spec, [])
    cluster = new HostedCluster(record)
    if (security !== undefined) writeClientFiles(security, cluster.bootstrap)
    await startHost(spec.name, signal)
    if (options.skipReadyCheck !== true)
      await cluster.waitReady({ progress, ...(signal === undefined ? {} : { signal }) })
    signal?.throwIfAborted()
    writeRecord({ ...record, phase: 'up' })
    return cluster
  } catch (error) {
    throw await takingBack(error, async () => {
      // The process is found by its file, which stays where it cannot be ended.
      await cluster?.end()
      removeState(spec.name)
      if (request.port === 0) releasePorts(spec.port)
    })
  }
}

async function startHost(name: string, signal: AbortSignal | undefined): Promise<void> {
  makeFolder(stateDirectory(name))
  const log = openSync(hostLogPath(name), 'a')
  try {
    const child = spawn(process.execPath, [installation.simulationMain, name], {
      detached: true,
      stdio: ['ignore', log, log],
    })
    let ended = false
    child.once('error', () => (ended = true))
    child.once('exit', () => (ended = true))
    child.unref()
    const started = await poll(() => (ended ? 'ended' : readHostFile(name)), { timeoutMs: hostStartTimeoutMs, signal })
    if (started !== undefined && started !== 'ended') return
    if (!ended) child.kill('SIGKILL')
    throw failure(`The simulation did not start:\n${readFileSync(hostLogPath(name), 'utf8').trimEnd()}`)
  } finally {
    closeSync(log)
  }
}

async function up(spec: ClusterSpec, options: UpOptions = {}): Promise<Cluster> {
  options.signal?.throwIfAborted()
  if (spec.security !== undefined)
    throw usageError(
      'A run in virtual time has no security: passwords and keys are not made from the seed.',
      'Use --runtime process.',
    )
  const world = new World({ seed: spec.seed })
  const leave = enterVirtualGlobals(world)
  let failure: SimulationFailure | undefined
  const { promise: untilDown, resolve: end } = Promise.withResolvers<void>()
  const ended = world.run(() => untilDown, {
    limitMs,
    onFailure: found => (failure = found),
    onStray: options.stray,
  })
  // Whoever waits in the world would wait for ever when it ends: `down` is told, and the error is not lost.
  ended.catch((error: unknown) => (failure ??= error as SimulationFailure))
  const cluster = new LabCluster({ world, spec, makeBroker }, async () => {
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
class LabCluster extends SimulatedCluster {
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
