/**
 * The clients of a cluster whose brokers are replaced: Interchange.java, which lives through every change, the producer that repeats its
 * batches, and Apache Kafka's tools. What `census` tells is compared before and after a change.
 */
import { compile, JavaProgram, KafkaTools } from '../java.ts'
import { RepeatedBatch } from './repeated-batch.ts'
import { StreamsMember } from './streams-member.ts'
import type { SharedDirectories } from './shared-directories.ts'

/** Facts by name; the first word of a name is its kind. */
export type Census = ReadonlyMap<string, string>

/** Kinds of facts that may change while nobody does anything: how many records compaction has left. */
const moving = new Set(['left'])

export class Life {
  readonly #cluster: SharedDirectories
  readonly #tools: KafkaTools
  readonly #clients: JavaProgram
  readonly #producer: RepeatedBatch
  readonly #streams: StreamsMember

  constructor(cluster: SharedDirectories) {
    this.#cluster = cluster
    this.#tools = new KafkaTools()
    this.#clients = new JavaProgram('Interchange', [cluster.bootstrap, cluster.saslBootstrap], compile('Interchange'))
    this.#producer = new RepeatedBatch(cluster.ports, 'repeated')
    this.#streams = new StreamsMember(cluster.bootstrap)
  }

  /** Adds to everything, and leaves some of it unfinished. */
  async work(stage: number): Promise<void> {
    await this.#tell(`work ${stage}`)
    await this.#producer.newProducer()
    await this.#producer.next()
    await this.#streams.beat()
  }

  /** Waits until the brokers have compacted what was written up to this stage. */
  async awaitCompaction(stage: number): Promise<void> {
    await this.#tell(`compaction ${stage}`)
  }

  /** Goes on with what the stage before left. */
  async resume(stage: number): Promise<void> {
    await this.#streams.beat()
    await this.#producer.repeat()
    await this.#producer.newProducer()
    await this.#producer.next()
    await this.#tell(`resume ${stage}`)
    await this.#abortAsAdministrator()
    await this.#tell(`aborted ${stage}`)
  }

  /** With the tool, since an operator has nothing else: it finds where the open transaction begins, and ends it there. */
  async #abortAsAdministrator(): Promise<void> {
    const partition = ['--topic', 'open-admin', '--partition', '0']
    const tool = ['TransactionsCommand', '--bootstrap-server', this.#cluster.bootstrap] as const
    const producers = await this.#tools.succeed(...tool, 'describe-producers', ...partition)
    const starts = [...producers.matchAll(/^\d+\s+\d+\s+-?\d+\s+-?\d+\s+-?\d+\s+(\d+)\s*$/gm)].map(match => match[1])
    if (starts.length !== 1) throw new Error(`expected one open transaction, got\n${producers}`)
    await this.#tools.succeed(...tool, 'abort', ...partition, '--start-offset', starts[0]!)
  }

  async census(): Promise<Census> {
    const output = await this.#tell('census')
    const facts = new Map<string, string>()
    for (const [, name, value] of output.matchAll(/^fact ([^\t]+)\t(.*)$/gm)) facts.set(name!, value!)
    return facts
  }

  /** What it says until the command is done; a step that failed is an error. */
  async #tell(command: string): Promise<string> {
    const output = await this.#clients.ask(command, new RegExp(`[^]*^end ${command}$`, 'm'))
    if (process.env['FAULTLINE_VERBOSE'] === '1') console.log(output.replaceAll(/^fact .*\n/gm, ''))
    if (/^failed /m.test(output)) throw new Error(output.replaceAll(/^fact .*\n/gm, ''))
    return output
  }

  run(tool: string, ...args: readonly string[]): Promise<string> {
    return this.#tools.succeed(tool, ...args)
  }

  async end(): Promise<void> {
    await this.#clients.kill()
    await this.#tools.stop()
  }
}

/** The facts that differ, as lines; empty when nothing was lost, changed or added. */
export function differences(before: Census, after: Census): string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].filter(name => !moving.has(kindOf(name))).sort()
  return names
    .filter(name => before.get(name) !== after.get(name))
    .map(name => `${name}: ${before.get(name) ?? 'was not there'} -> ${after.get(name) ?? 'is gone'}`)
}

const kindOf = (name: string): string => name.slice(0, name.indexOf(' '))

/** How many facts of each kind there are; of records, how many in all, and of those left by compaction how many were left. */
export function tally(census: Census): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of census.keys()) counts[kindOf(name)] = (counts[kindOf(name)] ?? 0) + 1
  for (const kind of ['records', 'committed', 'left'])
    counts[kind] = [...census]
      .filter(([name]) => kindOf(name) === kind)
      .reduce((sum, [, value]) => sum + Number(/^\d+/.exec(value)?.[0] ?? 0), 0)
  return counts
}
