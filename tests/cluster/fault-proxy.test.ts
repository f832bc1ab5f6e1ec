/** Links and requests broken through the command line, with real clients, on our engine and on Apache Kafka. */
import { Kafka, logLevel, type Admin, type Producer } from 'kafkajs'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import type { Engine } from '#scripts/cluster/cluster.ts'
import { conditionOf, signalProcess, waitFor, type ProcessHandle } from '#scripts/cluster/process/liveness.ts'
import type { ClusterDocument } from '#scripts/commands/describe.ts'
import type { FaultState, LinkState } from '#scripts/proxy/model.ts'
import type { Proof } from '#scripts/proxy/proof.ts'
import { describeWith } from '../machine.ts'
import { createTopics, partitionInSync, partitionWhen } from '../topics.ts'
import { freePort, Toolkit } from './faultline-command.ts'

const waitMs = 120_000

describe('a fault proxy in front of faultline', () => {
  const cluster = proxied('faultline')
  sharedClaims(cluster)
  requestClaims(cluster)
  growthClaims(cluster)
  lifeClaims(cluster)
})

describeWith(['java', 'apache-kafka'], 'a fault proxy in front of apache-kafka', () => {
  const cluster = proxied('apache-kafka')
  sharedClaims(cluster)
  growthClaims(cluster)
})

interface Proxied {
  readonly toolkit: Toolkit
  readonly name: readonly string[]
  readonly admin: () => Admin
  readonly kafka: () => Kafka
  document(): Promise<ClusterDocument>
  links(): Promise<readonly LinkState[]>
  fault(...words: string[]): Promise<FaultState & { readonly proofs: readonly Proof[] }>
  faults(): Promise<readonly FaultState[]>
  heal(): Promise<unknown>
}

/** Three brokers behind a proxy, quick to miss a follower. */
function proxied(engine: Engine): Proxied {
  const toolkit = new Toolkit()
  const name = ['--name', 'proxied']
  let kafka: Kafka | undefined
  let admin: Admin | undefined
  beforeAll(async () => {
    const settings = ['replica.lag.time.max.ms=2000', 'offsets.topic.num.partitions=4'].flatMap(text => ['--set', text])
    const shape = ['--runtime', 'process', '--engine', engine, '--port', await freePort({ proxy: true })]
    const { bootstrap } = await toolkit.document('up', ...name, '--proxy', ...shape, ...settings)
    kafka = new Kafka({ clientId: 'guest', brokers: bootstrap.split(','), logLevel: logLevel.NOTHING })
    admin = kafka.admin()
    await admin.connect()
  })
  afterAll(async () => {
    await admin?.disconnect()
    await toolkit.remove()
  })
  const json = async (...words: string[]): Promise<unknown> =>
    JSON.parse((await toolkit.run(...words, ...name, '--json')).stdout)
  const document = async () => (await json('status')) as ClusterDocument
  return {
    toolkit,
    name,
    kafka: () => kafka!,
    admin: () => admin!,
    document,
    links: async () => {
      const { proxy } = await document()
      return (await (await fetch(`${proxy?.control}/links`)).json()) as LinkState[]
    },
    fault: async (...words) => (await json('fault', 'add', ...words)) as FaultState & { proofs: Proof[] },
    faults: async () => (await json('fault', 'list')) as FaultState[],
    heal: () => json('fault', 'heal', '--all'),
  }
}

async function makeTopic(cluster: Proxied, topic: string): Promise<{ leader: number; followers: number[] }> {
  await createTopics(cluster.admin(), [{ topic, numPartitions: 1, replicationFactor: 3 }])
  const { leader, replicas } = await partitionInSync(cluster.admin(), topic, 3)
  return { leader, followers: replicas.filter(id => id !== leader) }
}

/** Resolves when so many replicas are in sync. */
async function isr(cluster: Proxied, topic: string, size: number): Promise<readonly number[]> {
  return (await partitionInSync(cluster.admin(), topic, size)).isr
}

