/** Clusters from topology files: what the file says is what the nodes have, and up again is no other cluster. */
import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, describe, expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import type { FaultState } from '#scripts/proxy/model.ts'
import { createTopics, subscribe } from '../topics.ts'
import { freePort, Toolkit } from './faultline-command.ts'

describe('up --topology', () => {
  const toolkit = new Toolkit()
  afterAll(() => toolkit.remove())

  test('racks lets a consumer read in its own rack', async () => {
    const up = ['up', '--topology', 'racks', '--runtime', 'process', '--port', await freePort()]
    const { bootstrap, brokers } = await toolkit.document(...up)
    const kafka = new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    await createTopics(admin, [{ topic: 'letters', replicaAssignment: [{ partition: 0, replicas: [1, 2, 3] }] }])
    await admin.disconnect()
    await toolkit.run('produce', 'letters', 'a')
    const consumer = kafka.consumer({ groupId: 'near', rackId: 'c', maxWaitTimeInMs: 100 })
    const near = `${brokers[2]?.host}:${brokers[2]?.port}`
    const fetchedThere = new Promise<void>(resolve => {
      consumer.on('consumer.network.request', ({ payload }) => {
        if (payload.apiName === 'Fetch' && payload.broker === near) resolve()
      })
    })
    await consumer.connect()
    await subscribe(consumer, 'letters')
    await consumer.run({ eachMessage: () => Promise.resolve() })
    await fetchedThere
    await consumer.disconnect()
    expect((await toolkit.run('consume', 'letters', '--rack', 'b')).stdout).toContain('a')
    await toolkit.run('down')
  })

  test('stretched delays what goes from rack to rack, from the start on', async () => {
    const up = ['up', '--topology', 'stretched', '--port', await freePort({ proxy: true })]
    await toolkit.run(...up)
    await toolkit.run('produce', 'letters', 'a')
    const list = async () => JSON.parse((await toolkit.run('fault', 'list', '--json')).stdout) as FaultState[]
    expect((await list()).map(({ name }) => name)).toEqual(Array.from({ length: 6 }, () => 'latency'))
    const allHit = async () => (await list()).every(({ hits }) => hits > 0) || undefined
    expect(await poll(allHit, { timeoutMs: 120_000 })).toBe(true)
    const { stdout } = await toolkit.run(...up)
    expect(stdout).toContain('Is up already, as it was asked for.')
    await toolkit.run('down')
    expect(toolkit.isEmpty).toBe(true)
  })

  test('of one’s own gives nodes several log directories, and down takes them away', async () => {
    const data = path.join(toolkit.folder, 'data')
    const file = path.join(toolkit.folder, 'mine.ts')
    const text = `const rack = (rack: string) => ({ rack })
export default { name: 'mine', brokers: [{ ...rack('a'), logDirs: 3 }, rack('b')], settings: { 'num.partitions': 8 }, port: ${await freePort()} }
`
    writeFileSync(file, text)
    const up = ['up', '--topology', file, '--runtime', 'process', '--data', data]
    await toolkit.run(...up)
    const directories = ['node-1', 'node-1-2', 'node-1-3', 'node-2'].map(name => path.join(data, name))
    for (const directory of directories) expect(existsSync(path.join(directory, 'meta.properties'))).toBe(true)
    await toolkit.run('produce', 'letters', '--count', '20', '--name', 'mine')
    await toolkit.run('stop', '1', '--name', 'mine')
    await toolkit.run('wipe', '1', '--name', 'mine')
    for (const directory of directories.slice(0, 3))
      expect(existsSync(path.join(directory, 'meta.properties'))).toBe(false)
    await toolkit.run('down', '--name', 'mine')
    expect(existsSync(data)).toBe(false)
  })

  test('refuses several log directories where nodes are no processes', async () => {
    const file = path.join(toolkit.folder, 'dirs.json')
    writeFileSync(file, '{ "runtime": "simulated", "logDirs": 2 }')
    const { exitCode, stderr } = await toolkit.start('up', '--topology', file)
    expect(stderr).toContain('Several log directories for a node are not there on the runtime simulated.')
    expect(exitCode).toBe(2)
  })
})
