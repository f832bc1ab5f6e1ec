/**
 * The listeners of controllers of a cluster that nobody needs any more, told by a stranger what only nodes tell each other; see
 * fuzz/quorum-stories.ts. No node ends, meets a bug or grows, no connection hangs; when it is over the quorum has a leader, topics are
 * made and writes acknowledged, and all that was acknowledged meanwhile is there.
 *
 * FUZZ_SEED plays others, FUZZ_SECONDS plays longer (default: 10), FUZZ_FROM and FUZZ_TO play some of them.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Kafka, logLevel, type Admin } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { errorName } from '#broker/protocol/errors.ts'
import type { DescribeClusterResponse } from '#broker/protocol/messages/60-describe-cluster.ts'
import type { UnregisterBrokerResponse } from '#broker/protocol/messages/64-unregister-broker.ts'
import { seededRandom } from '#scripts/cluster/random.ts'
import { isReference, oursAlone } from './engine.ts'
import { Actor, type Stage, type Tally } from './fuzz/actor.ts'
import { bugLines } from './fuzz/bug-lines.ts'
import { campaign, MiB } from './fuzz/campaign.ts'
import { Memory } from './fuzz/distort.ts'
import { learn, quorumStory, type QuorumFacts } from './fuzz/quorum-stories.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'
import { RawClient } from './raw-client.ts'
import { createTopics, subscribe } from '#tests/topics.ts'

const { seed, seconds, from, to } = campaign
const workers = 4
/** As many as it takes to say almost everything once; a busy machine takes longer than the time for them. */
const leastStories = 40
const partitions = 3
const describeCluster = 60
const unregisterBroker = 64

let cluster: Cluster
let kafka: Kafka
let admin: Admin

beforeAll(async () => {
  cluster = await startCluster({
    brokers: 3,
    // A node that waits for a processor is not to be taken for dead.
    settings: { 'broker.session.timeout.ms': '20000' },
  })
  const retry = { initialRetryTime: 50, maxRetryTime: 1_000, retries: 60 }
  kafka = new Kafka({ brokers: cluster.addresses, logLevel: logLevel.NOTHING, retry })
  admin = kafka.admin()
  await admin.connect()
  await createTopics(admin, [{ topic: 'kept', numPartitions: partitions }])
})

afterAll(async () => {
  await admin?.disconnect()
  await cluster?.stop()
})

/** A producer that goes on as long as it is let, and remembers what was acknowledged. */
class Writer {
  readonly acknowledged: string[] = []
  readonly #producer = kafka.producer()
  readonly #stopping = new AbortController()
  #done: Promise<void> | undefined

  async start(): Promise<void> {
    await this.#producer.connect()
    this.#done = this.#write()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
    await this.#producer.disconnect()
  }

  async #write(): Promise<void> {
    for (let count = 0; !this.#stopping.signal.aborted; count++) {
      const value = `kept-${count}`
      await this.#producer.send({ topic: 'kept', acks: -1, messages: [{ value, partition: count % partitions }] })
      this.acknowledged.push(value)
    }
  }
}

function topicId(name: string): string {
  const file = path.join(cluster.broker().dataDirectory, `${name}-0`, 'partition.metadata')
  const id = /topic_id: (\S+)/.exec(readFileSync(file, 'utf8'))?.[1]
  if (id === undefined) throw new Error(`${file} names no topic id`)
  return id
}

async function play(): Promise<Tally> {
  const tally: Tally = { requests: 0, spoiled: 0, closed: 0, findings: [], kinds: new Set(), depth: new Map() }
  const facts: QuorumFacts = {
    clusterId: cluster.clusterId,
    voters: cluster.brokers.map(({ id }) => id),
    topicIds: [topicId('kept')],
    leaderEpoch: 0,
    leaderId: -1,
    highWatermark: 0,
    phantomEpochs: new Map(),
  }
  const actorsOf = (clientId: string, random: Stage['random']) => {
    const common = { clientId, random, memory: new Memory(), tally, oneDistortedIn: 6, oneDamagedIn: 12 }
    const stages = cluster.brokers.map((each): [number, Stage] => [each.id, { ...common, port: each.controllerPort }])
    return { stage: stages[0]![1], actors: new Map(stages.map(([id, stage]) => [id, new Actor(stage)])) }
  }
  const story = async (index: number, kind: 'loud' | 'quiet'): Promise<void> => {
    const random = seededRandom(seed * 1_000_000 + index)
    const { stage, actors } = actorsOf(`quorum-${seed}-${index}`, random)
    await quorumStory(actors, stage, facts, kind)
    for (const actor of actors.values()) actor.close()
  }
  const electedLeader = async (): Promise<void> => {
    const { actors } = actorsOf('listener', seededRandom(seed))
    await eventually('the quorum has a leader', async () => {
      for (const actor of actors.values()) if (await learn(actor, facts)) return true
      return undefined
    })
    for (const actor of actors.values()) actor.close()
  }
  const deadline = Date.now() + seconds * 1_000
  let next = from
  // In turns: those who want another leader, and those who want something of it.
  while (next < to && (Date.now() < deadline || next - from < leastStories)) {
    const round = Array.from({ length: Math.min(workers, to - next) }, (_, index) => next + index)
    const kind = Math.floor(next / workers) % 2 === 0 ? 'loud' : 'quiet'
    await electedLeader()
    await Promise.all(round.map(index => story(index, kind)))
    next += round.length
  }
  const { findings, kinds: _, depth, ...numbers } = tally
  const summary = { seed, from, to: next, ...numbers, findings: findings.length, leaderEpoch: facts.leaderEpoch }
  console.log(`said ${JSON.stringify({ ...summary, depth: Object.fromEntries(depth) })}`)
  return tally
}

