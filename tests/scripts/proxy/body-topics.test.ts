import { describe, expect, test } from 'vitest'
import { messagesOf } from '#broker/protocol/messages/index.ts'
import { findTopic, mentionsTopic, type TopicTarget } from '#scripts/proxy/body-topics.ts'

const id = 'AAAAAAAAAAAAAAAAAAAAAQ'
const request = (key: number) => messagesOf(key)!.request
const response = (key: number) => messagesOf(key)!.response

const fetch = {
  topics: [
    { topic: '', topicId: id, partitions: [{ partition: 0 }, { partition: 3 }] },
    { topic: 'other', topicId: 'AAAAAAAAAAAAAAAAAAAAAg', partitions: [{ partition: 1 }] },
  ],
}

describe('what a body is about', () => {
  test.each<[string, TopicTarget, boolean]>([
    ['a topic by its id', { name: 'mine', id }, true],
    ['a topic by its name', { name: 'other' }, true],
    ['a partition', { name: 'mine', id, partition: 3 }, true],
    ['another partition', { name: 'mine', id, partition: 1 }, false],
    ['another topic', { name: 'mine' }, false],
  ])('of a fetch: %s', (_, target, expected) => {
    expect(mentionsTopic(request(1), fetch, target)).toBe(expected)
  })

  test.each<[string, number, object, TopicTarget]>([
    [
      'AlterPartition',
      56,
      { topics: [{ topicId: id, partitions: [{ partitionIndex: 2 }] }] },
      { name: 'a', id, partition: 2 },
    ],
    [
      'OffsetFetch v8',
      9,
      { groups: [{ groupId: 'g', topics: [{ name: 'a', partitionIndexes: [1, 2] }] }] },
      { name: 'a', partition: 2 },
    ],
    [
      'AddPartitionsToTxn v4',
      24,
      { transactions: [{ topics: [{ name: 'a', partitions: [0] }] }] },
      { name: 'a', partition: 0 },
    ],
    [
      'WriteTxnMarkers',
      27,
      { markers: [{ topics: [{ name: 'a', partitionIndexes: [7] }] }] },
      { name: 'a', partition: 7 },
    ],
    ['DeleteTopics v5', 20, { topicNames: ['b', 'a'] }, { name: 'a' }],
    ['CreateTopics', 19, { topics: [{ name: 'a', assignments: [], configs: [] }] }, { name: 'a' }],
    ['Metadata', 3, { topics: [{ name: 'a', topicId: id }] }, { name: 'a' }],
    ['ConsumerGroupHeartbeat', 68, { subscribedTopicNames: ['a'] }, { name: 'a' }],
  ])('is found in %s', (_, key, body, target) => {
    expect(mentionsTopic(request(key), body as Record<string, unknown>, target)).toBe(true)
    expect(mentionsTopic(request(key), body as Record<string, unknown>, { name: 'nobody' })).toBe(false)
  })

  test('is not a group or a setting of the same name', () => {
    const body = { groups: [{ groupId: 'a', topics: [] }] }
    expect(mentionsTopic(request(9), body, { name: 'a' })).toBe(false)
    const configs = { topics: [{ name: 'b', assignments: [], configs: [{ name: 'a', value: '1' }] }] }
    expect(mentionsTopic(request(19), configs, { name: 'a' })).toBe(false)
  })

  test('is told by the struct: of the topic, or of the partition that is asked for', () => {
    const partition = { partitionIndex: 1, errorCode: 0 }
    const topic = { topic: 'a', partitions: [partition] }
    const found: object[] = []
    findTopic(response(1), { responses: [topic] }, { name: 'a' }, struct => found.push(struct))
    findTopic(response(1), { responses: [topic] }, { name: 'a', partition: 1 }, struct => found.push(struct))
    expect(found).toEqual([topic, partition])
    expect(found[0]).toBe(topic)
    expect(found[1]).toBe(partition)
  })
})
