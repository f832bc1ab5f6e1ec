import { describe, expect, it } from 'vitest'
import { flawOf } from '#broker/coordinator/groups/streams/request-rules.ts'
import type { StreamsGroupHeartbeatRequest } from '#broker/protocol/messages/88-streams-group-heartbeat.ts'
import { counting, info, subtopology } from './streams-harness.ts'

const beat: StreamsGroupHeartbeatRequest = {
  groupId: 'g',
  memberId: 'm',
  memberEpoch: 3,
  endpointInformationEpoch: 0,
  instanceId: null,
  rackId: null,
  rebalanceTimeoutMs: -1,
  topology: null,
  activeTasks: null,
  standbyTasks: null,
  warmupTasks: null,
  processId: null,
  userEndpoint: null,
  clientTags: null,
  taskOffsets: null,
  taskEndOffsets: null,
  shutdownApplication: false,
}
const none = { activeTasks: [], standbyTasks: [], warmupTasks: [] }
const join: StreamsGroupHeartbeatRequest = {
  ...beat,
  memberEpoch: 0,
  rebalanceTimeoutMs: 1000,
  topology: { ...counting, subtopologies: [...counting.subtopologies] },
  ...none,
}
const topologyOf = (over: Parameters<typeof subtopology>[0]) => ({ epoch: 0, subtopologies: [subtopology(over)] })
const task = [{ subtopologyId: '0', partitions: [0] }]
const offset = [{ subtopologyId: '0', partition: 0, offset: 1 }]

describe('a heartbeat in itself', () => {
  it('may join, say nothing new, say all it has, and leave', () => {
    const full = { ...beat, ...none, activeTasks: task, rebalanceTimeoutMs: 1000, rackId: 'r', processId: 'p' }
    for (const request of [join, beat, full, { ...beat, memberEpoch: -1 }]) expect(flawOf(request)).toBeUndefined()
  })

  it.each<[string, StreamsGroupHeartbeatRequest]>([
    ['a static member', { ...beat, instanceId: 'i' }],
    ['a static member that leaves for a while', { ...beat, memberEpoch: -2 }],
    ['offsets of tasks', { ...beat, taskOffsets: offset }],
    ['end offsets of tasks', { ...beat, taskEndOffsets: [] }],
    ['warm-up tasks', { ...beat, ...none, warmupTasks: task }],
    ['a regular expression', { ...join, topology: topologyOf({ subtopologyId: '0', sourceTopicRegex: ['a.*'] }) }],
    ['no member id', { ...beat, memberId: ' ' }],
    ['no group id', { ...beat, groupId: '' }],
    ['a blank rack', { ...beat, rackId: '' }],
    ['an epoch that is none', { ...beat, memberEpoch: -3 }],
    ['one kind of tasks without the others', { ...beat, standbyTasks: [] }],
    ['a join without timeout', { ...join, rebalanceTimeoutMs: -1 }],
    ['a join with tasks', { ...join, activeTasks: task }],
    ['a join without lists of tasks', { ...join, activeTasks: null, standbyTasks: null, warmupTasks: null }],
    ['a join without topology', { ...join, topology: null }],
    ['a topology of no epoch', { ...join, topology: { epoch: -1, subtopologies: [] } }],
    ['a topology from a member that is in', { ...beat, topology: { epoch: 0, subtopologies: [] } }],
  ])('is refused with %s', (_, request) => {
    expect(flawOf(request)?.error).toBe('INVALID_REQUEST')
  })

  it('is refused with a changelog that asks for a number of partitions', () => {
    const topology = topologyOf({ subtopologyId: '0', sourceTopics: ['a'], stateChangelogTopics: [info('sized', 2)] })
    expect(flawOf({ ...join, topology })).toMatchObject({
      error: 'STREAMS_INVALID_TOPOLOGY',
      message: expect.stringContaining('sized') as string,
    })
  })
})
