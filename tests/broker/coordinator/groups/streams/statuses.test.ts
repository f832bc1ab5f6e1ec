/** What members are told besides tasks, and what they learn of each other. */
import { describe, expect, it } from 'vitest'
import { counting, StreamsHarness, StreamsThread, names, subtopology, topicsOfCounting } from './streams-harness.ts'
import { streamsProgressRecord } from '#broker/coordinator/groups/streams/streams-records.ts'
import type { StreamsAnswer } from '#broker/coordinator/groups/streams/streams-heartbeat.ts'

const statuses = (answer: StreamsAnswer | undefined): string[] => answer?.statuses.map(({ status }) => status) ?? []

const settled = (threads: readonly StreamsThread[], rounds = 4): void => {
  for (let round = 0; round < rounds; round++) for (const thread of threads) thread.beat()
}

describe('a member is told', () => {
  it('MISSING_SOURCE_TOPICS, also when one that was there is deleted, and loses its tasks', () => {
    const group = new StreamsHarness({})
    const thread = new StreamsThread(group, 'm')
    expect(statuses(thread.beat())).toEqual(['MISSING_SOURCE_TOPICS'])
    group.setTopics(topicsOfCounting(2))
    expect(names(thread.beat().tasks)).toBe('0_0 0_1 1_0 1_1')
    group.setTopics({ again: 2, 'store-changelog': 2 })
    const told = thread.beat()
    expect([statuses(told), names(told.tasks), group.streams?.state]).toEqual([
      ['MISSING_SOURCE_TOPICS'],
      '',
      'NotReady',
    ])
  })

  it('INCORRECTLY_PARTITIONED_TOPICS when an internal topic has other partitions, until that is mended', () => {
    const group = new StreamsHarness({ in: 3, again: 2 })
    const thread = new StreamsThread(group, 'm')
    expect(statuses(thread.beat())).toEqual(['INCORRECTLY_PARTITIONED_TOPICS'])
    group.setTopics(topicsOfCounting(3))
    expect([statuses(thread.beat()), names(thread.tasks)]).toEqual([[], '0_0 0_1 0_2 1_0 1_1 1_2'])
  })

  it('MISSING_INTERNAL_TOPICS, with what has to be created', () => {
    const group = new StreamsHarness({ in: 3, again: 3 })
    const answer = new StreamsThread(group, 'm').beat()
    expect(statuses(answer)).toEqual(['MISSING_INTERNAL_TOPICS'])
    expect(answer.statuses[0]?.detail).toContain('store-changelog')
    expect(answer.missing.map(({ name }) => name)).toEqual(['store-changelog'])
  })

  it('STALE_TOPOLOGY when it has an older one, and has tasks all the same', () => {
    const group = new StreamsHarness(topicsOfCounting(2))
    const newer = new StreamsThread(group, 'newer')
    newer.beat({ topology: { ...counting, epoch: 2 } })
    const older = new StreamsThread(group, 'older')
    const other = { epoch: 1, subtopologies: [subtopology({ subtopologyId: 'x', sourceTopics: ['in'] })] }
    expect(statuses(older.beat({ topology: other }))).toEqual(['STALE_TOPOLOGY'])
    settled([newer, older])
    expect([statuses(newer.last), statuses(older.last)]).toEqual([[], ['STALE_TOPOLOGY']])
    expect(names(older.tasks).split(' ').length).toBe(2)
  })

  it('ASSIGNMENT_DELAYED while the interval between two assignments lasts', () => {
    const group = new StreamsHarness(topicsOfCounting(2))
    group.streamsSettings = { ...group.streamsSettings, assignmentIntervalMs: 5000 }
    const [one, two] = ['one', 'two'].map(name => new StreamsThread(group, name))
    if (one === undefined || two === undefined) throw new Error('two threads')
    expect(statuses(one.beat())).toEqual([])
    expect(statuses(two.beat())).toEqual(['ASSIGNMENT_DELAYED'])
    expect(group.streams?.state).toBe('Assigning')
    group.pass(5000)
    settled([one, two])
    expect([statuses(two.last), names(two.tasks).split(' ').length]).toEqual([[], 2])
  })

  it('SHUTDOWN_APPLICATION, whoever asked for it, also while leaving, until nobody is left', () => {
    const group = new StreamsHarness(topicsOfCounting(2))
    const [one, two] = ['one', 'two'].map(name => new StreamsThread(group, name))
    if (one === undefined || two === undefined) throw new Error('two threads')
    settled([one, two])
    group.beatStreams({ memberId: 'one', memberEpoch: -1, shutdownApplication: true })
    expect(statuses(two.beat())).toEqual(['SHUTDOWN_APPLICATION'])
    expect(two.last?.statuses[0]?.detail).toContain('one')
    two.leave()
    expect(statuses(two.beat())).toEqual([])
  })
})

