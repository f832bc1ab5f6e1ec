/**
 * A cluster whose nodes are containers of one Compose project. State beside the Docker engine's own: the Compose file, the record, and
 * for each node whether its end is what we wanted.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ContainerInspectInfo } from 'dockerode'
import type { Random } from '#broker/environment/environment.ts'
import { codeOf, failure, usageError } from '../../errors.ts'
import { realClock } from '../clock.ts'
import type {
  Capability,
  ClientOptions,
  Cluster,
  ClusterSpec,
  NodeState,
  NodeStatus,
  Progress,
  QuorumView,
} from '../cluster.ts'
import { brokerIds, nodeIds } from '../cluster.ts'
import { brokerPort, HOST, inspectorPort } from '../ports.ts'
import { rolesOf } from '../properties.ts'
import { seededRandom } from '../random.ts'
import { askQuorum, waitUntilReady } from '../ready.ts'
import { describeSecurity, toolkitClient, type SecurityDocument } from '../security/clients.ts'
import { readSecurity, type ClusterSecurity } from '../security/material.ts'
import type { ClusterRecord } from '../state.ts'
import {
  dataDirectory,
  nodeDirectory,
  readJson,
  removeIfEmpty,
  removeState,
  stateDirectory,
  writeJson,
  writeRecord,
} from '../state.ts'
import { docker, runDocker } from './docker.ts'
import { brokerImage, containerDataDir, serviceName } from './generator.ts'

export const composeCapabilities: ReadonlySet<Capability> = new Set<Capability>([
  'kill',
  'stop',
  'pause',
  'restart',
  'wipe',
])

const READY_TIMEOUT_MS = 120_000
const STOP_TIMEOUT_SECONDS = 60

/** What is known of a node beside what its container tells. */
interface Intent {
  /** Its end is what we wanted. */
  readonly down: boolean
  /** Start of the container that was found serving. */
  readonly servedSince?: string
}

export class ComposeCluster implements Cluster {
  readonly spec: ClusterSpec
  readonly bootstrap: readonly string[]
  readonly capabilities = composeCapabilities
  readonly clock = realClock
  readonly random: Random
  readonly #record: ClusterRecord
  #probes = 0

  constructor(record: ClusterRecord) {
    this.spec = record.spec
    this.bootstrap = brokerIds(record.spec).map(id => `${HOST}:${brokerPort(record.spec, id)}`)
    this.random = seededRandom(record.spec.seed)
    this.#record = record
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
    const broker = roles.includes('broker')
    return {
      id,
      roles,
      host: broker ? HOST : serviceName(this.spec, id),
      port: broker ? brokerPort(this.spec, id) : 9093,
      state: found === undefined ? 'stopped' : this.#statusOf(id, found.State),
      container: this.#containerName(id),
      dataDir: this.spec.dataDir === undefined ? containerDataDir : dataDirectory(this.spec, id),
      log: `docker logs ${this.#containerName(id)}`,
      inspector: `http://${HOST}:${inspectorPort(this.spec, id)}`,
    }
  }

