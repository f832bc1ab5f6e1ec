/**
 * Brokers as real processes, for clients that we did not write: the bundled broker and its server.properties, on free ports of the loopback
 * address, with data in a temporary folder; see engine.ts for what else can take their place. Signals go to process ids that were started here, to nothing else.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { NodeFiles } from '#scripts/cluster/process/engine.ts'
import type { MetadataResponse } from '#broker/protocol/messages/03-metadata.ts'
import type { LedgerEntry } from '#broker/observe/request-ledger.ts'
import { chosenEngine, faultline, httpBody, type NodeEngine } from './engine.ts'
import { recordEvidence } from './evidence.ts'
import { RawClient } from './raw-client.ts'
import { workerPorts } from '#tests/worker-ports.ts'

const host = '127.0.0.1'
/** For what hangs: a busy machine takes its time to say goodbye. */
const stopDeadlineMs = 120_000

export interface ClusterOptions {
  readonly brokers?: 1 | 3
  /** Over the settings of the harness. */
  readonly settings?: Readonly<Record<string, string>>
  /** Security protocol of the listener of clients and brokers, which is then named after it, and of the controllers'. Default: PLAINTEXT. */
  readonly protocols?: { readonly client: string; readonly controller: string }
  /** Log directories of each broker; default 1. */
  readonly logDirs?: number
  /** Files that each broker may have open at once; default: as many as this process. */
  readonly openFiles?: number
  /** Called for each broker before anything is on its disk. */
  readonly prepare?: (broker: BrokerProcess) => void
}

const plaintext = { client: 'PLAINTEXT', controller: 'PLAINTEXT' }

const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

function portIsFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)))
  })
}

const ports = workerPorts()
const given = new Set<number>()

/** In a part of the range that is this worker's: between here and the broker, and while a broker is down, nobody else's test takes it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(ports.from, ports.to)
    if (given.has(port) || !(await portIsFree(port))) continue
    given.add(port)
    return port
  }
}

/** Asks until the answer is not undefined. For states that announce themselves to nobody. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  withinMs = 120_000,
) {
  const deadline = Date.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await delay(20)
  }
}

/** The part of a log that says what went wrong: from its first error on, else its end. */
function complaint(log: string): string {
  const from = log.search(/^.*\b(ERROR|FATAL)\b/m)
  return from < 0 ? log.slice(-4_000) : log.slice(from, from + 4_000)
}

/** The command, with so many files that it may open. */
function limited(
  command: readonly [string, ...string[]],
  openFiles: number | undefined,
): readonly [string, ...string[]] {
  return openFiles === undefined ? command : ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, ...command]
}

/** One broker process. */
export class BrokerProcess {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
  readonly #inspectorPort: number
  readonly #directory: string
  readonly #engine: NodeEngine
  /** Files that its process may have open at once. */
  openFiles: number | undefined
  #child: ChildProcess | undefined

