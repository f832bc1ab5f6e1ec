/** A simulated cluster that lives in a process of its own, as commands see it. Holds no state: everything is asked of the host. */
import { join } from 'node:path'
import type { Random } from '#broker/environment/environment.ts'
import type { AddedNodeFault, NodeFaultState } from '#broker/environment/faulty/fault-desk.ts'
import { codeOf, type ExitCode, failure, ToolkitError, usageError } from '../../errors.ts'
import { takingBack } from '../../settle.ts'
import { poll, realClock } from '../clock.ts'
import { brokerIds, nodeIds } from '../cluster.ts'
import type {
  Capability,
  ClientOptions,
  Cluster,
  ClusterSpec,
  NodeFaults,
  NodeState,
  NodeStatus,
  PowerLossSeen,
  Progress,
  QuorumView,
  UpOptions,
} from '../cluster.ts'
import { forgetBrokers, inTurnToGrow, planGrowth } from '../growth.ts'
import { findCluster } from '../lifecycle.ts'
import { conditionOf, signalProcess, waitFor } from '../process/liveness.ts'
import { tailOf } from '../process/node-process.ts'
import { brokerPort, HOST, inspectorPort, releasePorts } from '../ports.ts'
import { rolesOf } from '../properties.ts'
import { seededRandom } from '../random.ts'
import { askQuorum, probePrefix, waitUntilReady } from '../ready.ts'
import { describeSecurity, toolkitClient, writeClientFiles, type SecurityDocument } from '../security/clients.ts'
import { readSecurity, type ClusterSecurity } from '../security/material.ts'
import type { ClusterRecord } from '../state.ts'
import { nodeDirectory, readJson, removeState } from '../state.ts'
import {
  type HostAnswer,
  type HostFile,
  hostFilePath,
  hostLogPath,
  type HostRequest,
  type HostStates,
} from './host-protocol.ts'
import { dataDirectory } from './simulated-node.ts'

export const hostedCapabilities: ReadonlySet<Capability> = new Set<Capability>([
  'kill',
  'stop',
  'pause',
  'restart',
  'wipe',
  'grow',
  'partition',
  'node-faults',
  'power-failure',
])

const readyTimeoutMs = 60_000
/** A broker that registers with nobody ends after a minute, and what ends by itself fails the whole simulation: it is taken away before that. */
const joinTimeoutMs = 45_000
const endTimeoutMs = 10_000

