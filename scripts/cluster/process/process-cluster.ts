/** A cluster whose nodes are processes of this machine. Holds no state of its own: everything is read from `.faultline/NAME`. */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import type { Random } from '#broker/environment/environment.ts'
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import { failure, lacking, usageError } from '../../errors.ts'
import { takingBack, untilAllEnded } from '../../settle.ts'
import type { ClusterLinks } from '../../proxy/model.ts'
import { realClock } from '../clock.ts'
import type {
  Capability,
  ClientOptions,
  Cluster,
  ClusterSpec,
  NodeFaults,
  NodeState,
  NodeVersions,
  PowerFailureOptions,
  PowerLossSeen,
  Progress,
  QuorumView,
  UpOptions,
} from '../cluster.ts'
import { brokerIds, nodeIds } from '../cluster.ts'
import { engineOf, enginesOf, engineText } from '../engine-name.ts'
import { growLinks, requireRunning, startLinks } from '../growing-links.ts'
import { forgetBrokers, inTurnToGrow } from '../growth.ts'
import { metadataFiles } from '../metadata-directory.ts'
import { removeOutsideData } from '../outside-data.ts'
import { writePrometheusConfig } from '../metrics.ts'
import { brokerPort, controllerPort, hiddenClientPort, HOST, inspectorPort, pairPorts, releasePorts } from '../ports.ts'
import { rolesOf } from '../properties.ts'
import { seededRandom } from '../random.ts'
import { askQuorum, probePrefix, waitUntilReady } from '../ready.ts'
import { describeSecurity, toolkitClient, writeClientFiles, type SecurityDocument } from '../security/clients.ts'
import { readSecurity, type ClusterSecurity } from '../security/material.ts'
import type { ClusterRecord } from '../state.ts'
import {
  dataDirectory,
  logDirectories,
  nodeDirectory,
  readJson,
  removeState,
  writeJson,
  writeRecord,
} from '../state.ts'
import type { NodeFiles, PrepareOptions, ProcessEngine } from './engine.ts'
import { prepareGrowth } from './grow.ts'
import { insideOf, type InsideNodes } from './inside.ts'
import { commandLineOf } from './liveness.ts'
import { metadataDirectoryOf, outsideOfProcesses } from './node-files.ts'
import { NodeProcess } from './node-process.ts'
import { readNodeVersion, removeNodeVersion, writeNodeVersion } from '../node-version.ts'
import { forgetUnsynced, wholeLoss } from './power.ts'
import { ProxyProcess } from './proxy-process.ts'

export const processCapabilities: ReadonlySet<Capability> = new Set<Capability>([
  'kill',
  'stop',
  'pause',
  'restart',
  'wipe',
  'grow',
  'upgrade',
  'read-log-directory',
])

/** A controlled shutdown moves the leaders away first; Kafka's takes 4 to 6 s. */
const STOP_TIMEOUT_MS = 60_000
/** When all go at once, the last one waits in vain for a controller to agree, 18 s in our broker, and then goes in order all the same. */
const KEEP_DATA_STOP_TIMEOUT_MS = 40_000

/** What needs a fault proxy in front of the nodes. */
const proxyCapabilities: readonly Capability[] = ['partition']

/** What needs nodes that take orders for faults inside themselves. */
export const faultCapabilities: readonly Capability[] = ['node-faults', 'power-failure']

/** With and without a proxy, and nodes that can be broken from inside: a lab that needs them gets them. */
export const processRuntimeCapabilities: ReadonlySet<Capability> = new Set([
  ...processCapabilities,
  ...proxyCapabilities,
  ...faultCapabilities,
])

export class ProcessCluster implements Cluster {
  readonly capabilities: ReadonlySet<Capability>
  readonly links: ClusterLinks | undefined
  readonly nodeFaults: NodeFaults | undefined
  readonly versions: NodeVersions
  readonly clock = realClock
  readonly random: Random
  readonly #engine: ProcessEngine
  /** As it was when this object was made, or has grown since. */
  #record: ClusterRecord
  readonly #nodes: Map<number, NodeProcess>
  readonly #proxy: ProxyProcess | undefined
  /** What takes orders for faults inside nodes. */
  readonly #inside: InsideNodes | undefined
  #probes = 0

