/** Properties of a streams group through any life: members come, go and fall silent, answers get lost, coordinators fail over. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { partitionsOf } from '#broker/coordinator/groups/modern/assignment.ts'
import type { StreamsGroup } from '#broker/coordinator/groups/streams/streams-group.ts'
import { kindOf } from '#broker/coordinator/groups/streams/tasks.ts'
import { StreamsHarness, StreamsThread, topicsOfCounting } from './streams-harness.ts'

/** Threads by process. */
const processes = ['a', 'a', 'b', 'c', 'c']
const partitionsMax = 5

const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('beat' as const), who: fc.nat(processes.length - 1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lost' as const), who: fc.nat(processes.length - 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), who: fc.nat(processes.length - 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('die' as const), who: fc.nat(processes.length - 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const), who: fc.integer({ min: 1, max: 50 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('failover' as const), who: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('topics' as const), who: fc.nat(partitionsMax) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('standbys' as const), who: fc.nat(2) }) },
)
type Action = typeof action extends fc.Arbitrary<infer Value> ? Value : never

class Life {
  readonly harness = new StreamsHarness(topicsOfCounting(3))
  readonly threads = processes.map((process, index) => new StreamsThread(this.harness, `${process}${index}`, process))
  #epochs = { group: 0, assignment: 0 }
  #memberEpochs = new Map<string, number>()

  run({ kind, who }: Action): void {
    const thread = this.threads[who % this.threads.length]
    if (thread === undefined) throw new Error('a thread was expected')
    switch (kind) {
      case 'beat':
        thread.beat()
        break
      case 'lost':
        thread.beat({}, true)
        break
      case 'leave':
        if (thread.isIn) thread.leave()
        break
      case 'die':
        thread.lose()
        break
      case 'pass':
        this.harness.pass(who * 1000)
        break
      case 'failover':
        this.harness.reload()
        break
      case 'topics':
        this.harness.setTopics(who === 0 ? {} : topicsOfCounting(who))
        break
      case 'standbys':
        this.harness.streamsSettings = { ...this.harness.streamsSettings, standbyReplicas: who }
    }
    this.check()
  }

  /** Throws when something is not as it must always be. */
  check(): void {
    const group = this.harness.streams
    if (group === undefined) return
    const { groupEpoch, assignmentEpoch } = group
    const faults = doublyHeld(group)
    if (groupEpoch < this.#epochs.group || assignmentEpoch < this.#epochs.assignment)
      faults.push(`epochs went from ${JSON.stringify(this.#epochs)} to ${groupEpoch}, ${assignmentEpoch}`)
    if (assignmentEpoch > groupEpoch) faults.push(`assignment epoch ${assignmentEpoch} is above ${groupEpoch}`)
    this.#epochs = { group: groupEpoch, assignment: assignmentEpoch }
    const memberEpochs = new Map<string, number>()
    for (const { memberId, memberEpoch } of group.members.values()) {
      const before = this.#memberEpochs.get(memberId) ?? 0
      if (memberEpoch < before || memberEpoch > assignmentEpoch)
        faults.push(`${memberId} went from epoch ${before} to ${memberEpoch} of ${assignmentEpoch}`)
      memberEpochs.set(memberId, memberEpoch)
    }
    this.#memberEpochs = memberEpochs
    if (faults.length > 0) throw new Error(faults.join('; '))
  }
}

/** Tasks that two members have or have yet to give up: active ones anywhere, others in one process. */
function doublyHeld(group: StreamsGroup): string[] {
  const seen = new Set<string>()
  const double: string[] = []
  for (const { memberId, processId, assigned, revoking } of group.members.values()) {
    const own = new Set<string>()
    for (const held of [assigned, revoking])
      for (const [key, tasks] of held)
        for (const partition of tasks.keys()) {
          const { kind, subtopologyId } = kindOf(key)
          const task = `${subtopologyId}_${partition}`
          own.add(`in ${processId}: ${task}`)
          if (kind === 'active') own.add(`active: ${task}`)
        }
    for (const name of own) {
      if (seen.has(name)) double.push(`${memberId} ${name}`)
      seen.add(name)
    }
  }
  return double
}

/** All that the log is to bring back. */
const stateOf = (group: StreamsGroup | undefined) =>
  group && {
    state: group.state,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    metadataHash: group.metadataHash,
    validatedTopologyEpoch: group.validatedTopologyEpoch,
    configs: group.configs,
    topology: group.topology,
    target: withoutEmpty(group),
    members: [...group.members.values()].map(member => ({ ...member, subscribedTopicNames: [] })),
  }

const withoutEmpty = ({ target }: StreamsGroup) =>
  [...target].map(([memberId, tasks]) => [memberId, [...partitionsOf(tasks)].map(each => each.join('_')).sort()])

const lives = fc.array(action, { minLength: 1, maxLength: 40 })

describe('whatever members and brokers do', () => {
  it(
    'no task is held twice and no epoch goes back, and in the end every task is served, evenly',
    { timeout: 60_000 },
    () => {
      fc.assert(
        fc.property(lives, actions => {
          const life = new Life()
          for (const each of actions) life.run(each)
          const { harness, threads } = life
          harness.setTopics(topicsOfCounting(4))
          for (let round = 0; round < 12; round++)
            for (const thread of threads) life.run({ kind: 'beat', who: threads.indexOf(thread) })
          const active = threads.map(({ tasks }) =>
            [...partitionsOf(tasks)].filter(([key]) => key.startsWith('active/')),
          )
          expect(new Set(active.flat().map(each => each.join('_'))).size).toBe(8)
          const loads = active.map(({ length }) => length)
          expect([Math.min(...loads), Math.max(...loads)]).toEqual([1, 2])
          const standbys = threads.flatMap(({ tasks }) =>
            [...partitionsOf(tasks)].filter(([key]) => key.startsWith('standby/')),
          )
          expect(standbys.length).toBe(4 * harness.streamsSettings.standbyReplicas)
          expect(harness.streams?.state).toBe('Stable')
        }),
        { numRuns: 100 },
      )
    },
  )

  it('what the log brings back is what was there', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(lives, actions => {
        const life = new Life()
        for (const each of actions) life.run(each)
        const before = stateOf(life.harness.streams)
        life.harness.reload()
        expect(stateOf(life.harness.streams)).toEqual(before)
      }),
      { numRuns: 100 },
    )
  })
})
