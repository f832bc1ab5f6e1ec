/**
 * What compaction costs those who produce meanwhile: how long small records take to be acknowledged, without and with the cleaner at work on a
 * topic that was filled before, and how fast it gets through. It begins when the policy of that topic is altered.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import kafkajs from 'kafkajs'
import type { Kafka } from 'kafkajs'
import type { Cluster, Engine } from '#scripts/cluster/cluster.ts'
import { failure } from '#scripts/errors.ts'
import type { FigureKind } from '../figures.ts'
import { makeTopic, withCluster, writeOutDirtyPages } from '../measure/bench-cluster.ts'
import { probeUntil } from '../measure/latency-probe.ts'
import type { BenchCase, CaseContext } from './context.ts'
import { eachRound } from './context.ts'

const topic = 'to-be-compacted'
const probed = 'probed'
const recordBytes = 500
const recordsPerSend = 400
const keys = 20_000
const restMs = 10_000
const cleaningLimitMs = 300_000

const kind = (name: string, unit: string, target?: number): FigureKind => ({
  case: 'compaction',
  name,
  unit,
  better: unit === 'MB/s' ? 'higher' : 'lower',
  ...(target === undefined ? {} : { target }),
})

export const compaction: BenchCase = {
  minutesPerRound: 10,
  async run(context) {
    // Without its pause of 15 s the cleaner begins as soon as there is something to do.
    const settings = { 'log.cleaner.backoff.ms': '100' }
    await eachRound(context, 'compaction', engine =>
      withCluster(engine, 1, context.signal, cluster => measure(context, engine, cluster), { settings }),
    )
  },
}

async function measure(context: CaseContext, engine: Engine, cluster: Cluster): Promise<void> {
  const { figures, signal, options } = context
  const megabytes = options.quick ? 16 : 256
  await makeTopic(cluster, topic, [[1]])
  await makeTopic(cluster, probed, [[1]])
  const kafka = new kafkajs.Kafka({ brokers: [...cluster.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
  await alter(kafka, { 'segment.bytes': String(16 * 1024 * 1024) })
  await fill(kafka, megabytes)
  await writeOutDirtyPages(signal)
  const endMs = performance.now() + (options.quick ? 2_000 : restMs)
  const quiet = await probeUntil(cluster, probed, () => performance.now() >= endMs)
  const isClean = cleaned(cluster)
  await alter(kafka, { 'cleanup.policy': 'compact', 'segment.bytes': String(16 * 1024 * 1024) })
  const startedMs = performance.now()
  const busy = await probeUntil(cluster, probed, () => {
    if (performance.now() - startedMs > cleaningLimitMs)
      throw failure(`The topic was not compacted within ${cleaningLimitMs / 1000} s.`)
    return isClean()
  })
  const seconds = (performance.now() - startedMs) / 1000
  figures.add(kind('produce p99 while nothing is compacted', 'ms'), engine, quiet.p99)
  figures.add(kind('produce p99 during a compaction', 'ms'), engine, busy.p99)
  figures.add(kind('longest produce during a compaction', 'ms'), engine, busy.longest)
  figures.add(kind('p99 during a compaction, as a multiple', '×'), engine, busy.p99 / quiet.p99)
  figures.add(kind('compacted per second', 'MB/s'), engine, megabytes / seconds)
}

/** Tells whether the checkpoint of the cleaner names the topic by now. Looked at ten times a second. */
function cleaned(cluster: Cluster): () => boolean {
  const directories = cluster.nodes().then(nodes => nodes.map(({ dataDir }) => dataDir))
  let paths: string[] = []
  void directories.then(found => {
    paths = found.map(directory => join(directory, 'cleaner-offset-checkpoint'))
  })
  let lookedMs = 0
  let isDone = false
  return () => {
    if (performance.now() - lookedMs < 100) return isDone
    lookedMs = performance.now()
    isDone = paths.some(path => existsSync(path) && readFileSync(path, 'utf8').includes(`${topic} 0 `))
    return isDone
  }
}

async function alter(kafka: Kafka, settings: Readonly<Record<string, string>>): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }],
  })
  await admin.disconnect()
}

/** Each key again and again. */
async function fill(kafka: Kafka, megabytes: number): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  const value = Buffer.alloc(recordBytes, 'x')
  const sends = Math.ceil((megabytes * 1024 * 1024) / (recordBytes * recordsPerSend))
  for (let send = 0; send < sends; send++) {
    const messages = Array.from({ length: recordsPerSend }, (_, index) => ({
      key: `key-${(send * recordsPerSend + index) % keys}`,
      value,
    }))
    await producer.send({ topic, messages, acks: 1 })
  }
  await producer.disconnect()
}
