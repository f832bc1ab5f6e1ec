/** Faults of the links between containers without a fault proxy, on both engines: packets that get lost. With a real client. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { Kafka, logLevel, type Admin } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ensureImage } from '#scripts/cluster/compose/docker.ts'
import { ensureKafkaImage } from '#scripts/cluster/compose/kafka-image.ts'
import { ensurePacketImage, packetImage } from '#scripts/cluster/compose/packet-image.ts'
import { PacketLinks } from '#scripts/cluster/compose/packet-links.ts'
import { attachCluster } from '#scripts/cluster/runtimes.ts'
import { keepStateIn, stateDirectory } from '#scripts/cluster/state.ts'
import type { ActiveFault, FaultProof } from '#scripts/faults/kind.ts'
import { describeWith } from '../machine.ts'
import { createTopics, partitionWhen } from '../topics.ts'
import { leftOf } from './containers.ts'
import { freePort, Toolkit } from './faultline-command.ts'

const settings = [
  'broker.session.timeout.ms=3000',
  'broker.heartbeat.interval.ms=500',
  'replica.lag.time.max.ms=2000',
  'offsets.topic.num.partitions=4',
]

type Listed = ActiveFault & { readonly proofs?: readonly FaultProof[] }

describeWith(['docker'], 'the book of the faults of packets', () => {
  const container = `faultline-packets-${process.pid}`
  let home: string
  beforeAll(async () => {
    home = mkdtempSync(path.join(tmpdir(), 'faultline-packets-'))
    keepStateIn(home, 'packets')
    mkdirSync(stateDirectory('packets'))
    await ensurePacketImage()
    await execa('docker', ['run', '--detach', '--name', container, packetImage, 'sleep', 'infinity'])
  }, 600_000)
  afterAll(async () => {
    await execa('docker', ['rm', '--force', container])
    rmSync(home, { recursive: true })
  })

  test('has those of all commands that add some at the same time', async () => {
    // Who looks whether a link answers before it is broken takes a while.
    const place = { address: '127.0.0.1', host: '127.0.0.1', port: 9 }
    const nodes = [1, 2].map(id => ({ id, container, isRunning: id === 1, startedAt: '', ...place }))
    const commands = [1, 2, 3].map(() => new PacketLinks('packets', () => Promise.resolve(nodes)))
    const cut = { kind: 'cut', from: [1], to: [2], parameters: {} } as const
    const added = await Promise.all(commands.map(links => links.add(cut, true)))
    const ids = (faults: readonly { readonly id: string }[]) =>
      faults.map(({ id }) => id).toSorted((one, other) => one.localeCompare(other))
    expect(ids(added)).toEqual(['cut-1', 'cut-2', 'cut-3'])
    expect(ids(await commands[0]!.faults())).toEqual(['cut-1', 'cut-2', 'cut-3'])
  }, 300_000)
})

describeWith(['docker'], 'links between containers of Faultline', () => claims('faultline'))
describeWith(['docker', 'apache-kafka'], 'links between containers of Apache Kafka', () => claims('apache-kafka'))

function claims(engine: 'faultline' | 'apache-kafka'): void {
  const toolkit = new Toolkit()
  const cluster = `packets-${engine === 'faultline' ? 'ours' : 'theirs'}-${process.pid}`
  const name = ['--name', cluster]
  const container = (id: number) => `faultline-${cluster}-broker-${id}-1`
  let admin: Admin
  const json = (...words: string[]) => toolkit.here('fault', ...words, ...name)
  const faults = async () => (await json('list')) as readonly Listed[]
  const heal = async () => (await json('heal', '--all')) as readonly Listed[]
  const untilIsr = async (topic: string, ...ids: readonly number[]): Promise<void> => {
    const inSync = ({ isr }: { isr: number[] }) => isr.toSorted((a, b) => a - b).join() === ids.join()
    await partitionWhen(admin, topic, inSync, { what: `${topic} has the in-sync replicas ${ids.join(', ')}` })
  }
  async function ledBy(topic: string, leader: number): Promise<void> {
    const replicas = [leader, ...[1, 2, 3].filter(id => id !== leader)]
    await createTopics(admin, [{ topic, replicaAssignment: [{ partition: 0, replicas }] }])
    await untilIsr(topic, 1, 2, 3)
  }
  async function proved(kind: string, ...words: string[]): Promise<Listed> {
    const fault = (await json('add', kind, ...words)) as Listed
    expect({ kind, shown: fault.proofs?.map(({ shown }) => shown) }).toEqual({
      kind,
      shown: fault.links?.map(() => true),
    })
    return fault
  }
  const filtersAt = async (id: number): Promise<string> => {
    const beside = ['run', '--rm', '--network', `container:${container(id)}`, '--cap-add', 'NET_ADMIN', packetImage]
    return (await execa('docker', [...beside, 'iptables', '-S'])).stdout
  }

  beforeAll(async () => {
    if (engine === 'faultline') await ensureImage(() => {}, undefined)
    else await ensureKafkaImage({ faults: true }, () => {}, undefined)
    const shape = ['--runtime', 'compose', '--engine', engine, '--port', await freePort()]
    const { bootstrap } = await toolkit.document('up', ...name, ...shape, ...settings.flatMap(each => ['--set', each]))
    const kafka = new Kafka({
      clientId: 'guest',
      brokers: bootstrap.split(','),
      logLevel: logLevel.NOTHING,
      connectionTimeout: 3_000,
      requestTimeout: 10_000,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 100 },
    })
    admin = kafka.admin()
    await admin.connect()
  }, 600_000)
  afterEach(async () => {
    if (!toolkit.isEmpty && (await faults()).length > 0) await heal()
  })
  afterAll(async () => {
    await admin?.disconnect()
    await toolkit.remove()
  })

  test('partition: a node that nobody hears leaves the in-sync set, also as another run of it, until it is healed', async () => {
    await ledBy('parted', 1)
    const { id } = await proved('partition', '--from', '3', '--to', '1,2', '--both')
    await untilIsr('parted', 1, 2)
    await toolkit.run('produce', 'parted', 'a', 'b', ...name)
    // Its network is another one then, and its address may be.
    const attached = await attachCluster(cluster)
    await attached.kill(3)
    await attached.start(3)
    expect((await faults()).map(({ summary }) => summary).join()).toMatch(
      /^partition 3->1, 3->2 \(both true\), by packet filters$/,
    )
    await execa('docker', ['restart', '--timeout', '0', container(3)])
    expect((await faults())[0]?.summary).toContain('; not at node 3, which somebody else has started')
    expect((await faults()).map(fault => fault.id)).toEqual([id])
    expect(await heal()).toEqual([])
    await untilIsr('parted', 1, 2, 3)
    expect(await toolkit.values(cluster, 'parted')).toEqual(['a', 'b'])
  })

  test('partition one way: a follower hears nothing of its leader, which hears it', async () => {
    await ledBy('deaf', 1)
    await proved('partition', '--from', '1', '--to', '3')
    // It asks for what it has already, as one that is in sync does, until there is something that it does not hear of.
    await toolkit.run('produce', 'deaf', 'a', ...name)
    await untilIsr('deaf', 1, 2)
    // Nobody but the two has lost anything.
    expect(await filtersAt(1)).not.toContain('FL-')
    expect(await filtersAt(3)).toContain('FL-partition-')
    expect(await heal()).toEqual([])
    expect(await filtersAt(3)).not.toContain('FL-')
    await untilIsr('deaf', 1, 2, 3)
  })

  test('cut, black-hole and loss: proved, counted and gone', async () => {
    await ledBy('torn', 2)
    const cut = await proved('cut', '--from', '1', '--to', '3')
    expect(cut.proofs?.[0]?.text).toMatch(/^a connection is refused, before it was answered; [1-9]\d* packets/)
    expect(await json('heal', cut.id)).toEqual([])
    const hole = await proved('black-hole', '--from', '3', '--to', '2', '--direction', 'response')
    await toolkit.run('produce', 'torn', 'a', ...name)
    await untilIsr('torn', 1, 2)
    expect((await faults())[0]?.hits).toBeGreaterThan(0)
    expect(await json('heal', hole.id)).toEqual([])
    await untilIsr('torn', 1, 2, 3)
    await proved('loss', '--from', '1,3', '--to', '2', '--probability', '0.3')
    await toolkit.run('produce', 'torn', 'b', ...name)
    expect(await heal()).toEqual([])
    expect(await toolkit.values(cluster, 'torn')).toEqual(['a', 'b'])
  })

  test('labs and scripts cut them too', async () => {
    await ledBy('scripted', 2)
    const attached = await attachCluster(cluster)
    expect(attached.capabilities.has('partition')).toBe(true)
    await attached.partition?.([[1, 2], [3]])
    await attached.cutOneWay?.([1], [2])
    expect((await faults()).map(({ links }) => links)).toEqual([['1->3', '2->3'], ['1->2']])
    await attached.healPartition?.()
    expect(await faults()).toEqual([])
    await untilIsr('scripted', 1, 2, 3)
  })

  describe('what packets do not tell', () => {
    test.each([
      [['latency', '--from', '1', '--to', '2', '--delay', '5'], 'needs a fault proxy in front of the nodes'],
      [['partition', '--from', 'client', '--to', '2'], 'Clients need a fault proxy'],
      [
        ['loss', '--from', '1', '--to', '2', '--probability', '0.5', '--seed', '2'],
        '--seed of loss needs a fault proxy',
      ],
    ])('is refused: %j', async (words, text) => {
      await expect(json('add', ...words)).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringContaining(text) as string,
      })
      expect(await faults()).toEqual([])
    })
  })

  test('goes down and leaves nothing', async () => {
    await json('add', 'partition', '--from', '1', '--to', '2', '--no-proof')
    await toolkit.run('down', ...name)
    expect(await leftOf(cluster)).toEqual([])
    expect(toolkit.isEmpty).toBe(true)
  })
}