  #statusOf(id: number, state: ContainerInspectInfo['State']): NodeStatus {
    if (state.Paused) return 'paused'
    if (state.Running) {
      // Docker's own health check comes round seconds after we found the node serving.
      const served = this.#intent(id)?.servedSince === state.StartedAt
      return state.Health?.Status === 'starting' && !served ? 'starting' : 'running'
    }
    return this.#intent(id)?.down === true ? 'stopped' : 'dead'
  }

  async kill(id: number): Promise<void> {
    await this.#expect(id, ['running', 'starting', 'paused'], 'kill')
    this.#wantEnd(id, true)
    const container = await this.#container(id)
    const gone = container.wait({ condition: 'not-running' })
    await container.kill({ signal: 'SIGKILL' })
    await gone
  }

  async stop(id: number): Promise<void> {
    await this.#expect(id, ['running', 'starting'], 'stop')
    this.#wantEnd(id, true)
    await (await this.#container(id)).stop({ t: STOP_TIMEOUT_SECONDS })
  }

  async start(id: number): Promise<void> {
    await this.#expect(id, ['stopped', 'dead'], 'start')
    this.#wantEnd(id, false)
    await (await this.#container(id)).start()
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

  /** A container of the same image empties the volume, as the user that the node runs as. */
  async wipe(id: number): Promise<void> {
    await this.#expect(id, ['stopped', 'dead'], 'wipe')
    const node = await this.#inspect(id)
    const engine = await docker()
    const sweeper = await engine.createContainer({
      Image: brokerImage,
      Entrypoint: ['find', containerDataDir, '-mindepth', '1', '-delete'],
      Cmd: [],
      Healthcheck: { Test: ['NONE'] },
      ...(node?.Config.User === undefined ? {} : { User: node.Config.User }),
      HostConfig: { Binds: node?.HostConfig.Binds ?? [], NetworkMode: 'none', Mounts: node?.HostConfig.Mounts ?? [] },
    })
    try {
      await sweeper.start()
      const { StatusCode: code } = (await sweeper.wait()) as { StatusCode: number }
      if (code !== 0)
        throw failure(
          `Emptying the disk of node ${id} failed with exit code ${code}: ${String(await sweeper.logs({ stderr: true }))}`,
        )
    } finally {
      await sweeper.remove({ force: true, v: true })
    }
  }

  async waitReady(
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal; readonly progress?: Progress } = {},
  ): Promise<void> {
    await waitUntilReady({
      spec: this.spec,
      clock: this.clock,
      nodes: () => this.nodes(),
      logs: (id, lines) => this.logs(id, { lines }),
      probeName: `__faultline_ready_${process.pid}_${Date.now()}_${this.#probes++}`,
      timeoutMs: options.timeoutMs ?? READY_TIMEOUT_MS,
      signal: options.signal,
      progress: options.progress,
      client: this.kafkaOptions(),
    })
    for (const { id, state } of await this.nodes()) {
      if (state !== 'starting' && state !== 'running') continue
      const found = await this.#inspect(id)
      if (found !== undefined) this.#writeIntent(id, { down: false, servedSince: found.State.StartedAt })
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
    const raw = await (await this.#container(id)).logs({ stdout: true, stderr: true, tail: options.lines ?? 200 })
    return withoutFrames(raw)
  }

  async down(options: { readonly keepData?: boolean; readonly progress?: Progress } = {}): Promise<void> {
    await this.compose([
      'down',
      '--remove-orphans',
      ...(options.keepData === true ? [] : ['--volumes', '--timeout', '0']),
    ])
    if (options.keepData === true) {
      for (const id of nodeIds(this.spec)) this.#wantEnd(id, true)
      writeRecord({ ...this.#record, phase: 'down' })
      return
    }
    this.#removeData()
    removeState(this.spec.name)
  }

  /** `docker compose` on this project. */
  async compose(args: readonly string[], signal?: AbortSignal): Promise<void> {
    const directory = stateDirectory(this.spec.name)
    await runDocker(['compose', '-f', join(directory, 'compose.yaml'), ...args], { cwd: directory, signal })
  }

  #removeData(): void {
    if (this.spec.dataDir === undefined) return
    for (const id of nodeIds(this.spec)) {
      const directory = dataDirectory(this.spec, id)
      if (!this.#record.foreignData.includes(directory)) rmSync(directory, { recursive: true, force: true })
    }
    if (existsSync(this.spec.dataDir) && !this.#record.foreignData.includes(this.spec.dataDir))
      removeIfEmpty(this.spec.dataDir)
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
    try {
      return await (await this.#container(id)).inspect()
    } catch (error) {
      if (error instanceof Error && 'statusCode' in error && error.statusCode === 404) return undefined
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ECONNREFUSED')
        throw failure('No Docker engine answers, so nothing is known of the containers.', 'Start Docker.', error)
      throw error
    }
  }

  #intent(id: number): Intent | undefined {
    return readJson(this.#intentFile(id)) as Intent | undefined
  }

  #wantEnd(id: number, down: boolean): void {
    this.#writeIntent(id, { down })
  }

  #writeIntent(id: number, intent: Intent): void {
    writeJson(this.#intentFile(id), intent)
  }

  #intentFile(id: number): string {
    return join(nodeDirectory(this.spec.name, id), 'intent.json')
  }
}

export function projectName(spec: ClusterSpec): string {
  return `faultline-${spec.name}`
}

/** Without a terminal, the engine puts 8 bytes before each piece of output: stream, 3 zeros, length. */
export function withoutFrames(raw: Buffer): string {
  const pieces: Buffer[] = []
  for (let at = 0; at + 8 <= raw.length;) {
    const length = raw.readUInt32BE(at + 4)
    pieces.push(raw.subarray(at + 8, at + 8 + length))
    at += 8 + length
  }
  return Buffer.concat(pieces).toString('utf8')
}
