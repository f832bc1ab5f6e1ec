import { describe, expect, it } from 'vitest'
import { MetadataImage } from '#broker/controller/image.ts'
import type { Ticket } from '#broker/coordinator/runtime/effects.ts'
import type { ShareGroups } from '#broker/coordinator/groups/share/share-groups.ts'
import type { ShareHeartbeat, ShareHeartbeatAnswer } from '#broker/coordinator/groups/share/share-heartbeat.ts'
import type { ErrorName } from '#broker/protocol/errors.ts'
import { ShardHarness } from '../harness.ts'

const topicId = 'bFq4VwYSQUyl4Vr8n1uVsA'
const partition = {
  replicas: [1],
  isr: [1],
  leader: 1,
  leaderEpoch: 0,
  partitionEpoch: 0,
  leaderRecoveryState: 0,
}

function imageWith(partitions: number): MetadataImage {
  const all = new Map(Array.from({ length: partitions }, (_, index) => [index, partition]))
  const topic = { id: topicId, name: 't', partitions: all }
  return Object.assign(MetadataImage.empty(''), {
    topicsByName: new Map([['t', topic]]),
    topicsById: new Map([[topicId, topic]]),
  })
}

class World extends ShardHarness {
  constructor() {
    super()
    this.image = imageWith(2)
  }

  get groups(): ShareGroups {
    return this.shard.shares
  }

  ask<Answer>(run: (ticket: Ticket<Answer>) => void): Answer {
    let answer: { value: Answer } | undefined
    this.step(() => run({ resolve: value => void (answer = { value }) }))
    if (answer === undefined) throw new Error('no answer')
    return answer.value
  }

  beat(memberId: string, memberEpoch: number, over: Partial<ShareHeartbeat> = {}): ShareHeartbeatAnswer {
    const request = {
      groupId: 'g',
      memberId,
      memberEpoch,
      rackId: null,
      subscribedTopicNames: memberEpoch === 0 ? ['t'] : null,
      clientId: 'c',
      clientHost: '/127.0.0.1',
      ...over,
    }
    return this.ask(ticket => this.groups.heartbeat(request, ticket, this.nowMs))
  }

  initialized(partitions: readonly number[]): void {
    const made = new Map([[topicId, new Set(partitions)]])
    this.ask<ErrorName>(ticket => this.groups.initialized('g', made, new Map(), ticket, this.nowMs))
  }
}

const partitionsOf = ({ assignment }: ShareHeartbeatAnswer): number[] | undefined =>
  assignment === undefined ? undefined : [...(assignment.get(topicId) ?? [])].sort((one, two) => one - two)

