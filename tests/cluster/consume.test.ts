/** Where `consume` ends, on topics whose last records are nothing that it prints: a marker, what was aborted, what is not committed yet. */
import { Kafka, logLevel, type Admin, type Producer, type Transaction } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import { freePort, Toolkit } from './faultline-command.ts'

// What does not end is ended here.
describe('consume ends', { timeout: 120_000 }, () => {
  const toolkit = new Toolkit()
  const name = ['--name', 'ends']
  let admin: Admin
  let plain: Producer
  let transactional: Producer
  beforeAll(async () => {
    const port = await freePort()
    const { bootstrap } = await toolkit.document(
      'up',
      ...name,
      '--runtime',
      'process',
      '--brokers',
      '1',
      '--port',
      port,
    )
    const kafka = new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING })
    admin = kafka.admin()
    plain = kafka.producer()
    transactional = kafka.producer({ transactionalId: 'writer', idempotent: true, maxInFlightRequests: 1 })
    await Promise.all([admin, plain, transactional].map(async client => await client.connect()))
  })
  afterAll(async () => {
    await Promise.all([admin, plain, transactional].map(async client => await client.disconnect()))
    await toolkit.remove()
  })

  const send = async (by: Producer | Transaction, topic: string, ...values: string[]) =>
    await by.send({ topic, acks: -1, messages: values.map(value => ({ value, partition: 0 })) })
  const topicOf = async (topic: string) =>
    void (await toolkit.here('topic', 'create', topic, '--partitions', '1', ...name))
  const consume = async (...args: string[]) =>
    ((await toolkit.here('consume', ...args, ...name)) as { value: string }[]).map(({ value }) => value)

  /** A transaction is over for its producer a moment before its markers are everywhere. */
  async function untilStable(topic: string, offset: number): Promise<void> {
    // kafkajs asks for the last stable offset.
    const isThere = async () => ((await admin.fetchTopicOffsets(topic))[0]?.high === String(offset) ? true : undefined)
    expect(await poll(isThere, { timeoutMs: 60_000 })).toBe(true)
  }

  test('behind the marker of a transaction that was committed', async () => {
    await topicOf('committed')
    const transaction = await transactional.transaction()
    await send(transaction, 'committed', 'a', 'b')
    await transaction.commit()
    await untilStable('committed', 3)
    expect(await consume('committed')).toEqual(['a', 'b'])
    expect(await consume('committed', '--group', 'readers')).toEqual(['a', 'b'])
    expect(await consume('committed', '--group', 'readers')).toEqual([])
  })

  test('behind what was aborted, also where there is nothing else', async () => {
    for (const topic of ['aborted', 'aborted-alone']) await topicOf(topic)
    await send(plain, 'aborted', 'a')
    const transaction = await transactional.transaction()
    for (const topic of ['aborted', 'aborted-alone']) await send(transaction, topic, 'no', 'no')
    await transaction.abort()
    await untilStable('aborted', 4)
    await untilStable('aborted-alone', 3)
    expect(await consume('aborted')).toEqual(['a'])
    expect(await consume('aborted-alone')).toEqual([])
  })

  test('before a transaction that is open', async () => {
    for (const topic of ['open', 'open-alone']) await topicOf(topic)
    await send(plain, 'open', 'a')
    const transaction = await transactional.transaction()
    for (const topic of ['open', 'open-alone']) await send(transaction, topic, 'b')
    await send(plain, 'open', 'c')
    expect(await consume('open')).toEqual(['a'])
    expect(await consume('open-alone')).toEqual([])
    await transaction.commit()
    await untilStable('open', 4)
    expect(await consume('open')).toEqual(['a', 'b', 'c'])
  })
})
