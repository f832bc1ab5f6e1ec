/** A cluster whose nodes can be broken from inside, and what the claims about that wait for, of this process and with a client of its own. */
import { Kafka, logLevel, type Admin, type KafkaConfig, type Producer } from 'kafkajs'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { errorName, type ErrorName } from '#broker/protocol/errors.ts'
import { batchBytes, lastOffsetOf } from '#broker/protocol/records/batch.ts'
import { checkBatchBytes } from '#broker/protocol/records/batch-validate.ts'
import { poll } from '#scripts/cluster/clock.ts'
import { attachCluster } from '#scripts/cluster/runtimes.ts'
import { fetchFrom } from '#scripts/cluster/wire-requests.ts'
import { WireClient } from '#scripts/cluster/wire.ts'
import type { ActiveFault, FaultProof } from '#scripts/faults/kind.ts'
import { createTopics, partitionInSync, partitionWhen } from '../topics.ts'
import { freePort, Toolkit } from './faultline-command.ts'

export const waitMs = 120_000
const settings = [
  'broker.session.timeout.ms=3000',
  'broker.heartbeat.interval.ms=500',
  'controller.quorum.election.timeout.ms=500',
  'controller.quorum.fetch.timeout.ms=1500',
  'replica.lag.time.max.ms=4000',
  'offsets.topic.num.partitions=4',
  'min.insync.replicas=2',
  // Each of the many consumers is alone in its group.
  'group.initial.rebalance.delay.ms=0',
]

type Listed = ActiveFault & { readonly proofs?: readonly FaultProof[] }

export interface Broken {
  readonly toolkit: Toolkit
  readonly name: readonly string[]
  readonly kafka: (times?: Partial<KafkaConfig>) => Kafka
  readonly admin: () => Admin
  add(...words: string[]): Promise<readonly Listed[]>
  /** Adds one fault, which must have been seen to work. */
  proved(...words: string[]): Promise<Listed>
  faults(): Promise<readonly Listed[]>
  heal(...ids: string[]): Promise<readonly Listed[]>
  states(): Promise<string[]>
}

export function broken(runtime: 'process' | 'simulated'): Broken {
  const toolkit = new Toolkit()
  const name = ['--name', 'broken']
  let brokers: string[] = []
  const kafka = (times: Partial<KafkaConfig> = {}) =>
    new Kafka({
      clientId: 'guest',
      brokers,
      logLevel: logLevel.NOTHING,
      connectionTimeout: 1_000,
      requestTimeout: 8_000,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 100 },
      ...times,
    })
  let admin: Admin | undefined
  beforeAll(async () => {
    const shape = ['--runtime', runtime, '--port', await freePort(), '--faults']
    const { bootstrap } = await toolkit.document('up', ...name, ...shape, ...settings.flatMap(each => ['--set', each]))
    brokers = bootstrap.split(',')
    admin = kafka().admin()
    await admin.connect()
  })
  afterAll(async () => {
    await admin?.disconnect()
    await toolkit.remove()
  })
  const json = async (...words: string[]): Promise<readonly Listed[]> =>
    (await toolkit.here('fault', ...words, ...name)) as readonly Listed[]
  const add = (...words: string[]) => json('add', ...words)
  const faults = () => json('list')
  // A claim that failed leaves its fault; the next ones should not fail of it.
  afterEach(async () => {
    if (!toolkit.isEmpty && (await faults()).length > 0) await json('heal', '--all')
  })
  return {
    toolkit,
    name,
    kafka,
    admin: () => admin!,
    add,
    async proved(...words) {
      const kind = words[0]!
      const found = (await add(...words)).filter(fault => fault.name === kind)
      expect(found).toHaveLength(1)
      const [fault] = found
      expect({ kind, proofs: fault?.proofs }).toMatchObject({ kind, proofs: [{ shown: true }] })
      return fault!
    },
    faults,
    heal: (...ids) => json('heal', ...(ids.length === 0 ? ['--all'] : ids)),
    states: async () => (await (await attachCluster('broken')).nodes()).map(({ state }) => state),
  }
}

/** A topic of one partition that node `leader` leads, for as long as it is not fenced. */
export async function topicLedBy(cluster: Broken, topic: string, leader: number): Promise<void> {
  const replicas = [leader, ...[1, 2, 3].filter(id => id !== leader)]
  await createTopics(cluster.admin(), [{ topic, replicaAssignment: [{ partition: 0, replicas }] }])
  await untilIsr(cluster, topic, 3)
}