async function producing<T>(cluster: Proxied, work: (producer: Producer) => Promise<T>): Promise<T> {
  const producer = cluster.kafka().producer({ idempotent: true, maxInFlightRequests: 1, retry: { retries: 100 } })
  await producer.connect()
  try {
    return await work(producer)
  } finally {
    await producer.disconnect()
  }
}

/** A record that only the leader has: a follower that has them all is in sync, however long it has been silent. */
async function sendUnreplicated(cluster: Proxied, topic: string): Promise<void> {
  const producer = cluster.kafka().producer({ retry: { retries: 100 } })
  await producer.connect()
  await producer.send({ topic, acks: 1, messages: [{ value: 'unreplicated' }] })
  await producer.disconnect()
}

/** Sends numbered records one after the other, and says which values the topic holds, in its order. */
async function sendAndRead(cluster: Proxied, topic: string, count: number): Promise<string[]> {
  await producing(cluster, async producer => {
    for (let index = 0; index < count; index++)
      await producer.send({ topic, acks: -1, messages: [{ value: String(index) }] })
  })
  const { stdout } = await cluster.toolkit.run('consume', topic, ...cluster.name, '--json')
  return (JSON.parse(stdout) as { value: string }[]).map(({ value }) => value)
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => String(index))

function sharedClaims(cluster: Proxied): void {
  // A claim that failed leaves its fault; the next ones should not fail of it.
  afterEach(async () => {
    if (!cluster.toolkit.isEmpty && (await cluster.faults()).length > 0) await cluster.heal()
  })

  test('gives every directed pair of nodes a link that nobody else uses', async () => {
    await makeTopic(cluster, 'pairs')
    const links = (await cluster.links()).filter(({ from }) => from !== 'client')
    expect(links).toHaveLength(18)
    for (const { from, name, clientIds } of links)
      for (const clientId of clientIds)
        expect(`${name}: ${clientId}`).toMatch(
          new RegExp(`: (broker-${from}-.*|node-${from}|raft-client-${from}|${from}|faultline-probe.*)$`),
        )
    const fetched = links.filter(({ listener, requests }) => listener === 'broker' && (requests['Fetch'] ?? 0) > 0)
    expect(fetched.length).toBeGreaterThanOrEqual(2)
  })

  test('keeps what a leader sends from its followers: they leave the in-sync set, and come back when it heals', async () => {
    const { leader, followers } = await makeTopic(cluster, 'one-way')
    const others = followers.join(',')
    const fault = await cluster.fault('partition', '--from', String(leader), '--to', others, '--listener', 'broker')
    expect(fault.proofs.map(({ shown }) => shown)).toEqual([true, true, true, true])
    await sendUnreplicated(cluster, 'one-way')
    expect(await isr(cluster, 'one-way', 1)).toEqual([leader])
    await cluster.heal()
    await isr(cluster, 'one-way', 3)
    expect(await cluster.faults()).toEqual([])
    expect(await sendAndRead(cluster, 'one-way', 3)).toEqual(['unreplicated', ...numbers(3)])
  })

  test('loses every third Produce response: an idempotent producer tries again and makes no duplicate', async () => {
    await makeTopic(cluster, 'lost-answers')
    await cluster.fault(
      'drop',
      '--from',
      'client',
      '--to',
      'all',
      '--api',
      'Produce',
      '--on',
      'response',
      '--every',
      '3',
    )
    expect(await sendAndRead(cluster, 'lost-answers', 12)).toEqual(numbers(12))
    const [fault] = await cluster.faults()
    expect(fault?.hits).toBeGreaterThanOrEqual(4)
    await cluster.heal()
  })
}