  constructor(record: ClusterRecord, engine: ProcessEngine) {
    const spec = record.spec
    this.random = seededRandom(spec.seed)
    this.#engine = engine
    this.#record = record
    this.#proxy = spec.proxy === true ? new ProxyProcess(() => this.spec) : undefined
    this.links = this.#proxy
    this.capabilities = new Set([
      ...processCapabilities,
      ...(this.#proxy === undefined ? [] : proxyCapabilities),
      ...(spec.faults === true ? faultCapabilities : []),
    ])
    this.#nodes = new Map(nodeIds(spec).map(id => [id, new NodeProcess(spec.name, id)]))
    this.#inside = spec.faults === true ? insideOf(spec, id => this.#node(id)) : undefined
    this.nodeFaults = this.#inside?.faults
    this.versions = {
      prepare: async (version, { progress = () => {}, signal } = {}) => {
        const other = engine.inVersion(version)
        const found = await other.available()
        if (!found.available) throw lacking(found.missing, found.remedy)
        await other.prepare({ progress, signal })
      },
      set: (id, version) => {
        if (version === undefined) removeNodeVersion(spec.name, this.#node(id).id)
        else writeNodeVersion(spec.name, this.#node(id).id, version)
        return Promise.resolve()
      },
      prove: async (id, version) => {
        const { pid } = await this.#node(id).status()
        const line = pid === undefined ? undefined : await commandLineOf(pid)
        const { mark } = engine.inVersion(version)
        if (line === undefined || line.includes(mark)) return line && mark
        throw failure(`Node ${id} was to run ${mark}, but runs ${line.slice(0, 500)}.`)
      },
    }
  }

  get spec(): ClusterSpec {
    return this.#record.spec
  }

  get bootstrap(): readonly string[] {
    return brokerIds(this.spec).map(id => `${HOST}:${brokerPort(this.spec, id)}`)
  }

  /** In the version that this node has. */
  #engineOf(id: number): ProcessEngine {
    const version = readNodeVersion(this.spec.name, id)
    return version === undefined ? this.#engine : this.#engine.inVersion(version)
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
    const nodes = await this.#cheapNodes()
    return await Promise.all(
      nodes.map(async node =>
        node.state === 'running' && !(await answers(this.#ownPort(node.id)))
          ? { ...node, state: 'starting' as const }
          : node,
      ),
    )
  }

  /** Like `nodes`, without asking whether a running process listens yet. */
  async #cheapNodes(): Promise<NodeState[]> {
    return await Promise.all(
      [...this.#nodes.values()].map(async node => ({ ...this.#describe(node), ...(await node.status()) })),
    )
  }

  #describe(node: NodeProcess): Omit<NodeState, 'state' | 'pid'> {
    const { id } = node
    const roles = rolesOf(this.spec, id)
    const port = roles.includes('broker') ? brokerPort(this.spec, id) : this.#ownPort(id)
    const version = readNodeVersion(this.spec.name, id)
    const inspector = this.#engine.properties(this.spec, id, this.#record.clusterId)['inspector.listener'] !== undefined
    return {
      id,
      roles,
      host: HOST,
      port,
      dataDir: dataDirectory(this.spec, id),
      log: node.logFile,
      ...(enginesOf(this.spec).length > 1 ? { engine: engineText(engineOf(this.spec, id)) } : {}),
      ...(inspector ? { inspector: `http://${HOST}:${inspectorPort(this.spec, id)}` } : {}),
      ...(version === undefined ? {} : { version }),
    }
  }

  /** Where the node itself listens. */
  #ownPort(id: number): number {
    const isBroker = rolesOf(this.spec, id).includes('broker')
    if (this.#proxy === undefined) return isBroker ? brokerPort(this.spec, id) : controllerPort(this.spec, id)
    if (isBroker) return hiddenClientPort(this.spec, id)
    return pairPorts(this.spec, { from: id, to: id, listener: 'controller' }).node
  }

  async kill(id: number): Promise<void> {
    await this.#node(id).kill()
  }

  async stop(id: number): Promise<void> {
    await this.#node(id).stop(STOP_TIMEOUT_MS)
  }

  async start(id: number): Promise<void> {
    await this.#startNode(this.#node(id), { progress: () => {}, signal: undefined })
  }

  async restart(id: number): Promise<void> {
    await this.stop(id)
    await this.start(id)
  }

  async pause(id: number): Promise<void> {
    await this.#node(id).pause()
  }

  async resume(id: number): Promise<void> {
    await this.#node(id).resume()
  }

  async wipe(id: number): Promise<void> {
    const { state } = await this.#node(id).status()
    if (state !== 'stopped' && state !== 'dead') {
      throw failure(
        `Node ${id} is ${state}: its disk can be emptied only while it is down.`,
        `./faultline kill ${id} --name ${this.spec.name} first.`,
      )
    }
    // First: of a disk that is half emptied nothing may be taken for durable.
    await this.#inside?.forgetDisk(id)
    rmSync(this.#cutFile(id), { force: true })
    for (const directory of logDirectories(this.spec, id)) emptyDirectory(directory)
    const metadata = metadataDirectoryOf(this.spec, id)
    if (metadata !== undefined)
      for (const file of metadataFiles(metadata)) rmSync(file, { recursive: true, force: true })
  }

  async grow(by: number, options: UpOptions = {}): Promise<readonly number[]> {
    return await inTurnToGrow(this.spec.name, async record => await this.#grow(record, by, options))
  }

  async #grow(
    before: ClusterRecord,
    by: number,
    { progress = () => {}, signal }: UpOptions,
  ): Promise<readonly number[]> {
    const growth = await prepareGrowth(before, this.#engine, by)
    const { record, fresh } = growth
    await requireRunning(this.#proxy, record.spec.name)
    await this.#engine.prepare({ progress, signal })
    await this.#inside?.prepare(fresh, { progress, signal })
    signal?.throwIfAborted()
    const joining = fresh.map(id => new NodeProcess(record.spec.name, id))
    try {
      growth.write()
      this.#record = record
      for (const node of joining) this.#nodes.set(node.id, node)
      if (this.#proxy !== undefined) await growLinks(this.#proxy, fresh, progress)
      progress(`Starting broker ${fresh.join(', ')}`)
      await untilAllEnded(joining.map(node => this.#startNode(node, { progress, signal })))
      progress('Waiting until every broker serves')
      await this.waitReady({ progress, ...(signal === undefined ? {} : { signal }) })
      signal?.throwIfAborted()
    } catch (error) {
      throw await takingBack(error, async () => {
        await untilAllEnded(joining.map(node => node.end()))
        await this.#proxy?.drop(fresh)
        growth.restore()
        for (const id of fresh) this.#nodes.delete(id)
        this.#record = before
        await forgetBrokers(fresh, this, progress)
      })
    }
    const secrets = this.#secrets
    if (secrets !== undefined) writeClientFiles(secrets, this.bootstrap)
    writePrometheusConfig(record.spec)
    return fresh
  }

  async powerFailure(ids: readonly number[], options = wholeLoss): Promise<readonly PowerLossSeen[]> {
    const inside = this.#inside
    if (inside === undefined)
      throw failure(`The nodes of ${this.spec.name} do not note what they have not fsynced.`, 'up --faults lets them.')
    for (const id of ids) {
      inside.requirePower(id, options)
      await this.#node(id).requireAlive('cut the power of')
    }
    // A command that is cut off here leaves nodes whose next start takes from them what is still to be taken: that of one machine alone would be
    // another failure.
    for (const id of ids) writeJson(this.#cutFile(id), options)
    try {
      await untilAllEnded(ids.map(id => this.kill(id)))
    } catch (error) {
      throw await takingBack(error, () => this.#forgetCuts(ids))
    }
    // One whose disk cannot be put back keeps none of the others from it.
    return await untilAllEnded(ids.map(async id => ({ node: id, ...this.#losePower(inside, id, options) })))
  }

  /** Says of a node that its power is cut, and how, until what that takes is gone. */
  #cutFile(id: number): string {
    return join(nodeDirectory(this.spec.name, id), 'power-cut.json')
  }

  #losePower(inside: InsideNodes, id: number, options: PowerFailureOptions): NodeFaultProof {
    const lost = inside.losePower(id, options)
    rmSync(this.#cutFile(id))
    return lost
  }

  /** Of nodes that live on. */
  async #forgetCuts(ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      const { pid } = await this.#node(id).status()
      if (pid !== undefined) rmSync(this.#cutFile(id), { force: true })
    }
  }

  async partition(groups: readonly (readonly number[])[]): Promise<void> {
    const [first = [], ...others] = groups
    if (others.length === 0) return
    await this.#requireProxy().add({ kind: 'partition', from: first, to: others.flat(), parameters: { both: true } })
    await this.partition(others)
  }

  async cutOneWay(from: readonly number[], to: readonly number[]): Promise<void> {
    await this.#requireProxy().add({ kind: 'partition', from, to })
  }

  async healPartition(): Promise<void> {
    const proxy = this.#requireProxy()
    const partitions = (await proxy.faults()).filter(({ name }) => name === 'partition')
    await proxy.heal(partitions.map(({ id }) => id))
  }

  #requireProxy(): ProxyProcess {
    if (this.#proxy !== undefined) return this.#proxy
    throw usageError(
      `The links of ${this.spec.name} cannot be broken: no fault proxy stands in front of its nodes.`,
      `./faultline down --name ${this.spec.name}, then ./faultline up --name ${this.spec.name} --proxy --runtime process`,
    )
  }

  async waitReady(
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal; readonly progress?: Progress } = {},
  ): Promise<void> {
    await waitUntilReady({
      spec: this.spec,
      clock: this.clock,
      nodes: () => this.#cheapNodes(),
      logs: (id, lines) => this.#node(id).tailOfStart(lines),
      links: this.links,
      probeName: `${probePrefix}${Date.now()}_${this.#probes++}`,
      timeoutMs: options.timeoutMs ?? this.#engine.readyTimeoutMs,
      signal: options.signal,
      progress: options.progress,
      client: this.kafkaOptions(),
    })
  }

  kafkaOptions(): ClientOptions {
    return { brokers: [...this.bootstrap], ...toolkitClient(this.#secrets) }
  }

  async quorum(): Promise<QuorumView | undefined> {
    const nodes = await this.#cheapNodes()
    const up = nodes.filter(node => node.roles.includes('broker') && node.state === 'running')
    return await askQuorum(up, this.clock, this.kafkaOptions())
  }

  async logs(id: number, options: { readonly lines?: number } = {}): Promise<string> {
    return await this.#node(id).tail(options.lines ?? 200)
  }

  async down(options: { readonly keepData?: boolean; readonly progress?: Progress } = {}): Promise<void> {
    if (options.keepData === true) {
      await this.#stopAll(options.progress)
      await this.#proxy?.end()
      writeRecord({ ...this.#record, phase: 'down' })
      return
    }
    await this.endAll()
    this.removeData()
    removeState(this.spec.name)
    releasePorts(this.spec.port)
  }

  /** Starts every node at once; the ones that have no storage yet get it first. */
  async startAll(options: PrepareOptions): Promise<void> {
    const ids = [...this.#nodes.keys()]
    await this.#inside?.prepare(ids, options)
    for (const id of ids) await this.#beforeStart(id, options)
    const files = ids.map(id => this.#files(id))
    await this.#engine.format(files, this.#record.clusterId, options)
    await startLinks(this.#proxy, this.spec, options.signal)
    // Who takes them away after a failure has to find all of them.
    await untilAllEnded([...this.#nodes.values()].map(node => this.#launch(node)))
  }

  async endAll(): Promise<void> {
    try {
      await untilAllEnded([...this.#nodes.values()].map(node => node.end()))
    } finally {
      await this.#proxy?.end()
    }
  }

  /** Removes the data that `up` made outside of the state directory; what was there before stays. */
  removeData(): void {
    removeOutsideData(outsideOfProcesses(this.spec), this.#record.foreignData)
  }

  /** Controlled shutdown of all. The last ones may find no quorum to say goodbye to, and no follower to hand a leader to: then they are ended. */
  async #stopAll(progress: Progress | undefined): Promise<void> {
    await untilAllEnded(
      [...this.#nodes.values()].map(async node => {
        const { state } = await node.status()
        if (state === 'paused') await node.resume()
        if (state !== 'running' && state !== 'paused') return
        try {
          await node.stop(KEEP_DATA_STOP_TIMEOUT_MS)
        } catch {
          progress?.(`Node ${node.id} did not shut down and was killed; it recovers its log at the next start.`)
          await node.end()
        }
      }),
    )
  }

  async #startNode(node: NodeProcess, options: PrepareOptions): Promise<void> {
    // Before anything is touched that a node which runs is at work with.
    await node.requireDown()
    const files = this.#files(node.id)
    const port = this.#ownPort(node.id)
    if (await answers(port)) throw failure(`Port ${port} of node ${node.id} is taken by another process.`)
    await this.#beforeStart(node.id, options)
    await this.#engineOf(node.id).format([files], this.#record.clusterId, options)
    await startLinks(this.#proxy, this.spec, options.signal)
    await this.#launch(node)
  }

  async #beforeStart(id: number, options: PrepareOptions): Promise<void> {
    // Nobody goes on with it: what it says is not true any more when the node has run without.
    if (this.#inside === undefined) {
      forgetUnsynced(nodeDirectory(this.spec.name, id))
      return
    }
    const cut = readJson(this.#cutFile(id)) as PowerFailureOptions | undefined
    if (cut !== undefined && this.#inside.knowsLoss(id)) this.#losePower(this.#inside, id, cut)
    // All of it was gone already.
    else rmSync(this.#cutFile(id), { force: true })
    await this.#inside.beforeStart(id, readNodeVersion(this.spec.name, id), options)
  }

  async #launch(node: NodeProcess): Promise<void> {
    const tied = this.spec.tied === true
    const options = { tied, isShortLived: tied || this.spec.lab !== undefined }
    await node.start(this.#engineOf(node.id).launch(this.#files(node.id), options), options)
    await this.#inside?.afterStart(node)
  }

  #files(id: number): NodeFiles {
    return {
      id,
      propertiesFile: join(nodeDirectory(this.spec.name, id), 'server.properties'),
      dataDir: dataDirectory(this.spec, id),
      logDirs: logDirectories(this.spec, id),
      ...(this.#inside === undefined ? {} : { faultDirectory: this.#inside.directoryOf(id) }),
    }
  }

  #node(id: number): NodeProcess {
    const node = this.#nodes.get(id)
    if (node !== undefined) return node
    throw usageError(
      `There is no node ${id} in the cluster ${this.spec.name}: it has ${[...this.#nodes.keys()].join(', ')}.`,
    )
  }
}

/** Removes what is in a directory but not the directory, which may be a mount. */
function emptyDirectory(directory: string): void {
  if (!existsSync(directory)) throw failure(`${directory} is not there.`, `Is ${dirname(directory)} still mounted?`)
  for (const entry of readdirSync(directory)) rmSync(join(directory, entry), { recursive: true, force: true })
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: HOST, port }, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
