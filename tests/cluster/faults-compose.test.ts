/** Faults of nodes that are containers: from inside, of links, and what is left of them. With a real client. */
import path from 'node:path'
import { execa } from 'execa'
import { Kafka, logLevel, type Admin, type Producer } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import { ensureImage } from '#scripts/cluster/compose/docker.ts'
import { brokerImage } from '#scripts/cluster/compose/generator.ts'
import { wholeLoss } from '#scripts/cluster/process/power.ts'
import { attachCluster } from '#scripts/cluster/runtimes.ts'
import { keepStateIn, nodeDirectory, writeJson } from '#scripts/cluster/state.ts'
import type { ActiveFault, FaultProof } from '#scripts/faults/kind.ts'
import { describeWith } from '../machine.ts'
import { createTopics, partitionInSync } from '../topics.ts'
import { numbers, sendUntil } from './broken-cluster.ts'
import { leftOf } from './containers.ts'
import { freePort, Toolkit } from './faultline-command.ts'

const waitMs = 120_000
const settings = [
  'broker.session.timeout.ms=3000',
  'broker.heartbeat.interval.ms=500',
  'replica.lag.time.max.ms=2000',
  'offsets.topic.num.partitions=4',
]

type Listed = ActiveFault & { readonly proofs?: readonly FaultProof[] }