function requestClaims(cluster: Proxied): void {
  test('sends a Produce request twice: the broker takes it once', async () => {
    await makeTopic(cluster, 'twice')
    await cluster.fault('duplicate', '--from', 'client', '--to', 'all', '--api', 'Produce', '--topic', 'twice')
    expect(await sendAndRead(cluster, 'twice', 8)).toEqual(numbers(8))
    // More when the client tries again.
    expect((await cluster.faults())[0]?.hits).toBeGreaterThanOrEqual(8)
    await cluster.heal()
  })

  test('answers the first Produce with an error that the broker never gave: the client tries again', async () => {
    await makeTopic(cluster, 'refused')
    const words = ['--api', 'Produce', '--topic', 'refused', '--times', '2', '--code', 'NOT_LEADER_OR_FOLLOWER']
    await cluster.fault('error', '--from', 'client', '--to', 'all', ...words)
    expect(await sendAndRead(cluster, 'refused', 3)).toEqual(numbers(3))
    expect((await cluster.faults())[0]).toMatchObject({ hits: 2, missed: 0 })
    await cluster.heal()
  })

  test('touches only the topic that is named', async () => {
    await makeTopic(cluster, 'spared')
    await makeTopic(cluster, 'hit')
    const words = ['--api', 'Produce', '--topic', 'hit', '--code', 'TOPIC_AUTHORIZATION_FAILED']
    await cluster.fault('error', '--from', 'client', '--to', 'all', ...words)
    expect(await sendAndRead(cluster, 'spared', 2)).toEqual(numbers(2))
    await expect(sendAndRead(cluster, 'hit', 1)).rejects.toThrow(/not authorized/i)
    await cluster.heal()
  })

  test('holds AlterPartition: the in-sync set stays as it was until it is released', async () => {
    const { leader, followers } = await makeTopic(cluster, 'held')
    const hold = await cluster.fault('hold', '--from', String(leader), '--to', 'all', '--api', 'AlterPartition')
    const others = followers.join(',')
    await cluster.fault('partition', '--from', String(leader), '--to', others, '--listener', 'broker')
    await sendUnreplicated(cluster, 'held')
    const held = async () => ((await cluster.faults()).find(({ id }) => id === hold.id)?.held ?? 0) > 0 || undefined
    expect(await poll(held, { everyMs: 100, timeoutMs: waitMs })).toBe(true)
    expect((await partitionWhen(cluster.admin(), 'held')).isr).toHaveLength(3)
    const { stdout } = await cluster.toolkit.run('fault', 'heal', hold.id, ...cluster.name, '--json')
    expect(stdout).not.toContain(hold.id)
    await isr(cluster, 'held', 1)
    await cluster.heal()
    await isr(cluster, 'held', 3)
  })

  test('proves latency by a round trip', async () => {
    const { proofs } = await cluster.fault('latency', '--from', '1', '--to', '2', '--delay', '120')
    expect(proofs.map(({ link, shown }) => ({ link, shown }))).toEqual([
      { link: '1->2', shown: true },
      { link: '1->2/controller', shown: true },
    ])
    await cluster.heal()
  })

  test('says what it does not understand', async () => {
    const refused = async (...words: string[]) => {
      const { exitCode, stderr } = await cluster.toolkit.start('fault', 'add', ...words, ...cluster.name)
      return { exitCode, stderr }
    }
    expect(await refused('latency', '--from', '1', '--to', '2')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('needs --delay'),
    })
    expect(await refused('latency', '--delay', '5')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--from and --to'),
    })
    expect(await refused('cut', '--from', '7', '--to', '2')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('no node 7'),
    })
    expect(await refused('drop', '--from', '1', '--to', '2', '--api', 'Nonsense')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('Nonsense is none'),
    })
    expect(await cluster.faults()).toEqual([])
  })
}