/** A topic of one partition that nobody but this node can lead. */
export async function topicOnlyOn(cluster: Broken, topic: string, node: number): Promise<void> {
  const replicaAssignment = [{ partition: 0, replicas: [node] }]
  const configEntries = [{ name: 'min.insync.replicas', value: '1' }]
  await createTopics(cluster.admin(), [{ topic, replicaAssignment, configEntries }])
}

export async function untilIsr(cluster: Broken, topic: string, size: number): Promise<void> {
  await partitionInSync(cluster.admin(), topic, size)
}

/** Somebody else has come to lead. A broker that was asked may hear of that later than the client that writes there. */
export async function untilNotLedBy(cluster: Broken, topic: string, node: number): Promise<void> {
  const what = `another node than ${node} leads ${topic}`
  await partitionWhen(cluster.admin(), topic, ({ leader }) => leader >= 0 && leader !== node, { what })
}

/** Sends numbered records one after the other. */
export async function send(producer: Producer, topic: string, values: readonly string[]): Promise<void> {
  for (const value of values) await producer.send({ topic, acks: -1, messages: [{ value }] })
}

/**
 * Sends numbered records one after the other until something has happened.
 *
 * @returns the number of the first record that was not sent
 */
export async function sendUntil(
  producer: Producer,
  topic: string,
  from: number,
  happened: Promise<unknown>,
): Promise<number> {
  let next = from
  const state = { over: false }
  const watching = happened.finally(() => (state.over = true))
  // Reported below, when the record that is on its way is through.
  watching.catch(() => undefined)
  while (!state.over) await send(producer, topic, [String(next++)])
  await watching
  return next
}

export async function producing<T>(
  cluster: Broken,
  work: (producer: Producer) => Promise<T>,
  times: Partial<KafkaConfig> = {},
): Promise<T> {
  const producer = cluster.kafka(times).producer({ idempotent: true, maxInFlightRequests: 1, metadataMaxAge: 2_000 })
  await producer.connect()
  try {
    return await work(producer)
  } finally {
    await producer.disconnect()
  }
}

export async function read(cluster: Broken, topic: string): Promise<string[]> {
  const records = (await cluster.toolkit.here('consume', topic, ...cluster.name)) as { value: string }[]
  return records.map(({ value }) => value)
}

export const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => String(from + index))

export async function untilDead(cluster: Broken, id: number): Promise<void> {
  const found = await poll(async () => (await cluster.states())[id - 1] === 'dead' || undefined, {
    everyMs: 50,
    timeoutMs: waitMs,
  })
  if (found === undefined) throw new Error(`node ${id} has not ended`)
}

/** A node that is busy may not answer at once. */
export async function expectAllRunning(cluster: Broken): Promise<void> {
  const found = await poll(async () => (await cluster.states()).every(state => state === 'running') || undefined, {
    everyMs: 50,
    timeoutMs: waitMs,
  })
  expect({ found, states: await cluster.states() }).toEqual({
    found: true,
    states: ['running', 'running', 'running'],
  })
}

/** How often a fault has taken effect, once it has. */
export async function untilHit(cluster: Broken, id: string, least = 1): Promise<void> {
  const hits = async () => (await cluster.faults()).find(fault => fault.id === id)?.hits ?? 0
  const found = await poll(async () => (await hits()) >= least || undefined, { everyMs: 50, timeoutMs: waitMs })
  if (found === undefined) throw new Error(`${id} took effect ${await hits()} times, not ${least}`)
}

/** What a node says of a partition that it is about to lead, once it knows. */
const onItsWay: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'NOT_LEADER_OR_FOLLOWER',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
])

/**
 * Reads a topic of its leader, again and again from the beginning, until it refuses; what it gives until then is whole. A flipped bit in the
 * few bytes that no checksum covers is found by nobody, so that the first read may well get through.
 */
export async function refusedRead(topic: string, leader: number): Promise<ErrorName | undefined> {
  const { host, port } = (await (await attachCluster('broken')).nodes())[leader - 1]!
  const client = await WireClient.open({ host, port })
  let offset = 0
  try {
    return await poll(
      async () => {
        const answer = await fetchFrom(client, { topic, partition: 0, offset }, 10)
        const name = errorName(answer.errorCode)
        // It may be on the way to become the leader again.
        if (onItsWay.has(name)) return undefined
        if (name !== 'NONE') return name
        if (answer.batches.length === 0) offset = 0
        for (let at = 0; at < answer.batches.length; at += batchBytes(answer.batches, at)) {
          expect(checkBatchBytes(answer.batches, at)).toBeUndefined()
          offset = lastOffsetOf(answer.batches, at) + 1
        }
        return undefined
      },
      { everyMs: 1, timeoutMs: waitMs },
    )
  } finally {
    client.close()
  }
}
