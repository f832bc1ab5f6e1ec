/** Replicas that move under a steady load of the Java producer with acks=all, as kafka-reassign-partitions plans it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { eventually, startCluster, type Cluster } from './harness.ts'
import { KafkaTools, Load } from './java.ts'

export const reassign = 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand'
/** A move may take a while on a busy machine, but nobody may wait for a session to run out: of a length that no machine is too busy for. */
const sessionTimeoutMs = 120_000

interface StageOptions {
  readonly shape: readonly string[]
  readonly logDirs?: number
}

export class ReassignmentStage {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'faultline-plans-'))
  readonly tools = new KafkaTools()
  #cluster: Cluster | undefined
  #load: Load | undefined

  private constructor() {}

  /** Three brokers, and a topic `moved` that is written to. `shape`: how kafka-topics is to create it. */
  static async begin(options: StageOptions): Promise<ReassignmentStage> {
    const stage = new ReassignmentStage()
    try {
      await stage.#begin(options)
    } catch (error) {
      await stage.end()
      throw error
    }
    return stage
  }

  async #begin({ shape, logDirs }: StageOptions): Promise<void> {
    const settings = { 'broker.session.timeout.ms': String(sessionTimeoutMs) }
    this.#cluster = await startCluster({ brokers: 3, settings, ...(logDirs === undefined ? {} : { logDirs }) })
    await this.create('moved', ...shape)
    const load = new Load(this.cluster.bootstrap, 'moved', { perSecond: 300, bytes: 1_000 })
    this.#load = load
    await eventually('the load runs', () => (load.isRunning ? true : undefined))
  }

  async end(): Promise<void> {
    this.#load?.stop()
    await this.tools.stop()
    await this.#cluster?.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  get cluster(): Cluster {
    if (this.#cluster === undefined) throw new Error('the cluster was not started')
    return this.#cluster
  }

  /** What a tool says; it must succeed. */
  run(tool: string, ...args: readonly string[]): Promise<string> {
    return this.tools.succeed(tool, '--bootstrap-server', this.cluster.bootstrap, ...args)
  }

  /** Any broker answers what is asked next. */
  async create(topic: string, ...shape: readonly string[]): Promise<void> {
    await this.run('TopicCommand', '--create', '--topic', topic, ...shape)
    await this.cluster.untilAllKnow(topic)
  }

  /** Path of a file with this content, for the tool. */
  plan(content: object, name = 'plan'): string {
    const file = path.join(this.folder, `${name}.json`)
    writeFileSync(file, JSON.stringify(content))
    return file
  }

  /** What the tool says of a plan once that no longer matches `unfinished`. */
  whenOver(plan: string, unfinished: RegExp): Promise<string> {
    return eventually(
      'every move is over',
      async () => {
        const output = await this.run(reassign, '--verify', '--reassignment-json-file', plan)
        return unfinished.test(output) ? undefined : output
      },
      120_000,
    )
  }

  /** Fills a topic, so that moving it takes a while. */
  fill(topic: string, records: number): Promise<string> {
    const sized = ['--num-records', String(records), '--record-size', '1000', '--throughput', '-1']
    const properties = ['--producer-props', `bootstrap.servers=${this.cluster.bootstrap}`]
    return this.tools.succeed('ProducerPerformance', '--topic', topic, ...sized, ...properties)
  }

  /** Ends the load. Not one acknowledged record may have failed, got lost, doubled or waited long: empty when that is so. */
  async complaints(): Promise<readonly string[]> {
    if (this.#load === undefined) throw new Error('there was no load')
    const { failed, lost, twice, acked, slowest } = await this.#load.finish()
    const bad = Object.entries({ failed, lost, twice }).flatMap(([what, count]) =>
      count > 0 ? [`${count} ${what}`] : [],
    )
    if (acked <= 500) bad.push(`only ${acked} acknowledged`)
    if (slowest >= sessionTimeoutMs) bad.push(`one took ${slowest} ms`)
    return bad
  }
}
