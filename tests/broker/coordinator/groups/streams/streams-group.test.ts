import { describe, expect, it } from 'vitest'
import type { StreamsAnswer } from '#broker/coordinator/groups/streams/streams-heartbeat.ts'
import { counting, info, names, StreamsHarness, subtopology, topicsOfCounting } from './streams-harness.ts'

const ready = topicsOfCounting(3)
const text = (answer: StreamsAnswer): string => names(answer.tasks ?? undefined)
const statuses = (answer: StreamsAnswer): string[] => answer.statuses.map(({ status }) => status)

describe('a streams group', () => {
  it('says which topics are missing, has the internal ones created, and assigns when they are there', () => {
    const group = new StreamsHarness({})
    expect(statuses(group.beatStreams({ memberId: 'm' }))).toEqual(['MISSING_SOURCE_TOPICS'])
    group.setTopics({ in: 3 })
    const waiting = group.beatStreams({
      memberId: 'm',
      memberEpoch: group.streams?.members.get('m')?.memberEpoch ?? -9,
    })
    expect(statuses(waiting)).toEqual(['MISSING_INTERNAL_TOPICS'])
    expect(waiting.missing.map(({ name, numPartitions }) => `${name} ${numPartitions}`)).toEqual([
      'again 3',
      'store-changelog 3',
    ])
    expect(group.streams?.state).toBe('NotReady')
    group.setTopics(ready)
    const there = group.beatStreams({ memberId: 'm', memberEpoch: waiting.memberEpoch })
    expect(text(there)).toBe('0_0 0_1 0_2 1_0 1_1 1_2')
    expect([statuses(there), group.streams?.state]).toEqual([[], 'Stable'])
  })

  it('gives a second process half of the tasks once the first has let go, also after a failover', () => {
    const group = new StreamsHarness(ready)
    const one = group.beatStreams({ memberId: 'one' })
    expect(text(one)).toBe('0_0 0_1 0_2 1_0 1_1 1_2')
    const two = group.beatStreams({ memberId: 'two' })
    expect(text(two)).toBe('')
    const told = group.beatStreams({ memberId: 'one', memberEpoch: one.memberEpoch })
    expect(text(told).split(' ').length).toBe(3)
    group.reload()
    const free = group.beatStreams({ memberId: 'one', memberEpoch: told.memberEpoch, owned: told.tasks ?? null })
    const got = group.beatStreams({ memberId: 'two', memberEpoch: two.memberEpoch })
    expect(free.memberEpoch).toBe(got.memberEpoch)
    expect([...text(told).split(' '), ...text(got).split(' ')].sort().join(' ')).toBe('0_0 0_1 0_2 1_0 1_1 1_2')
    expect(group.streams?.state).toBe('Stable')
  })

  it('waits for more members before its first assignment', () => {
    const group = new StreamsHarness(ready)
    group.streamsSettings = { ...group.streamsSettings, initialRebalanceDelayMs: 3000 }
    const first = group.beatStreams({ memberId: 'm' })
    expect([statuses(first), text(first)]).toEqual([['ASSIGNMENT_DELAYED'], ''])
    expect(first.memberEpoch).toBeGreaterThan(0)
    group.pass(3000)
    expect(text(group.beatStreams({ memberId: 'm', memberEpoch: first.memberEpoch }))).toBe('0_0 0_1 0_2 1_0 1_1 1_2')
  })

  it('refuses another topology, unknown tasks and members, and tells everyone to end when one asks for it', () => {
    const group = new StreamsHarness(ready)
    const { memberEpoch } = group.beatStreams({ memberId: 'm' })
    const other = { epoch: 0, subtopologies: counting.subtopologies.slice(0, 1) }
    expect(group.beatStreams({ memberId: 'n', topology: other }).error).toBe('INVALID_REQUEST')
    const owned = new Map([['active/7', new Set([0])]])
    expect(group.beatStreams({ memberId: 'm', memberEpoch, owned }).error).toBe('INVALID_REQUEST')
    expect(group.beatStreams({ memberId: 'x', memberEpoch: 1 }).error).toBe('UNKNOWN_MEMBER_ID')
    expect(group.beatStreams({ memberId: 'm', memberEpoch: 99 }).error).toBe('FENCED_MEMBER_EPOCH')
    const loop = {
      epoch: 0,
      subtopologies: [subtopology({ subtopologyId: '0', repartitionSourceTopics: [info('r')] })],
    }
    const fresh = new StreamsHarness(ready)
    expect(fresh.beatStreams({ memberId: 'm', topology: loop }).error).toBe('STREAMS_INVALID_TOPOLOGY')
    expect(fresh.streams).toBeUndefined()
    const ending = group.beatStreams({ memberId: 'm', memberEpoch, shutdownApplication: true })
    expect(statuses(ending)).toEqual(['SHUTDOWN_APPLICATION'])
  })

  it('drops silent members, and is deleted with its topology when it is empty', () => {
    const group = new StreamsHarness(ready)
    group.beatStreams({ memberId: 'm' })
    group.pass(45_000)
    expect(group.streams?.state).toBe('Empty')
    const answers: string[] = []
    group.step(shard => shard.deleteGroup('g', { resolve: answer => void answers.push(answer) }))
    expect([answers, group.streams]).toEqual([['NONE'], undefined])
    group.reload()
    expect(group.streams).toBeUndefined()
  })
})
