/** From the command `up` on empty directories to the first record that was acknowledged and consumed. */
import { join } from 'node:path'
import { execa } from 'execa'
import { Kafka, logLevel } from 'kafkajs'
import type { Cluster, Engine } from '#scripts/cluster/cluster.ts'
import { processRuntime } from '#scripts/cluster/process/runtime.ts'
import { projectRoot, readRecord } from '#scripts/cluster/state.ts'
import { fetchFrom, produceOne } from '#scripts/cluster/wire-requests.ts'
import { failure } from '#scripts/errors.ts'
import type { FigureKind } from '../figures.ts'
import {
  asKafkaStarts,
  heapOptions,
  makeTopic,
  nextClusterName,
  untilAborted,
  withWire,
  writeOutDirtyPages,
} from '../measure/bench-cluster.ts'
import type { BenchCase, CaseContext } from './context.ts'
import { eachRound } from './context.ts'

const GROUP_TIMEOUT_MS = 60_000

const kind = (name: string, target?: number): FigureKind => ({
  case: 'start',
  name,
  unit: 's',
  better: 'lower',
  ...(target === undefined ? {} : { target }),
})

export const start: BenchCase = {
  minutesPerRound: 6,
  async run(context) {
    for (const brokers of [1, 3])
      await eachRound(context, `start, ${named(brokers)}`, engine => measure(context, engine, brokers))
  },
}

async function measure(context: CaseContext, engine: Engine, brokers: number): Promise<void> {
  const { figures, signal } = context
  await writeOutDirtyPages(signal)
  const name = nextClusterName(engine)
  const begin = performance.now()
  const seconds = () => (performance.now() - begin) / 1000
  try {
    await runUp(context, engine, brokers, name)
    const up = seconds()
    const cluster = await processRuntime.attach(name)
    await untilAborted(firstRecord(cluster), signal)
    const first = seconds()
    const group = await untilAborted(firstRecordOfGroup(cluster, signal, seconds), signal)
    figures.add(kind(`${named(brokers)}: up to first record acknowledged and read`, 0.1), engine, first)
    figures.add(kind(`${named(brokers)}: up to first record a group consumer has`, 0.1), engine, group)
    figures.add(kind(`${named(brokers)}: the command up alone`), engine, up)
  } finally {
    if (readRecord(name) !== undefined) await (await processRuntime.attach(name)).down()
  }
}

async function runUp(context: CaseContext, engine: Engine, brokers: number, name: string): Promise<void> {
  const args = ['--name', name, '--runtime', 'process', '--engine', engine, '--brokers', String(brokers), '--json']
  const result = await execa(join(projectRoot, 'faultline'), ['up', '--port', '0', ...args], {
    cancelSignal: context.signal,
    forceKillAfterDelay: 20_000,
    timeout: 240_000,
    reject: false,
    env: { KAFKA_HEAP_OPTS: heapOptions(brokers), ...asKafkaStarts },
  })
  context.signal.throwIfAborted()
  if (result.failed) throw failure(`./faultline up failed: ${result.shortMessage}\n${result.stdout.slice(-1_500)}`)
}

/** One record through a fresh topic, acks=all, read back. */
async function firstRecord(cluster: Cluster): Promise<void> {
  await makeTopic(cluster, 'first', [[1, 2, 3].slice(0, cluster.spec.brokers)])
  const value = Buffer.from('the first record')
  await withWire(cluster, async client => {
    const at = { topic: 'first', partition: 0 }
    const produced = await produceOne(client, at, value, 30_000)
    if (produced.errorCode !== 0) throw failure(`The first record was refused: error ${produced.errorCode}.`)
    const fetched = await fetchFrom(client, { ...at, offset: produced.offset }, 10_000)
    if (!fetched.batches.includes(value)) throw failure(`The first record is not there: error ${fetched.errorCode}.`)
  })
}

/** A new group of kafkajs gets it, which needs the group coordinator and its topic. Resolves with the time it had it, by `seconds`. */
async function firstRecordOfGroup(cluster: Cluster, signal: AbortSignal, seconds: () => number): Promise<number> {
  // Asks again soon: its growing pauses would be measured in place of the cluster.
  const retry = { initialRetryTime: 50, maxRetryTime: 50, factor: 0, multiplier: 1, retries: 1_000 }
  const kafka = new Kafka({ ...cluster.kafkaOptions(), clientId: 'bench', logLevel: logLevel.NOTHING, retry })
  const consumer = kafka.consumer({ groupId: 'bench' })
  try {
    await consumer.connect()
    await consumer.subscribe({ topic: 'first', fromBeginning: true })
    const got = new Promise<void>((resolve, reject) => {
      AbortSignal.timeout(GROUP_TIMEOUT_MS).addEventListener('abort', () => {
        reject(failure(`A consumer group got no record within ${GROUP_TIMEOUT_MS / 1000} s.`))
      })
      consumer.run({ eachMessage: () => Promise.resolve(resolve()) }).catch(reject)
    })
    await untilAborted(got, signal)
    // Before it says goodbye, which takes kafkajs the rest of a heartbeat interval.
    return seconds()
  } finally {
    await consumer.disconnect()
  }
}

function named(brokers: number): string {
  return brokers === 1 ? '1 broker' : `${brokers} brokers`
}
