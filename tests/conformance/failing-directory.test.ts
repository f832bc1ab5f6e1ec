/**
 * Three brokers with two log directories each, of which one fails under a steady load of acks=all: its partitions get leaders elsewhere, the
 * broker goes on with the other directory, and nothing that was acknowledged is lost; repaired and started again it has its replicas back.
 * Sources: KIP-112 (disk failure), KIP-858 (JBOD in KRaft).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WireClient } from '#scripts/cluster/wire.ts'
import { fetchFrom, metadata, produceOne, type PartitionView } from '#scripts/cluster/wire-requests.ts'
import { Writer } from '#scripts/cluster/wire-format.ts'
import { describeWith } from '#tests/machine.ts'
import { eventually, startCluster, type BrokerProcess, type Cluster } from './harness.ts'
import { createTopics } from '#tests/topics.ts'
import { Volume } from './volume.ts'

const topic = 'spread'
const partitions = Array.from({ length: 12 }, (_, partition) => partition)
const storageError = 56
/** Errors of a partition whose leader moves: the old one does not lead any more, has lost the log, or knows an older metadata. */
const isMoving = new Set([3, 5, 6, storageError, 74, 75])

interface LogDir {
  readonly path: string
  readonly errorCode: number
  /** Of the topic. */
  readonly partitions: readonly number[]
}

/** DescribeLogDirs v1 of everything. */
async function logDirs(client: WireClient): Promise<LogDir[]> {
  const reader = await client.request(35, 1, new Writer().int32(-1))
  reader.int32() // throttle time
  return reader.array(r => {
    const errorCode = r.int16()
    const logDir = r.string()
    const topics = r.array(t => {
      const name = t.string()
      const found = t.array(p => {
        const partition = p.int32()
        p.int64() // size
        p.int64() // lag
        p.boolean() // a copy
        return partition
      })
      return { name, found }
    })
    const own = topics.find(({ name }) => name === topic)?.found ?? []
    return { path: logDir, errorCode, partitions: own.sort((a, b) => a - b) }
  })
}

/** Resolves when the record is acknowledged by all in-sync replicas; it may be there twice then. */
type Send = (partition: number, value: string) => Promise<void>

/** Rounds of one record to each partition, until it is stopped. */
class Load {
  /** Values by partition, in the order of their acknowledgement. */
  readonly acknowledged = partitions.map((): string[] => [])
  rounds = 0
  readonly #send: Send
  readonly #over: Promise<void>
  #isStopped = false

  constructor(send: Send) {
    this.#send = send
    this.#over = this.#run()
  }

  async #run(): Promise<void> {
    for (let round = 0; !this.#isStopped; round++) {
      await Promise.all(partitions.map(partition => this.#one(partition, `<${partition}/${round}>`)))
      this.rounds = round + 1
    }
  }

  async #one(partition: number, value: string): Promise<void> {
    await this.#send(partition, value.padEnd(200, '.'))
    this.acknowledged[partition]!.push(value)
  }

  async more(rounds: number): Promise<void> {
    const until = this.rounds + rounds
    await eventually(`${rounds} more rounds`, () => (this.rounds >= until ? true : undefined))
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#over
  }
}

