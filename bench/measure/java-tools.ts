/** Kafka's own performance tools as child processes, and what they print. One run is one JVM, ended with the signal or its time limit. */
import { join } from 'node:path'
import { execa } from 'execa'
import { jarsDirectory } from '#scripts/cluster/apache-kafka/jars.ts'
import { javaCommand } from '#scripts/cluster/apache-kafka/java.ts'
import { failure } from '#scripts/errors.ts'

const TOOL_TIMEOUT_MS = 600_000

export interface ToolOptions {
  readonly bootstrap: string
  readonly topic: string
  readonly records: number
  readonly signal: AbortSignal
}

export interface ProduceOptions extends ToolOptions {
  readonly recordBytes: number
  readonly acks: '1' | 'all'
  readonly batchBytes: number
  readonly lingerMs: number
}

/** What the scripts of Kafka pass to these tools, and logs to stderr. */
export function javaArguments(classPath: readonly string[] = []): string[] {
  return [
    '-Xmx512m',
    '-Djava.awt.headless=true',
    `-Dlog4j2.configurationFile=${join(import.meta.dirname, '..', 'java', 'log4j2.yaml')}`,
    '-cp',
    [...classPath, `${jarsDirectory()}/*`].join(':'),
  ]
}

/** ProducerPerformance as fast as it can. @returns records per second of the whole run, as the tool says */
export async function produceWithKafkaTool(options: ProduceOptions): Promise<number> {
  const output = await run('org.apache.kafka.tools.ProducerPerformance', options.signal, [
    ...['--bootstrap-server', options.bootstrap, '--topic', options.topic],
    ...['--num-records', String(options.records), '--record-size', String(options.recordBytes), '--throughput', '-1'],
    '--command-property',
    `acks=${options.acks}`,
    `batch.size=${options.batchBytes}`,
    `linger.ms=${options.lingerMs}`,
  ])
  return parseProducerOutput(output, options.records)
}

/** The last line sums up: `1000 records sent, 123.4 records/sec (0.12 MB/sec), ...`. */
export function parseProducerOutput(output: string, records: number): number {
  const last = output.trimEnd().split('\n').at(-1) ?? ''
  const found = /^(\d+) records sent, ([\d.]+) records\/sec/.exec(last)
  if (found === null || Number(found[1]) !== records)
    throw failure(`ProducerPerformance did not send all ${records} records; the end of its output:\n${tail(output)}`)
  return Number(found[2])
}

/** ConsumerPerformance from the start of the topic. @returns records per second while fetching, the group's join left out */
export async function consumeWithKafkaTool(options: ToolOptions): Promise<number> {
  const output = await run('org.apache.kafka.tools.ConsumerPerformance', options.signal, [
    ...['--bootstrap-server', options.bootstrap, '--topic', options.topic],
    ...['--num-records', String(options.records), '--timeout', '60000', '--hide-header'],
  ])
  return parseConsumerOutput(output, options.records)
}

/** Columns: start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, MB/s of the fetch, records/s of the fetch. */
export function parseConsumerOutput(output: string, records: number): number {
  const fields = (output.trimEnd().split('\n').at(-1) ?? '').split(',').map(field => field.trim())
  if (fields.length !== 10 || !(Number(fields[4]) >= records))
    throw failure(`ConsumerPerformance did not get all ${records} records; the end of its output:\n${tail(output)}`)
  return Number(fields[9])
}

async function run(mainClass: string, signal: AbortSignal, args: readonly string[]): Promise<string> {
  const result = await execa(javaCommand(), [...javaArguments(), mainClass, ...args], {
    cancelSignal: signal,
    timeout: TOOL_TIMEOUT_MS,
    reject: false,
    all: true,
  })
  signal.throwIfAborted()
  if (result.failed) throw failure(`${mainClass} failed: ${result.shortMessage}\n${tail(result.all)}`)
  return result.stdout
}

function tail(output: string): string {
  return output.trimEnd().slice(-1_500)
}