export class HostedCluster implements Cluster {
  /** As it was when this object was made, or has grown since. */
  #record: ClusterRecord
  readonly capabilities = hostedCapabilities
  readonly clock = realClock
  readonly random: Random
  readonly nodeFaults: NodeFaults = {
    add: async (id, order) => ((await this.#ask({ do: 'fault-add', id, order })) as { fault: AddedNodeFault }).fault,
    list: async id => ((await this.#ask({ do: 'fault-list', id })) as { faults: NodeFaultState[] }).faults,
    heal: async (id, ids) => ((await this.#ask({ do: 'fault-heal', id, ids })) as { faults: NodeFaultState[] }).faults,
  }
  #probes = 0

  constructor(record: ClusterRecord) {
    this.#record = record
    this.random = seededRandom(record.spec.seed)
  }

  get spec(): ClusterSpec {
    return this.#record.spec
  }

  get bootstrap(): readonly string[] {
    return brokerIds(this.spec).map(id => `${HOST}:${brokerPort(this.spec, id)}`)
  }

  get security(): SecurityDocument | undefined {
    const secrets = this.#secrets
    return secrets && describeSecurity(secrets)
  }

  /** Read when it is needed: a cluster whose keys are gone can still be taken away. */
  get #secrets(): ClusterSecurity | undefined {
    return readSecurity(this.spec)
  }

  async nodes(): Promise<readonly NodeState[]> {
    const states = await this.#states()
    return nodeIds(this.spec).map(id => this.#describe(id, states.get(id) ?? 'dead'))
  }

  kill(id: number): Promise<void> {
    return this.#do({ do: 'kill', id })
  }

  stop(id: number): Promise<void> {
    return this.#do({ do: 'stop', id })
  }

  start(id: number): Promise<void> {
    return this.#do({ do: 'start', id })
  }

  async restart(id: number): Promise<void> {
    await this.stop(id)
    await this.start(id)
  }

  pause(id: number): Promise<void> {
    return this.#do({ do: 'pause', id })
  }

  resume(id: number): Promise<void> {
    return this.#do({ do: 'resume', id })
  }

  wipe(id: number): Promise<void> {
    return this.#do({ do: 'wipe', id })
  }

  async grow(by: number, options: UpOptions = {}): Promise<readonly number[]> {
    return await inTurnToGrow(this.spec.name, async record => {
      const { fresh } = await planGrowth(record, by)
      options.signal?.throwIfAborted()
      return await this.#grow(by, fresh, options)
    })
  }

  async #grow(by: number, fresh: readonly number[], { progress, signal }: UpOptions): Promise<readonly number[]> {
    const before = this.#record
    try {
      progress?.(`Starting broker ${fresh.join(', ')}`)
      await this.#do({ do: 'grow', by })
      // The host has written it, so that they are known whatever becomes of this command.
      this.#record = findCluster(this.spec.name)
      progress?.('Waiting until every broker serves')
      await this.waitReady({ timeoutMs: joinTimeoutMs, ...(progress && { progress }), ...(signal && { signal }) })
      signal?.throwIfAborted()
    } catch (error) {
      throw await takingBack(error, async () => {
        await this.#do({ do: 'remove', ids: fresh })
        this.#record = before
        await forgetBrokers(fresh, this, progress)
      })
    }
    const secrets = this.#secrets
    if (secrets !== undefined) writeClientFiles(secrets, this.bootstrap)
    return fresh
  }

  partition(groups: readonly (readonly number[])[]): Promise<void> {
    return this.#do({ do: 'partition', groups })
  }

  cutOneWay(from: readonly number[], to: readonly number[]): Promise<void> {
    return this.#do({ do: 'cut-one-way', from, to })
  }

  healPartition(): Promise<void> {
    return this.#do({ do: 'heal-partition' })
  }

  async powerFailure(ids: readonly number[]): Promise<readonly PowerLossSeen[]> {
    await this.#do({ do: 'power-failure', ids })
    return []
  }

  async waitReady(
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal; readonly progress?: Progress } = {},
  ): Promise<void> {
    await waitUntilReady({
      spec: this.spec,
      clock: this.clock,
      nodes: () => this.nodes(),
      logs: (id, lines) => this.logs(id, { lines }),
      probeName: `${probePrefix}${Date.now()}_${this.#probes++}`,
      timeoutMs: options.timeoutMs ?? readyTimeoutMs,
      signal: options.signal,
      progress: options.progress,
      client: this.kafkaOptions(),
    })
    await this.#untilStarted(options.signal)
  }

  /** A broker serves a moment before its start is over, and until then its state says that it is starting. */
  async #untilStarted(signal: AbortSignal | undefined): Promise<void> {
    const started = await poll(
      async () => {
        signal?.throwIfAborted()
        return (await this.nodes()).some(({ state }) => state === 'starting') ? undefined : true
      },
      { timeoutMs: readyTimeoutMs },
    )
    if (started !== true)
      throw failure(
        `A node of ${this.spec.name} is still starting after ${readyTimeoutMs / 1000} s.`,
        `./faultline logs --name ${this.spec.name} shows what the nodes say.`,
      )
  }

  kafkaOptions(): ClientOptions {
    return { brokers: [...this.bootstrap], ...toolkitClient(this.#secrets) }
  }

  async quorum(): Promise<QuorumView | undefined> {
    const nodes = await this.nodes()
    return await askQuorum(
      nodes.filter(node => node.roles.includes('broker') && node.state === 'running'),
      this.clock,
      this.kafkaOptions(),
    )
  }

  async logs(id: number, options: { readonly lines?: number } = {}): Promise<string> {
    return await tailOf(this.#logFile(id), options.lines ?? 200)
  }

  async down(options: { readonly keepData?: boolean } = {}): Promise<void> {
    if (options.keepData === true)
      throw usageError(
        `The disks of ${this.spec.name} are simulated: they end with the cluster, and there is no data to keep.`,
        `./faultline down --name ${this.spec.name}`,
      )
    await this.end()
    removeState(this.spec.name)
    releasePorts(this.spec.port)
  }

  /** Ends the host if it is there, whatever its state. */
  async end(): Promise<void> {
    const host = readHostFile(this.spec.name)
    if (host === undefined) return
    if (await signalProcess(host.process, 'SIGKILL')) await waitFor(host.process, 'gone', endTimeoutMs)
  }

  #describe(id: number, state: NodeStatus): NodeState {
    const roles = rolesOf(this.spec, id)
    return {
      id,
      roles,
      host: HOST,
      port: roles.includes('broker') ? brokerPort(this.spec, id) : inspectorPort(this.spec, id),
      state,
      dataDir: `simulated:${dataDirectory}`,
      log: this.#logFile(id),
      inspector: `http://${HOST}:${inspectorPort(this.spec, id)}`,
    }
  }

  #logFile(id: number): string {
    return join(nodeDirectory(this.spec.name, id), 'broker.log')
  }

  /** Empty when the host is gone, and all nodes with it. */
  async #states(): Promise<Map<number, NodeStatus>> {
    const host = readHostFile(this.spec.name)
    if (host === undefined || (await conditionOf(host.process)) === 'gone') return new Map()
    const { states } = (await ask(host, { do: 'states' })) as HostStates
    return new Map(states.map(({ id, state }) => [id, state]))
  }

  async #do(request: HostRequest): Promise<void> {
    await this.#ask(request)
  }

  async #ask(request: HostRequest): Promise<HostAnswer> {
    const host = readHostFile(this.spec.name)
    if (host === undefined || (await conditionOf(host.process)) === 'gone')
      throw failure(
        `The process that simulates ${this.spec.name} has ended; ${hostLogPath(this.spec.name)} says why.`,
        `./faultline down --name ${this.spec.name} cleans up.`,
      )
    return await ask(host, request)
  }
}

/** Whether the process that simulates all nodes is gone, and their disks with it. */
export async function hostHasEnded(name: string): Promise<boolean> {
  const host = readHostFile(name)
  return host === undefined || (await conditionOf(host.process)) === 'gone'
}

/** Undefined until the host serves. */
export function readHostFile(name: string): HostFile | undefined {
  return readJson(hostFilePath(name)) as HostFile | undefined
}

async function ask(host: HostFile, request: HostRequest): Promise<HostAnswer> {
  let answer: HostAnswer
  try {
    const response = await fetch(`http://${HOST}:${host.controlPort}`, {
      method: 'POST',
      body: JSON.stringify(request),
    })
    answer = (await response.json()) as HostAnswer
  } catch (error) {
    throw failure(
      `The process ${host.process.pid}, which simulates the cluster, does not answer (${codeOf(error) ?? String(error)}).`,
      './faultline down ends it.',
      error,
    )
  }
  if ('error' in answer) throw new ToolkitError(answer.exitCode as ExitCode, answer.error, { remedy: answer.remedy })
  return answer
}
