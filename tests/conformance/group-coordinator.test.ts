/**
 * What the group coordinator answers in situations that no client library shows: first epochs, names that other kinds of groups have, ids and
 * places of members. Request by request, so that each claim can be put to Apache Kafka too.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { errorName } from '#broker/protocol/errors.ts'
import { startCluster, type Cluster } from './harness.ts'
import { RawClient } from './raw-client.ts'

const [describeGroups, streamsDescribe] = [15, 89]
const [joinGroup, syncGroup, heartbeat, leaveGroup] = [11, 14, 12, 13]
const [offsetCommit, listGroups, createTopics, consumerBeat, consumerDescribe, shareBeat, shareDescribe] = [
  8, 16, 19, 68, 69, 76, 77,
]

interface Beat {
  readonly errorCode: number
  readonly memberId: string | null
  readonly memberEpoch: number
  readonly assignment: { readonly topicPartitions: readonly { readonly partitions: readonly number[] }[] } | null
}

interface Joined {
  readonly errorCode: number
  readonly memberId: string
  readonly generationId: number
  readonly leader: string
  readonly skipAssignment: boolean
  readonly members: readonly unknown[]
}

describe('the group coordinator', () => {
  let cluster: Cluster
  let client: RawClient

  beforeAll(async () => {
    cluster = await startCluster({
      settings: {
        'group.coordinator.rebalance.protocols': 'classic,consumer,streams,share',
        'group.min.session.timeout.ms': '1000',
        'share.coordinator.state.topic.replication.factor': '1',
        'share.coordinator.state.topic.min.isr': '1',
        'group.max.size': '2',
      },
    })
    client = new RawClient(cluster.broker().port)
    const topic = { name: 't', numPartitions: 4, replicationFactor: 1, assignments: [], configs: [] }
    await client.send(createTopics, { topics: [topic], timeoutMs: 60_000, validateOnly: false })
    await cluster.untilAllKnow('t')
  })

  afterAll(async () => {
    client?.close()
    await cluster?.stop()
  })

  const consumer = (groupId: string, over: object = {}) =>
    client.ask<Beat>(consumerBeat, {
      ...{ groupId, memberId: 'one', memberEpoch: 0, instanceId: null, rackId: null, rebalanceTimeoutMs: 30_000 },
      ...{ subscribedTopicNames: ['t'], subscribedTopicRegex: null, serverAssignor: null, topicPartitions: [] },
      ...over,
    })
  const share = (groupId: string, over: object = {}) =>
    client.ask<Beat>(shareBeat, {
      ...{ groupId, memberId: 'one', memberEpoch: 0, rackId: null, subscribedTopicNames: ['t'] },
      ...over,
    })
  const join = (groupId: string, over: object = {}, maxVersion?: number) =>
    client.ask<Joined>(
      joinGroup,
      {
        ...{ groupId, sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 60_000, memberId: '', groupInstanceId: null },
        ...{ protocolType: 'consumer', protocols: [{ name: 'range', metadata: Buffer.from('m') }], reason: 'a test' },
        ...over,
      },
      maxVersion,
    )
  const describeOne = async (groupId: string) => {
    type Described = { groupState: string; groupEpoch: number; assignmentEpoch: number; members: readonly Beat[] }
    const request = { groupIds: [groupId], includeAuthorizedOperations: false }
    const [group] = (await client.send<{ groups: readonly Described[] }>(consumerDescribe, request)).groups
    return [group?.groupState, group?.groupEpoch, group?.assignmentEpoch, group?.members.map(each => each.memberEpoch)]
  }

  test('begins consumer groups at epoch 1, which the first subscription raises', async () => {
    expect(await consumer('subscribed')).toMatchObject({ error: 'NONE', memberEpoch: 2 })
    expect(await describeOne('subscribed')).toEqual(['Stable', 2, 2, [2]])
    expect(await consumer('idle', { subscribedTopicNames: [] })).toMatchObject({ error: 'NONE', memberEpoch: 1 })
    expect(await describeOne('idle')).toEqual(['Stable', 1, 1, [1]])
  })

  test('begins share groups so too, and shows where their members are as Java writes addresses', async () => {
    expect(await share('shared')).toMatchObject({ error: 'NONE', memberEpoch: 2 })
    type Described = { groups: readonly { groupEpoch: number; members: readonly { clientHost: string }[] }[] }
    const request = { groupIds: ['shared'], includeAuthorizedOperations: false }
    const { groups } = await client.send<Described>(shareDescribe, request)
    expect(groups).toMatchObject([{ groupEpoch: 2, members: [{ memberEpoch: 2, clientHost: '/127.0.0.1' }] }])
  })

  test('says of a group that is not there, or is of another kind, what Kafka says', async () => {
    await share('of another kind')
    const told = async (api: number, groupId: string) => {
      const request = { groupIds: [groupId], groups: [groupId], includeAuthorizedOperations: false }
      const { groups } = await client.send<{ groups: readonly { errorMessage: string | null }[] }>(api, request)
      return groups[0]?.errorMessage
    }
    const kinds = {
      classic: describeGroups,
      consumer: consumerDescribe,
      streams: streamsDescribe,
      share: shareDescribe,
    }
    for (const [kind, api] of Object.entries(kinds)) {
      expect(await told(api, 'nope')).toBe('Group nope not found.')
      if (kind !== 'share')
        expect(await told(api, 'of another kind')).toBe(`Group of another kind is not a ${kind} group.`)
    }
    await consumer('consumers')
    expect(await told(shareDescribe, 'consumers')).toBe('Group consumers is not a share group.')
    expect(await consumer('nope', { memberEpoch: 1 })).toMatchObject({ errorMessage: 'Consumer group nope not found.' })
    expect(await share('nope', { memberEpoch: 1 })).toMatchObject({ errorMessage: 'Share group nope not found.' })
  })

  test.each(['with members', 'empty'])('lets no group take the name of a share group that is %s', async state => {
    const groupId = `share ${state}`
    await share(groupId)
    if (state === 'empty') await share(groupId, { memberEpoch: -1 })
    const refused = { error: 'INCONSISTENT_GROUP_PROTOCOL', memberId: '' }
    expect(await join(groupId)).toMatchObject(refused)
    expect(await join(groupId, { memberId: 'x' })).toMatchObject(refused)
    expect(await consumer(groupId)).toMatchObject({ error: 'GROUP_ID_NOT_FOUND' })
    const partitions = [{ partitionIndex: 0, committedOffset: 3, committedLeaderEpoch: -1, committedMetadata: '' }]
    const commit = {
      ...{ groupId, generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null, retentionTimeMs: -1 },
      topics: [{ name: 't', topicId: '', partitions }],
    }
    type Committed = { topics: readonly { partitions: readonly { errorCode: number }[] }[] }
    const { topics } = await client.send<Committed>(offsetCommit, commit, 9)
    expect(errorName(topics[0]?.partitions[0]?.errorCode ?? 0)).toBe('GROUP_ID_NOT_FOUND')
    type Listed = { groups: readonly { groupId: string; groupType: string }[] }
    const { groups } = await client.send<Listed>(listGroups, { statesFilter: [], typesFilter: [] })
    expect(groups.filter(each => each.groupId === groupId).map(({ groupType }) => groupType)).toEqual(['share'])
  })

  test('lets no share group take the name of another', async () => {
    await consumer('consumers')
    expect(await share('consumers')).toMatchObject({ error: 'GROUP_ID_NOT_FOUND' })
  })

  test('forgets an id that it gave out after the session timeout of who asked for it (KIP-394)', async () => {
    const told = await join('newcomers')
    expect(told).toMatchObject({ error: 'MEMBER_ID_REQUIRED', memberId: expect.stringMatching(/^raw-/) })
    expect(await join('newcomers', { memberId: told.memberId })).toMatchObject({ error: 'NONE', generationId: 1 })
    const late = await join('latecomers', { sessionTimeoutMs: 1000 })
    // The first rebalance does not wait for it, the next one does.
    const member = { rebalanceTimeoutMs: 60_000, sessionTimeoutMs: 60_000 }
    const { memberId } = await join('latecomers', member, 3)
    const other = { ...member, memberId, protocols: [{ name: 'range', metadata: Buffer.from('other') }] }
    expect(await join('latecomers', other)).toMatchObject({ error: 'NONE', generationId: 2 })
    expect(await join('latecomers', { memberId: late.memberId })).toMatchObject({ error: 'UNKNOWN_MEMBER_ID' })
  })

  test('gives the place of a static leader to who comes back, which need not assign (KIP-345, KIP-814)', async () => {
    const groupId = 'static'
    const instance = { groupInstanceId: 'i' }
    const first = await join(groupId, instance)
    const assignments = [{ memberId: first.memberId, assignment: Buffer.from('part') }]
    const sync = { groupId, generationId: 1, protocolType: 'consumer', protocolName: 'range', ...instance }
    await client.ask(syncGroup, { ...sync, memberId: first.memberId, assignments })
    const back = await join(groupId, instance)
    expect(back).toMatchObject({ error: 'NONE', generationId: 1, leader: back.memberId, skipAssignment: true })
    expect(back.members).toHaveLength(1)
    const beat = { groupId, generationId: 1, memberId: first.memberId, ...instance }
    expect(await client.ask(heartbeat, beat)).toMatchObject({ error: 'FENCED_INSTANCE_ID' })
    const answer = await client.ask(syncGroup, { ...sync, memberId: back.memberId, assignments: [] })
    expect(answer).toMatchObject({ error: 'NONE', assignment: Buffer.from('part') })
    const older = await join(groupId, instance, 8)
    expect(older).toMatchObject({ error: 'NONE', generationId: 1, leader: back.memberId, members: [] })
    const members = [{ memberId: '', groupInstanceId: 'i', reason: 'a test' }]
    expect(await client.ask(leaveGroup, { groupId, memberId: '', members })).toMatchObject({ error: 'NONE' })
  })

  test('gives no more places than group.max.size', async () => {
    for (const groupInstanceId of ['a', 'b']) {
      const other = new RawClient(cluster.broker().port)
      await other.ask(joinGroup, {
        ...{ groupId: 'full', sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 1000, memberId: '', groupInstanceId },
        ...{ protocolType: 'consumer', protocols: [{ name: 'range', metadata: Buffer.from('m') }], reason: null },
      })
      other.close()
    }
    const refused = { error: 'GROUP_MAX_SIZE_REACHED', memberId: '' }
    expect(await join('full')).toMatchObject(refused)
    expect(await join('full', { groupInstanceId: 'c' })).toMatchObject(refused)
    expect(await join('full', { groupInstanceId: 'a' })).toMatchObject(refused)
  })
})
