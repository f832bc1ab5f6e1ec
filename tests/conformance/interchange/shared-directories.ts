/**
 * Three nodes of which only the data directories stay: the same ids, ports and cluster id, started as Faultline or as Apache Kafka, one after
 * the other. Nothing is converted in between and no tool touches the files.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { scramLogin } from '../security.ts'
import { apacheKafka, faultline } from '../engine.ts'
import { BrokerProcess, freePort, sizedSettings } from '../harness.ts'

export type EngineName = 'faultline' | 'apache-kafka'
/** `cleanly`: SIGTERM to all at once; `killed`: SIGKILL to all at once. */
export type Stop = 'cleanly' | 'killed'

const host = '127.0.0.1'
const ids = [1, 2, 3] as const
const clusterId = 'Ik5ndEVyY2hhbmdlQWJsZQ'

const settings: Readonly<Record<string, string>> = {
  ...sizedSettings(3),
  'share.coordinator.state.topic.replication.factor': '3',
  'share.coordinator.state.topic.min.isr': '2',
  'share.coordinator.state.topic.num.partitions': '3',
  'group.share.delivery.count.limit': '10',
  // Longer than a change of the brokers and the work of a stage take a busy machine, so that members can live through both.
  'group.streams.max.session.timeout.ms': '600000',
  'group.streams.session.timeout.ms': '600000',
  'sasl.enabled.mechanisms': 'SCRAM-SHA-256,SCRAM-SHA-512',
  // The node itself logs in nowhere: only the module is asked for.
  'listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config': scramLogin('nobody', 'none'),
  'listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config': scramLogin('nobody', 'none'),
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS;User:operator',
  'delegation.token.secret.key': 'a secret of all nodes',
  // The former process of a broker that was killed is given up sooner.
  'broker.session.timeout.ms': '6000',
  'broker.heartbeat.interval.ms': '1000',
  'log.cleaner.backoff.ms': '1000',
  // Kafka's cleaner takes the default of 128 MiB anew when message.max.bytes is altered, and dies of it in the heap that it has here.
  'log.cleaner.dedupe.buffer.size': String(8 * 1024 * 1024),
  // Where a log begins is on disk once a minute by default; a kill before that brings back what DeleteRecords took, under either.
  'log.flush.start.offset.checkpoint.interval.ms': '1000',
  'log.initial.task.delay.ms': '500',
  // Several snapshots in each stage, so that each begins with one of the other implementation.
  'metadata.log.max.record.bytes.between.snapshots': '5000',
}

interface Node {
  readonly id: number
  readonly ports: { readonly client: number; readonly sasl: number; readonly controller: number }
  readonly as: Readonly<Record<EngineName, BrokerProcess>>
}

export class SharedDirectories {
  readonly #directory: string
  readonly #nodes: readonly Node[]
  #running: EngineName | undefined

  private constructor(directory: string, nodes: readonly Node[]) {
    this.#directory = directory
    this.#nodes = nodes
  }

  /** Nothing is on their disks yet. */
  static async make(): Promise<SharedDirectories> {
    const directory = mkdtempSync(path.join(tmpdir(), 'faultline-interchange-'))
    const nodes: Node[] = []
    for (const id of ids) {
      const ports = { client: await freePort(), sasl: await freePort(), controller: await freePort() }
      const triple = [ports.client, ports.controller, await freePort()] as const
      const home = path.join(directory, String(id))
      const as = {
        faultline: new BrokerProcess(id, home, triple, faultline),
        'apache-kafka': new BrokerProcess(id, home, triple, apacheKafka),
      }
      nodes.push({ id, ports, as })
    }
    return new SharedDirectories(directory, nodes)
  }

  get bootstrap(): string {
    return this.#nodes.map(({ ports }) => `${host}:${ports.client}`).join(',')
  }

  get saslBootstrap(): string {
    return this.#nodes.map(({ ports }) => `${host}:${ports.sasl}`).join(',')
  }

  get ports(): readonly number[] {
    return this.#nodes.map(({ ports }) => ports.client)
  }

  get dataDirectories(): readonly string[] {
    return this.#nodes.map(({ as }) => as.faultline.dataDirectory)
  }

  /** `kafka-storage format`, with the defaults of Apache Kafka. */
  async format(): Promise<void> {
    this.#configure('apache-kafka')
    await apacheKafka.format(
      this.#nodes.map(({ as }) => as['apache-kafka'].files),
      clusterId,
    )
  }

  /** Resolves when every node serves. */
  async start(engine: EngineName): Promise<void> {
    this.#configure(engine)
    this.#running = engine
    await Promise.all(this.#nodes.map(({ as }) => as[engine].start()))
  }

  #configure(engine: EngineName): void {
    for (const node of this.#nodes) node.as[engine].configure(this.#settingsOf(node, node.ports, engine))
  }

  #settingsOf({ id }: Node, ports: Node['ports'], engine: EngineName): Readonly<Record<string, string>> {
    return {
      'process.roles': 'broker,controller',
      'node.id': String(id),
      // Faultline's own way to begin a cluster; Apache Kafka does not know the setting and reads meta.properties.
      ...(engine === 'faultline' ? { 'cluster.id': clusterId } : {}),
      'controller.quorum.voters': this.#nodes.map(each => `${each.id}@${host}:${each.ports.controller}`).join(','),
      listeners: `PLAINTEXT://${host}:${ports.client},SASL_PLAINTEXT://${host}:${ports.sasl},CONTROLLER://${host}:${ports.controller}`,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
      'inter.broker.listener.name': 'PLAINTEXT',
      ...settings,
    }
  }

  /** A second node on a directory that is in use, on ports of its own: rejects with what it says. */
  async intrude(): Promise<void> {
    const [node] = this.#nodes
    if (node === undefined) throw new Error('no node')
    const ports = { client: await freePort(), sasl: await freePort(), controller: await freePort() }
    const home = path.join(this.#directory, 'intruder')
    mkdirSync(home, { recursive: true })
    rmSync(path.join(home, 'data'), { force: true })
    symlinkSync(node.as.faultline.dataDirectory, path.join(home, 'data'))
    const intruder = new BrokerProcess(node.id, home, [ports.client, ports.controller, await freePort()], faultline)
    intruder.configure(this.#settingsOf(node, ports, 'faultline'))
    await intruder.start()
    await intruder.kill()
  }

  /** Resolves when every process is gone; tells how many left the mark of a clean stop. */
  async stop(how: Stop): Promise<number> {
    const engine = this.#running
    if (engine === undefined) throw new Error('no engine runs')
    this.#running = undefined
    await Promise.all(this.#nodes.map(({ as }) => (how === 'cleanly' ? as[engine].stop() : as[engine].kill())))
    return this.dataDirectories.filter(directory => existsSync(path.join(directory, '.kafka_cleanshutdown'))).length
  }

  /** All that the nodes have logged, under either engine. */
  logs(): string {
    return this.#nodes.map(({ as }) => as.faultline.log()).join('\n')
  }

  /** FAULTLINE_KEEP=1 keeps the folder and prints it. */
  async remove(): Promise<void> {
    if (this.#running !== undefined) await this.stop('killed')
    if (process.env['FAULTLINE_KEEP'] === '1') console.log(`kept ${this.#directory}`)
    else rmSync(this.#directory, { recursive: true, force: true })
  }
}
