/** One claim on two runtimes: a partition means the same in the simulator and between processes behind a fault proxy. */
import { Kafka, logLevel } from 'kafkajs'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Cluster, Runtime } from '#scripts/cluster/cluster.ts'
import { processRuntime } from '#scripts/cluster/process/runtime.ts'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { createTopics, partitionInSync } from '../topics.ts'
import { freePort } from './faultline-command.ts'

const topic = 'split'

describe('a partition', () => {
  let home: string
  beforeAll(() => {
    home = mkdtempSync(path.join(tmpdir(), 'faultline-partition-'))
    process.env['FAULTLINE_HOME'] = home
  })
  afterAll(() => {
    delete process.env['FAULTLINE_HOME']
    rmSync(home, { recursive: true, force: true })
  })

  test.each([
    { runtime: processRuntime, proxy: true },
    { runtime: simulatedRuntime, proxy: false },
  ])(
    'keeps a leader from its followers, both ways and one way, on the runtime $runtime.name',
    async ({ runtime, proxy }) => {
      const cluster = await up(runtime, proxy)
      try {
        expect(cluster.capabilities.has('partition')).toBe(true)
        await splitAndHeal(cluster)
      } finally {
        await cluster.down()
      }
    },
  )
})

async function up(runtime: Runtime, proxy: boolean): Promise<Cluster> {
  const settings = { 'replica.lag.time.max.ms': '2000', 'offsets.topic.num.partitions': '4' }
  const port = Number(await freePort({ proxy }))
  const spec = clusterSpec({ name: `split-${runtime.name}`, runtime: runtime.name, port, settings, proxy })
  return await runtime.up(spec)
}

async function splitAndHeal(cluster: Cluster): Promise<void> {
  const kafka = new Kafka({ ...cluster.kafkaOptions(), clientId: 'guest', logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  const producer = kafka.producer({ retry: { retries: 100 } })
  await admin.connect()
  await producer.connect()
  const patience = { clock: cluster.clock }
  const inSync = (size: number) => partitionInSync(admin, topic, size, patience)
  await createTopics(admin, [{ topic, numPartitions: 1, replicationFactor: 3 }], patience)
  const { leader, replicas } = await inSync(3)
  const controller = (await cluster.quorum())!.leaderId
  // Whoever leads goes on being heard by the controller.
  const other = replicas.find(id => id !== leader && id !== controller)!
  for (const split of [() => cluster.partition!([[leader], [other]]), () => cluster.cutOneWay!([leader], [other])]) {
    await split()
    await producer.send({ topic, acks: 1, messages: [{ value: 'x' }] })
    // One answer: the next one may come from a broker that has not heard of it yet.
    expect((await inSync(2)).isr).not.toContain(other)
    await cluster.healPartition!()
    await inSync(3)
  }
  await producer.disconnect()
  await admin.disconnect()
}
