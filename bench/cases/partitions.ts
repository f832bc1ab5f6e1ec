/**
 * One broker with ten thousand partitions, each with some records: how long they take to be made, what they weigh when nothing happens, and how
 * long a start takes after a clean stop and after kill -9, until every partition has its leader again.
 */
import { realClock } from '#scripts/cluster/clock.ts'
import type { Cluster } from '#scripts/cluster/cluster.ts'
import type { WireClient } from '#scripts/cluster/wire.ts'
import { allTopics, produceOne } from '#scripts/cluster/wire-requests.ts'
import { failure } from '#scripts/errors.ts'
import type { FigureKind } from '../figures.ts'
import { makeTopic, pidsOf, withCluster, withWire } from '../measure/bench-cluster.ts'
import { memoryOf } from '../measure/process.ts'
import type { BenchCase, CaseContext } from './context.ts'
import { eachRound } from './context.ts'

const perTopic = 500
const ledTimeoutMs = 240_000

const kind = (name: string, unit: string, target?: number): FigureKind => ({
  case: 'partitions',
  name,
  unit,
  better: 'lower',
  ...(target === undefined ? {} : { target }),
})

export const partitions: BenchCase = {
  minutesPerRound: 20,
  async run(context) {
    const count = context.options.quick ? 1_000 : 10_000
    await eachRound(context, `partitions, ${count} on one broker`, engine =>
      withCluster(engine, 1, context.signal, async cluster => {
        const add = (name: string, unit: string, value: number, target?: number) =>
          context.figures.add(kind(`${count} partitions: ${name}`, unit, target), engine, value)
        const empty = await rss(cluster)
        add('created', 's', await seconds(() => create(cluster, count)))
        await withWire(cluster, async client => {
          for (let index = 0; index < count; index++)
            await record(client, { topic: topicOf(index), partition: index % perTopic })
        })
        await settle(context)
        const idle = await rss(cluster)
        add('resident memory, idle', 'MiB', idle, 1)
        add('resident memory per partition', 'KiB', ((idle - empty) * 1024) / count)
        await cluster.stop(1)
        add('start after a clean stop', 's', await seconds(() => startAndLead(cluster, count)), 1)
        await settle(context)
        add('resident memory after a start, idle', 'MiB', await rss(cluster), 1)
        await cluster.kill(1)
        add('start after kill -9', 's', await seconds(() => startAndLead(cluster, count)), 1)
      }),
    )
  },
}

const topicOf = (index: number): string => `many-${Math.floor(index / perTopic)}`

async function create(cluster: Cluster, count: number): Promise<void> {
  for (let from = 0; from < count; from += perTopic) {
    const assignments = Array.from({ length: Math.min(perTopic, count - from) }, () => [1])
    // The records have no time of their own, and would be old at once.
    await makeTopic(cluster, topicOf(from), assignments, { 'retention.ms': '-1' })
  }
}

/** A leader may be known before it knows itself. */
async function record(client: WireClient, at: { topic: string; partition: number }): Promise<void> {
  const endMs = realClock.nowMs() + 30_000
  for (;;) {
    const { errorCode } = await produceOne(client, at, Buffer.alloc(100, 120), 30_000)
    if (errorCode === 0) return
    if (realClock.nowMs() > endMs)
      throw failure(`A record for ${at.topic}-${at.partition} was refused: error ${errorCode}.`)
    await realClock.sleep(20)
  }
}

async function settle({ options }: CaseContext): Promise<void> {
  await realClock.sleep(options.quick ? 3_000 : 10_000)
}

async function startAndLead(cluster: Cluster, count: number): Promise<void> {
  await cluster.start(1)
  await cluster.waitReady({ timeoutMs: ledTimeoutMs })
  const endMs = realClock.nowMs() + ledTimeoutMs
  for (;;) {
    const { topics } = await withWire(cluster, client => allTopics(client))
    const led = topics
      .filter(({ name }) => name.startsWith('many-'))
      .flatMap(topic => topic.partitions)
      .filter(({ leader }) => leader === 1).length
    if (led === count) return
    if (realClock.nowMs() > endMs) throw failure(`Only ${led} of ${count} partitions are led after the start.`)
    await realClock.sleep(20)
  }
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const begin = performance.now()
  await work()
  return (performance.now() - begin) / 1000
}

async function rss(cluster: Cluster): Promise<number> {
  return (await pidsOf(cluster)).reduce((sum, pid) => sum + memoryOf(pid).rssMiB, 0)
}
