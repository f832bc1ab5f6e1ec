/**
 * A cluster inside a simulated world, behind the same interface as any other. Time is virtual, connections, disks and chance come from
 * the seed; whoever keeps to the Cluster interface replays with it.
 */
import type { ISocketFactory } from 'kafkajs'
import { socketFactory } from '#simulator/clients/virtual-socket.ts'
import { Prng } from '#simulator/world/prng.ts'
import type { World } from '#simulator/world/world.ts'
import type { Random } from '#broker/environment/environment.ts'
import { usageError } from '../../errors.ts'
import type {
  Capability,
  ClientOptions,
  Cluster,
  ClusterSpec,
  LabClock,
  NodeFaults,
  NodeState,
  PowerLossSeen,
  QuorumView,
} from '../cluster.ts'
import { brokerIds, controllerIds } from '../cluster.ts'
import { nodeProperties, rolesOf, type NodeAddresses } from '../properties.ts'
import { askQuorum, waitUntilReady } from '../ready.ts'
import { traitsOf } from '../security/kinds.ts'
import { toolkitClient } from '../security/clients.ts'
import type { ClusterSecurity } from '../security/material.ts'
import { firstUserSettings, nodeSecuritySettings } from '../security/node-settings.ts'
import type { ConnectionOptions } from '../wire.ts'
import { SimulatedNodeFaults } from './node-faults.ts'
import { dataDirectory, type MakeBroker, SimulatedNode } from './simulated-node.ts'

export const simulatedCapabilities: ReadonlySet<Capability> = new Set<Capability>([
  'kill',
  'stop',
  'pause',
  'restart',
  'wipe',
  'grow',
  'partition',
  'node-faults',
  'power-failure',
  'virtual-time',
])

const clientHost = 'client'
const readyTimeoutMs = 60_000
const defaultPort = 9092
const controllerPort = 9093

/** Ports inside the world of a cluster with clients outside: there the advertised address leads out, so brokers use a listener of their own. */
export const worldPorts = { clients: 9092, brokers: 9094, inspector: 9292, login: 9095 } as const

export interface SimulatedClusterOptions {
  readonly world: World
  readonly spec: ClusterSpec
  readonly makeBroker: MakeBroker
  /** Where clients outside of the world reach a broker; left out: clients are inside. */
  readonly outside?: (id: number) => string
  readonly clusterId?: string
  /** Users and passwords, of a cluster that is secured. */
  readonly security?: ClusterSecurity | undefined
  /** A listener of this name, on which whoever keeps to `bootstrap` and `kafkaOptions` logs in; its security is up to the settings. */
  readonly login?: { readonly listener: string; readonly username: string; readonly password: string }
}

export class SimulatedCluster implements Cluster {
  readonly world: World
  readonly capabilities = simulatedCapabilities
  readonly clock: LabClock
  readonly random: Random
  readonly nodeFaults: NodeFaults
  readonly #members: SimulatedNode[]
  /** By their ids: a machine has one life in its world, and is the same when a broker of that id comes again. */
  readonly #removed = new Map<number, SimulatedNode>()
  #options: SimulatedClusterOptions
  readonly #socketFactory: ISocketFactory
  readonly #cuts: (readonly [from: string, to: string])[] = []
  #probes = 0

