/** Consumers with sessions and groups with members, who count their epochs well, mostly, and use the ids that they were given. */
import type { Random } from '#broker/environment/environment.ts'
import { errorName } from '#broker/protocol/errors.ts'
import { reached, type Actor, type Body, type Stage } from './actor.ts'
import type { Plot } from './transaction-story.ts'
import { chance, pick, type Known } from './values.ts'

type Story = (plot: Plot, steps: number) => Promise<void>

const isFine = (body: Body | undefined): body is Body =>
  body !== undefined && errorName(body['errorCode'] as number) === 'NONE'

/** Mostly what it is, now and then a neighbour of it. */
function about(random: Random, epoch: number): number {
  return chance(random, 10) ? epoch + pick(random, [-1, 1, 2, 100]) : epoch
}

const partitionsOf = ({ topics }: Known) =>
  topics.flatMap(({ name, id, partitions = 1 }) =>
    Array.from({ length: partitions }, (_, partition) => ({ name, id, partition })),
  )

/** Opens a fetch session, asks for changes, changes what it asks for, and loses count. */
const fetchSession: Story = async ({ actor, stage, known }, steps) => {
  const { random, tally } = stage
  // Sessions by name and sessions by id do not mix.
  const byId = chance(random, 2)
  let sessionId = 0
  let sessionEpoch = 0
  for (let step = 0; step < steps; step++) {
    const some = partitionsOf(known).filter(() => sessionEpoch === 0 || chance(random, 3))
    const forgotten = partitionsOf(known).filter(() => sessionEpoch > 0 && chance(random, 6))
    const { body, spoil } = await actor.ask(
      'Fetch',
      {
        maxWaitMs: pick(random, [0, 1, 20]),
        minBytes: random.below(2),
        maxBytes: pick(random, [1, 10_000, 1_000_000]),
        isolationLevel: random.below(2),
        sessionId,
        sessionEpoch: about(random, sessionEpoch),
        topics: some.map(({ name, id, partition }) => ({
          topic: name,
          topicId: id,
          partitions: [
            {
              partition,
              currentLeaderEpoch: pick(random, [-1, -1, 0, 1]),
              fetchOffset: pick(random, [0, 0, random.below(200)]),
              partitionMaxBytes: pick(random, [1, 10_000]),
            },
          ],
        })),
        forgottenTopicsData: forgotten.map(({ name, id, partition }) => ({
          topic: name,
          topicId: id,
          partitions: [partition],
        })),
        rackId: '',
      },
      byId ? { min: 13 } : { min: 7, max: 12 },
    )
    if (!isFine(body) || spoil !== 'none') {
      ;[sessionId, sessionEpoch] = chance(random, 2) ? [0, 0] : [sessionId, sessionEpoch + 1]
      continue
    }
    if (sessionEpoch > 0) reached(tally, 'incremental fetch')
    sessionId = body['sessionId'] as number
    sessionEpoch = sessionId === 0 ? 0 : sessionEpoch + 1
    if (chance(random, 12)) sessionEpoch = -1
  }
}

interface Acquired {
  readonly topicId: string
  readonly partitions: readonly {
    readonly partitionIndex: number
    readonly acquiredRecords: readonly { readonly firstOffset: number; readonly lastOffset: number }[]
  }[]
}

/** Acknowledgements of what was acquired, and of a little more or less than that. */
function acknowledgements(random: Random, responses: readonly Acquired[]): Body[] {
  return responses.map(({ topicId, partitions }) => ({
    topicId,
    partitions: partitions.map(({ partitionIndex, acquiredRecords }) => ({
      partitionIndex,
      acknowledgementBatches: acquiredRecords.map(({ firstOffset, lastOffset }) => {
        const first = about(random, firstOffset)
        const last = about(random, lastOffset)
        const count = Math.max(1, Math.min(500, last - first + 1))
        const types = chance(random, 2) ? [1 + random.below(3)] : Array.from({ length: count }, () => random.below(4))
        return { firstOffset: first, lastOffset: last, acknowledgeTypes: types }
      }),
    })),
  }))
}