function proxyOf({ toolkit }: Proxied): ProcessHandle {
  const file = path.join(toolkit.home, 'proxied', 'proxy', 'process.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { process: ProcessHandle }).process
}

/** Of a fourth broker, which is no controller. */
const linksOfFourth = [
  'client->4',
  ...[1, 2, 3].map(id => `${id}->4`),
  ...[1, 2, 3, 4].map(id => `4->${id}`),
  ...[1, 2, 3].map(id => `4->${id}/controller`),
]

async function linkNames(cluster: Proxied): Promise<string[]> {
  return (await cluster.links()).map(({ name }) => name).sort()
}

function growthClaims(cluster: Proxied): void {
  const shown = ({ proofs }: { readonly proofs: readonly Proof[] }) => proofs.map(proof => [proof.link, proof.shown])

  test('takes the links back of brokers that do not come to serve', async () => {
    const before = await linkNames(cluster)
    // The toolkit waits until every broker answers, and this one will not.
    const { id } = await cluster.fault('cut', '--from', 'client', '--to', '1', '--no-proof')
    const command = cluster.toolkit.start('grow', '--by', '2', ...cluster.name)
    await new Promise<void>(resolve => {
      command.stderr.on('data', chunk => {
        if (String(chunk).includes('Waiting until every broker serves')) resolve()
      })
    })
    expect(await linkNames(cluster)).toEqual(expect.arrayContaining(['4->5', '5->1', 'client->5']))
    command.kill('SIGINT')
    const { exitCode, stderr } = await command
    expect(stderr).toContain(`${id}: on the links that there were, and on none of broker 4, 5`)
    expect(exitCode).toBe(130)
    expect(await linkNames(cluster)).toEqual(before)
    expect((await cluster.faults()).map(fault => fault.id)).toEqual([id])
    expect((await cluster.document()).brokers.map(broker => broker.id)).toEqual([1, 2, 3])
    expect(existsSync(path.join(cluster.toolkit.home, 'proxied', 'node-4'))).toBe(false)
    await cluster.heal()
  })

  test('grows: the broker that joins has links of its own, and what was there is not disturbed', async () => {
    const before = await linkNames(cluster)
    const proxy = proxyOf(cluster)
    const slow = await cluster.fault('latency', '--from', 'all', '--to', 'all', '--delay', '5', '--no-proof')
    const producer = cluster.kafka().producer({ retry: { retries: 0 } })
    await makeTopic(cluster, 'goes-on')
    await producer.connect()
    const send = () => producer.send({ topic: 'goes-on', acks: -1, messages: [{ value: 'x' }] })
    await send()
    const { brokers } = await cluster.toolkit.document('grow', ...cluster.name)
    expect(brokers.map(({ id, state }) => ({ id, state }))).toEqual([1, 2, 3, 4].map(id => ({ id, state: 'running' })))
    // On the connections that it has: a broken one would be an error.
    await send()
    await producer.disconnect()
    expect(proxyOf(cluster)).toEqual(proxy)
    expect(await linkNames(cluster)).toEqual([...before, ...linksOfFourth].sort())
    const [fault] = await cluster.faults()
    expect(fault).toMatchObject({ id: slow.id, links: slow.links })
    expect(fault?.links.join()).not.toContain('4')
  })

  test('has clients, leaders and followers on the links of a broker that joined, and breaks them', async () => {
    const topic = 'on-the-fourth'
    const replicaAssignment = [{ partition: 0, replicas: [4, 1] }]
    await createTopics(cluster.admin(), [{ topic, replicaAssignment }])
    expect((await partitionInSync(cluster.admin(), topic, 2)).leader).toBe(4)
    expect(await sendAndRead(cluster, topic, 3)).toEqual(numbers(3))
    const link = async (name: string) => (await cluster.links()).find(candidate => candidate.name === name)
    expect((await link('client->4'))?.requests).toMatchObject({
      Produce: expect.any(Number),
      Fetch: expect.any(Number),
    })
    expect((await link('1->4'))?.requests).toMatchObject({ Fetch: expect.any(Number) })
    for (const { from, name, clientIds } of await cluster.links())
      if (name.includes('4') && from !== 'client')
        for (const clientId of clientIds)
          expect(`${name}: ${clientId}`).toMatch(
            new RegExp(`: (broker-${from}-.*|node-${from}|raft-client-${from}|${from}|faultline-probe.*)$`),
          )

    const latency = await cluster.fault('latency', '--from', '1', '--to', '4', '--delay', '120')
    expect(shown(latency)).toEqual([['1->4', true]])
    const cut = await cluster.fault('cut', '--from', 'client', '--to', '4')
    expect(shown(cut)).toEqual([['client->4', true]])
    await cluster.heal()
    const apart = await cluster.fault('partition', '--from', '4', '--to', '1', '--listener', 'broker')
    expect(shown(apart)).toEqual([
      ['1->4', true],
      ['4->1', true],
    ])
    await sendUnreplicated(cluster, topic)
    expect(await isr(cluster, topic, 1)).toEqual([4])
    await cluster.heal()
    await isr(cluster, topic, 2)
    expect(await sendAndRead(cluster, topic, 1)).toEqual([...numbers(3), 'unreplicated', '0'])
  })
}

function lifeClaims(cluster: Proxied): void {
  test('that ends by itself is missed, and healing brings it back with all links and without its faults', async () => {
    const links = await linkNames(cluster)
    await cluster.fault('latency', '--from', '1', '--to', '2', '--delay', '10', '--no-proof')
    const proxy = proxyOf(cluster)
    await signalProcess(proxy, 'SIGKILL')
    expect(await waitFor(proxy, 'gone', waitMs)).toBe(true)
    expect((await cluster.document()).proxy?.state).toBe('dead')
    const { stdout } = await cluster.toolkit.run('doctor', '--json')
    expect(stdout).toContain('fault proxy of proxied')
    await cluster.heal()
    expect((await cluster.document()).proxy?.state).toBe('running')
    expect(await cluster.faults()).toEqual([])
    expect(await linkNames(cluster)).toEqual(links)
    const { proofs } = await cluster.fault('latency', '--from', '2', '--to', '4', '--delay', '60')
    expect(proofs).toMatchObject([{ link: '2->4', shown: true }])
    await cluster.heal()
  })

  test('that lacks the links of a broker gets them when that is started: who let it join may have been cut off', async () => {
    await cluster.toolkit.run('kill', '4', ...cluster.name)
    const before = await linkNames(cluster)
    const { proxy } = await cluster.document()
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ links: linksOfFourth })
    const answer = await fetch(`${proxy?.control}/links`, { method: 'DELETE', headers, body })
    expect(answer.status).toBe(200)
    expect((await linkNames(cluster)).join()).not.toContain('4')
    await cluster.toolkit.run('start', '4', ...cluster.name)
    expect(await linkNames(cluster)).toEqual(before)
    expect(await sendAndRead(cluster, 'on-the-fourth', 1)).toEqual([...numbers(3), 'unreplicated', '0', '0'])
  })

  test('that does not run is in the way of brokers that would join', async () => {
    const proxy = proxyOf(cluster)
    await signalProcess(proxy, 'SIGKILL')
    await waitFor(proxy, 'gone', 10_000)
    const { exitCode, stderr } = await cluster.toolkit.start('grow', ...cluster.name)
    expect(stderr).toContain('The fault proxy of proxied does not run')
    expect(exitCode).toBe(1)
    expect(existsSync(path.join(cluster.toolkit.home, 'proxied', 'node-5'))).toBe(false)
    await cluster.heal()
  })

  test('goes down with the cluster', async () => {
    const proxy = proxyOf(cluster)
    await cluster.admin().disconnect()
    await cluster.toolkit.run('down', ...cluster.name)
    expect(await conditionOf(proxy)).toBe('gone')
    expect(cluster.toolkit.isEmpty).toBe(true)
  })
}

describe('a fault proxy in front of encrypted listeners', () => {
  const toolkit = new Toolkit()
  const name = ['--name', 'secret']
  beforeAll(async () => {
    const shape = [
      '--runtime',
      'process',
      '--brokers',
      '1',
      '--security',
      'sasl-tls',
      '--port',
      await freePort({ proxy: true }),
    ]
    await toolkit.run('up', ...name, '--proxy', ...shape)
  })
  afterAll(() => toolkit.remove())

  test('breaks bytes and proves it', async () => {
    const words = ['latency', '--from', 'client', '--to', '1', '--delay', '100']
    const { stdout } = await toolkit.run('fault', 'add', ...words, ...name, '--json')
    expect((JSON.parse(stdout) as { proofs: Proof[] }).proofs).toMatchObject([{ link: 'client->1', shown: true }])
    await toolkit.run('fault', 'heal', '--all', ...name)
  })

  test('refuses faults of requests, which it cannot read', async () => {
    const { exitCode, stderr } = await toolkit.start('fault', 'add', 'drop', '--from', 'client', '--to', '1', ...name)
    expect(stderr).toContain('is encrypted (TLS)')
    expect(exitCode).toBe(2)
  })
})
