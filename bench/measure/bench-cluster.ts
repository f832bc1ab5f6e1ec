/**
 * Clusters for a measurement: started exactly as the toolkit starts them, with topics whose leaders are known, and always taken away
 * again. What a case does is cut off when its time is over.
 */
import type { Cluster, Engine, NodeState } from '#scripts/cluster/cluster.ts'
import { realClock } from '#scripts/cluster/clock.ts'
import { processRuntime } from '#scripts/cluster/process/runtime.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { WireClient } from '#scripts/cluster/wire.ts'
import { createTopic, errorCodes, metadata } from '#scripts/cluster/wire-requests.ts'
import { failure, messageOf } from '#scripts/errors.ts'
import { sh } from '#scripts/shell.ts'
import { cpuSecondsOf } from './process.ts'

const TOPIC_TIMEOUT_MS = 30_000
let clusters = 0

/** Differs within this run. */
export function nextClusterName(engine: Engine): string {
  return `bench-${engine === 'faultline' ? 'ours' : 'kafka'}-${++clusters}`
}

/** Kafka's default heap for a lone broker; less where three share the machine. */
export function heapOptions(brokers: number): string {
  return brokers === 1 ? '-Xmx1G -Xms1G' : '-Xmx512m -Xms512m'
}

/** As its own scripts start it; the toolkit starts it faster. */
export const asKafkaStarts = { KAFKA_CLASS_ARCHIVE: 'none' }

/** Starts a cluster on empty directories, runs `body` and takes all of it away again, whatever happened. */
export async function withCluster(
  engine: Engine,
  brokers: number,
  signal: AbortSignal,
  body: (cluster: Cluster) => Promise<void>,
  {
    proxy = false,
    settings = {},
  }: { readonly proxy?: boolean; readonly settings?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  Object.assign(process.env, asKafkaStarts, { KAFKA_HEAP_OPTS: heapOptions(brokers) })
  const spec = clusterSpec({
    name: nextClusterName(engine),
    runtime: 'process',
    engine,
    brokers,
    port: 0,
    proxy,
    settings,
  })
  const cluster = await processRuntime.up(spec, { signal })
  try {
    await untilAborted(body(cluster), signal)
  } catch (error) {
    signal.throwIfAborted()
    const logs = await Promise.all((await cluster.nodes()).map(node => cluster.logs(node.id, { lines: 8 })))
    throw failure(`${engine}: ${messageOf(error)}\nThe last lines of the brokers' logs:\n${logs.join('\n')}`)
  } finally {
    await cluster.down()
  }
}

/** Rejects as soon as the signal is given; `work` then ends by itself, when its cluster is taken away. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Creates a topic with the given replicas per partition and waits until the first of each leads. */
export async function makeTopic(
  cluster: Cluster,
  name: string,
  assignments: readonly (readonly number[])[],
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  await withWire(cluster, async client => {
    const answer = await createTopic(client, { name, placement: assignments, settings }, TOPIC_TIMEOUT_MS)
    if (answer.errorCode !== errorCodes.none)
      throw failure(`The topic ${name} was not created: error ${answer.errorCode} ${answer.message}`)
    const endMs = realClock.nowMs() + TOPIC_TIMEOUT_MS
    for (;;) {
      const [topic] = (await metadata(client, [name])).topics
      const ready = assignments.every((replicas, index) =>
        topic?.partitions.some(partition => partition.index === index && partition.leader === replicas[0]),
      )
      if (ready) return
      if (realClock.nowMs() > endMs) throw failure(`Nobody leads the topic ${name} after ${TOPIC_TIMEOUT_MS / 1000} s.`)
      await realClock.sleep(10)
    }
  })
}

/** A connection to the first broker that runs. */
export async function withWire<T>(cluster: Cluster, use: (client: WireClient) => Promise<T>): Promise<T> {
  const nodes = await cluster.nodes()
  const node = nodes.find(candidate => candidate.state === 'running' && candidate.roles.includes('broker'))
  if (node === undefined) throw failure('No broker runs.')
  const client = await WireClient.open(node)
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

/** The processes of all nodes; refuses when one is gone. */
export async function pidsOf(cluster: Cluster): Promise<number[]> {
  return (await cluster.nodes()).map((node: NodeState) => {
    if (node.pid === undefined) throw failure(`Node ${node.id} is ${node.state}.`)
    return node.pid
  })
}

/** CPU seconds that all nodes together spend while `work` runs and shortly after, when they finish what they were given. */
export async function withCpu<T>(cluster: Cluster, work: () => Promise<T>): Promise<{ result: T; cpuSeconds: number }> {
  const pids = await pidsOf(cluster)
  const total = () => pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0)
  const before = total()
  const result = await work()
  await realClock.sleep(200)
  return { result, cpuSeconds: total() - before }
}

/** Writes out dirty pages, so that one measurement does not pay for the one before. */
export async function writeOutDirtyPages(signal: AbortSignal): Promise<void> {
  const { ok, stdall } = await sh({ signal, timeoutMs: 120_000 })`sync`
  signal.throwIfAborted()
  if (!ok) throw failure(`sync failed or took more than two minutes: ${stdall}`)
}
