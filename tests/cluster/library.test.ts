/** The library as tests of other programs use it, with two clients that we did not write. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { execa } from 'execa'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, describe, expect, test } from 'vitest'
import { subscribe } from '../topics.ts'
import { conditionOf, identify, waitFor, type ProcessHandle } from '#scripts/cluster/process/liveness.ts'
import { poll } from '#scripts/cluster/clock.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import {
  conditions,
  FaultlineError,
  known,
  partitionOf,
  startCluster,
  type TestCluster,
} from '#scripts/library/index.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'faultline-library-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function handlesOf(cluster: TestCluster): Promise<ProcessHandle[]> {
  const handles = await Promise.all((await cluster.nodes()).map(({ pid }) => identify(pid ?? 0)))
  return handles.filter(handle => handle !== undefined)
}

describe('startCluster', () => {
  test('gives kafkajs a cluster that survives a broker, and leaves nothing when its scope ends', async () => {
    let handles: ProcessHandle[]
    {
      await using cluster = await startCluster({ directory, topics: { letters: { partitions: 3 } } })
      expect(cluster.bootstrap).toBe(cluster.brokers.join(','))
      handles = await handlesOf(cluster)
      const kafka = new Kafka({ ...cluster.clientOptions(), logLevel: logLevel.NOTHING })
      // It takes a while until the brokers that are left take the dead one for dead.
      const producer = kafka.producer({ retry: { retries: 100 } })
      await producer.connect()
      await producer.send({ topic: 'letters', acks: -1, messages: [{ value: 'a' }] })
      await cluster.kill(2)
      expect((await cluster.nodes()).map(({ state }) => state)).toEqual(['running', 'stopped', 'running'])
      await producer.send({ topic: 'letters', acks: -1, messages: [{ value: 'b' }] })
      await cluster.start(2)
      await producer.disconnect()
      const consumer = kafka.consumer({ groupId: 'readers' })
      await consumer.connect()
      await subscribe(consumer, 'letters')
      const values = new Set<string>()
      await new Promise<void>((resolve, reject) => {
        consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
        consumer
          .run({
            eachMessage: async ({ message }) => {
              values.add(String(message.value))
              if (values.size === 2) resolve()
              await Promise.resolve()
            },
          })
          .catch(reject)
      })
      await consumer.disconnect()
      expect([...values].sort()).toEqual(['a', 'b'])
    }
    for (const handle of handles) expect(await conditionOf(handle)).toBe('gone')
    expect(readdirSync(directory)).toEqual([])
  })

  test('gives @platformatic/kafka a cluster, also while a broker is frozen', async () => {
    await using cluster = await startCluster({ directory })
    await cluster.createTopic('letters', { partitions: 1, replicationFactor: 3 })
    const options = { bootstrapBrokers: cluster.brokers, clientId: 'library' }
    const producer = new Producer({ ...options, serializers: stringSerializers })
    await producer.send({ messages: [{ topic: 'letters', key: 'k', value: 'a' }], acks: -1 })
    await cluster.pause(3)
    expect((await cluster.nodes()).map(({ state }) => state)).toEqual(['running', 'running', 'paused'])
    await cluster.resume(3)
    await producer.close()
    const consumer = new Consumer({ ...options, groupId: 'readers', deserializers: stringDeserializers })
    const stream = await consumer.consume({ topics: ['letters'], mode: 'earliest', autocommit: false })
    for await (const { value } of stream) {
      expect(value).toBe('a')
      break
    }
    await consumer.close(true)
  })

  test('runs many clusters at once, in one process and in others', async () => {
    const program = `
      import { startCluster } from ${JSON.stringify(path.join(projectRoot, 'scripts', 'library', 'index.ts'))}
      await using cluster = await startCluster({ brokers: 1, directory: ${JSON.stringify(directory)} })
      console.log(cluster.bootstrap)`
    const others = [1, 2, 3].map(() => execa(process.execPath, ['--input-type=module-typescript', '--eval', program]))
    const clusters = await Promise.all([1, 2, 3].map(brokers => startCluster({ brokers, directory })))
    const addresses = [
      ...clusters.flatMap(cluster => cluster.brokers),
      ...(await Promise.all(others)).map(({ stdout }) => stdout.trim()),
    ]
    expect(new Set(addresses).size).toBe(9)
    await Promise.all(clusters.map(cluster => cluster.down()))
    expect(readdirSync(directory)).toEqual([])
  })

  test.each(['kill -9', 'an end without a goodbye'])(
    'leaves nothing after %s of its process, also of a frozen broker',
    async how => {
      const program = `
      import { startCluster } from ${JSON.stringify(path.join(projectRoot, 'scripts', 'library', 'index.ts'))}
      import { identify } from ${JSON.stringify(path.join(projectRoot, 'scripts', 'cluster', 'process', 'liveness.ts'))}
      const cluster = await startCluster({ brokers: 3, proxy: true, directory: ${JSON.stringify(directory)} })
      await cluster.pause(2)
      console.log(JSON.stringify(await Promise.all((await cluster.nodes()).map(({ pid }) => identify(pid)))))
      if (${JSON.stringify(how)} === 'kill -9') process.kill(process.pid, 'SIGKILL')`
      const child = execa(process.execPath, ['--input-type=module-typescript', '--eval', program], { reject: false })
      const { signal, stdout } = await child
      expect(signal).toBe(how === 'kill -9' ? 'SIGKILL' : undefined)
      const handles = JSON.parse(stdout) as (ProcessHandle | null)[]
      expect(handles).toEqual(
        Array.from({ length: 3 }, () => ({ pid: expect.any(Number), identity: expect.any(String) })),
      )
      for (const handle of handles) expect(await waitFor(handle!, 'gone', 120_000)).toBe(true)
      const empty = await poll(() => (readdirSync(directory).length === 0 ? true : undefined), { timeoutMs: 120_000 })
      expect(empty).toBe(true)
    },
  )

  test('breaks links where it has a proxy, and says how to get one where it has none', async () => {
    await using cluster = await startCluster({ directory, proxy: true })
    const leader = (await cluster.controller()) ?? 0
    await cluster.partition([[leader], [1, 2, 3].filter(id => id !== leader)])
    const successor = await poll(
      async () => {
        const now = await cluster.controller()
        return now === leader ? undefined : now
      },
      { timeoutMs: 120_000 },
    )
    expect([1, 2, 3].filter(id => id !== leader)).toContain(successor)
    await cluster.healLinks()
    await cluster.waitReady()
    await expect(cluster.partition([])).rejects.toThrow(
      'partition: expected groups of node ids such as [[1], [2, 3]], got []',
    )
    await expect(cluster.partition('x' as never)).rejects.toThrow('partition: expected groups of node ids')
    await expect(cluster.cutOneWay(1 as never, [2])).rejects.toThrow('cutOneWay, from: expected a list of node ids')
    await expect(cluster.observeOnce({ bogus: 1 } as never)).rejects.toThrow('observeOnce has no option bogus')
    await using plain = await startCluster({ directory, brokers: 1 })
    await expect(plain.partition([[1]])).rejects.toThrow('Start it with { proxy: true }.')
  })

  test('breaks links, requests and the inside of nodes, proves it, and heals at the end of a scope', async () => {
    await using cluster = await startCluster({
      directory,
      brokers: 2,
      faults: true,
      proxy: true,
      topics: { letters: { partitions: 1, replicationFactor: 2 } },
    })
    {
      await using slow = await cluster.fault('slow-disk', { nodes: 'leader:letters-0', parameters: { delay: 100 } })
      expect(slow.proofs).toMatchObject([{ shown: true }])
      await using clock = await cluster.fault('clock-jump', { nodes: [2], parameters: { offset: -60_000 } })
      await using late = await cluster.fault('latency', { from: 'client', to: 1, parameters: { delay: 50 } })
      await using error = await cluster.fault('error', {
        from: 'client',
        to: 'all',
        parameters: { api: 'Metadata', on: 'response', code: 'LEADER_NOT_AVAILABLE', 'client-id': '^nobody$' },
      })
      const ids = [...slow.ids, ...clock.ids, ...late.ids, ...error.ids]
      expect((await cluster.faults()).map(({ id }) => id).sort()).toEqual([...ids].sort())
      expect(await error.state()).toMatchObject([{ name: 'error', hits: 0 }])
    }
    expect(await cluster.faults()).toEqual([])
    const gone = await cluster.fault('kill', { nodes: 2 })
    expect((await cluster.nodes()).map(({ state }) => state)).toEqual(['running', 'stopped'])
    await gone.heal()
    expect((await cluster.nodes()).map(({ state }) => state)).toEqual(['running', 'running'])
    const hold = await cluster.fault('hold', {
      from: 'client',
      to: 'all',
      parameters: { api: 'Metadata', 'client-id': '^shop$' },
    })
    const admin = new Kafka({ ...cluster.clientOptions(), clientId: 'shop', logLevel: logLevel.NOTHING }).admin()
    const connected = admin.connect().then(() => admin.listTopics())
    const released = await poll(async () => ((await hold.release()) > 0 ? true : undefined), { timeoutMs: 120_000 })
    expect(released).toBe(true)
    await cluster.heal()
    expect(await connected).toContain('letters')
    await admin.disconnect()
    expect((await cluster.links()).find(({ name }) => name === 'client->1')?.requests['Metadata']).toBeGreaterThan(0)
    await expect(cluster.fault('latency', { from: 1, to: 9, parameters: { delay: 1 } })).rejects.toThrow('9')
    const beyond = { topic: 'letters', partition: 77 }
    const never = cluster.fault('drop', { from: 'client', to: 1, parameters: beyond })
    await expect(never).rejects.toThrow('There is no partition 77 of letters: it has 1')
    await expect(cluster.fault('kill', { nodes: 9 })).rejects.toThrow('There is no node 9: the cluster has 1, 2')
    await expect(cluster.fault('slow-disk', { nodes: 1, parameters: { dely: 1 } })).rejects.toThrow(FaultlineError)
    await expect(cluster.fault('black-hole', { from: [], to: 1 })).rejects.toThrow('needs from and to')
    await using left = await cluster.fault('pause', { nodes: 2 })
    expect(left.ids).toEqual(['pause-2'])
    await cluster.down()
  })

  test('removes the folders that were not there before', async () => {
    const cluster = await startCluster({ directory: path.join(directory, 'a', 'b'), brokers: 1 })
    await cluster.down()
    expect(readdirSync(directory)).toEqual([])
  })

  test('says which option a fault needs', async () => {
    await using plain = await startCluster({ directory, brokers: 1 })
    const slow = plain.fault('slow-disk', { nodes: 1, parameters: { delay: 10 } })
    await expect(slow).rejects.toThrow('Start it with { faults: true }.')
    const late = plain.fault('latency', { from: 'client', to: 1, parameters: { delay: 10 } })
    await expect(late).rejects.toThrow('Start it with { proxy: true }.')
    await expect(plain.fault('explode' as 'kill', { nodes: 1 })).rejects.toThrow('There is no fault "explode"')
  })

  test('starts with links that are broken', async () => {
    const links = [{ kind: 'latency', from: 'client', to: 1, parameters: { delay: 20 } }] as const
    await using cluster = await startCluster({ directory, brokers: 1, links })
    expect(await cluster.faults()).toMatchObject([{ name: 'latency', links: ['client->1'] }])
  })

  test('secures its listeners and gives the client what it needs', async () => {
    await using cluster = await startCluster({ directory, brokers: 1, security: 'sasl-tls', topics: { letters: {} } })
    const admin = new Kafka({ ...cluster.clientOptions(), logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    expect(await admin.listTopics()).toEqual(['letters'])
    await admin.disconnect()
  })

  test.each([
    ['an option that is none', { brockers: 3 }, 'startCluster has no option brockers: it takes brokers,'],
    [
      'a value of the wrong type',
      { brokers: '3' },
      'option brokers: expected a number of nodes, or a list with one entry each, got "3"',
    ],
    ['too few brokers', { brokers: 0 }, 'option brokers: expected a whole number from 1 to 99, got 0'],
    [
      'a name that is none',
      { name: 'My Test' },
      'expected 1 to 20 lower-case letters, digits or dashes, got "My Test"',
    ],
    [
      'a setting that is none',
      { settings: { 'no.such.key': 1 } },
      'option settings is not understood: unknown setting',
    ],
    ['an engine that has no processes', { engine: 'redpanda' }, 'option engine: redpanda runs in containers only'],
    ['a time that is none', { timeoutMs: -1 }, 'option timeoutMs: expected a number of milliseconds from 1'],
    ['a folder that cannot be', { directory: '/proc' }, 'option directory: no folder can be made in /proc: '],
    ['a node that is none', { brokers: [{}, { rak: 'a' }] }, 'option brokers[1].rak: is not known'],
    ['a topic that cannot be', { brokers: 1, topics: { 'a b': {} } }, 'The topic a b cannot be created: INVALID_TOPIC'],
    [
      'a setting that keeps brokers from starting',
      { brokers: 1, settings: { 'log.segment.bytes': -1 } },
      'log.segment.bytes',
    ],
  ])('refuses %s in words, and leaves nothing', async (_, options, message) => {
    const refused = startCluster({ directory, ...options } as Parameters<typeof startCluster>[0])
    await expect(refused).rejects.toThrow(message)
    await expect(refused).rejects.toBeInstanceOf(FaultlineError)
    expect(readdirSync(directory)).toEqual([])
  })

  test('tells what every broker says, and waits for it', async () => {
    await using cluster = await startCluster({ directory, topics: { letters: { partitions: 1 } } })
    const patience = { timeoutMs: 120_000, answerMs: 5_000 }
    const seen = await cluster.when(conditions.isFullyInSync('letters', 0), { ...patience, quorum: true })
    expect(partitionOf(seen, 'letters', 0)).toMatchObject({ isr: [1, 2, 3], highWatermark: 0 })
    expect(known(seen.quorum)?.leader).toBe(await cluster.controller())
    for await (const look of cluster.observe({ topics: ['letters'], intervalMs: 50 })) if (look.sequence === 3) break
    const inVain = cluster.when(conditions.hasLeader('numbers', 0), { timeoutMs: 200 })
    await expect(inVain).rejects.toThrow(FaultlineError)
    await cluster.down()
    await expect(cluster.observeOnce()).rejects.toThrow('is down')
    await expect(cluster.observe().next()).rejects.toThrow('is down')
  })

  test('gives up when its time is over, wherever it is, and leaves nothing', async () => {
    await expect(startCluster({ directory, timeoutMs: 1 })).rejects.toThrow(/was not (there|ready) after/)
    expect(readdirSync(directory)).toEqual([])
  })

  test('gives up when it is told to, and leaves nothing', async () => {
    const abort = new AbortController()
    const started = startCluster({ directory, signal: abort.signal })
    abort.abort(new Error('enough'))
    await expect(started).rejects.toThrow('enough')
    expect(readdirSync(directory)).toEqual([])
    expect(existsSync(directory)).toBe(true)
  })

  test('refuses what makes no sense for a node, and everything once it is down', async () => {
    const cluster = await startCluster({ directory, brokers: 1 })
    await expect(cluster.start(1)).rejects.toThrow('Node 1 is running already')
    await expect(cluster.kill(7)).rejects.toThrow('There is no node 7')
    await cluster.down()
    await cluster.down()
    await expect(cluster.nodes()).rejects.toThrow('is down')
  })
})
