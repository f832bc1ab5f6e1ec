/**
 * kafkajs, unmodified, with transactions while brokers are killed and cut off. Afterwards every transaction is there on all partitions, or
 * on none: on all when its commit was confirmed, on none when it was aborted.
 */
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { describe, expect, test } from 'vitest'
import { Prng } from '#simulator/world/prng.ts'
import { onCluster, partitions, readAll, topic, type Scene } from './transactional-scene.ts'

const producers = 3
const runMs = 30_000
const group = 'kafkajs-readers'

type Outcome = 'committed' | 'aborted' | 'unknown'

interface Attempt {
  readonly name: string
  readonly producer: number
  readonly number: number
  readonly outcome: Outcome
}

/** Transactions one after the other until the time is over; a producer whose transaction failed is replaced by another of the same id. */
async function produce({ world, cluster }: Scene, index: number, attempts: Attempt[]): Promise<void> {
  const random = new Prng(world.seed, `producer ${index}`)
  const kafka = new Kafka({
    ...cluster.kafkaOptions(),
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1000,
    requestTimeout: 3000,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 30 },
  })
  const untilMs = world.nowMs + runMs
  let producer: Producer | undefined
  for (let number = 0; world.nowMs < untilMs; number++) {
    const name = `${index}-${number}`
    let outcome: Outcome = 'unknown'
    try {
      if (producer === undefined) {
        producer = kafka.producer({ transactionalId: `p-${index}`, idempotent: true, maxInFlightRequests: 1 })
        await producer.connect()
      }
      outcome = await transact(producer, { index, number, name, commit: random.below(3) > 0 })
    } catch {
      await leave(producer)
      producer = undefined
    }
    attempts.push({ name, producer: index, number, outcome })
    await world.sleep(random.below(100))
  }
  await leave(producer)
}

/** A producer that cannot even take its leave is gone as well. */
async function leave(producer: Producer | undefined): Promise<void> {
  try {
    await producer?.disconnect()
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
  }
}

async function transact(
  producer: Producer,
  { index, number, name, commit }: { index: number; number: number; name: string; commit: boolean },
): Promise<Outcome> {
  const transaction = await producer.transaction()
  for (const partition of partitions)
    await transaction.send({ topic, messages: [{ partition, value: name }], acks: -1 })
  const committed = { topic, partitions: [{ partition: 0, offset: String(number + 1) }] }
  await transaction.sendOffsets({ consumerGroupId: `${group}-${index}`, topics: [committed] })
  if (!commit) {
    await transaction.abort()
    return 'aborted'
  }
  await transaction.commit()
  return 'committed'
}

async function breakThings({ world, cluster }: Scene): Promise<number> {
  const random = new Prng(world.seed, 'nemesis')
  const untilMs = world.nowMs + runMs
  let faults = 0
  while (world.nowMs < untilMs) {
    await world.sleep(1000 + random.below(2000))
    const id = 1 + random.below(3)
    faults += 1
    if (random.below(3) > 0) {
      await cluster.kill(id)
      await world.sleep(500 + random.below(4000))
      await cluster.start(id)
    } else {
      await cluster.partition([[id], [1, 2, 3].filter(other => other !== id)])
      await world.sleep(500 + random.below(4000))
      await cluster.healPartition()
    }
    await cluster.waitReady({ timeoutMs: 60_000 })
  }
  return faults
}

/** A confirmed or aborted transaction is seen as it was said, on this partition. */
function agrees(attempts: readonly Attempt[], values: readonly string[]): boolean {
  const times = new Map<string, number>()
  for (const value of values) times.set(value, (times.get(value) ?? 0) + 1)
  for (const [value, count] of times) if (count > 1) throw new Error(`${value} is there ${count} times`)
  for (const { name, outcome } of attempts)
    if (outcome === 'aborted' && times.has(name)) throw new Error(`${name} was aborted and is there`)
  return attempts.every(({ name, outcome }) => outcome !== 'committed' || times.has(name))
}

/** Makes the coordinator end whatever the last producer of the id left open. */
async function fence({ cluster }: Scene, index: number): Promise<void> {
  const options = { ...cluster.kafkaOptions(), logLevel: logLevel.NOTHING, retry: { retries: 100, maxRetryTime: 500 } }
  const producer = new Kafka(options).producer({ transactionalId: `p-${index}`, idempotent: true })
  await producer.connect()
  await producer.disconnect()
}

describe('kafkajs with transactions, while brokers die and are cut off', () => {
  test.each([1, 2, 3])('sees each transaction as a whole or not at all, seed %i', { timeout: 300_000 }, async seed => {
    const attempts: Attempt[] = []
    let faults = 0
    await onCluster(seed, async scene => {
      const nemesis = breakThings(scene)
      await Promise.all(Array.from({ length: producers }, (_, index) => produce(scene, index, attempts)))
      faults = await nemesis
      for (let index = 0; index < producers; index++) await fence(scene, index)
      const seen = await readAll(scene, values => agrees(attempts, values))
      const [first, ...others] = seen.map(values => new Set(values))
      for (const other of others) expect(other).toEqual(first)
      for (let index = 0; index < producers; index++) {
        const last = attempts.findLast(each => each.producer === index && first!.has(each.name))
        const offset = await scene.wire.committedOffset(`${group}-${index}`, topic, 0)
        expect(offset).toBe(last === undefined ? -1 : last.number + 1)
      }
    })
    const count = (outcome: Outcome): number => attempts.filter(each => each.outcome === outcome).length
    expect(faults).toBeGreaterThan(3)
    expect(count('committed')).toBeGreaterThan(20)
    expect(count('aborted')).toBeGreaterThan(10)
  })
})