describeWith(['docker'], 'containers that are broken on purpose', () => {
  const toolkit = new Toolkit()
  const cluster = `broken-${process.pid}`
  const name = ['--name', cluster]
  const other = `faultline/broker:${cluster}`
  let admin: Admin
  let kafka: Kafka
  const json = async (...words: string[]): Promise<unknown> =>
    JSON.parse((await toolkit.run('fault', ...words, ...name, '--json')).stdout)
  const faults = async () => (await json('list')) as readonly Listed[]
  const heal = async () => (await json('heal', '--all')) as readonly Listed[]
  async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const seen = await poll(async () => (await isSo()) || undefined, { everyMs: 200, timeoutMs: waitMs })
    if (seen === undefined) throw new Error(`it never came about that ${what}`)
  }
  const untilIsr = (topic: string, size: number) => partitionInSync(admin, topic, size)
  async function ledBy(topic: string, leader: number): Promise<void> {
    const replicas = [leader, ...[1, 2, 3].filter(id => id !== leader)]
    await createTopics(admin, [{ topic, replicaAssignment: [{ partition: 0, replicas }] }])
    await untilIsr(topic, 3)
  }
  /** A topic that nobody but this node can lead. */
  async function onlyOn(topic: string, node: number): Promise<void> {
    await createTopics(admin, [{ topic, replicaAssignment: [{ partition: 0, replicas: [node] }] }])
  }
  async function producing<T>(work: (producer: Producer) => Promise<T>): Promise<T> {
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, metadataMaxAge: 2_000 })
    await producer.connect()
    try {
      return await work(producer)
    } finally {
      await producer.disconnect()
    }
  }
  const send = (topic: string, ...values: string[]) =>
    producing(async producer => {
      for (const value of values) await producer.send({ topic, acks: -1, messages: [{ value }] })
    })

  beforeAll(async () => {
    await ensureImage(() => {}, undefined)
    const shape = ['--runtime', 'compose', '--faults', '--proxy', '--port', await freePort({ proxy: true })]
    const { bootstrap } = await toolkit.document('up', ...name, ...shape, ...settings.flatMap(each => ['--set', each]))
    kafka = new Kafka({
      clientId: 'guest',
      brokers: bootstrap.split(','),
      logLevel: logLevel.NOTHING,
      connectionTimeout: 3_000,
      requestTimeout: 10_000,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 100 },
    })
    admin = kafka.admin()
    await admin.connect()
  })
  afterAll(async () => {
    await admin?.disconnect()
    await toolkit.remove()
    await execa('docker', ['rmi', '--force', other])
  })

  test('a disk is slow for whoever waits for it, and as quick as before when it is healed', async () => {
    await onlyOn('slow', 2)
    const [fault] = (await json('add', 'slow-disk', '2', '--delay', '300', '--path', 'slow-0/.*log$')) as Listed[]
    expect(fault).toMatchObject({ id: 'slow-disk-2-1', node: 2, proofs: [{ shown: true }] })
    const beganMs = performance.now()
    await send('slow', 'a', 'b', 'c')
    // Timers may fire a millisecond before their time.
    expect(performance.now() - beganMs).toBeGreaterThan(894)
    expect((await faults())[0]?.hits).toBeGreaterThanOrEqual(3)
    expect(await heal()).toEqual([])
    expect(await toolkit.values(cluster, 'slow')).toEqual(['a', 'b', 'c'])
  })

  test('a node has less of a core, and all that it had before when it is healed, also over a restart', async () => {
    const container = `faultline-${cluster}-broker-2-1`
    const limits = async () => {
      const { stdout } = await execa('docker', ['inspect', '--format', '{{json .HostConfig}}', container])
      const { NanoCpus, CpuQuota, CpuPeriod } = JSON.parse(stdout) as Record<string, number>
      return { cpus: NanoCpus, quota: Math.max(0, CpuQuota ?? 0), period: CpuPeriod }
    }
    const before = await limits()
    const found = (await json('add', 'cpu-limit', '2', '--cores', '0.05')) as Listed[]
    const fault = found.find(({ name: kind }) => kind === 'cpu-limit')
    expect(fault).toMatchObject({ id: 'cpu-limit-2', node: 2, proofs: [{ shown: true }] })
    expect(fault?.hits).toBeGreaterThan(0)
    expect(await limits()).not.toEqual(before)
    expect(await json('heal', 'cpu-limit-2')).toEqual([])
    expect(await limits()).toEqual(before)
    await json('add', 'cpu-limit', '2', '--cores', '0.4', '--no-proof')
    await ledBy('squeezed', 2)
    await send('squeezed', 'a', 'b')
    await json('add', 'restart', '2')
    expect(await faults()).toMatchObject([{ id: 'cpu-limit-2' }])
    expect(await heal()).toEqual([])
    expect(await limits()).toEqual(before)
    // Somebody has limited it already: that comes back.
    await execa('docker', ['update', '--cpus', '1.5', container])
    const mine = await limits()
    const both = ['0.5', '0.5'].map(cores => json('add', 'cpu-limit', '2', '--cores', cores, '--no-proof'))
    const outcomes = (await Promise.allSettled(both)).map(({ status }) => status)
    expect(outcomes.toSorted((a, b) => a.localeCompare(b))).toEqual(['fulfilled', 'rejected'])
    const less = await limits()
    expect(less).not.toEqual(mine)
    // A container that is made anew for another image has it, too.
    await execa('docker', ['tag', brokerImage, other])
    await json('add', 'upgrade', '2', '--image', other)
    expect(await limits()).toEqual(less)
    expect(await heal()).toEqual([])
    expect(await limits()).toEqual(mine)
    expect(await toolkit.values(cluster, 'squeezed')).toEqual(['a', 'b'])
  })

  test('a node ends at a write, others take over; what is wrong with its machine is still wrong, and healed while it is down', async () => {
    await ledBy('crashed', 3)
    await send('crashed', '0')
    await json('add', 'clock-jump', '3', '--offset', '60000')
    await json('add', 'disk-error', '3', '--path', 'nothing', '--no-proof')
    await json('add', 'crash-at', '3', '--nth', '2', '--path', 'crashed-0/.*log$')
    // As many as it takes: a follower that is slow gets several with one write.
    const hasEnded = until('node 3 has ended', async () => (await toolkit.states(cluster))[2] === 'dead')
    const sent = await producing(async producer => await sendUntil(producer, 'crashed', 1, hasEnded))
    // It struck, and the next process does not have it.
    const names = async () => (await faults()).map(({ name: kind }) => kind).toSorted((a, b) => a.localeCompare(b))
    expect(await names()).toEqual(['clock-jump', 'disk-error', 'down'])
    await json('heal', 'disk-error-3-2')
    await toolkit.run('start', '3', ...name)
    expect(await names()).toEqual(['clock-jump'])
    expect(await heal()).toEqual([])
    await untilIsr('crashed', 3)
    expect(await toolkit.values(cluster, 'crashed')).toEqual(numbers(0, sent).toSorted())
  })

  test('a node that nobody hears leaves the in-sync set, and is back when its links are healed', async () => {
    await ledBy('parted', 1)
    const fault = (await json('add', 'partition', '--from', '3', '--to', '1,2', '--both')) as Listed
    expect(fault.proofs?.map(({ shown }) => shown)).not.toContain(false)
    expect(fault.proofs?.filter(({ shown }) => shown === true).length).toBeGreaterThanOrEqual(4)
    await send('parted', 'a', 'b')
    await untilIsr('parted', 2)
    expect(await heal()).toEqual([])
    await untilIsr('parted', 3)
    expect(await toolkit.values(cluster, 'parted')).toEqual(['a', 'b'])
  })

  test('a proxy that has ended is told of, and comes back without its faults', async () => {
    await json('add', 'latency', '--from', 'client', '--to', '1', '--delay', '20')
    await execa('docker', ['kill', `faultline-${cluster}-proxy-1`])
    const { proxy } = await toolkit.document('status', ...name)
    expect(proxy).toMatchObject({ state: 'dead', container: `faultline-${cluster}-proxy-1` })
    expect(await heal()).toEqual([])
    await send('parted', 'c')
    expect(await toolkit.values(cluster, 'parted')).toEqual(['a', 'b', 'c'])
  })

  test('a proxy that has ended with all nodes, as when Docker does, is started with them', async () => {
    const services = ['proxy', 'broker-1', 'broker-2', 'broker-3']
    await execa('docker', ['kill', ...services.map(service => `faultline-${cluster}-${service}-1`)])
    await toolkit.run('start', 'all', ...name)
    const { proxy } = await toolkit.document('status', ...name)
    expect(proxy?.state).toBe('running')
    await send('parted', 'd')
    expect(await toolkit.values(cluster, 'parted')).toEqual(['a', 'b', 'c', 'd'])
  })

  const cutPower = async (nodes: string, ...ids: readonly number[]): Promise<void> => {
    const applied = (await json('add', 'power-failure', nodes)) as Listed[]
    const proved = applied.filter(({ proofs }) => proofs !== undefined)
    expect(proved.map(({ node }) => node)).toEqual(ids)
    for (const { proofs } of proved)
      expect(proofs).toMatchObject([
        { shown: true },
        { shown: true, text: expect.stringContaining('is gone') as string },
      ])
  }

  test('a node that loses its power has from the others what it had not fsynced', async () => {
    await ledBy('one-cut', 2)
    await send('one-cut', 'a', 'b')
    await cutPower('2', 2)
    await send('one-cut', 'c')
    expect(await heal()).toEqual([])
    await untilIsr('one-cut', 3)
    expect(await toolkit.values(cluster, 'one-cut')).toEqual(['a', 'b', 'c'])
  })

  test('what a power failure takes is gone before the node starts, also when the command was cut off', async () => {
    await onlyOn('half-cut', 2)
    await send('half-cut', 'a', 'b')
    keepStateIn(toolkit.home, cluster)
    const attached = await attachCluster(cluster)
    await attached.kill(2)
    // As the command leaves it that is killed before the volume has lost anything.
    writeJson(path.join(nodeDirectory(cluster, 2), 'intent.json'), { down: true, cut: wholeLoss })
    await toolkit.run('start', '2', ...name)
    expect(await toolkit.values(cluster, 'half-cut')).toEqual([])
  })

  test('all that lose their power at once have what was fsynced, and no more', async () => {
    await ledBy('unsynced', 1)
    const replicaAssignment = [{ partition: 0, replicas: [1, 2, 3] }]
    const configEntries = [{ name: 'flush.messages', value: '1' }]
    await createTopics(admin, [{ topic: 'fsynced', replicaAssignment, configEntries }])
    await untilIsr('fsynced', 3)
    for (const topic of ['unsynced', 'fsynced']) await send(topic, 'a', 'b')
    await cutPower('all', 1, 2, 3)
    expect(await toolkit.states(cluster)).toEqual(['stopped', 'stopped', 'stopped'])
    expect(await heal()).toEqual([])
    for (const topic of ['unsynced', 'fsynced']) await untilIsr(topic, 3)
    expect(await toolkit.values(cluster, 'unsynced')).toEqual([])
    expect(await toolkit.values(cluster, 'fsynced')).toEqual(['a', 'b'])
    // A disk that was exchanged has lost nothing since.
    await json('add', 'wipe', '3')
    expect(await heal()).toEqual([])
    for (const topic of ['unsynced', 'fsynced']) await untilIsr(topic, 3)
    await cutPower('3', 3)
    expect(await heal()).toEqual([])
    await untilIsr('fsynced', 3)
    await send('fsynced', 'c')
    expect(await toolkit.values(cluster, 'fsynced')).toEqual(['a', 'b', 'c'])
  })

  test('a broker joins behind the proxy, which has links for it, also when it had ended', async () => {
    const proxyName = `faultline-${cluster}-proxy-1`
    const proxy = async () =>
      (await execa('docker', ['inspect', '--format', '{{.Id}} {{.State.StartedAt}}', proxyName])).stdout
    const before = await proxy()
    const latency = (await json(
      'add',
      'latency',
      '--from',
      'all',
      '--to',
      'all',
      '--delay',
      '2',
      '--no-proof',
    )) as Listed
    const { brokers } = await toolkit.document('grow', ...name)
    expect(brokers.map(({ id, state }) => ({ id, state }))).toEqual([1, 2, 3, 4].map(id => ({ id, state: 'running' })))
    expect(await proxy()).toBe(before)
    expect((await faults()).map(({ id }) => id)).toEqual([latency.id])
    const replicaAssignment = [{ partition: 0, replicas: [4, 1] }]
    await admin.createTopics({ topics: [{ topic: 'joined', replicaAssignment }] })
    await send('joined', 'a')
    expect(await toolkit.values(cluster, 'joined')).toEqual(['a'])
    const breakFourth = async () => {
      const client = (await json('add', 'cut', '--from', 'client', '--to', '4')) as Listed
      const follower = (await json('add', 'latency', '--from', '1', '--to', '4', '--delay', '60')) as Listed
      expect([client, follower].flatMap(({ proofs = [] }) => proofs.map(({ link, shown }) => [link, shown]))).toEqual([
        ['client->4', true],
        ['1->4', true],
      ])
      expect(await heal()).toEqual([])
    }
    await breakFourth()
    await execa('docker', ['kill', proxyName])
    expect(await heal()).toEqual([])
    await breakFourth()
    await send('joined', 'b')
    expect(await toolkit.values(cluster, 'joined')).toEqual(['a', 'b'])
  })

  test('goes down and leaves nothing', async () => {
    await toolkit.run('down', ...name)
    expect(await leftOf(cluster)).toEqual([])
    expect(toolkit.isEmpty).toBe(true)
  })
})