/**
 * Topics that are made while a broker of the stranger's is registered, the one of offsets too, could lie on it. A broker of ours that the
 * stranger unregistered comes back by itself.
 */
async function unregisterStrangers(): Promise<void> {
  const ours = new Set(cluster.brokers.map(({ id }) => id))
  const client = new RawClient(cluster.broker().port)
  const registered = async () => {
    const request = { includeClusterAuthorizedOperations: false, endpointType: 1, includeFencedBrokers: true }
    return (await client.send<DescribeClusterResponse>(describeCluster, request)).brokers
  }
  try {
    await eventually('the brokers of the cluster alone are registered', async () => {
      const brokers = await registered()
      const strangers = brokers.filter(({ brokerId }) => !ours.has(brokerId))
      for (const { brokerId } of strangers) {
        const { errorCode } = await client.send<UnregisterBrokerResponse>(unregisterBroker, { brokerId })
        expect(['NONE', 'BROKER_ID_NOT_REGISTERED']).toContain(errorName(errorCode))
      }
      const alive = brokers.filter(({ brokerId, isFenced }) => ours.has(brokerId) && !isFenced)
      return strangers.length === 0 && alive.length === ours.size ? true : undefined
    })
  } finally {
    client.close()
  }
}

async function valuesOf(topic: string, count: number): Promise<Set<string>> {
  const consumer = kafka.consumer({ groupId: `reader-of-${topic}` })
  await consumer.connect()
  await subscribe(consumer, topic)
  const values = new Set<string>()
  await consumer.run({
    eachMessage: ({ message }) => {
      values.add(String(message.value))
      return Promise.resolve()
    },
  })
  await eventually(`${count} records are read`, () => (values.size >= count ? true : undefined))
  await consumer.disconnect()
  return values
}

test.skipIf(isReference)(
  oursAlone('a stranger among controllers breaks nothing that was promised', 'its controllers end when epochs run out'),
  async () => {
    const before = cluster.brokers.map(each => ({ pid: each.pid, bytes: each.residentBytes() ?? 0 }))
    const writer = new Writer()
    await writer.start()
    const tally = await play()
    const bugs = cluster.brokers.flatMap(each => bugLines(each.log()).map(line => `node ${each.id}: ${line}`))
    expect([...tally.findings, ...bugs]).toEqual([])
    await eventually('it has written on', () => (writer.acknowledged.length > 10 ? true : undefined))
    await writer.stop()

    await unregisterStrangers()
    await createTopics(admin, [{ topic: 'afterwards', numPartitions: 1 }])
    const producer = kafka.producer()
    await producer.connect()
    const [sent] = await producer.send({ topic: 'afterwards', acks: -1, messages: [{ value: 'still here' }] })
    expect(sent?.errorCode).toBe(0)
    await producer.disconnect()
    const values = await valuesOf('kept', writer.acknowledged.length)
    expect(writer.acknowledged.filter(value => !values.has(value))).toEqual([])

    expect(cluster.brokers.map(each => each.pid)).toEqual(before.map(each => each.pid))
    for (const [index, each] of cluster.brokers.entries()) {
      expect(await each.isHealthy()).toBe(true)
      expect((each.residentBytes() ?? 0) - (before[index]?.bytes ?? 0)).toBeLessThan(400 * MiB)
    }
    expect(tally.depth.size).toBeGreaterThan(20)
  },
  600_000 + seconds * 4_000,
)
