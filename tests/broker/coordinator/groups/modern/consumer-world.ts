/**
 * A consumer group and its members for property tests: what may happen to them, and what must hold afterwards. The members here are lazier than
 * Kafka's: they go on owning what they must give up until it suits them, and answers to them may be lost.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Assignment } from '#broker/coordinator/groups/modern/assignment.ts'
import { assignmentOf, partitionsOf } from '#broker/coordinator/groups/modern/assignment.ts'
import type { ConsumerGroup } from '#broker/coordinator/groups/modern/consumer-group.ts'
import { ConsumerHarness, topicId } from './consumer-harness.ts'

const topicNames = ['t', 'u', 'v']
const subscriptions = [
  { subscribedTopicNames: ['t'], subscribedTopicRegex: '' },
  { subscribedTopicNames: ['t', 'u'], subscribedTopicRegex: '' },
  { subscribedTopicNames: ['u', 'v', 'none'], subscribedTopicRegex: '' },
  { subscribedTopicNames: [], subscribedTopicRegex: '' },
  { subscribedTopicNames: [], subscribedTopicRegex: '[tu]' },
  { subscribedTopicNames: ['t'], subscribedTopicRegex: 'v|w' },
] as const
const quiet = { subscribedTopicNames: null, subscribedTopicRegex: null, rebalanceTimeoutMs: -1 }

const name = (id: string, partition: number): string => `${Buffer.from(id, 'base64url').toString().trim()}${partition}`
const namesOf = (assignment: Assignment): string[] => [...partitionsOf(assignment)].map(([id, each]) => name(id, each))
const owning = (names: Iterable<string>): Assignment =>
  assignmentOf(
    topicNames.flatMap(topic => {
      const partitions = [...names].filter(each => each.startsWith(topic)).map(each => Number(each.slice(topic.length)))
      return partitions.length === 0 ? [] : [{ topicId: topicId(topic), partitions }]
    }),
  )

/** A consumer with a mind of its own. */
class Member {
  readonly #group: ConsumerHarness
  readonly #instanceId: string | null
  readonly #name: string
  #runs = 0
  epoch = 0
  /** Highest epoch of this membership; a member never goes back. */
  highest = 0
  owned = new Set<string>()
  assigned = new Set<string>()
  subscription: (typeof subscriptions)[number] = subscriptions[0]
  #told = true
  #isSure = true
  serverAssignor: string

  constructor(group: ConsumerHarness, options: { name: string; isStatic: boolean; serverAssignor: string }) {
    this.#group = group
    this.#name = options.name
    this.#instanceId = options.isStatic ? options.name : null
    this.serverAssignor = options.serverAssignor
  }

  get memberId(): string {
    return `${this.#name}-${this.#runs}`
  }

  /** Lets go of what it is not to have any more. */
  comply(): void {
    const kept = [...this.owned].filter(each => this.assigned.has(each))
    if (kept.length < this.owned.size) this.#told = false
    this.owned = new Set(kept)
  }

  lose(): void {
    this.epoch = 0
    this.highest = 0
    this.owned = new Set()
    this.assigned = new Set()
    this.#told = true
    this.#isSure = true
  }

  /** A static member comes back under another id. */
  restart(): void {
    if (this.epoch > 0) this.leave(this.#instanceId === null ? -1 : -2)
    this.#runs++
  }

  leave(epoch = -1): void {
    if (this.epoch === 0) return
    this.#group.beat({ memberId: this.memberId, instanceId: this.#instanceId, memberEpoch: epoch, ...quiet })
    this.lose()
  }

  beat(options: { readonly isAnswerLost?: boolean; readonly isFull?: boolean } = {}): void {
    const joins = this.epoch === 0
    const isFull = joins || !this.#isSure || options.isFull === true
    const { answer } = this.#group.beat({
      memberId: this.memberId,
      memberEpoch: this.epoch,
      instanceId: this.#instanceId,
      serverAssignor: this.serverAssignor,
      ...(isFull ? { ...this.subscription, rebalanceTimeoutMs: 30_000 } : quiet),
      owned: isFull || !this.#told ? owning(this.owned) : null,
    })
    if (options.isAnswerLost === true) {
      this.#isSure = false
      return
    }
    if (answer === undefined) throw new Error('a heartbeat was not answered')
    if (answer.error !== 'NONE') return this.lose()
    assert.ok(answer.memberEpoch >= this.highest, `${this.memberId} went back to ${answer.memberEpoch}`)
    this.#told = true
    this.#isSure = true
    this.epoch = answer.memberEpoch
    this.highest = answer.memberEpoch
    if (answer.assignment === undefined) return
    this.assigned = new Set(namesOf(answer.assignment))
    for (const each of this.assigned) if (!this.owned.has(each)) this.#told = false
    for (const each of this.assigned) this.owned.add(each)
  }
}

/** All that the log says of a group. */
function durable(group: ConsumerGroup | undefined): unknown {
  if (group === undefined) return undefined
  const { groupEpoch, metadataHash, assignmentEpoch, assignmentTimestampMs, members, target, regexes } = group
  const sorted = <Value>(map: ReadonlyMap<string, Value>) => [...map].sort(([left], [right]) => (left < right ? -1 : 1))
  const held = topicNames.map(topic => [0, 1, 2, 3, 4, 5].map(each => group.isHeld(topicId(topic), each)))
  return {
    ...{ groupEpoch, metadataHash, assignmentEpoch, assignmentTimestampMs, held },
    members: sorted(members),
    target: sorted(target).map(([memberId, assignment]) => [memberId, sorted(assignment)]),
    regexes: sorted(regexes),
    instances: ['m0', 'm1', 'm2', 'm3', 'm4'].map(each => group.staticMember(each)?.memberId),
  }
}

