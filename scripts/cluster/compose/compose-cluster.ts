/**
 * A cluster whose nodes are containers of one Compose project. State beside the Docker engine's own: the Compose file, the record, and
 * for each node whether its end is what we wanted.
 */
import { existsSync } from 'node:fs'
import type { ContainerInspectInfo } from 'dockerode'
import type { Random } from '#broker/environment/environment.ts'
import { codeOf, failure, usageError } from '../../errors.ts'
import type { ClusterLinks, FaultRequest } from '../../proxy/model.ts'
import { takingBack, untilAllEnded } from '../../settle.ts'
import { KafkaNodeFaults } from '../apache-kafka/node-faults.ts'
import { realClock } from '../clock.ts'
import type {
  Capability,
  ClientOptions,
  Cluster,
  ClusterSpec,
  NodeState,
  NodeStatus,
  PowerLossSeen,
  Progress,
  QuorumView,
  UpOptions,
} from '../cluster.ts'
import { brokerIds, capabilitiesOf, nodeIds } from '../cluster.ts'
import { inTurnOfFile } from '../file-lock.ts'
import { growLinks, requireRunning, startLinks } from '../growing-links.ts'
import { forgetBrokers, inTurnToGrow, type Growth } from '../growth.ts'
import { writePrometheusConfig } from '../metrics.ts'
import { readNodeVersion } from '../node-version.ts'
import { removeOutsideData } from '../outside-data.ts'
import { brokerPort, HOST, inspectorPort, releasePorts } from '../ports.ts'
import { wholeLoss } from '../process/power.ts'
import { conditionOf, identify, waitFor, type ProcessHandle } from '../process/liveness.ts'
import { rolesOf } from '../properties.ts'
import { seededRandom } from '../random.ts'
import { askQuorum, probePrefix, waitUntilReady } from '../ready.ts'
import { describeSecurity, toolkitClient, writeClientFiles, type SecurityDocument } from '../security/clients.ts'
import { readSecurity, type ClusterSecurity } from '../security/material.ts'
import type { ClusterRecord } from '../state.ts'
import {
  dataDirectory,
  faultLockFile,
  readJson,
  removeState,
  stateDirectory,
  stateEntry,
  writeJson,
  writeRecord,
} from '../state.ts'
import { sh } from '../../shell.ts'
import { docker, runDocker } from './docker.ts'
import { CONTROLLER_PORT, NETWORK_PORT, proxyService } from './container-addresses.ts'
import { dataDirIn, serviceName } from './generator.ts'
import { withoutFrames } from './container.ts'
import { CpuLimitedNodes } from './cpu-limit.ts'
import { prepareGrowth } from './grow.ts'
import { kafkaNodeIn, type NodeContainer } from './kafka-nodes.ts'
import { ComposeNodeFaults } from './node-faults.ts'
import { NodeIntents, type Intent } from './node-intents.ts'
import { ComposeVersions, imagesFile } from './node-versions.ts'
import { PacketLinks, type PacketNode } from './packet-links.ts'
import { forgetUnsyncedIn, knowsUnsynced, loseUnsyncedIn, preparePowerFailure } from './power.ts'
import { composePath, outsideOfContainers, projectName } from './project.ts'
import { ProxyContainer } from './proxy-container.ts'
import { sweepProject } from './sweep.ts'
import { redpandaDataDir } from './redpanda.ts'
import { emptyDisk } from './wipe.ts'

export const composeCapabilities: ReadonlySet<Capability> = new Set<Capability>([
  'kill',
  'stop',
  'pause',
  'restart',
  'wipe',
  'grow',
  'upgrade',
  // By the fault proxy, or without one by packet filters.
  'partition',
])

/** And what needs nodes that can be broken from inside: a lab that wants it gets it. */
export const composeRuntimeCapabilities: ReadonlySet<Capability> = new Set([
  ...composeCapabilities,
  'node-faults',
  'power-failure',
] satisfies Capability[])

