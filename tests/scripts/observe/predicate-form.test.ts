import { describe, expect, test } from 'vitest'
import { unknown } from '#scripts/observe/model.ts'
import { predicateForms, predicateFromJson, predicateFromText } from '#scripts/observe/predicate-form.ts'
import { nodeInRole, watchOfRoles } from '#scripts/observe/roles.ts'
import { group, observation, partition, quorum } from './sample.ts'

/** Words, the JSON form of the same, and how both read. */
const forms: readonly (readonly [string, object, string])[] = [
  ['hasLeader orders-0', { hasLeader: { partition: 'orders-0' } }, 'orders-0 has a leader'],
  ['leads a-b-12 3', { leads: { partition: 'a-b-12', broker: 3 } }, 'broker 3 leads a-b-12'],
  ['isInSync o-0 1', { isInSync: { partition: 'o-0', broker: 1 } }, 'broker 1 is in sync in o-0'],
  [
    'hasLeftInSyncSet o-0 1',
    { hasLeftInSyncSet: { partition: 'o-0', broker: 1 } },
    'broker 1 has left the in-sync set of o-0',
  ],
  ['isFullyInSync o-0', { isFullyInSync: { partition: 'o-0' } }, 'all replicas of o-0 are in sync'],
  [
    'isBeyondHighWatermark o-0 2',
    { isBeyondHighWatermark: { partition: 'o-0', broker: 2 } },
    'the log of broker 2 ends above the high watermark of o-0',
  ],
  [
    'isBehindLeader o-0 2 10',
    { isBehindLeader: { partition: 'o-0', broker: 2, records: 10 } },
    'broker 2 is 10 or more records behind the leader of o-0',
  ],
  [
    'highWatermarkReaches o-0 5',
    { highWatermarkReaches: { partition: 'o-0', offset: 5 } },
    'the high watermark of o-0 is 5 or more',
  ],
  [
    'logEndReaches o-0 2 7',
    { logEndReaches: { partition: 'o-0', broker: 2, offset: 7 } },
    'the log of broker 2 in o-0 ends at 7 or later',
  ],
  ['isLevel o-0', { isLevel: { partition: 'o-0' } }, 'the replicas of o-0 are level'],
  [
    'isHeldBackByTransaction o-0',
    { isHeldBackByTransaction: { partition: 'o-0' } },
    'an open transaction holds back the readers of o-0',
  ],
  ['quorumIsLedBy 2', { quorumIsLedBy: { node: 2 } }, 'node 2 leads the quorum'],
  ['quorumIsLedByAnother 2', { quorumIsLedByAnother: { node: 2 } }, 'another node than 2 leads the quorum'],
  ['brokerAnswers 1', { brokerAnswers: { broker: 1 } }, 'broker 1 answers'],
  ['brokerIs 1 fenced', { brokerIs: { broker: 1, registration: 'fenced' } }, 'broker 1 is fenced'],
  [
    'brokerIs 1 not registered',
    { brokerIs: { broker: 1, registration: 'not registered' } },
    'broker 1 is not registered',
  ],
  ['groupIs g Stable', { groupIs: { group: 'g', state: 'Stable' } }, 'group g is Stable'],
  ['groupHasMembers g 3', { groupHasMembers: { group: 'g', members: 3 } }, 'group g has 3 members'],
  ['groupLags g 100', { groupLags: { group: 'g', records: 100 } }, 'group g lags 100 or more records'],
  ['groupHasCaughtUp g', { groupHasCaughtUp: { group: 'g' } }, 'group g has caught up'],
  ['transactionIs t Ongoing', { transactionIs: { transaction: 't', state: 'Ongoing' } }, 'transaction t is Ongoing'],
  ['transactionHasEnded t', { transactionHasEnded: { transaction: 't' } }, 'transaction t has ended'],
  ['not hasLeader o-0', { not: { hasLeader: { partition: 'o-0' } } }, 'not (o-0 has a leader)'],
]