function checkGroup(group: ConsumerGroup | undefined, before: { groupEpoch: number; assignmentEpoch: number }): void {
  if (group === undefined) return
  assert.ok(group.groupEpoch >= before.groupEpoch)
  assert.ok(group.assignmentEpoch >= before.assignmentEpoch)
  assert.ok(group.assignmentEpoch <= group.groupEpoch)
  const held: string[] = []
  for (const { memberEpoch, assigned, revoking } of group.members.values()) {
    assert.ok(memberEpoch <= group.assignmentEpoch)
    for (const some of [assigned, revoking])
      for (const [id, partitions] of some) for (const partition of partitions.keys()) held.push(name(id, partition))
  }
  assert.deepEqual(held, [...new Set(held)])
  assert.equal(group.doublyAssigned(), undefined)
  before.groupEpoch = group.groupEpoch
  before.assignmentEpoch = group.assignmentEpoch
}

export const act = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('beat' as const), who: fc.nat(4), value: fc.nat(1) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('comply' as const), who: fc.nat(4), value: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lost' as const), who: fc.nat(4), value: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('subscribe' as const), who: fc.nat(4), value: fc.nat(5) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('leave' as const, 'crash' as const, 'restart' as const, 'reload' as const),
      who: fc.nat(4),
      value: fc.nat(1),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('topics' as const), who: fc.nat(2), value: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), who: fc.nat(40), value: fc.nat(1) }) },
)
type Act = typeof act extends fc.Arbitrary<infer Value> ? Value : never

export class World {
  readonly group: ConsumerHarness
  readonly members: readonly Member[]
  readonly #topics: Record<string, number> = { t: 4, u: 2 }
  readonly #epochs = { groupEpoch: 0, assignmentEpoch: 0 }

  constructor(options: { assignmentIntervalMs: number; assignors: readonly string[] }) {
    this.group = new ConsumerHarness(this.#topics)
    this.group.consumerSettings = { ...this.group.consumerSettings, assignmentIntervalMs: options.assignmentIntervalMs }
    this.members = Array.from(
      { length: 5 },
      (_, index) =>
        new Member(this.group, {
          name: `m${index}`,
          isStatic: index >= 3,
          serverAssignor: options.assignors[index % options.assignors.length] ?? 'uniform',
        }),
    )
  }

  get #group(): ConsumerGroup | undefined {
    return this.group.shard.consumerGroup('g')
  }

  do({ kind, who, value }: Act): void {
    const member = this.members[who % 5]
    if (member === undefined) throw new Error('five members')
    if (kind === 'beat') member.beat()
    else if (kind === 'comply') member.comply()
    else if (kind === 'lost') member.beat({ isAnswerLost: true })
    else if (kind === 'leave') member.leave()
    else if (kind === 'crash') member.lose()
    else if (kind === 'restart') member.restart()
    else if (kind === 'subscribe') this.#subscribe(member, value)
    else if (kind === 'reload') this.#reload()
    else if (kind === 'topics') this.#setTopic(topicNames[who] ?? 't', value)
    else this.pass(who * 1000)
    this.check()
  }

  #subscribe(member: Member, value: number): void {
    member.subscription = subscriptions[value] ?? subscriptions[0]
    if (member.epoch > 0) member.beat({ isFull: true })
  }

  #reload(): void {
    const before = durable(this.#group)
    this.group.reload()
    assert.deepEqual(durable(this.#group), before)
  }

  #setTopic(topic: string, partitions: number): void {
    if (partitions === 0) delete this.#topics[topic]
    else this.#topics[topic] = partitions
    this.group.setTopics(this.#topics)
  }

  /** A member that is out notices by its own clock, and lets go. */
  pass(ms: number): void {
    this.group.pass(ms)
    for (const member of this.members)
      if (member.epoch > 0 && this.#group?.members.has(member.memberId) !== true) member.lose()
  }

  check(): void {
    const owned = this.members.flatMap(member => [...member.owned])
    assert.deepEqual(owned, [...new Set(owned)])
    checkGroup(this.#group, this.#epochs)
  }

  /** Everybody heartbeats and complies, for a minute. */
  settle(): void {
    for (let round = 0; round < 30; round++) {
      for (const member of this.members) {
        member.beat()
        member.comply()
        this.check()
      }
      this.pass(2000)
    }
  }

  checkServed(): void {
    const wanted = new Set<string>()
    for (const { subscription } of this.members)
      for (const [topic, partitions] of Object.entries(this.#topics)) {
        const { subscribedTopicRegex: pattern, subscribedTopicNames: names } = subscription
        const isWanted =
          (names as readonly string[]).includes(topic) || (pattern !== '' && new RegExp(`^(?:${pattern})$`).test(topic))
        if (isWanted) for (let each = 0; each < partitions; each++) wanted.add(`${topic}${each}`)
      }
    const owned = this.members.flatMap(member => [...member.owned])
    assert.deepEqual(owned.sort(), [...wanted].sort())
    assert.equal(this.#group?.state, 'Stable')
    const { groupEpoch } = this.#group
    assert.deepEqual(
      this.members.map(({ epoch }) => epoch),
      this.members.map(() => groupEpoch),
    )
    this.#reload()
  }
}
