/**
 * What leaves a topic, and when, as clients and the directory see it: by size, by time, by DeleteRecords, with settings that are changed while
 * the broker runs, with timestamps from the future; on either engine.
 */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { ConfigResourceTypes, ConfigSource, Kafka, logLevel } from 'kafkajs'
import type { Admin, Producer } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTopics, topicOffsets } from '#tests/topics.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'

const minuteMs = 60_000

describe('retention', () => {
  let cluster: Cluster
  let admin: Admin
  let producer: Producer

  beforeAll(async () => {
    const often = { 'log.retention.check.interval.ms': '500', 'log.initial.task.delay.ms': '500' }
    cluster = await startCluster({ brokers: 1, settings: often })
    const kafka = new Kafka({ clientId: 'retention', brokers: [cluster.bootstrap], logLevel: logLevel.NOTHING })
    admin = kafka.admin()
    producer = kafka.producer()
    await admin.connect()
    await producer.connect()
  })
  afterAll(async () => {
    await producer?.disconnect()
    await admin?.disconnect()
    await cluster?.stop()
  })

  /** Two records fill a segment of a topic. */
  async function create(topic: string, settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const all = { 'segment.bytes': '1048576', 'file.delete.delay.ms': '100', ...settings }
    const configEntries = Object.entries(all).map(([name, value]) => ({ name, value }))
    await createTopics(admin, [{ topic, numPartitions: 1, configEntries }])
  }

  async function alter(topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    const all = { 'segment.bytes': '1048576', 'file.delete.delay.ms': '100', ...settings }
    const configEntries = Object.entries(all).map(([name, value]) => ({ name, value }))
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] })
    // The controller has answered; the broker goes by it a moment later.
    await eventually(`${topic} has these settings and no others`, async () => {
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] })
      const own = (resources[0]?.configEntries ?? []).filter(each => each.configSource === ConfigSource.TOPIC_CONFIG)
      const has = (name: string, value: string) =>
        own.some(({ configName, configValue }) => configName === name && configValue === value)
      return (
        (own.length === configEntries.length && configEntries.every(each => has(each.name, each.value))) || undefined
      )
    })
  }

  async function fill(topic: string, count: number, timestamp = Date.now()): Promise<void> {
    const messages = [{ value: 'x'.repeat(400_000), timestamp: String(timestamp) }]
    for (let index = 0; index < count; index++) await producer.send({ topic, acks: -1, messages })
  }

  async function offsets(topic: string): Promise<{ low: number; high: number }> {
    const [partition] = await topicOffsets(admin, topic)
    return { low: Number(partition!.low), high: Number(partition!.high) }
  }

  const untilLow = (topic: string, low: number) =>
    eventually(`the first offset of ${topic} is ${low}`, async () =>
      (await offsets(topic)).low === low ? true : undefined,
    )

  const segments = (topic: string): string[] =>
    readdirSync(path.join(cluster.broker().dataDirectory, `${topic}-0`))
      .filter(name => name.includes('.log'))
      .sort()

  test('by size: what is left is as much as retention.bytes, or a segment more; changed while the broker runs', async () => {
    await create('by-size')
    await fill('by-size', 6)
    expect([await offsets('by-size'), segments('by-size').length]).toEqual([{ low: 0, high: 6 }, 3])
    await alter('by-size', { 'retention.bytes': '1000000' })
    await untilLow('by-size', 2)
    await alter('by-size', {})
    await fill('by-size', 4)
    expect(await offsets('by-size')).toEqual({ low: 2, high: 10 })
    await eventually('the files are gone', () =>
      Promise.resolve(segments('by-size')[0] === '00000000000000000002.log' ? true : undefined),
    )
  })

  test('by time: the active segment goes too, and offsets go on', async () => {
    await create('by-time', { 'retention.ms': '3600000' })
    await fill('by-time', 3, Date.now() - 30 * minuteMs)
    expect(await offsets('by-time')).toEqual({ low: 0, high: 3 })
    await alter('by-time', { 'retention.ms': '600000' })
    await untilLow('by-time', 3)
    await fill('by-time', 1)
    expect(await offsets('by-time')).toEqual({ low: 3, high: 4 })
  })

  test('records from the future keep what follows them; too far ahead they are refused, by a bound that can be moved', async () => {
    await create('future', { 'retention.ms': '600000' })
    await fill('future', 2, Date.now() + 50 * minuteMs)
    await fill('future', 4, Date.now() - 50 * minuteMs)
    await create('witness', { 'retention.ms': '600000' })
    await fill('witness', 2, Date.now() - 50 * minuteMs)
    await untilLow('witness', 2)
    expect(await offsets('future')).toEqual({ low: 0, high: 6 })
    await expect(fill('future', 1, Date.now() + 70 * minuteMs)).rejects.toThrow(/timestamp/i)
    await alter('future', { 'message.timestamp.after.max.ms': String(120 * minuteMs) })
    await eventually('a record from the far future is taken', async () => {
      try {
        await fill('future', 1, Date.now() + 70 * minuteMs)
        return true
      } catch (error) {
        if (!/timestamp/i.test(String(error))) throw error
        return undefined
      }
    })
    await alter('future', { 'message.timestamp.before.max.ms': String(minuteMs) })
    await eventually('a record from the past is refused', async () => {
      const refused = await fill('future', 1, Date.now() - 2 * minuteMs).then(
        () => undefined,
        (error: unknown) => String(error),
      )
      return refused !== undefined && /timestamp/i.test(refused) ? true : undefined
    })
  })

  test('DeleteRecords moves the first offset at once, and the next pass removes the segments below it', async () => {
    await create('deleted')
    await fill('deleted', 5)
    // kafkajs asks for the leader only here, and needs it below.
    expect(await offsets('deleted')).toEqual({ low: 0, high: 5 })
    await admin.deleteTopicRecords({ topic: 'deleted', partitions: [{ partition: 0, offset: '3' }] })
    expect(await offsets('deleted')).toEqual({ low: 3, high: 5 })
    await eventually('the first segment is gone', () =>
      Promise.resolve(segments('deleted')[0] === '00000000000000000002.log' ? true : undefined),
    )
    await admin.deleteTopicRecords({ topic: 'deleted', partitions: [{ partition: 0, offset: '-1' }] })
    expect(await offsets('deleted')).toEqual({ low: 5, high: 5 })
  })
})