  constructor(id: number, directory: string, ports: readonly [number, number, number], engine: NodeEngine = faultline) {
    this.id = id
    this.#engine = engine
    this.#directory = directory
    ;[this.port, this.controllerPort, this.#inspectorPort] = ports
  }

  get dataDirectory(): string {
    return path.join(this.#directory, 'data')
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error(`broker ${this.id} does not run`)
    return pid
  }

  /** Paths of its log directories, the one of the metadata first. */
  logDirectories(count: number): string[] {
    return Array.from({ length: count }, (_, index) => this.dataDirectory + (index === 0 ? '' : String(index)))
  }

  configure(settings: Readonly<Record<string, string>>, logDirs = 1): void {
    mkdirSync(this.#directory, { recursive: true })
    const properties = {
      'log.dirs': this.logDirectories(logDirs).join(','),
      ...settings,
      ...(this.#engine.hasInspector ? { 'inspector.listener': `${host}:${this.#inspectorPort}` } : {}),
    }
    const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
    writeFileSync(this.files.propertiesFile, lines.join(''))
  }

  get files(): NodeFiles {
    const propertiesFile = path.join(this.#directory, 'server.properties')
    return { id: this.id, propertiesFile, dataDir: this.dataDirectory, logDirs: [this.dataDirectory] }
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves when the broker serves; rejects with the end of its log when it ends before. */
  async start(): Promise<void> {
    await this.#engine.prepare()
    const log = openSync(this.#logFile, 'a')
    const before = this.log().length
    const launch = this.#engine.launch(this.files)
    const { environment } = launch
    const [command, ...args] = limited([launch.command, ...launch.args], this.openFiles)
    const child = spawn(command, args, { stdio: ['ignore', log, log], env: { ...process.env, ...environment } })
    closeSync(log)
    children.add(child)
    child.once('exit', () => children.delete(child))
    this.#child = child
    await eventually(
      `broker ${this.id} serves`,
      async () => {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`broker ${this.id} ended:\n${complaint(this.log().slice(before))}`)
        const serves = await this.#engine.isServing(this.#inspectorPort, this.log().slice(before))
        return serves ? true : undefined
      },
      this.#engine.startDeadlineMs,
    )
  }

  /** SIGTERM, and the exit code; SIGKILL when it does not end. */
  async stop(): Promise<number | null> {
    return this.#end('SIGTERM')
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null
    const gone = new Promise<number | null>(resolve => child.once('exit', code => resolve(code)))
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), stopDeadlineMs)
    const code = await gone
    clearTimeout(timer)
    return code
  }

  get #logFile(): string {
    return path.join(this.#directory, 'broker.log')
  }

  /** All it has logged so far. */
  log(): string {
    return readFileSync(this.#logFile, 'utf8')
  }

  /** Resident memory as the kernel counts it; undefined where there is no /proc, and of a JVM, whose heap takes what it was allowed. */
  residentBytes(): number | undefined {
    if (!this.#engine.hasInspector) return undefined
    try {
      const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))
      return match === null ? undefined : Number(match[1]) * 1024
    } catch {
      return undefined
    }
  }

  /** The inspector's view. */
  async state(): Promise<Record<string, unknown>> {
    if (!this.#engine.hasInspector) throw new Error('this engine has no inspector: skip the test with oursAlone')
    return JSON.parse((await httpBody(this.#inspectorPort, '/state')) ?? 'null') as Record<string, unknown>
  }

  /** What it has served since it was started; empty when it does not answer any more, and without an inspector. */
  async requests(): Promise<LedgerEntry[]> {
    if (!this.#engine.hasInspector) return []
    return JSON.parse((await httpBody(this.#inspectorPort, '/requests')) ?? '[]') as LedgerEntry[]
  }

  /** Of the inspector: metrics in Prometheus' form. */
  get metricsAddress(): string {
    return `http://${host}:${this.#inspectorPort}/metrics`
  }

  async isHealthy(): Promise<boolean> {
    return this.isRunning && this.#engine.isServing(this.#inspectorPort, this.log())
  }
}

const metadata = 3

/** Resolves when a broker names these brokers, and a leader of each partition of these topics. */
async function knows(
  broker: BrokerProcess,
  others: readonly BrokerProcess[],
  topics: readonly string[],
): Promise<void> {
  const request = {
    topics: topics.map(name => ({ topicId: undefined, name })),
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  }
  const client = new RawClient(broker.port)
  try {
    await eventually(`broker ${broker.id} knows the others and ${topics.join(', ')}`, async () => {
      const answer = await client.send<MetadataResponse>(metadata, request, 9)
      const hasLeaders = answer.topics.every(
        ({ errorCode, partitions }) => errorCode === 0 && partitions.every(({ leaderId }) => leaderId >= 0),
      )
      const known = new Set(answer.brokers.map(({ nodeId }) => nodeId))
      return (hasLeaders && others.every(({ id }) => known.has(id))) || undefined
    })
  } finally {
    client.close()
  }
}

export class Cluster {
  readonly brokers: BrokerProcess[]
  readonly clusterId: string
  readonly #directory: string

  constructor(directory: string, clusterId: string, brokers: readonly BrokerProcess[]) {
    this.#directory = directory
    this.clusterId = clusterId
    this.brokers = [...brokers]
  }

  /** One more node, with the role broker alone, nothing on its disk and the next id; resolves when it serves. */
  async grow(settings: Readonly<Record<string, string>> = {}): Promise<BrokerProcess> {
    const id = Math.max(...this.brokers.map(broker => broker.id)) + 1
    const ports = [await freePort(), 0, await freePort()] as const
    const engine = chosenEngine()
    const added = new BrokerProcess(id, path.join(this.#directory, String(id)), ports, engine)
    const voters = this.brokers.filter(({ controllerPort }) => controllerPort > 0)
    added.configure({
      'process.roles': 'broker',
      'node.id': String(id),
      'cluster.id': this.clusterId,
      'controller.quorum.voters': voters.map(voter => `${voter.id}@${host}:${voter.controllerPort}`).join(','),
      listeners: `PLAINTEXT://${host}:${added.port}`,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      // Internal topics are made by whichever broker is asked first, with what it was told.
      ...sizedSettings(voters.length >= 3 ? 3 : 1),
      ...settings,
    })
    await engine.format([added.files], this.clusterId)
    this.brokers.push(added)
    await added.start()
    await this.untilAllKnow()
    return added
  }

  /**
   * Resolves when every broker that runs knows the others, and these topics with a leader of each partition: from then on it matters to no
   * client which one answers. Each hears of a change when it does, and the controller has answered by then. Of clusters without security.
   */
  async untilAllKnow(...topics: readonly string[]): Promise<void> {
    const running = this.brokers.filter(({ isRunning }) => isRunning)
    await Promise.all(running.map(async each => await knows(each, running, topics)))
  }

  get bootstrap(): string {
    return this.addresses.join(',')
  }

  get addresses(): string[] {
    return this.brokers.map(({ port }) => `${host}:${port}`)
  }

  get controllers(): string {
    const controllers = this.brokers.filter(({ controllerPort }) => controllerPort > 0)
    return controllers.map(({ controllerPort }) => `${host}:${controllerPort}`).join(',')
  }

  /** The first broker, or the one with this id. */
  broker(id = 1): BrokerProcess {
    const found = this.brokers.find(each => each.id === id)
    if (found === undefined) throw new Error(`no broker ${id}`)
    return found
  }

  /** Ends every process and removes its data. FAULTLINE_KEEP=1 keeps the folder and prints it. */
  async stop(): Promise<void> {
    recordEvidence((await Promise.all(this.brokers.map(each => each.requests()))).flat())
    // A quorum that stops all at once cannot confirm anyone's farewell: nothing is gained by asking for it.
    await Promise.all(this.brokers.map(each => (this.brokers.length === 1 ? each.stop() : each.kill())))
    if (process.env['FAULTLINE_KEEP'] === '1') console.log(`kept ${this.#directory}`)
    else rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** What every cluster of a test has, so that it is small and quick. */
export function sizedSettings(brokers: 1 | 3): Readonly<Record<string, string>> {
  const leastInSync = brokers === 3 ? '2' : '1'
  return {
    'default.replication.factor': String(brokers),
    'min.insync.replicas': leastInSync,
    'offsets.topic.replication.factor': String(brokers),
    // Fifty partitions on three brokers are a hundred and fifty logs to open, and prove nothing more.
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': String(brokers),
    'transaction.state.log.min.isr': leastInSync,
    'transaction.state.log.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
  }
}

/** A cluster of combined nodes that serves. Always `stop()` it. */
export async function startCluster({
  brokers = 1,
  settings = {},
  protocols = plaintext,
  logDirs = 1,
  openFiles,
  prepare,
}: ClusterOptions = {}): Promise<Cluster> {
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-conformance-'))
  const clusterId = randomBytes(16).toString('base64url').replace(/^-/, 'x')
  const engine = chosenEngine()
  const processes: BrokerProcess[] = []
  for (let id = 1; id <= brokers; id++) {
    const ports = [await freePort(), await freePort(), await freePort()] as const
    processes.push(new BrokerProcess(id, path.join(directory, String(id)), ports, engine))
  }
  const voters = processes.map(({ id, controllerPort }) => `${id}@${host}:${controllerPort}`).join(',')
  for (const each of processes) {
    const own = {
      'process.roles': 'broker,controller',
      'node.id': String(each.id),
      'cluster.id': clusterId,
      'controller.quorum.voters': voters,
      listeners: `${protocols.client}://${host}:${each.port},CONTROLLER://${host}:${each.controllerPort}`,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': `${protocols.client}:${protocols.client},CONTROLLER:${protocols.controller}`,
      'inter.broker.listener.name': protocols.client,
      ...sizedSettings(brokers),
      ...settings,
    }
    each.configure(own, logDirs)
    each.openFiles = openFiles
    prepare?.(each)
  }
  const cluster = new Cluster(directory, clusterId, processes)
  try {
    await engine.format(
      processes.flatMap(each => each.logDirectories(logDirs).map(dataDir => ({ ...each.files, dataDir }))),
      clusterId,
    )
    await Promise.all(processes.map(each => each.start()))
    if (protocols.client === 'PLAINTEXT') await cluster.untilAllKnow()
  } catch (error) {
    await cluster.stop()
    throw error
  }
  return cluster
}