/** A JVM takes its time on a slow machine. */
const READY_TIMEOUT_MS = 180_000
const STOP_TIMEOUT_SECONDS = 60
const wholeLog = 1_000_000
/** Which process the last `docker compose` was. */
const commandFileName = 'compose-command.json'
const commandEndMs = 10_000

export class ComposeCluster implements Cluster {
  readonly capabilities: ReadonlySet<Capability>
  readonly links: ClusterLinks | undefined
  readonly packets: PacketLinks | undefined
  readonly nodeFaults: CpuLimitedNodes | undefined
  readonly versions: ComposeVersions | undefined
  readonly clock = realClock
  readonly random: Random
  /** As it was when this object was made, or has grown since. */
  #record: ClusterRecord
  readonly #intents: NodeIntents
  readonly #proxy: ProxyContainer | undefined
  #kafkaFaults: KafkaNodeFaults | undefined
  #probes = 0

  constructor(record: ClusterRecord) {
    this.#record = record
    this.#intents = new NodeIntents(record.spec.name)
    this.random = seededRandom(record.spec.seed)
    const capabilities = new Set<Capability>([
      ...composeCapabilities,
      ...(this.spec.faults === true ? (['node-faults', 'power-failure'] as const) : []),
    ])
    this.capabilities = capabilitiesOf({ capabilities }, this.spec.engine)
    const proxyName = `${projectName(this.spec)}-${proxyService}-1`
    this.#proxy =
      this.spec.proxy === true
        ? new ProxyContainer(() => this.spec, proxyName, {
            inspect: () => this.#inspectContainer(proxyName),
            make: () => this.#inTurn(() => this.#makeServices([proxyService])),
          })
        : undefined
    this.links = this.#proxy
    this.packets =
      this.#proxy === undefined && this.spec.engine !== 'redpanda'
        ? new PacketLinks(this.spec.name, () => Promise.all(nodeIds(this.spec).map(id => this.#packetNode(id))))
        : undefined
    this.nodeFaults = this.spec.faults === true ? this.#makeNodeFaults() : undefined
    this.versions = this.capabilities.has('upgrade')
      ? new ComposeVersions(this.spec, {
          inspect: id => this.#inspect(id),
          log: id => this.logs(id, { lines: wholeLog }),
        })
      : undefined
  }

  #makeNodeFaults(): CpuLimitedNodes {
    const containerOf = async (id: number): Promise<NodeContainer> => {
      const found = await this.#inspect(id)
      return {
        name: this.#containerName(id),
        isRunning: found?.State.Running === true,
        isPaused: found?.State.Paused === true,
        startedAt: found?.State.StartedAt ?? '',
      }
    }
    const stateOf = async (id: number) => (await this.#describe(id)).state
    if (this.spec.engine === 'faultline') {
      const inside = new ComposeNodeFaults(this.spec, id => this.#containerName(id), stateOf)
      return new CpuLimitedNodes(inside, this.spec.name, containerOf)
    }
    const nodeOf = async (id: number) => kafkaNodeIn(await containerOf(id))
    this.#kafkaFaults = new KafkaNodeFaults(this.spec.name, nodeOf, id => faultLockFile(this.spec.name, id))
    return new CpuLimitedNodes(this.#kafkaFaults, this.spec.name, containerOf)
  }

  async #packetNode(id: number): Promise<PacketNode> {
    const found = await this.#inspect(id)
    const [network] = Object.values(found?.NetworkSettings.Networks ?? {})
    return {
      id,
      container: this.#containerName(id),
      isRunning: found?.State.Running === true,
      startedAt: found?.State.StartedAt ?? '',
      address: network === undefined || network.IPAddress === '' ? undefined : network.IPAddress,
      host: serviceName(this.spec, id),
      port: rolesOf(this.spec, id).includes('broker') ? NETWORK_PORT : CONTROLLER_PORT,
    }
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
    return await Promise.all(nodeIds(this.spec).map(id => this.#describe(id)))
  }

  async #describe(id: number): Promise<NodeState> {
    const roles = rolesOf(this.spec, id)
    const found = await this.#inspect(id)
    const version = readNodeVersion(this.spec.name, id)
    const broker = roles.includes('broker')
    return {
      id,
      roles,
      host: broker ? HOST : serviceName(this.spec, id),
      port: broker ? brokerPort(this.spec, id) : 9093,
      state: found === undefined ? 'stopped' : this.#statusOf(id, found.State),
      container: this.#containerName(id),
      dataDir: this.#dataDir(id),
      log: `docker logs ${this.#containerName(id)}`,
      ...(this.spec.engine === 'faultline' ? { inspector: `http://${HOST}:${inspectorPort(this.spec, id)}` } : {}),
      ...(version === undefined ? {} : { version }),
    }
  }

  #dataDir(id: number): string {
    if (this.spec.engine === 'redpanda') return redpandaDataDir
    return this.spec.dataDir === undefined ? dataDirIn(this.spec, id) : dataDirectory(this.spec, id)
  }

  #statusOf(id: number, state: ContainerInspectInfo['State']): NodeStatus {
    if (state.Paused) return 'paused'
    if (state.Running) {
      // Docker's own health check comes round seconds after we found the node serving.
      const served = this.#intents.of(id)?.servedSince === state.StartedAt
      return state.Health?.Status === 'starting' && !served ? 'starting' : 'running'
    }
    return this.#intents.of(id)?.down === true ? 'stopped' : 'dead'
  }

  async kill(id: number): Promise<void> {
    await this.#expect(id, ['running', 'starting', 'paused'], 'kill')
    this.#intents.wantEnd(id)
    const container = await this.#container(id)
    const gone = container.wait({ condition: 'not-running' })
    await container.kill({ signal: 'SIGKILL' })
    await gone
  }

  async stop(id: number): Promise<void> {
    await this.#expect(id, ['running', 'starting'], 'stop')
    this.#intents.wantEnd(id)
    await (await this.#container(id)).stop({ t: STOP_TIMEOUT_SECONDS })
  }

  async start(id: number): Promise<void> {
    await this.#expect(id, ['stopped', 'dead'], 'start')
    await this.#endCut(id)
    await startLinks(this.#proxy, this.spec)
    this.#intents.set(id, { down: false })
    const before = await this.#inspect(id)
    // Removed by hand: its volume is still there, and the Compose file knows how it is made.
    if (before === undefined) await this.#inTurn(() => this.#makeServices([serviceName(this.spec, id)]))
    else if (await this.#hasOtherImage(id)) await this.#makeAnew(id)
    else await (await this.#container(id)).start()
    // One that was made has no limit.
    if ((await this.#inspect(id))?.Id !== before?.Id) await this.nodeFaults?.renew(id)
    await this.packets?.renew(id)
  }

  /** Containers that are not there; all others stay as they are. */
  async #makeServices(services: readonly string[], signal?: AbortSignal): Promise<void> {
    const how = ['--detach', '--no-build', '--pull', 'never', '--no-deps', '--no-recreate']
    await this.compose(['up', ...how, ...services], signal)
  }

  /** Refuses what needs a container that is not there. */
  async #requireContainer(id: number): Promise<void> {
    if ((await this.#inspect(id)) !== undefined) return
    throw failure(
      `The container of node ${id}, ${this.#containerName(id)}, is not there: somebody has removed it.`,
      `./faultline start ${id} --name ${this.spec.name} makes it again, on the data in its volume.`,
    )
  }

  /** Than it is to have at its next start. */
  async #hasOtherImage(id: number): Promise<boolean> {
    if (!existsSync(imagesFile(this.spec.name))) return false
    const { ok, stdout, stdall } = await sh()`docker compose ${this.#files()} config --format json`
    if (!ok) throw failure(`The Compose files of ${this.spec.name} cannot be read: ${stdall.trim().slice(-500)}`)
    const { services } = JSON.parse(stdout) as { services: Readonly<Record<string, { readonly image: string }>> }
    return (await this.versions?.isOther(id, services[serviceName(this.spec, id)]?.image)) === true
  }

  /** On the volumes, with the name and the ports that its container had. */
  async #makeAnew(id: number): Promise<void> {
    const how = ['--detach', '--no-deps', '--no-build', '--pull', 'never']
    await this.#inTurn(async () => {
      // Another command may have started it meanwhile.
      await this.#expect(id, ['stopped', 'dead'], 'start')
      if (this.spec.faults === true && this.spec.engine === 'faultline')
        await forgetUnsyncedIn(this.#containerName(id), id)
      // With the volumes that have no name: Compose would hand them on to the new container, and take them for named ones when all is removed.
      await (await this.#container(id)).remove({ v: true })
      await this.compose(['up', ...how, serviceName(this.spec, id)])
    })
  }

  /** One at a time: what Compose does last is noted, to be ended by whoever takes the cluster away. */
  async #inTurn(command: () => Promise<void>): Promise<void> {
    await inTurnOfFile(`${stateEntry(this.spec.name, commandFileName)}.lock`, command)
  }

  async grow(by: number, options: UpOptions = {}): Promise<readonly number[]> {
    return await inTurnToGrow(
      this.spec.name,
      async record => await this.#grow(await prepareGrowth(record, by, options), options),
    )
  }

  async #grow(growth: Growth, { progress, signal }: UpOptions): Promise<readonly number[]> {
    const { record, fresh } = growth
    const before = this.#record
    const services = fresh.map(id => serviceName(record.spec, id))
    await requireRunning(this.#proxy, record.spec.name)
    try {
      growth.write()
      this.#record = record
      if (this.#proxy !== undefined) await growLinks(this.#proxy, fresh, progress)
      progress?.(`Starting broker ${fresh.join(', ')}`)
      await this.#inTurn(() => this.#makeServices(services, signal))
      progress?.('Waiting until every broker serves')
      await this.waitReady({ ...(progress && { progress }), ...(signal && { signal }) })
      signal?.throwIfAborted()
    } catch (error) {
      throw await takingBack(error, async () => {
        await sweepProject(projectName(record.spec), { keepVolumes: false, isCutOff: true, services })
        await this.#proxy?.drop(fresh)
        growth.restore()
        this.#record = before
        await forgetBrokers(fresh, this, progress)
      })
    }
    const secrets = this.#secrets
    if (secrets !== undefined) writeClientFiles(secrets, this.bootstrap)
    writePrometheusConfig(record.spec)
    return fresh
  }

  async restart(id: number): Promise<void> {
    await this.stop(id)
    await this.start(id)
  }

  async pause(id: number): Promise<void> {
    await this.#expect(id, ['running', 'starting'], 'pause')
    await (await this.#container(id)).pause()
  }

  async resume(id: number): Promise<void> {
    await this.#expect(id, ['paused'], 'resume')
    await (await this.#container(id)).unpause()
  }

  async wipe(id: number): Promise<void> {
    await this.#expect(id, ['stopped', 'dead'], 'wipe')
    if (!this.capabilities.has('wipe'))
      throw usageError(
        `The disk of a node of ${this.spec.engine} cannot be emptied here.`,
        './faultline down takes all of it away.',
      )
    await this.#requireContainer(id)
    // What is wrong with the machine outlives an exchange of its disk; rules that nobody can read any more do not.
    const isDamaged = this.#kafkaFaults !== undefined && !(await this.#kafkaFaults.canBeRead(id))
    const container = this.#containerName(id)
    const volumes = ((await this.#inspect(id))?.Mounts ?? []).map(({ Destination }) => Destination)
    await emptyDisk({ spec: this.spec, id, container, volumes, withFaults: isDamaged })
    if (this.#intents.of(id)?.cut !== undefined) this.#intents.set(id, { down: true })
  }

  async powerFailure(ids: readonly number[], options = wholeLoss): Promise<readonly PowerLossSeen[]> {
    const { engine } = this.spec
    const nodes = ids.map(id => ({ id, container: this.#containerName(id) }))
    for (const node of nodes) {
      await this.#expect(node.id, ['running', 'starting', 'paused'], 'cut the power of')
      await preparePowerFailure(engine, node, options)
    }
    const before = new Map(ids.map(id => [id, this.#intents.of(id)]))
    // A command that is cut off here leaves nodes whose next start takes from them what is still to be taken: that of one machine alone would be
    // another failure.
    for (const id of ids) this.#intents.set(id, { down: true, cut: options })
    try {
      await untilAllEnded(ids.map(id => this.kill(id)))
    } catch (error) {
      throw await takingBack(error, () => this.#forgetCuts(before))
    }
    // Nobody starts any of them while the volumes of another one are still written.
    return await untilAllEnded(
      nodes.map(async ({ id, container }) => {
        const seen = await loseUnsyncedIn(engine, container, options)
        this.#intents.set(id, { down: true })
        return { node: id, ...seen }
      }),
    )
  }

  /** Of nodes that live on. */
  async #forgetCuts(before: ReadonlyMap<number, Intent | undefined>): Promise<void> {
    for (const [id, intent = { down: false }] of before) if (await this.#isRunning(id)) this.#intents.set(id, intent)
  }

  async #isRunning(id: number): Promise<boolean> {
    return (await this.#inspect(id))?.State.Running === true
  }

  /** A node whose volumes have lost only a part of what they should has a disk that no power failure leaves. */
  async #endCut(id: number): Promise<void> {
    const { cut } = this.#intents.of(id) ?? {}
    // The command that was to cut its power may have been cut off itself before that.
    if (cut === undefined || (await this.#isRunning(id))) return
    const container = this.#containerName(id)
    if (await knowsUnsynced(this.spec.engine, container)) await loseUnsyncedIn(this.spec.engine, container, cut)
    this.#intents.set(id, { down: true })
  }

  async partition(groups: readonly (readonly number[])[]): Promise<void> {
    const [first = [], ...others] = groups
    if (others.length === 0) return
    await this.#addPartition({ kind: 'partition', from: first, to: others.flat(), parameters: { both: true } })
    await this.partition(others)
  }

  async cutOneWay(from: readonly number[], to: readonly number[]): Promise<void> {
    await this.#addPartition({ kind: 'partition', from, to })
  }

  async #addPartition(request: FaultRequest): Promise<void> {
    await (this.#proxy?.add(request) ?? this.packets?.add(request, false))
  }

  async healPartition(): Promise<void> {
    const links = this.#proxy ?? this.packets
    const partitions = ((await links?.faults()) ?? []).filter(({ name }) => name === 'partition')
    await links?.heal(partitions.map(({ id }) => id))
  }

  /** With the faults of links that the cluster is made with. */
  async prepareProxy(signal: AbortSignal | undefined): Promise<void> {
    await this.#proxy?.waitReady(signal)
    for (const fault of this.spec.links ?? []) await this.#proxy?.add(fault)
  }

  async waitReady(
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal; readonly progress?: Progress } = {},
  ): Promise<void> {
    await waitUntilReady({
      spec: this.spec,
      clock: this.clock,
      nodes: () => this.nodes(),
      logs: (id, lines) => this.logs(id, { lines }),
      links: this.links ?? this.packets,
      probeName: `${probePrefix}${Date.now()}_${this.#probes++}`,
      timeoutMs: options.timeoutMs ?? READY_TIMEOUT_MS,
      signal: options.signal,
      progress: options.progress,
      client: this.kafkaOptions(),
    })
    for (const { id, state } of await this.nodes()) {
      if (state !== 'starting' && state !== 'running') continue
      const found = await this.#inspect(id)
      if (found?.State.Running === true) this.#intents.noteServing(id, found.State.StartedAt)
    }
  }

  kafkaOptions(): ClientOptions {
    return { brokers: [...this.bootstrap], ...toolkitClient(this.#secrets) }
  }

  async quorum(): Promise<QuorumView | undefined> {
    const nodes = await this.nodes()
    const up = nodes.filter(
      node => node.roles.includes('broker') && (node.state === 'running' || node.state === 'starting'),
    )
    return await askQuorum(up, this.clock, this.kafkaOptions())
  }

  async logs(id: number, options: { readonly lines?: number } = {}): Promise<string> {
    await this.#requireContainer(id)
    const raw = await (await this.#container(id)).logs({ stdout: true, stderr: true, tail: options.lines ?? 200 })
    return withoutFrames(raw)
  }

  async down(
    options: { readonly keepData?: boolean; readonly progress?: Progress; readonly isCutOff?: boolean } = {},
  ): Promise<void> {
    const keepData = options.keepData === true
    const isCutOff = options.isCutOff === true || this.#record.phase === 'starting'
    await this.#endEarlierCommand()
    if (keepData) await untilAllEnded(nodeIds(this.spec).map(id => this.#endCut(id)))
    // A command may have been cut off before it wrote the file.
    if (existsSync(composePath(this.spec.name))) {
      // With the volumes that have no name: nothing would find them again.
      if (keepData) await this.compose(['rm', '--stop', '--force', '--volumes'])
      await this.compose(['down', '--remove-orphans', ...(keepData ? [] : ['--volumes', '--timeout', '0'])])
    }
    await sweepProject(projectName(this.spec), { keepVolumes: keepData, isCutOff })
    if (keepData) {
      this.packets?.forget()
      for (const id of nodeIds(this.spec)) this.#intents.set(id, { down: true })
      writeRecord({ ...this.#record, phase: 'down' })
      return
    }
    this.#removeData()
    removeState(this.spec.name)
    releasePorts(this.spec.port)
  }

  /** `docker compose` on this project. */
  async compose(args: readonly string[], signal?: AbortSignal): Promise<void> {
    const directory = stateDirectory(this.spec.name)
    const began = async (pid: number): Promise<void> => {
      const handle = await identify(pid)
      if (handle !== undefined) writeJson(stateEntry(this.spec.name, commandFileName), handle)
    }
    await runDocker(['compose', ...this.#files(), ...args], { cwd: directory, signal, began })
  }

  #files(): string[] {
    const files = [composePath(this.spec.name), imagesFile(this.spec.name)]
    return files.filter(file => existsSync(file)).flatMap(file => ['-f', file])
  }

  /** Compose goes on when the toolkit is killed, and would make what is being taken away. */
  async #endEarlierCommand(): Promise<void> {
    const command = readJson(stateEntry(this.spec.name, commandFileName)) as ProcessHandle | undefined
    if (command === undefined || (await conditionOf(command)) === 'gone') return
    try {
      // With all that it started: it leads a group of its own.
      process.kill(-command.pid, 'SIGKILL')
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error
    }
    await waitFor(command, 'gone', commandEndMs)
  }

  #removeData(): void {
    removeOutsideData(outsideOfContainers(this.spec), this.#record.foreignData)
  }

  async #expect(id: number, states: readonly NodeStatus[], verb: string): Promise<void> {
    if (!nodeIds(this.spec).includes(id)) {
      throw usageError(
        `There is no node ${id} in the cluster ${this.spec.name}: it has ${nodeIds(this.spec).join(', ')}.`,
      )
    }
    const { state } = await this.#describe(id)
    if (!states.includes(state))
      throw failure(`Cannot ${verb} node ${id}: it is ${state}.`, `./faultline status --name ${this.spec.name}`)
  }

  #containerName(id: number): string {
    return `${projectName(this.spec)}-${serviceName(this.spec, id)}-1`
  }

  async #container(id: number) {
    return (await docker()).getContainer(this.#containerName(id))
  }

  /** Undefined when the container is not there. */
  async #inspect(id: number): Promise<ContainerInspectInfo | undefined> {
    return await this.#inspectContainer(this.#containerName(id))
  }

  async #inspectContainer(name: string): Promise<ContainerInspectInfo | undefined> {
    try {
      return await (await docker()).getContainer(name).inspect()
    } catch (error) {
      if (error instanceof Error && 'statusCode' in error && error.statusCode === 404) return undefined
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ECONNREFUSED')
        throw failure('No Docker engine answers, so nothing is known of the containers.', 'Start Docker.', error)
      throw error
    }
  }
}