/** Joins a share group, takes records, accepts, releases and rejects them, also such as it does not have. */
const shareSession: Story = async ({ actor, stage, known, name }, steps) => {
  const { random, tally } = stage
  const groupId = `fuzz-share-${random.below(3)}`
  const memberId = Buffer.from(name.padEnd(16, 'x').slice(0, 16)).toString('base64url')
  let memberEpoch = 0
  let shareSessionEpoch = 0
  let acquired: readonly Acquired[] = []
  for (let step = 0; step < steps; step++) {
    if (memberEpoch <= 0 || chance(random, 4)) {
      const subscribedTopicNames = known.topics.map(topic => topic.name)
      const joined = await actor.ask('ShareGroupHeartbeat', {
        groupId,
        memberId,
        memberEpoch: about(random, memberEpoch),
        subscribedTopicNames,
      })
      memberEpoch = isFine(joined.body) ? (joined.body['memberEpoch'] as number) : 0
    }
    const session = { groupId, memberId, shareSessionEpoch: about(random, shareSessionEpoch) }
    if (acquired.length > 0 && chance(random, 2)) {
      const topics = acknowledgements(random, acquired)
      const { body } = await actor.ask('ShareAcknowledge', { ...session, topics })
      acquired = []
      if (isFine(body)) reached(tally, 'share acknowledgement')
      shareSessionEpoch = isFine(body) ? shareSessionEpoch + 1 : 0
      continue
    }
    const topics = acknowledgements(random, chance(random, 2) ? acquired : [])
    const asked = new Set(topics.map(topic => topic['topicId']))
    const others = known.topics
      .filter(({ id }) => !asked.has(id) && (shareSessionEpoch === 0 || chance(random, 3)))
      .map(({ id, partitions = 1 }) => ({
        topicId: id,
        partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({
          partitionIndex,
          acknowledgementBatches: [],
        })),
      }))
    const { body } = await actor.ask('ShareFetch', {
      ...session,
      maxWaitMs: pick(random, [0, 20]),
      minBytes: random.below(2),
      maxBytes: pick(random, [1, 100_000]),
      maxRecords: pick(random, [1, 10, 500]),
      batchSize: pick(random, [1, 10, 500]),
      shareAcquireMode: random.below(2),
      topics: [...topics, ...others],
      forgottenTopicsData: chance(random, 8) ? [{ topicId: known.topics[0]?.id, partitions: [0] }] : [],
    })
    acquired = isFine(body) ? (body['responses'] as readonly Acquired[]) : []
    if (acquired.some(({ partitions }) => partitions.some(each => each.acquiredRecords.length > 0)))
      reached(tally, 'records acquired')
    shareSessionEpoch = isFine(body) ? shareSessionEpoch + 1 : 0
    if (chance(random, 12)) shareSessionEpoch = -1
  }
}

/** A classic group: joins, is leader or is not, hands out what it likes, commits, leaves or just goes. */
const classicMember: Story = async ({ actor, stage, known }, steps) => {
  const { random, tally } = stage
  const groupId = `fuzz-classic-${random.below(3)}`
  let memberId = ''
  let generationId = -1
  for (let step = 0; step < steps; step++) {
    const member = { groupId, memberId, generationId: about(random, generationId) }
    const action =
      generationId < 0 ? 'join' : pick(random, ['join', 'beat', 'beat', 'commit', 'commit', 'leave', 'sync'])
    if (action === 'beat') await actor.ask('Heartbeat', member)
    if (action === 'commit') await commit(actor, stage, known, member)
    if (action === 'leave') {
      await actor.ask('LeaveGroup', { ...member, members: [{ memberId, groupInstanceId: null }] })
      generationId = -1
    }
    if (action === 'sync') await actor.ask('SyncGroup', { ...member, assignments: [] })
    if (action !== 'join') continue
    const { body } = await actor.ask('JoinGroup', {
      groupId,
      memberId,
      sessionTimeoutMs: 500,
      rebalanceTimeoutMs: 300,
      protocolType: 'consumer',
      protocols: ['range', 'other'].map(name => ({ name, metadata: random.bytes(10) })),
    })
    if (body === undefined) continue
    memberId = body['memberId'] as string
    if (!isFine(body)) continue
    generationId = body['generationId'] as number
    const members = body['members'] as readonly { memberId: string }[]
    const assignments = members.map(each => ({ memberId: each.memberId, assignment: random.bytes(8) }))
    const synced = await actor.ask('SyncGroup', { groupId, memberId, generationId, assignments })
    if (isFine(synced.body)) reached(tally, 'classic generation')
  }
}