describe('interactive queries', () => {
  const here = { host: 'here', port: 1 }
  const there = { host: 'there', port: 2 }

  it('find each endpoint once, with the active and standby partitions of all its threads', () => {
    const group = new StreamsHarness(topicsOfCounting(2))
    group.streamsSettings = { ...group.streamsSettings, standbyReplicas: 1 }
    const threads = [
      new StreamsThread(group, 'a1', 'a'),
      new StreamsThread(group, 'a2', 'a'),
      new StreamsThread(group, 'b1', 'b'),
    ]
    const endpoints = [here, here, there]
    threads.forEach((thread, index) => thread.beat({ userEndpoint: endpoints[index] ?? null }))
    settled(threads)
    const answer = threads[0]?.beat({ endpointEpoch: -1 })
    const found = answer?.endpoints?.map(({ userEndpoint, activePartitions, standbyPartitions }) => ({
      host: userEndpoint.host,
      active: activePartitions.flatMap(({ topic, partitions }) => partitions.map(each => `${topic}-${each}`)),
      standby: standbyPartitions.flatMap(({ topic, partitions }) => partitions.map(each => `${topic}-${each}`)),
    }))
    expect(found?.map(({ host }) => host)).toEqual(['here', 'there'])
    expect(found?.flatMap(({ active }) => active).sort()).toEqual(['again-0', 'again-1', 'in-0', 'in-1'])
    expect(found?.flatMap(({ standby }) => standby).sort()).toEqual(['again-0', 'again-1'])
    for (const { active, standby } of found ?? []) expect(standby.filter(each => active.includes(each))).toEqual([])
  })

  it('are told again only when tasks of a member with an endpoint moved', () => {
    const group = new StreamsHarness(topicsOfCounting(2))
    const one = new StreamsThread(group, 'one')
    const { endpointEpoch } = one.beat({ userEndpoint: here })
    expect(one.beat({ endpointEpoch }).endpoints).toBeNull()
    const two = new StreamsThread(group, 'two')
    two.beat({ userEndpoint: there, endpointEpoch })
    settled([one, two])
    const later = one.beat({ endpointEpoch })
    expect(later.endpointEpoch).toBeGreaterThan(endpointEpoch)
    expect(later.endpoints?.length).toBe(2)
    expect(one.beat({ endpointEpoch: later.endpointEpoch }).endpoints).toBeNull()
  })
})

describe('a member that revokes', () => {
  it('is one epoch on when a newer target takes still more from it', () => {
    const group = new StreamsHarness(topicsOfCounting(3))
    const [one, two, three] = ['one', 'two', 'three'].map(name => new StreamsThread(group, name))
    if (one === undefined || two === undefined || three === undefined) throw new Error('three threads')
    one.beat()
    two.beat()
    one.beat()
    expect([one.epoch, names(one.tasks).split(' ').length, two.epoch]).toEqual([2, 3, 3])
    two.beat({ rackId: 'r' })
    three.beat()
    one.beat()
    expect([one.epoch, names(one.tasks).split(' ').length, three.epoch]).toEqual([3, 2, 5])
    one.beat()
    expect(one.epoch).toBe(5)
  })

  it('is told again what to give up when the answer got lost, and fenced when it does not within its timeout', () => {
    const group = new StreamsHarness(topicsOfCounting(2))
    const [one, two] = ['one', 'two'].map(name => new StreamsThread(group, name))
    if (one === undefined || two === undefined) throw new Error('two threads')
    one.beat()
    two.beat()
    one.beat({}, true)
    expect(names(one.beat().tasks).split(' ').length).toBe(2)
    // It goes on sending heartbeats without an answer to that.
    for (let second = 0; second < 31; second++) {
      group.pass(1000)
      if (group.streams?.members.has('one')) group.beatStreams({ memberId: 'one', memberEpoch: one.epoch })
    }
    expect(group.streams?.members.has('one')).toBe(false)
    two.beat()
    expect(names(two.tasks)).toBe('0_0 0_1 1_0 1_1')
  })
})

describe('a member in a state that a newer coordinator left behind', () => {
  it('must have nothing, and begins from there', () => {
    const group = new StreamsHarness(topicsOfCounting(2))
    const one = new StreamsThread(group, 'one')
    one.beat()
    const member = group.streams?.members.get('one')
    if (member === undefined) throw new Error('a member was expected')
    const { key, value } = streamsProgressRecord('g', { ...member, state: 'unknown' })
    const origin = { offset: group.log.length, producerId: -1n, producerEpoch: -1, isTransactional: false }
    group.step(shard => shard.replay(key, value, origin))
    const epochs = group.streams?.groupEpoch
    const { memberEpoch } = member
    expect(group.beatStreams({ memberId: 'one', memberEpoch, owned: one.tasks }).error).toBe('FENCED_MEMBER_EPOCH')
    expect(group.beatStreams({ memberId: 'one', memberEpoch }).error).toBe('FENCED_MEMBER_EPOCH')
    expect(group.streams?.groupEpoch).toBe(epochs)
    const answer = group.beatStreams({ memberId: 'one', memberEpoch, owned: new Map() })
    expect([answer.error, names(answer.tasks)]).toEqual(['NONE', '0_0 0_1 1_0 1_1'])
  })
})

describe('a full group', () => {
  it('takes nobody in, not even a member that comes back before its session is over', () => {
    const group = new StreamsHarness(topicsOfCounting(2))
    group.streamsSettings = { ...group.streamsSettings, maxSize: 1 }
    const one = new StreamsThread(group, 'one')
    expect(one.beat().error).toBe('NONE')
    expect(new StreamsThread(group, 'two').beat().error).toBe('GROUP_MAX_SIZE_REACHED')
    expect(one.beat().error).toBe('NONE')
    one.lose()
    expect(one.beat().error).toBe('GROUP_MAX_SIZE_REACHED')
    group.pass(45_000)
    expect(one.beat().error).toBe('NONE')
  })
})
