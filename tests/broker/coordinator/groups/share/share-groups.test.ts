import { describe, expect, it } from 'vitest'
import { MetadataImage } from '#broker/controller/image.ts'
import { Effects, type CoordinatorRecord, type Ticket } from '#broker/coordinator/runtime/effects.ts'
import { ShareGroups } from '#broker/coordinator/groups/share/share-groups.ts'
import type { ShareHeartbeat, ShareHeartbeatAnswer } from '#broker/coordinator/groups/share/share-heartbeat.ts'
import type { ErrorName } from '#broker/protocol/errors.ts'

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

class World {
  readonly log: CoordinatorRecord[] = []
  nowMs = 0
  image = imageWith(2)
  #effects = new Effects()
  groups = this.#make()

  #make(): ShareGroups {
    this.#effects = new Effects()
    return new ShareGroups(this.#effects, {
      image: () => this.image,
      settings: () => ({
        sessionTimeoutMs: 45_000,
        heartbeatIntervalMs: 5000,
        maxSize: 3,
        initializeRetryIntervalMs: 30_000,
      }),
      isTaken: groupId => groupId === 'classic',
    })
  }

  reload(): void {
    this.groups = this.#make()
    for (const { key, value } of this.log) this.groups.replay(key.readInt16BE(0), key, value)
    this.groups.loaded(this.nowMs)
  }

  ask<Answer>(run: (ticket: Ticket<Answer>) => void): Answer {
    let answer: { value: Answer } | undefined
    run({ resolve: value => void (answer = { value }) })
    this.perform()
    if (answer === undefined) throw new Error('no answer')
    return answer.value
  }

  perform(): void {
    for (let effects = this.#effects.take(); effects.length > 0; effects = this.#effects.take())
      for (const effect of effects) {
        if (effect.kind === 'reply') effect.send()
        else if (effect.kind === 'persist') {
          this.log.push(...effect.records)
          effect.then('NONE', this.nowMs)
        }
      }
  }

  heartbeat(memberId: string, memberEpoch: number, over: Partial<ShareHeartbeat> = {}): ShareHeartbeatAnswer {
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
    const joined = world.heartbeat('a', 0)
    expect(partitionsOf(joined)).toEqual([])
    expect(joined.initialize?.partitions).toEqual(new Map([[topicId, new Set([0, 1])]]))
    expect(world.heartbeat('a', joined.memberEpoch).initialize).toBeUndefined()
    world.initialized([0, 1])
    const next = world.heartbeat('a', joined.memberEpoch)
    expect(partitionsOf(next)).toEqual([0, 1])
    expect(next.memberEpoch).toBe(joined.memberEpoch + 1)
  })

  it('begins an initialization anew when it takes too long, and one of partitions that are added', () => {
    const world = new World()
    const { memberEpoch } = world.heartbeat('a', 0)
    world.nowMs += 30_000
    expect(world.heartbeat('a', memberEpoch).initialize?.partitions.get(topicId)).toEqual(new Set([0, 1]))
    world.initialized([0, 1])
    world.image = imageWith(3)
    world.groups.topicsChanged(['t'])
    expect(world.heartbeat('a', memberEpoch).initialize?.partitions.get(topicId)).toEqual(new Set([2]))
  })

  it('shares partitions among members and takes them over from one that left', () => {
    const world = new World()
    world.heartbeat('a', 0)
    world.initialized([0, 1])
    const both = world.heartbeat('b', 0)
    const first = world.heartbeat('a', 1)
    expect([...(partitionsOf(first) ?? []), ...(partitionsOf(both) ?? [])].sort((one, two) => one - two)).toEqual([
      0, 1,
    ])
    expect(world.heartbeat('b', -1)).toMatchObject({ error: 'NONE', memberEpoch: -1 })
    expect(partitionsOf(world.heartbeat('a', first.memberEpoch))).toEqual([0, 1])
  })

  it('lets a member repeat the epoch before, and fences any other', () => {
    const world = new World()
    world.heartbeat('a', 0)
    world.initialized([0, 1])
    const { memberEpoch } = world.heartbeat('a', 1)
    expect(world.heartbeat('a', 1).error).toBe('NONE')
    expect(world.heartbeat('a', memberEpoch + 5).error).toBe('FENCED_MEMBER_EPOCH')
    expect(world.heartbeat('stranger', 3).error).toBe('UNKNOWN_MEMBER_ID')
  })

  it('refuses more members than it may have, and a name that another kind of group has', () => {
    const world = new World()
    for (const member of ['a', 'b', 'c']) expect(world.heartbeat(member, 0).error).toBe('NONE')
    expect(world.heartbeat('d', 0).error).toBe('GROUP_MAX_SIZE_REACHED')
    expect(world.heartbeat('a', 0, { groupId: 'classic' }).error).toBe('GROUP_ID_NOT_FOUND')
  })

  it('puts a silent member out', () => {
    const world = new World()
    world.heartbeat('a', 0)
    world.nowMs = world.groups.deadlineMs()
    expect(world.nowMs).toBe(45_000)
    world.groups.tick(world.nowMs)
    world.perform()
    expect(world.groups.view('g')?.state).toBe('Empty')
    expect(world.heartbeat('a', 1).error).toBe('UNKNOWN_MEMBER_ID')
  })

  it('is the same after a failover', () => {
    const world = new World()
    world.heartbeat('a', 0)
    world.initialized([0, 1])
    world.heartbeat('b', 0)
    world.heartbeat('a', 1)
    const before = world.groups.view('g')
    world.reload()
    expect(world.groups.view('g')).toEqual(before)
    expect(world.groups.initializedPartitions('g')).toHaveLength(2)
  })

  it('gets a new state epoch when its offsets are set, and only without members', () => {
    const world = new World()
    const { memberEpoch } = world.heartbeat('a', 0)
    world.initialized([0, 1])
    const altered = new Map([[topicId, new Set([0])]])
    const alter = () => world.ask(ticket => world.groups.beginAlter('g', altered, ticket as never, world.nowMs))
    expect(alter()).toBe('NON_EMPTY_GROUP')
    world.heartbeat('a', -1)
    expect(alter()).toMatchObject({ partitions: altered })
    expect((alter() as { stateEpoch: number }).stateEpoch).toBeGreaterThan(memberEpoch)
  })

  it('is deleted when it has no members, and then leaves no record alive', () => {
    const world = new World()
    world.heartbeat('a', 0)
    expect(world.groups.beginDelete('g')).toBe('NON_EMPTY_GROUP')
    world.heartbeat('a', -1)
    expect(world.ask<ErrorName>(ticket => world.groups.delete('g', ticket))).toBe('NONE')
    world.reload()
    expect(world.groups.get('g')).toBeUndefined()
    const alive = new Map(world.log.map(({ key, value }) => [key.toString('hex'), value]))
    expect([...alive.values()].every(value => value === null)).toBe(true)
  })
})