async function commit(actor: Actor, { random }: Stage, known: Known, member: Body): Promise<void> {
  const topics = known.topics.map(({ name, id }) => ({
    name,
    topicId: id,
    partitions: [{ partitionIndex: 0, committedOffset: random.below(1_000), committedMetadata: null }],
  }))
  await actor.ask('OffsetCommit', {
    ...member,
    generationIdOrMemberEpoch: member['generationId'] ?? member['memberEpoch'],
    topics,
  })
  const groups = [{ groupId: member['groupId'], topics: null }]
  await actor.ask('OffsetFetch', { groupId: member['groupId'], topics: null, groups, requireStable: false }, { min: 2 })
}

/** A group of the new protocol (KIP-848): owns what it was given, mostly says so, and says other things as well. */
const consumerMember: Story = async ({ actor, stage, known, name }, steps) => {
  const { random, tally } = stage
  const groupId = `fuzz-modern-${random.below(3)}`
  const memberId = Buffer.from(name.padEnd(16, 'y').slice(0, 16)).toString('base64url')
  let memberEpoch = 0
  let owned: unknown = []
  for (let step = 0; step < steps; step++) {
    const { body } = await actor.ask('ConsumerGroupHeartbeat', {
      groupId,
      memberId,
      memberEpoch: chance(random, 12) ? pick(random, [-1, -2]) : about(random, memberEpoch),
      rebalanceTimeoutMs: memberEpoch === 0 || chance(random, 4) ? 500 : -1,
      subscribedTopicNames: memberEpoch === 0 || chance(random, 4) ? known.topics.map(topic => topic.name) : null,
      serverAssignor: chance(random, 6) ? pick(random, ['range', 'uniform', 'none']) : null,
      topicPartitions: memberEpoch === 0 ? [] : chance(random, 2) ? owned : null,
    })
    if (!isFine(body)) {
      memberEpoch = 0
      owned = []
      continue
    }
    if (memberEpoch > 0) reached(tally, 'consumer heartbeat')
    memberEpoch = Math.max(0, body['memberEpoch'] as number)
    const assignment = body['assignment'] as { topicPartitions: unknown } | null
    if (assignment !== null) owned = assignment.topicPartitions
    if (chance(random, 3))
      await commit(actor, stage, known, { groupId, memberId, memberEpoch: about(random, memberEpoch) })
  }
}

/** A streams group (KIP-1071) with one subtopology, whose tasks come and go. */
const streamsMember: Story = async ({ actor, stage, known, name }, steps) => {
  const { random, tally } = stage
  const groupId = `fuzz-streams-${random.below(2)}`
  const memberId = Buffer.from(name.padEnd(16, 'z').slice(0, 16)).toString('base64url')
  let memberEpoch = 0
  let active: unknown = []
  const empty: readonly never[] = []
  for (let step = 0; step < steps; step++) {
    const joins = memberEpoch === 0
    const topology = {
      epoch: 0,
      subtopologies: [
        {
          subtopologyId: '0',
          sourceTopics: [known.topics[0]?.name],
          sourceTopicRegex: [],
          stateChangelogTopics: [],
          repartitionSinkTopics: [],
          repartitionSourceTopics: [],
          copartitionGroups: [],
        },
      ],
    }
    const { body } = await actor.ask('StreamsGroupHeartbeat', {
      groupId,
      memberId,
      memberEpoch: chance(random, 12) ? pick(random, [-1, -2]) : about(random, memberEpoch),
      endpointInformationEpoch: random.below(2) - 1,
      rebalanceTimeoutMs: joins ? 500 : -1,
      topology: joins ? topology : null,
      activeTasks: joins ? empty : chance(random, 2) ? active : null,
      standbyTasks: joins || chance(random, 2) ? empty : null,
      warmupTasks: joins || chance(random, 2) ? empty : null,
      processId: joins ? 'process' : null,
      clientTags: joins ? empty : null,
    })
    if (!isFine(body)) {
      memberEpoch = 0
      active = []
      continue
    }
    if (memberEpoch > 0) reached(tally, 'streams heartbeat')
    memberEpoch = Math.max(0, body['memberEpoch'] as number)
    if (body['activeTasks'] !== null) active = body['activeTasks']
  }
}

export const sessionStories: readonly Story[] = [
  fetchSession,
  shareSession,
  classicMember,
  consumerMember,
  streamsMember,
]
