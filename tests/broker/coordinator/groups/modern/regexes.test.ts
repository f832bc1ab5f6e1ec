import { RE2JS } from 're2js'
import { afterEach, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest'
import type { HeartbeatAnswer } from '#broker/coordinator/groups/modern/consumer-heartbeat.ts'
import { testsPerSecond, TopicPatterns } from '#broker/coordinator/groups/modern/topic-patterns.ts'
import { Consumer, ConsumerHarness, settle, text } from './consumer-harness.ts'

const topics = (count: number, first = 0): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`a${index + first}`, 1]))
const byPattern = (subscribedTopicRegex: string) => ({ subscribedTopicNames: null, subscribedTopicRegex })

let matches: MockInstance<RE2JS['matches']>
beforeEach(() => {
  matches = vi.spyOn(RE2JS.prototype, 'matches')
})
afterEach(() => {
  matches.mockRestore()
})

describe('a pattern', () => {
  it('is held against each topic once, whatever the number of members and heartbeats', () => {
    const group = new ConsumerHarness(topics(300))
    group.consumerSettings = { ...group.consumerSettings, maxSize: 50 }
    const members = Array.from({ length: 30 }, (_, index) => new Consumer(group, `m${index}`, byPattern('a[0-9]+')))
    settle(members, 3)
    expect(matches).toHaveBeenCalledTimes(300)
    expect(members.reduce((sum, { owned }) => sum + owned.size, 0)).toBe(300)
  })

  it('is held against topics that come, and no others, at most every 10 s', () => {
    const group = new ConsumerHarness(topics(100))
    const one = new Consumer(group, 'one', byPattern('a.*'))
    const two = new Consumer(group, 'two', byPattern('a1.*'))
    settle([one, two])
    matches.mockClear()
    for (let count = 101; count <= 110; count++) {
      group.setTopics(topics(count))
      group.pass(1000)
      settle([one, two], 2)
    }
    expect(matches).toHaveBeenCalledTimes(0)
    group.pass(1)
    settle([one, two])
    expect(matches).toHaveBeenCalledTimes(20)
    expect([...one.owned, ...two.owned].sort()).toEqual(Array.from({ length: 110 }, (_, index) => `a${index}0`).sort())
  })

  it('no longer stands for a topic that is deleted, and does again for one of that name', () => {
    const group = new ConsumerHarness(topics(3))
    const one = new Consumer(group, 'one', byPattern('a.*'))
    one.beat()
    group.setTopics(topics(2))
    group.pass(11_000)
    settle([one])
    expect(one.has).toBe('a00 a10')
    group.setTopics(topics(3))
    group.pass(11_000)
    settle([one])
    expect(one.has).toBe('a00 a10 a20')
  })

  it('is looked up anew every group.consumer.regex.refresh.interval.ms, for rights may have changed', () => {
    const group = new ConsumerHarness(topics(2))
    group.consumerSettings = { ...group.consumerSettings, sessionTimeoutMs: 3_600_000 }
    const one = new Consumer(group, 'one', byPattern('a.*'))
    one.beat()
    const beat = (): string => {
      const answers: HeartbeatAnswer[] = []
      const request = {
        ...{ groupId: 'g', memberId: 'one', memberEpoch: group.group?.members.get('one')?.memberEpoch ?? -1 },
        ...{ instanceId: null, rackId: null, rebalanceTimeoutMs: 30_000, clientId: 'client', clientHost: '/127.0.0.1' },
        ...{ subscribedTopicNames: null, subscribedTopicRegex: 'a.*', serverAssignor: null, owned: new Map() },
      }
      const ticket = { resolve: (answer: HeartbeatAnswer) => void answers.push(answer) }
      group.step(shard => shard.consumerHeartbeat(request, topic => topic === 'a1', ticket, group.nowMs))
      return text(answers[0]?.assignment)
    }
    group.pass(600_000)
    expect(beat()).toBe('a00 a10')
    group.pass(1)
    expect(beat()).toBe('a10')
    expect(matches).toHaveBeenCalledTimes(2)
  })
})

describe('patterns of a broker', () => {
  it('are held against so many topics a second, and a member with too many waits', () => {
    const patterns = new TopicPatterns()
    const many = new Map(Object.entries(topics(testsPerSecond - 10)))
    expect(patterns.matching('a1', many, 0)?.size).toBe(1)
    expect(patterns.matching('a2', many, 500)?.size).toBe(1)
    expect(patterns.matching('a3', many, 999)).toBeUndefined()
    expect(patterns.matching('a1', many, 999)?.size).toBe(1)
    expect(patterns.matching('a3', many, 1000)?.size).toBe(1)
    expect(matches).toHaveBeenCalledTimes(3 * many.size)
  })

  it('are forgotten when others came since', () => {
    const patterns = new TopicPatterns()
    const few = new Map(Object.entries(topics(1)))
    for (let index = 0; index < 1000; index++) patterns.matching(`x${index}`, few, index * 1000)
    expect(matches).toHaveBeenCalledTimes(1000)
    patterns.matching('x999', few, 1_000_000)
    expect(matches).toHaveBeenCalledTimes(1000)
    patterns.matching('x0', few, 1_000_000)
    expect(matches).toHaveBeenCalledTimes(1001)
  })
})