describe('a share group', () => {
  it('gives partitions to members only when they have a state at the share coordinator', () => {
    const world = new World()
    const joined = world.beat('a', 0)
    expect(partitionsOf(joined)).toEqual([])
    expect(joined.initialize?.partitions).toEqual(new Map([[topicId, new Set([0, 1])]]))
    expect(world.beat('a', joined.memberEpoch).initialize).toBeUndefined()
    world.initialized([0, 1])
    const next = world.beat('a', joined.memberEpoch)
    expect(partitionsOf(next)).toEqual([0, 1])
    expect(next.memberEpoch).toBe(joined.memberEpoch + 1)
  })

  it('begins an initialization anew when it takes too long, and one of partitions that are added', () => {
    const world = new World()
    const { memberEpoch } = world.beat('a', 0)
    world.nowMs += 30_000
    expect(world.beat('a', memberEpoch).initialize?.partitions.get(topicId)).toEqual(new Set([0, 1]))
    world.initialized([0, 1])
    world.image = imageWith(3)
    world.step(shard => shard.topicsChanged(['t']))
    expect(world.beat('a', memberEpoch).initialize?.partitions.get(topicId)).toEqual(new Set([2]))
  })

  it('shares partitions among members and takes them over from one that left', () => {
    const world = new World()
    const { memberEpoch } = world.beat('a', 0)
    world.initialized([0, 1])
    const both = world.beat('b', 0)
    const first = world.beat('a', memberEpoch)
    expect([...(partitionsOf(first) ?? []), ...(partitionsOf(both) ?? [])].sort((one, two) => one - two)).toEqual([
      0, 1,
    ])
    expect(world.beat('b', -1)).toMatchObject({ error: 'NONE', memberEpoch: -1 })
    expect(partitionsOf(world.beat('a', first.memberEpoch))).toEqual([0, 1])
  })

  it('lets a member repeat the epoch before, and fences any other', () => {
    const world = new World()
    const joined = world.beat('a', 0)
    world.initialized([0, 1])
    const { memberEpoch } = world.beat('a', joined.memberEpoch)
    expect(world.beat('a', joined.memberEpoch).error).toBe('NONE')
    expect(world.beat('a', memberEpoch + 5).error).toBe('FENCED_MEMBER_EPOCH')
    expect(world.beat('stranger', 3).error).toBe('UNKNOWN_MEMBER_ID')
  })

  it('refuses more members than it may have, and a name that another kind of group has', () => {
    const world = new World()
    for (const member of ['a', 'b', 'c']) expect(world.beat(member, 0).error).toBe('NONE')
    expect(world.beat('d', 0).error).toBe('GROUP_MAX_SIZE_REACHED')
    world.commit({ groupId: 'classic' })
    expect(world.beat('a', 0, { groupId: 'classic' }).error).toBe('GROUP_ID_NOT_FOUND')
  })

  it('keeps its name to itself, also while it is empty', () => {
    const world = new World()
    const { memberEpoch } = world.beat('a', 0)
    expect(memberEpoch).toBe(2)
    const check = (): void => {
      expect(world.join().answer).toMatchObject({ error: 'INCONSISTENT_GROUP_PROTOCOL', memberId: '' })
      expect(world.join({ memberId: 'x' }).answer?.error).toBe('INCONSISTENT_GROUP_PROTOCOL')
      expect(world.sync({ memberId: 'x', generationId: 1 }).answer?.error).toBe('UNKNOWN_MEMBER_ID')
      expect(world.heartbeat('x', 1)).toBe('UNKNOWN_MEMBER_ID')
      expect(world.leave('x')).toBe('UNKNOWN_MEMBER_ID')
      expect(world.commit().answer).toEqual(['GROUP_ID_NOT_FOUND'])
      expect(world.commitTransactional().answer).toEqual(['GROUP_ID_NOT_FOUND'])
      const deleted = world.ask<unknown>(ticket =>
        world.shard.deleteOffsets('g', [{ topic: 't', partition: 0 }], ticket),
      )
      expect(deleted).toBe('GROUP_ID_NOT_FOUND')
      expect(world.shard.list()).toEqual([
        { groupId: 'g', type: 'Share', protocolType: 'share', state: expect.any(String) },
      ])
    }
    check()
    world.beat('a', -1)
    check()
    world.reload()
    check()
  })

  it('puts a silent member out', () => {
    const world = new World()
    const { memberEpoch } = world.beat('a', 0)
    world.pass(44_999)
    expect(world.groups.view('g')?.state).toBe('Stable')
    world.pass(1)
    expect(world.groups.view('g')?.state).toBe('Empty')
    expect(world.beat('a', memberEpoch).error).toBe('UNKNOWN_MEMBER_ID')
  })

  it('is the same after a failover', () => {
    const world = new World()
    world.beat('a', 0)
    world.initialized([0, 1])
    world.beat('b', 0)
    world.beat('a', 2)
    const before = world.groups.view('g')
    world.reload()
    expect(world.groups.view('g')).toEqual(before)
    expect(world.groups.initializedPartitions('g')).toHaveLength(2)
  })

  it('gets a new state epoch when its offsets are set, and only without members', () => {
    const world = new World()
    const { memberEpoch } = world.beat('a', 0)
    world.initialized([0, 1])
    const altered = new Map([[topicId, new Set([0])]])
    const alter = () => world.ask(ticket => world.groups.beginAlter('g', altered, ticket as never, world.nowMs))
    expect(alter()).toBe('NON_EMPTY_GROUP')
    world.beat('a', -1)
    expect(alter()).toMatchObject({ partitions: altered })
    expect((alter() as { stateEpoch: number }).stateEpoch).toBeGreaterThan(memberEpoch)
  })

  it('is deleted when it has no members, and then leaves no record alive', () => {
    const world = new World()
    world.beat('a', 0)
    expect(world.groups.beginDelete('g')).toBe('NON_EMPTY_GROUP')
    world.beat('a', -1)
    expect(world.ask<ErrorName>(ticket => world.groups.delete('g', ticket))).toBe('NONE')
    world.reload()
    expect(world.groups.get('g')).toBeUndefined()
    const records = world.log.filter(entry => 'key' in entry)
    const alive = new Map(records.map(({ key, value }) => [key.toString('hex'), value]))
    expect([...alive.values()].every(value => value === null)).toBe(true)
  })
})
