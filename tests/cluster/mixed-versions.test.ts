/** Nodes of two releases of Apache Kafka and of our own broker in one cluster: each leads, each follows, and a record is the same on all. */
import { readFileSync } from 'node:fs'
import { Kafka, logLevel, type Admin } from 'kafkajs'
import { afterAll, expect, test } from 'vitest'
import type { ClusterDocument } from '#scripts/commands/describe.ts'
import { describeWith } from '../machine.ts'
import { createTopics, partitionsWhen } from '../topics.ts'
import { freePort, Toolkit } from './faultline-command.ts'

describeWith(['java', 'maven'], 'up --topology mixed-versions', () => {
  const toolkit = new Toolkit()
  let admin: Admin | undefined
  let cluster: ClusterDocument
  const values = Array.from({ length: 30 }, (_, index) => `letter ${index}`)
  afterAll(async () => {
    await admin?.disconnect()
    await toolkit.remove()
  })

  /** Each once: a producer without idempotence may write again what took too long to be answered. */
  const read = async (): Promise<string[]> => [...new Set(await toolkit.values('default', 'letters'))]

  /** Partition 0 is led by node 1, and so on; resolves when every replica of every partition is in sync. */
  async function allInSync(): Promise<void> {
    const what = 'every replica is in sync'
    await partitionsWhen(admin!, 'letters', partitions => partitions.every(({ isr }) => isr.length === 3), { what })
  }

  test('starts nodes of three engines, and says which is which', async () => {
    cluster = await toolkit.document('up', '--topology', 'mixed-versions', '--port', await freePort())
    const engines = [...cluster.brokers, ...cluster.controllers].map(({ id, engine }) => [id, engine])
    expect(engines).toEqual([
      [1, 'apache-kafka:3.9.1'],
      [2, 'apache-kafka:4.3.1'],
      [3, 'faultline'],
      [101, 'apache-kafka:3.9.1'],
    ])
    expect(readFileSync(cluster.brokers[0]?.log ?? '', 'utf8')).toContain('Kafka version: 3.9.1')
    expect(readFileSync(cluster.brokers[1]?.log ?? '', 'utf8')).toContain('Kafka version: 4.3.1')
    expect(cluster.brokers.map(({ inspector }) => inspector !== undefined)).toEqual([false, false, true])
  })

  test('lets each of them lead, and the others follow', async () => {
    admin = new Kafka({ brokers: cluster.bootstrap.split(','), logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const orders = [
      [1, 2, 3],
      [2, 3, 1],
      [3, 1, 2],
    ]
    const replicaAssignment = orders.map((replicas, partition) => ({ partition, replicas }))
    await createTopics(admin, [{ topic: 'letters', replicaAssignment }])
    await toolkit.run('produce', 'letters', ...values)
    await allInSync()
    expect(await read()).toEqual(values.toSorted())
  })

  test('loses our node and takes it back, with every record', async () => {
    await toolkit.run('stop', '3')
    expect(await read()).toEqual(values.toSorted())
    await toolkit.run('start', '3')
    await allInSync()
  })

  test('goes, and leaves nothing', async () => {
    await admin?.disconnect()
    admin = undefined
    await toolkit.run('down')
    expect(toolkit.isEmpty).toBe(true)
  })
})
