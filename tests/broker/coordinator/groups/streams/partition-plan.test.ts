import { describe, expect, it } from 'vitest'
import { planPartitions } from '#broker/coordinator/groups/streams/partition-plan.ts'
import type { Subtopology } from '#broker/coordinator/groups/streams/topology.ts'
import { info, subtopology } from './streams-harness.ts'

const plan = (topics: Readonly<Record<string, number>>, ...subtopologies: Partial<Subtopology>[]) =>
  planPartitions(
    {
      epoch: 0,
      subtopologies: subtopologies.map((over, index) => subtopology({ subtopologyId: `${index}`, ...over })),
    },
    name => topics[name],
  )

/** `topic 3` for each that is missing, and the tasks of each subtopology. */
function text(result: ReturnType<typeof plan>): string {
  switch (result.kind) {
    case 'plan': {
      const missing = result.missing.map(({ name, numPartitions }) => `${name} ${numPartitions}`)
      const tasks = [...result.subtopologies].map(
        ([id, { tasks: count, isStateful }]) => `${id}:${count}${isStateful ? '!' : ''}`,
      )
      return [...missing, ...tasks].join(', ')
    }
    case 'unfit':
      return `${result.status.status}: ${result.status.detail}`
    case 'senseless':
      return result.message
  }
}

const joined = (sources: number[], repartitions: number[]) => ({
  copartitionGroups: [{ sourceTopics: sources, sourceTopicRegex: [], repartitionSourceTopics: repartitions }],
})

describe('the number of partitions', () => {
  it('of a repartition topic is that of the largest input of those that write to it, whatever the order', () => {
    const writers: Partial<Subtopology>[] = [
      { repartitionSourceTopics: [info('last')], stateChangelogTopics: [info('store')] },
      { repartitionSourceTopics: [info('first')], repartitionSinkTopics: ['last'] },
      { sourceTopics: ['small'], repartitionSinkTopics: ['first'] },
      { sourceTopics: ['big'], repartitionSinkTopics: ['first'] },
    ]
    const there = { small: 2, big: 5 }
    expect(text(plan(there, ...writers))).toBe('last 5, store 5, first 5, 0:5!, 1:5, 2:2, 3:5')
    expect(text(plan(there, ...[...writers].reverse()))).toBe('first 5, last 5, store 5, 0:5, 1:2, 2:5, 3:5!')
  })

  it('of a repartition topic is what it asks for, and those behind it follow', () => {
    expect(
      text(
        plan(
          { in: 2 },
          { sourceTopics: ['in'], repartitionSinkTopics: ['sized'] },
          { repartitionSourceTopics: [info('sized', 7)], stateChangelogTopics: [info('store')] },
        ),
      ),
    ).toBe('sized 7, store 7, 0:2, 1:7!')
  })

  it('does not depend on itself when a subtopology that writes to what it reads reads something else too', () => {
    const reads = { repartitionSourceTopics: [info('round')], repartitionSinkTopics: ['round'] }
    expect(text(plan({ in: 3 }, { sourceTopics: ['in'], ...reads }))).toBe('round 3, 0:3')
    expect(text(plan({}, reads))).toMatch(/depends on itself/)
  })

  it('of topics that are joined is one: repartition topics follow topics of users, and those with a size', () => {
    const writes = { sourceTopics: ['in'], repartitionSinkTopics: ['again'] }
    const joins = { sourceTopics: ['other'], repartitionSourceTopics: [info('again')], ...joined([0], [0]) }
    expect(text(plan({ in: 8, other: 3 }, writes, joins))).toBe('again 3, 0:8, 1:3')
    const two = { repartitionSourceTopics: [info('again'), info('sized', 4)], ...joined([], [0, 1]) }
    const both = { sourceTopics: ['in'], repartitionSinkTopics: ['again', 'sized'] }
    expect(text(plan({ in: 8 }, both, two))).toBe('again 4, sized 4, 0:8, 1:4')
    const free = { repartitionSourceTopics: [info('again'), info('more')], ...joined([], [0, 1]) }
    const writers = [writes, { sourceTopics: ['other'], repartitionSinkTopics: ['more'] }]
    expect(text(plan({ in: 2, other: 5 }, ...writers, free))).toBe('again 5, more 5, 0:2, 1:5, 2:5')
  })

  it('of topics that are joined must not differ', () => {
    const users = { sourceTopics: ['in', 'other'], ...joined([0, 1], []) }
    expect(text(plan({ in: 2, other: 3 }, users))).toMatch(/^INCORRECTLY_PARTITIONED_TOPICS: .*in has 2, other has 3/)
    const sized = { sourceTopics: ['in'], repartitionSourceTopics: [info('again', 5)], ...joined([0], [0]) }
    expect(text(plan({ in: 2 }, sized))).toMatch(/^INCORRECTLY_PARTITIONED_TOPICS/)
    expect(text(plan({ in: 2 }, { sourceTopics: ['in'], ...joined([0, 4], []) }))).toMatch(/not there/)
  })

  it('of an internal topic that exists must be the one that is needed', () => {
    const keeps = { sourceTopics: ['in'], stateChangelogTopics: [info('store')] }
    expect(text(plan({ in: 3, store: 3 }, keeps))).toBe('0:3!')
    expect(text(plan({ in: 3, store: 2 }, keeps))).toMatch(/^INCORRECTLY_PARTITIONED_TOPICS: .*store .*2.*3/)
  })
})

describe('a topology', () => {
  it('waits for the topics of users, and names some of them', () => {
    expect(text(plan({ in: 1 }, { sourceTopics: ['e', 'd', 'in', 'c', 'b', 'a'] }))).toBe(
      'MISSING_SOURCE_TOPICS: These topics are read and do not exist: a, b, c and 2 more.',
    )
  })

  it('makes no sense when a part of it reads nothing or what nobody writes, even while topics are missing', () => {
    expect(text(plan({}, { sourceTopics: ['in'] }, {}))).toMatch(/reads no topic/)
    expect(text(plan({}, { sourceTopics: ['in'] }, { repartitionSourceTopics: [info('dry')] }))).toMatch(
      /Nothing is written/,
    )
  })

  it('asks for its internal topics with their replicas and settings', () => {
    const store = {
      ...info('store'),
      replicationFactor: 3,
      topicConfigs: [{ key: 'cleanup.policy', value: 'compact' }],
    }
    const result = plan({ in: 2 }, { sourceTopics: ['in'], stateChangelogTopics: [store, info('plain')] })
    expect(result.kind === 'plan' && result.missing).toMatchObject([
      {
        name: 'store',
        numPartitions: 2,
        replicationFactor: 3,
        configs: [{ name: 'cleanup.policy', value: 'compact' }],
      },
      { name: 'plain', numPartitions: 2, replicationFactor: -1, configs: [] },
    ])
  })
})