describeWith(['ext4'], 'one of the two log directories of a broker', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'faultline-volume-'))
  let cluster: Cluster
  let volume: Volume | undefined
  let load: Load
  let failing: string
  let lost: readonly number[]
  const clients = new Map<BrokerProcess, WireClient>()

  const wire = async (id: number): Promise<WireClient> => {
    const broker = cluster.broker(id)
    const open = clients.get(broker)
    if (open?.isOpen === true) return open
    const client = await WireClient.open({ host: '127.0.0.1', port: broker.port })
    clients.set(broker, client)
    return client
  }
  const views = async (): Promise<readonly PartitionView[]> =>
    (await metadata(await wire(2), [topic])).topics[0]?.partitions ?? []
  const leaderOf = async (partition: number): Promise<number> =>
    (await views()).find(({ index }) => index === partition)?.leader ?? -1
  /** As the Java client: whatever refuses it, the leader is looked up anew. kafkajs asks one that has lost its directory again and again. */
  const send: Send = async (partition, value) => {
    await eventually(value, async () => {
      const leader = await leaderOf(partition)
      if (leader < 0) return undefined
      try {
        const result = await produceOne(await wire(leader), { topic, partition }, Buffer.from(value), 10_000)
        return result.errorCode === 0 ? true : undefined
      } catch (error) {
        // The leader has stopped, or its successor does not listen yet.
        if (error instanceof Error && /connection closed|ECONN/.test(error.message)) return undefined
        throw error
      }
    })
  }
  /** The first so many values of a partition, read from its leader, or all; undefined when it moves just then. */
  const read = async (partition: number, count: number): Promise<string[] | undefined> => {
    const leader = await leaderOf(partition)
    if (leader < 0) return undefined
    const client = await wire(leader)
    const found = new Set<string>()
    for (let offset = 0; found.size < count;) {
      const { errorCode, batches } = await fetchFrom(client, { topic, partition, offset }, 100)
      if (isMoving.has(errorCode)) return undefined
      if (errorCode !== 0) throw new Error(`fetch of ${partition} at ${offset} from ${leader}: error ${errorCode}`)
      if (batches.length === 0) break
      for (const value of batches.toString('latin1').match(/<\d+\/\d+>/g) ?? []) found.add(value)
      offset = nextOffset(batches)
    }
    return [...found].slice(0, count)
  }
  const expectAll = async (): Promise<void> => {
    for (const partition of partitions) {
      const acknowledged = [...load.acknowledged[partition]!]
      const found = await eventually(`${partition} can be read`, () => read(partition, acknowledged.length))
      expect(found).toEqual(acknowledged)
    }
  }

  beforeAll(async () => {
    const prepare = (broker: BrokerProcess): void => {
      if (broker.id !== 1) return
      failing = broker.logDirectories(2)[1]!
      volume = new Volume(path.join(folder, 'image'), failing, 64)
    }
    cluster = await startCluster({ brokers: 3, logDirs: 2, prepare })
    const admin = new Kafka({ brokers: cluster.addresses, logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    // The records of the wire client are from 1970.
    const configEntries = [{ name: 'retention.ms', value: '-1' }]
    await createTopics(admin, [{ topic, numPartitions: partitions.length, replicationFactor: 3, configEntries }])
    await admin.disconnect()
    load = new Load(send)
  })

  afterAll(async () => {
    await load?.stop()
    for (const client of clients.values()) client.close()
    await cluster?.broker(1).kill()
    volume?.unmount()
    await cluster?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('fails: its partitions are led elsewhere, the rest of the broker serves, and the load goes on', async () => {
    await load.more(5)
    const before = await logDirs(await wire(1))
    lost = before.find(each => each.path === failing)!.partitions
    expect(lost.length).toBeGreaterThan(0)
    expect(lost.length).toBeLessThan(partitions.length)
    const { pid } = cluster.broker(1)
    volume!.fail()
    const described = await eventually('the broker says so', async () => {
      const now = await logDirs(await wire(1))
      return now.find(each => each.path === failing)?.errorCode === storageError ? now : undefined
    })
    const [good] = described.filter(each => each.path !== failing)
    expect(good).toMatchObject({ errorCode: 0, partitions: partitions.filter(partition => !lost.includes(partition)) })
    await eventually('others lead what was there, and count without it', async () => {
      const now = await views()
      const isOut = ({ index, leader, isr }: PartitionView): boolean =>
        lost.includes(index) ? leader > 1 && !isr.includes(1) : leader >= 1 && isr.includes(1)
      return now.length === partitions.length && now.every(isOut) ? true : undefined
    })
    await load.more(5)
    expect([cluster.broker(1).pid, await cluster.broker(1).isHealthy()]).toEqual([pid, true])
    await expectAll()
  })

  test('is repaired: the broker stops, starts, and has its replicas back with all that was acknowledged meanwhile', async () => {
    await cluster.broker(1).stop()
    volume!.repair()
    await cluster.broker(1).start()
    await eventually('every replica is in sync', async () =>
      (await views()).every(({ isr }) => isr.length === 3) ? true : undefined,
    )
    const now = await logDirs(await wire(1))
    expect(now.map(({ errorCode }) => errorCode)).toEqual([0, 0])
    expect(now.find(each => each.path === failing)!.partitions).toEqual(lost)
    await load.more(3)
    await load.stop()
    await expectAll()
  })
})

/** The offset after the last whole batch. */
function nextOffset(batches: Buffer): number {
  let next = 0
  for (let at = 0; at + 61 <= batches.length; at += 12 + batches.readInt32BE(at + 8))
    next = Number(batches.readBigInt64BE(at)) + batches.readInt32BE(at + 23) + 1
  return next
}