describe('a condition as data', () => {
  test.each(forms)('%s', (words, json, name) => {
    const [fromWords, fromJson] = [predicateFromText(words, '--when'), predicateFromJson(json, 'observed')]
    expect([fromWords.name, fromJson.name]).toEqual([name, name])
    expect(fromWords.watch).toEqual(fromJson.watch)
    expect(predicateFromText(JSON.stringify(json), '--when').name).toBe(name)
  })

  test('has every name once, with what it takes', () => {
    const used = new Set(forms.map(([words]) => words.replace(/^not /, '').split(' ')[0]))
    expect(new Set(predicateForms.map(form => form.split(' ')[0]))).toEqual(used)
    expect(predicateForms).toContain('isBehindLeader PARTITION BROKER RECORDS')
  })

  test('holds as what it stands for does', () => {
    const left = predicateFromJson(
      { every: [{ hasLeader: { partition: 'orders-0' } }, { hasLeftInSyncSet: { partition: 'orders-0', broker: 3 } }] },
      'observed',
    )
    const of = (isr: readonly number[]) => ({ ...observation({ partition: partition({ isr }) }), changes: [] })
    expect([left.holds(of([1, 2])), left.holds(of([1, 2, 3]))]).toEqual([true, false])
    const either = { some: [{ quorumIsLedBy: { node: 9 } }, { groupLags: { group: 'readers', records: 3 } }] }
    expect(predicateFromJson(either, 'observed').holds({ ...observation(), changes: [] })).toBe(true)
  })

  test.each([
    ['[]', 'a condition is an object'],
    ['{}', 'a condition has one name, this one has 0'],
    ['{"hasLeader": {"partition": "o-0"}, "isLevel": {}}', 'this one has 2'],
    ['{"toString": {}}', 'there is no condition "toString"; expected every, some, not, hasLeader, leads'],
    ['{"hasLeader": "o-0"}', 'hasLeader has an object with partition'],
    [
      '{"hasLeader": {"partition": "orders"}}',
      'partition of hasLeader: expected a partition such as orders-0, got "orders"',
    ],
    ['{"leads": {"partition": "o-0"}}', 'broker of leads: expected a whole number from 0, it is missing'],
    ['{"leads": {"partition": "o-0", "broker": "2"}}', 'broker of leads: expected a whole number from 0, got "2"'],
    ['{"leads": {"partition": "o-0", "broker": 2, "epoch": 1}}', 'leads has no epoch; it takes partition, broker'],
    [
      '{"brokerIs": {"broker": 1, "registration": "gone"}}',
      'expected one of alive, fenced, not registered, got "gone"',
    ],
    ['{"every": []}', 'every has a list of conditions that is not empty'],
    ['{"every": [{"hasLeader": {"partition": "o-0"}}, 7]}', 'observed.every[1]: a condition is an object'],
    ['{"not": {"fire": {}}}', 'observed.not: there is no condition "fire"'],
  ])('%s is refused', (json, problem) => {
    expect(() => predicateFromJson(JSON.parse(json), 'observed')).toThrow(problem)
  })

  test.each([
    ['fire 1', '--when: there is no condition "fire"'],
    ['leads o-0', 'broker of leads: expected a whole number from 0, it is missing'],
    ['leads o-0 two', 'got "two"'],
    ['leads o-0 2 3', 'got "2 3"'],
    ['{"leads"', 'is no JSON'],
    ['', 'there is no condition ""'],
  ])('the words %j are refused', (words, problem) => {
    expect(() => predicateFromText(words, '--when')).toThrow(problem)
  })
})

describe('a role', () => {
  const seen = { ...observation(), changes: [] }
  const scene = (of: Parameters<typeof observation>[0]) => ({ ...observation(of), changes: [] })

  test('is who has it in what was observed', () => {
    expect(nodeInRole('leader:orders-0', scene({ partition: partition({ leader: 2 }) }))).toBe(2)
    expect(nodeInRole('follower:orders-0', scene({ partition: partition({ leader: 1, isr: [1, 3] }) }))).toBe(3)
    expect(nodeInRole('follower:orders-0', scene({ partition: partition({ leader: 1, isr: [1] }) }))).toBe(2)
    expect(nodeInRole('coordinator:readers', scene({ group: group({ coordinator: 3 }) }))).toBe(3)
    expect(nodeInRole('controller', scene({ quorum: quorum({ leader: 2 }) }))).toBe(2)
  })

  test('of which nobody is known says why', () => {
    const said = (name: string, from = seen) => {
      try {
        return nodeInRole(name, from)
      } catch (error) {
        return (error as Error).message
      }
    }
    expect(said('leader:orders-0', scene({ partition: partition({ leader: -1 }) }))).toContain('orders-0 has no leader')
    expect(said('leader:orders-0', scene({ partition: unknown('broker 1 is silent') }))).toContain('broker 1 is silent')
    expect(said('leader:orders-9')).toContain('there is no partition orders-9')
    expect(said('follower:orders-0', scene({ partition: partition({ replicas: [1] }) }))).toContain(
      'no replica but its leader',
    )
    expect(said('coordinator:readers', scene({ group: null }))).toContain('there is no group readers')
    expect(said('coordinator:readers', scene({ group: unknown('two of them') }))).toContain('two of them')
    expect(said('leader:orders')).toContain('expected a partition such as orders-0 behind leader:')
    expect(said('owner:orders-0')).toContain('is no role: expected leader:, follower: or coordinator:')
  })

  test('says what has to be watched', () => {
    expect(watchOfRoles(['1', 'all', 'leader:a-0', 'follower:b-1', 'controller', 'coordinator:g'])).toEqual({
      topics: ['a', 'b'],
      groups: ['g'],
      quorum: true,
    })
  })
})
