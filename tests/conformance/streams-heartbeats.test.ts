/**
 * Streams groups heartbeat by heartbeat (KIP-1071), the same on one of our brokers and on Apache Kafka: epochs while tasks change hands,
 * what a member is told when topics are missing or do not fit, and which heartbeats are refused. No Kafka Streams shows these one by one.
 */
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isReference, oursAlone } from './engine.ts'
import { createTopics } from '#tests/topics.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'
import { internalTopic, StreamsWire, subtopology, taskNames, WireMember } from './streams-wire.ts'

const codes = {
  INVALID_REQUEST: 42,
  UNKNOWN_MEMBER_ID: 25,
  GROUP_ID_NOT_FOUND: 69,
  FENCED_MEMBER_EPOCH: 110,
  GROUP_MAX_SIZE_REACHED: 81,
  STREAMS_INVALID_TOPOLOGY: 130,
} as const
const staleTopology = 0
const missingSources = 1
const incorrectlyPartitioned = 2
const missingInternal = 3
const shutdown = 4
const delayed = 5

let cluster: Cluster
const wires: StreamsWire[] = []

beforeAll(async () => {
  cluster = await startCluster({
    settings: {
      'group.streams.initial.rebalance.delay.ms': '0',
      'group.streams.min.assignment.interval.ms': '0',
      'group.streams.assignment.interval.ms': '0',
      'group.streams.max.size': '4',
    },
  })
  const admin = new Kafka({ brokers: cluster.addresses, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const counts = { three: 3, four: 4, six: 6 }
  const topics = Object.entries(counts).map(([topic, numPartitions]) => ({ topic, numPartitions }))
  await createTopics(admin, topics)
  await cluster.untilAllKnow(...Object.keys(counts))
  await admin.disconnect()
})

afterAll(async () => {
  for (const wire of wires) wire.close()
  await cluster?.stop()
})

async function open(groupId: string): Promise<StreamsWire> {
  const wire = await StreamsWire.open(cluster.addresses[0] ?? '', groupId)
  wires.push(wire)
  return wire
}

const reads = (...sourceTopics: string[]) => ({
  epoch: 0,
  subtopologies: [subtopology({ subtopologyId: '0', sourceTopics })],
})

const statuses = ({ status }: { readonly status: { readonly statusCode: number }[] | null }): number[] =>
  (status ?? []).map(({ statusCode }) => statusCode)

/** The first heartbeat that has tasks: topics that were asked for are there by then. */
function assigned(member: WireMember): Promise<string> {
  return eventually(`tasks of ${member.memberId}`, async () => {
    await member.beat()
    return member.active === '' ? undefined : member.active
  })
}

describe('tasks change hands', () => {
  test('one epoch at a time: a member that has given up what an older target took is one epoch on', async () => {
    const wire = await open('epochs')
    const [one, two, three] = ['one', 'two', 'three'].map(name => new WireMember(wire, name, reads('six')))
    if (one === undefined || two === undefined || three === undefined) throw new Error('three members')
    await one.join()
    expect([one.epoch, one.active]).toEqual([2, '0_0 0_1 0_2 0_3 0_4 0_5'])
    await two.join()
    expect([two.epoch, two.active]).toEqual([3, ''])
    // The group goes on to epoch 5 while the first member still revokes for epoch 3.
    await two.beat({ rackId: 'a' })
    await two.beat({ rackId: 'b' })
    await one.beat()
    expect([one.epoch, one.active.split(' ').length, two.epoch]).toEqual([2, 3, 5])
    await three.join()
    expect((await wire.describe()).members.find(({ memberId }) => memberId === 'one')?.memberEpoch).toBe(2)
    await one.own()
    expect([one.epoch, one.active.split(' ').length, three.epoch]).toEqual([3, 2, 6])
    await one.own()
    expect([one.epoch, one.active.split(' ').length]).toEqual([6, 2])
    await two.beat()
    await three.beat()
    const all = [one, two, three].map(({ active }) => active.split(' '))
    expect(all.map(tasks => tasks.length)).toEqual([2, 2, 2])
    expect(all.flat().sort().join(' ')).toBe('0_0 0_1 0_2 0_3 0_4 0_5')
    expect(await wire.describe()).toMatchObject({ groupState: 'Stable', groupEpoch: 6, assignmentEpoch: 6 })
  })

  test('evenly, and no more of them than must', async () => {
    const wire = await open('shares')
    const members = ['a', 'b', 'c'].map(name => new WireMember(wire, name, reads('four')))
    for (const member of members) await member.join()
    for (let round = 0; round < 4; round++) for (const member of members) await member.own()
    const before = members.map(({ active }) => active)
    const sizes = before.map(names => names.split(' ').length)
    expect([Math.min(...sizes), Math.max(...sizes), before.join(' ').split(' ').length]).toEqual([1, 2, 4])
    await members[2]?.leave()
    for (let round = 0; round < 4; round++) for (const member of members.slice(0, 2)) await member.own()
    const after = members.slice(0, 2).map(({ active }) => active)
    expect(after.map(names => names.split(' ').length)).toEqual([2, 2])
    for (const [index, names] of after.entries())
      expect(names.split(' ')).toEqual(expect.arrayContaining(before[index]?.split(' ') ?? []))
  })

  test('and an answer that got lost is made up for, while other epochs are fenced', async () => {
    const wire = await open('fences')
    const [one, two] = ['one', 'two'].map(name => new WireMember(wire, name, reads('four')))
    await one?.join()
    await two?.join()
    await one?.beat()
    await one?.own()
    const epoch = one?.epoch ?? 0
    const kept = one?.active.split(' ').map(name => Number(name.slice(2))) ?? []
    const owning = (partitions: number[]) => ({
      memberEpoch: epoch - 1,
      activeTasks: [{ subtopologyId: '0', partitions }],
      standbyTasks: [],
      warmupTasks: [],
    })
    expect(await one?.beat(owning(kept))).toMatchObject({ errorCode: 0, memberEpoch: epoch })
    const foreign = [0, 1, 2, 3].filter(each => !kept.includes(each))
    expect((await one?.beat(owning([...kept, ...foreign])))?.errorCode).toBe(codes.FENCED_MEMBER_EPOCH)
    expect((await one?.beat({ memberEpoch: epoch - 1 }))?.errorCode).toBe(codes.FENCED_MEMBER_EPOCH)
    expect((await one?.beat({ memberEpoch: epoch + 1 }))?.errorCode).toBe(codes.FENCED_MEMBER_EPOCH)
    const stranger = new WireMember(wire, 'stranger', reads('four'))
    expect((await stranger.beat({ memberEpoch: 1 })).errorCode).toBe(codes.UNKNOWN_MEMBER_ID)
    expect((await stranger.leave()).errorCode).toBe(codes.UNKNOWN_MEMBER_ID)
    // Who comes back under its name has what it had.
    expect((await one?.join())?.errorCode).toBe(0)
    expect(one?.active.split(' ').length).toBe(2)
  })
})

describe('a member is told', () => {
  test.skipIf(isReference)(
    oursAlone('what it has to give up again, when it says that it still has it', 'it tells tasks only once'),
    async () => {
      const wire = await open('told-again')
      const [one, two] = ['one', 'two'].map(name => new WireMember(wire, name, reads('four')))
      await one?.join()
      await two?.join()
      const all = { activeTasks: [{ subtopologyId: '0', partitions: [0, 1, 2, 3] }], standbyTasks: [], warmupTasks: [] }
      expect(taskNames((await one?.beat())?.activeTasks ?? null)).toBe('0_0 0_1')
      expect(taskNames((await one?.beat(all))?.activeTasks ?? null)).toBe('0_0 0_1')
      expect((await one?.own())?.activeTasks).toBeNull()
      await two?.beat()
      expect(two?.active).toBe('0_2 0_3')
    },
  )

  test('which source topics are missing, and gets its tasks when they are there', async () => {
    const wire = await open('missing-source')
    const member = new WireMember(wire, 'm', reads('late'))
    const first = await member.join()
    expect([first.errorCode, statuses(first), taskNames(first.activeTasks)]).toEqual([0, [missingSources], ''])
    expect(first.status?.[0]?.statusDetail).toContain('late')
    expect((await wire.describe()).groupState).toBe('NotReady')
    const admin = new Kafka({ brokers: cluster.addresses, logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    await createTopics(admin, [{ topic: 'late', numPartitions: 2 }])
    expect(await assigned(member)).toBe('0_0 0_1')
    await admin.deleteTopics({ topics: ['late'] })
    await eventually('the topic is missed', async () =>
      statuses(await member.beat()).includes(missingSources) ? true : undefined,
    )
    expect([member.active, (await wire.describe()).groupState]).toEqual(['', 'NotReady'])
    await admin.disconnect()
  })

  test('that internal topics are missing, until the coordinator has made them', async () => {
    const wire = await open('internal')
    const member = new WireMember(wire, 'm', {
      epoch: 0,
      subtopologies: [
        subtopology({ subtopologyId: '0', sourceTopics: ['three'], repartitionSinkTopics: ['internal-again'] }),
        subtopology({
          subtopologyId: '1',
          repartitionSourceTopics: [internalTopic('internal-again')],
          stateChangelogTopics: [internalTopic('internal-store')],
        }),
      ],
    })
    expect(statuses(await member.join())).toEqual([missingInternal])
    expect(await assigned(member)).toBe('0_0 0_1 0_2 1_0 1_1 1_2')
    expect((await wire.describe()).groupState).toBe('Stable')
  })

  test('why an internal topic cannot be made', async () => {
    const wire = await open('impossible')
    const topic = { ...internalTopic('impossible-store'), replicationFactor: 3 }
    const member = new WireMember(wire, 'm', {
      epoch: 0,
      subtopologies: [subtopology({ subtopologyId: '0', sourceTopics: ['three'], stateChangelogTopics: [topic] })],
    })
    expect(statuses(await member.join())).toEqual([missingInternal])
    await eventually('a reason', async () => {
      const { status } = await member.beat()
      return /impossible-store.*replication factor/i.test(status?.[0]?.statusDetail ?? '') ? true : undefined
    })
  })

  test.each([
    {
      title: 'topics that are joined differ in their partitions',
      subtopologies: [
        subtopology({
          subtopologyId: '0',
          sourceTopics: ['three', 'four'],
          copartitionGroups: [{ sourceTopics: [0, 1], sourceTopicRegex: [], repartitionSourceTopics: [] }],
        }),
      ],
    },
    {
      title: 'a repartition topic with a number of its own is joined with a topic of another',
      subtopologies: [
        subtopology({ subtopologyId: '0', sourceTopics: ['four'], repartitionSinkTopics: ['odd-again'] }),
        subtopology({
          subtopologyId: '1',
          sourceTopics: ['three'],
          repartitionSourceTopics: [internalTopic('odd-again', 5)],
          copartitionGroups: [{ sourceTopics: [0], sourceTopicRegex: [], repartitionSourceTopics: [0] }],
        }),
      ],
    },
    {
      title: 'an internal topic exists with other partitions',
      subtopologies: [
        subtopology({ subtopologyId: '0', sourceTopics: ['four'], stateChangelogTopics: [internalTopic('six')] }),
      ],
    },
  ])('that $title', async ({ title, subtopologies }) => {
    const wire = await open(title.replaceAll(' ', '-'))
    const answer = await new WireMember(wire, 'm', { epoch: 0, subtopologies }).join()
    expect([answer.errorCode, statuses(answer), taskNames(answer.activeTasks)]).toEqual([
      0,
      [incorrectlyPartitioned],
      '',
    ])
    expect((await wire.describe()).groupState).toBe('NotReady')
  })

  test('that its topology is stale, and works all the same', async () => {
    const wire = await open('stale')
    const newer = new WireMember(wire, 'newer', { ...reads('four'), epoch: 3 })
    const older = new WireMember(wire, 'older', { ...reads('three'), epoch: 2 })
    await newer.join()
    expect(statuses(await older.join())).toEqual([staleTopology])
    await newer.beat()
    await newer.own()
    expect(statuses(await older.beat())).toEqual([staleTopology])
    expect(older.active.split(' ').length).toBe(2)
    for (const epoch of [3, 4]) {
      const other = new WireMember(wire, 'other', { ...reads('six'), epoch })
      expect((await other.join()).errorCode).toBe(codes.INVALID_REQUEST)
    }
  })

  test('that the application is to end, with every heartbeat, until the group is empty', async () => {
    const wire = await open('ending')
    const [one, two] = ['one', 'two'].map(name => new WireMember(wire, name, reads('four')))
    if (one === undefined || two === undefined) throw new Error('two members')
    await one.join()
    await two.join()
    expect(statuses(await one.beat({ shutdownApplication: true }))).toEqual([shutdown])
    expect(statuses(await two.beat())).toEqual([shutdown])
    expect(statuses(await two.beat())).toEqual([shutdown])
    await one.leave()
    expect(statuses(await two.beat())).toEqual([shutdown])
    await two.leave()
    expect((await wire.describe()).groupState).toBe('Empty')
    expect(statuses(await two.join())).toEqual([])
  })

  test('where the partitions are, when that changes', async () => {
    const wire = await open('endpoints')
    const topology = {
      epoch: 0,
      subtopologies: [
        subtopology({ subtopologyId: '0', sourceTopics: ['six'] }),
        subtopology({ subtopologyId: '1', sourceTopics: ['three'] }),
      ],
    }
    const [one, two] = ['one', 'two'].map(name => new WireMember(wire, name, topology))
    if (one === undefined || two === undefined) throw new Error('two members')
    await one.join({ userEndpoint: { host: 'one', port: 1 } })
    await two.join({ userEndpoint: { host: 'two', port: 2 } })
    for (const member of [one, one, two]) await member.own()
    const { partitionsByUserEndpoint: told, endpointInformationEpoch: epoch } = await one.beat({
      endpointInformationEpoch: 0,
    })
    expect(epoch).toBeGreaterThan(0)
    const ports = told?.map(({ userEndpoint }) => userEndpoint.port)
    expect(ports?.sort()).toEqual([1, 2])
    const names = told?.flatMap(({ activePartitions }) =>
      activePartitions.flatMap(({ topic, partitions }) => partitions.map(each => `${topic}-${each}`)),
    )
    expect(names?.sort().join(' ')).toBe('six-0 six-1 six-2 six-3 six-4 six-5 three-0 three-1 three-2')
    expect((await one.beat({ endpointInformationEpoch: epoch })).partitionsByUserEndpoint).toBeNull()
  })

  test.skipIf(isReference)(
    oursAlone(
      'of each endpoint once, when several threads are behind it',
      'it lists the threads, and clients keep the last',
    ),
    async () => {
      const wire = await open('threads')
      const members = ['a', 'b'].map(name => new WireMember(wire, name, reads('four')))
      const userEndpoint = { host: 'here', port: 1 }
      for (const member of members) await member.join({ processId: 'p', userEndpoint })
      for (let round = 0; round < 3; round++) for (const member of members) await member.own()
      const { partitionsByUserEndpoint } = (await members[0]?.beat({ endpointInformationEpoch: 0 })) ?? {}
      expect(partitionsByUserEndpoint).toEqual([
        { userEndpoint, activePartitions: [{ topic: 'four', partitions: [0, 1, 2, 3] }], standbyPartitions: [] },
      ])
    },
  )
})

describe('refused', () => {
  const joined = async (groupId: string) => {
    const member = new WireMember(await open(groupId), 'm', reads('four'))
    await member.join()
    return member
  }
  const tasks = (subtopologyId: string, partition: number) => ({
    activeTasks: [{ subtopologyId, partitions: [partition] }],
    standbyTasks: [],
    warmupTasks: [],
  })
  const offsets = [{ subtopologyId: '0', partition: 0, offset: 1 }]

  test('are heartbeats that make no sense, or ask for what is not supported yet', async () => {
    const member = await joined('heartbeats')
    const refused = [
      tasks('9', 0),
      tasks('0', 17),
      { activeTasks: [] },
      { ...tasks('0', 0), warmupTasks: [{ subtopologyId: '0', partitions: [1] }] },
      { taskOffsets: offsets },
      { taskEndOffsets: offsets },
      { topology: reads('four') },
      { instanceId: 'i' },
      { memberEpoch: -2 },
      { memberEpoch: -3 },
    ]
    for (const request of refused) expect((await member.beat(request)).errorCode).toBe(codes.INVALID_REQUEST)
    expect((await member.beat()).errorCode).toBe(0)
  })

  test('are members that join without what they need', async () => {
    const { memberId } = await joined('joins')
    const wire = await open('joins')
    const join = async (over: Parameters<WireMember['join']>[0], name = 'n') =>
      (await new WireMember(wire, name, reads('four')).join(over)).errorCode
    expect(memberId).toBe('m')
    for (const over of [
      { topology: null },
      { rebalanceTimeoutMs: -1 },
      tasks('0', 0),
      { activeTasks: null, standbyTasks: null, warmupTasks: null },
      { rackId: '' },
    ])
      expect(await join(over)).toBe(codes.INVALID_REQUEST)
    expect(await join({}, '')).toBe(codes.INVALID_REQUEST)
    for (const name of ['two', 'three', 'four']) expect(await join({}, name)).toBe(0)
    expect(await join({}, 'five')).toBe(codes.GROUP_MAX_SIZE_REACHED)
    expect(await join({}, 'two')).toBe(codes.GROUP_MAX_SIZE_REACHED)
  })

  const changelog = { stateChangelogTopics: [internalTopic('sized', 3)] }
  test.each([
    { title: 'that reads nothing', of: [{}], code: codes.STREAMS_INVALID_TOPOLOGY },
    {
      title: 'with a repartition topic that nobody writes to',
      of: [{ repartitionSourceTopics: [internalTopic('dry')] }],
      code: codes.STREAMS_INVALID_TOPOLOGY,
    },
    {
      title: 'in which a number of partitions depends on itself',
      of: [{ repartitionSourceTopics: [internalTopic('loop')], repartitionSinkTopics: ['loop'] }],
      code: codes.STREAMS_INVALID_TOPOLOGY,
    },
    {
      title: 'with a changelog that has a size',
      of: [{ sourceTopics: ['four'], ...changelog }],
      code: codes.STREAMS_INVALID_TOPOLOGY,
    },
    { title: 'with a regular expression', of: [{ sourceTopicRegex: ['f.*'] }], code: codes.INVALID_REQUEST },
  ])('is a topology $title', async ({ title, of, code }) => {
    const wire = await open(title.replaceAll(' ', '-'))
    const subtopologies = of.map((over, index) => subtopology({ subtopologyId: String(index), ...over }))
    expect((await new WireMember(wire, 'm', { epoch: 0, subtopologies }).join()).errorCode).toBe(code)
    expect((await wire.describe()).errorCode).toBe(codes.GROUP_ID_NOT_FOUND)
  })
})

test('a first assignment waits for more members, and says so', async () => {
  const wire = await open('waiting')
  // Long enough for two to join, however busy the machine is.
  await wire.configure('streams.initial.rebalance.delay.ms', '10000')
  const [one, two] = ['one', 'two'].map(name => new WireMember(wire, name, reads('four')))
  if (one === undefined || two === undefined) throw new Error('two members')
  expect([statuses(await one.join()), one.epoch]).toEqual([[delayed], 1])
  expect([statuses(await two.join()), two.epoch]).toEqual([[delayed], 1])
  expect(await assigned(one)).toBe(one.active)
  await assigned(two)
  expect([one.active.split(' ').length, two.active.split(' ').length, one.epoch]).toEqual([2, 2, two.epoch])
})