  constructor(options: SimulatedClusterOptions) {
    const { world, spec } = options
    this.#options = options
    this.world = world
    this.clock = { nowMs: () => world.nowMs, sleep: ms => world.sleep(ms) }
    this.random = new Prng(spec.seed, 'lab')
    const client = world.node(clientHost)
    client.isServer = false
    client.start()
    // The types of kafkajs ask for a whole net.Socket; it uses what VirtualSocket has.
    this.#socketFactory = socketFactory(client) as unknown as ISocketFactory
    this.#members = memberIds(spec).map(id => this.#newMember(id))
    this.nodeFaults = new SimulatedNodeFaults(this.#members)
  }

  get spec(): ClusterSpec {
    return this.#options.spec
  }

  get members(): readonly SimulatedNode[] {
    return this.#members
  }

  get bootstrap(): readonly string[] {
    if (this.#options.login === undefined) return this.openBootstrap
    return brokerIds(this.spec).map(id => `${hostOf(id)}:${worldPorts.login}`)
  }

  /** The same brokers where nobody logs in; those of `bootstrap`, unless there is a listener to log in on. */
  get openBootstrap(): readonly string[] {
    return brokerIds(this.spec).map(id => `${hostOf(id)}:${clientPort(this.spec)}`)
  }

  #newMember(id: number): SimulatedNode {
    const { world, spec, makeBroker, clusterId: given, security, outside } = this.#options
    const properties = {
      ...nodeProperties(spec, id, addresses(this.#options, id), dataDirectory),
      'cluster.id': given ?? clusterId(spec),
      ...firstUserSettings(security),
      ...(outside === undefined ? {} : { 'inspector.listener': `${hostOf(id)}:${worldPorts.inspector}` }),
    }
    return new SimulatedNode({ id, world, host: hostOf(id), properties, makeBroker })
  }

  startAll(): void {
    for (const member of this.members) member.start()
  }

  nodes(): Promise<readonly NodeState[]> {
    return Promise.resolve(this.members.map(member => this.#describe(member)))
  }

  kill(id: number): Promise<void> {
    return this.#act(id, member => member.kill())
  }

  stop(id: number): Promise<void> {
    return this.#act(id, member => member.stop())
  }

  start(id: number): Promise<void> {
    return this.#act(id, member => member.start())
  }

  async restart(id: number): Promise<void> {
    await this.stop(id)
    await this.start(id)
  }

  pause(id: number): Promise<void> {
    return this.#act(id, member => member.pause())
  }

  resume(id: number): Promise<void> {
    return this.#act(id, member => member.resume())
  }

  wipe(id: number): Promise<void> {
    return this.#act(id, member => member.wipe())
  }

  async grow(by: number): Promise<readonly number[]> {
    const fresh = await this.addBrokers(by)
    await this.waitReady()
    return fresh
  }

  /** Like `grow`, without waiting until they serve. */
  async addBrokers(by: number): Promise<readonly number[]> {
    const { spec } = this
    const grown = { ...spec, added: (spec.added ?? 0) + by }
    const fresh = brokerIds(grown).slice(brokerIds(spec).length)
    this.#options = { ...this.#options, spec: grown }
    for (const id of fresh) this.#members.push(this.#removed.get(id) ?? this.#newMember(id))
    for (const id of fresh) await this.start(id)
    return fresh
  }

  /** Brokers that were the last to come, with what is on their disks. */
  async removeBrokers(ids: readonly number[]): Promise<void> {
    const { spec } = this
    const leaving = this.#members.filter(({ id }) => ids.includes(id))
    for (const member of leaving) {
      await this.nodeFaults.heal(member.id, 'all')
      if (member.isUp) member.kill()
      member.wipe()
      this.#removed.set(member.id, member)
      this.#members.splice(this.#members.indexOf(member), 1)
    }
    this.#options = { ...this.#options, spec: { ...spec, added: (spec.added ?? 0) - leaving.length } }
  }

  partition(groups: readonly (readonly number[])[]): Promise<void> {
    for (const [index, group] of groups.entries()) {
      for (const other of groups.slice(index + 1)) {
        for (const a of group) for (const b of other) this.#cutBoth(hostOf(a), hostOf(b))
      }
    }
    return Promise.resolve()
  }

  cutOneWay(from: readonly number[], to: readonly number[]): Promise<void> {
    for (const a of from) for (const b of to) if (a !== b) this.#cut(hostOf(a), hostOf(b))
    return Promise.resolve()
  }

  healPartition(): Promise<void> {
    for (const [from, to] of this.#cuts.splice(0)) this.world.network.heal(from, to)
    return Promise.resolve()
  }

  powerFailure(ids: readonly number[]): Promise<readonly PowerLossSeen[]> {
    const members = ids.map(id => this.member(id))
    for (const member of members) member.powerFailure()
    return Promise.resolve([])
  }

  async waitReady(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    await waitUntilReady({
      spec: this.spec,
      clock: this.clock,
      nodes: () => this.nodes(),
      logs: (id, lines) => this.logs(id, { lines }),
      probeName: `__faultline_ready_${this.#probes++}`,
      timeoutMs: options.timeoutMs ?? readyTimeoutMs,
      client: this.#openClient(),
    })
  }

  async hold<T>(work: () => Promise<T>): Promise<T> {
    return await this.world.hold(work)
  }

  kafkaOptions(): ClientOptions {
    const reach = { brokers: [...this.bootstrap], socketFactory: this.#socketFactory }
    const { login } = this.#options
    if (login === undefined) return { ...reach, ...toolkitClient(this.#options.security) }
    const { username, password } = login
    return { ...reach, sasl: { mechanism: 'plain', username, password } }
  }

  /** For the addresses that `nodes` tells. */
  #openClient(): ConnectionOptions {
    return this.#options.login === undefined ? this.kafkaOptions() : { socketFactory: this.#socketFactory }
  }

  async quorum(): Promise<QuorumView | undefined> {
    const up = (await this.nodes()).filter(node => node.roles.includes('broker') && node.state === 'running')
    return await askQuorum(up, this.clock, this.#openClient())
  }

  logs(id: number, options: { readonly lines?: number } = {}): Promise<string> {
    const lines = this.world.trace.lines(this.member(id).machine.name)
    return Promise.resolve(lines.slice(-(options.lines ?? 200)).join('\n'))
  }

  /** Nothing outlives a simulation: there is nothing to keep. */
  down(): Promise<void> {
    for (const member of this.members) if (member.isUp) member.kill()
    return Promise.resolve()
  }

  member(id: number): SimulatedNode {
    const found = this.members.find(member => member.id === id)
    if (found !== undefined) return found
    throw usageError(
      `There is no node ${id} in the cluster ${this.spec.name}: it has ${this.members.map(m => m.id).join(', ')}.`,
    )
  }

  async #act(id: number, action: (member: SimulatedNode) => void | Promise<void>): Promise<void> {
    await action(this.member(id))
  }

  #cutBoth(a: string, b: string): void {
    this.#cut(a, b)
    this.#cut(b, a)
  }

  #cut(from: string, to: string): void {
    this.world.network.cut(from, to)
    this.#cuts.push([from, to])
  }

  #describe(member: SimulatedNode): NodeState {
    const roles = rolesOf(this.spec, member.id)
    return {
      id: member.id,
      roles,
      host: member.machine.name,
      port: roles.includes('broker') ? clientPort(this.spec) : controllerPort,
      state: member.status,
      dataDir: dataDirectory,
      log: 'kept in memory: the newest lines come with the report of a failure',
    }
  }
}

function memberIds(spec: ClusterSpec): number[] {
  return [...new Set([...brokerIds(spec), ...controllerIds(spec)])]
}

export function hostOf(id: number): string {
  return `node-${id}`
}

/** Every node has a host of its own, so they all use the same port. */
function clientPort(spec: ClusterSpec): number {
  return spec.port === 0 ? defaultPort : spec.port
}

function addresses({ spec, outside, security, login }: SimulatedClusterOptions, id: number): NodeAddresses {
  const host = hostOf(id)
  const port = outside === undefined ? clientPort(spec) : worldPorts.clients
  const forClients = { name: traitsOf(spec.security).protocol, port, advertised: outside?.(id) ?? `${host}:${port}` }
  const forBrokers = { name: 'INTERNAL', port: worldPorts.brokers, advertised: `${host}:${worldPorts.brokers}` }
  const listeners = outside === undefined ? [forClients] : [forClients, forBrokers]
  const names = listeners.map(({ name }) => name)
  return {
    bindHost: host,
    listeners: [...listeners, ...loginListener(login, host)],
    interBrokerListener: outside === undefined ? forClients.name : forBrokers.name,
    controllers: [{ name: 'CONTROLLER', port: controllerPort }],
    voters: controllerIds(spec).map(voter => `${voter}@${hostOf(voter)}:${controllerPort}`),
    ...(security === undefined
      ? {}
      : { security: nodeSecuritySettings(security, { listeners: names, keys: 'files' }) }),
  }
}

function loginListener(login: SimulatedClusterOptions['login'], host: string): NodeAddresses['listeners'] {
  if (login === undefined) return []
  return [{ name: login.listener, port: worldPorts.login, advertised: `${host}:${worldPorts.login}` }]
}

/** 16 bytes from the seed, written like Kafka's cluster ids. */
function clusterId(spec: ClusterSpec): string {
  return new Prng(spec.seed, 'cluster id').bytes(16).toString('base64url')
}
