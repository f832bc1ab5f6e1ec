/** Members of groups of the new protocols (KIP-848, KIP-932, KIP-1071) that do nothing but join: heartbeats over the wire. */
import { offsetCommitRequest, offsetCommitResponse } from '#broker/protocol/messages/08-offset-commit.ts'
import { findCoordinatorRequest, findCoordinatorResponse } from '#broker/protocol/messages/10-find-coordinator.ts'
import {
  consumerGroupHeartbeatRequest,
  consumerGroupHeartbeatResponse,
} from '#broker/protocol/messages/68-consumer-group-heartbeat.ts'
import {
  shareGroupHeartbeatRequest,
  shareGroupHeartbeatResponse,
} from '#broker/protocol/messages/76-share-group-heartbeat.ts'
import {
  streamsGroupHeartbeatRequest,
  streamsGroupHeartbeatResponse,
} from '#broker/protocol/messages/88-streams-group-heartbeat.ts'
import {
  alterShareGroupOffsetsRequest,
  alterShareGroupOffsetsResponse,
} from '#broker/protocol/messages/91-alter-share-group-offsets.ts'
import { errorName } from '#broker/protocol/errors.ts'
import { poll } from '#scripts/cluster/clock.ts'
import type { Cluster } from '#scripts/cluster/cluster.ts'
import { attempt, type Line, Lines } from '#scripts/observe/lines.ts'
import { isUnknown } from '#scripts/observe/model.ts'
import { subtopology } from '../conformance/streams-wire.ts'

const move = { request: alterShareGroupOffsetsRequest, response: alterShareGroupOffsetsResponse }
const consumer = { request: consumerGroupHeartbeatRequest, response: consumerGroupHeartbeatResponse }
const share = { request: shareGroupHeartbeatRequest, response: shareGroupHeartbeatResponse }
const streams = { request: streamsGroupHeartbeatRequest, response: streamsGroupHeartbeatResponse }
const find = { request: findCoordinatorRequest, response: findCoordinatorResponse, oldest: 4 }
const commit = { request: offsetCommitRequest, response: offsetCommitResponse, newest: 9 }

const memberId = 'AAAAAAAAAAAAAAAAAAAABg'
const timeoutMs = 60_000

interface Beat {
  readonly errorCode: number
  readonly memberEpoch: number
  readonly isAssigned: boolean
}

const beats: Readonly<
  Record<'consumer' | 'share' | 'streams', (line: Line, group: string, topic: string, epoch: number) => Promise<Beat>>
> = {
  consumer: async (line, groupId, topic, memberEpoch) => {
    const joining = { subscribedTopicNames: [topic], topicPartitions: [], rebalanceTimeoutMs: 60_000 }
    const body = { groupId, memberId, memberEpoch, ...(memberEpoch === 0 ? joining : {}) }
    const { assignment, ...answer } = await line.ask(consumer, body)
    return { ...answer, isAssigned: (assignment?.topicPartitions.length ?? 0) > 0 }
  },
  share: async (line, groupId, topic, memberEpoch) => {
    const body = { groupId, memberId, memberEpoch, ...(memberEpoch === 0 ? { subscribedTopicNames: [topic] } : {}) }
    const { assignment, ...answer } = await line.ask(share, body)
    return { ...answer, isAssigned: (assignment?.topicPartitions.length ?? 0) > 0 }
  },
  streams: async (line, groupId, topic, memberEpoch) => {
    const joining = {
      topology: { epoch: 1, subtopologies: [subtopology({ subtopologyId: '0', sourceTopics: [topic] })] },
      processId: 'process',
      rebalanceTimeoutMs: 60_000,
      clientTags: [],
    }
    const tasks = memberEpoch === 0 ? { activeTasks: [], standbyTasks: [], warmupTasks: [] } : {}
    const body = { groupId, memberId, memberEpoch, endpointInformationEpoch: 0, ...tasks }
    const { activeTasks, ...answer } = await line.ask(streams, { ...body, ...(memberEpoch === 0 ? joining : {}) })
    return { ...answer, isAssigned: (activeTasks?.length ?? 0) > 0 }
  },
}

/** Joins the group by as many heartbeats as it takes to be assigned something; says who coordinates it, and the member's epoch. */
export async function join(
  cluster: Cluster,
  kind: keyof typeof beats,
  group: string,
  topic: string,
): Promise<{ readonly coordinator: number; readonly memberEpoch: number }> {
  const lines = new Lines(cluster, 10_000)
  let memberEpoch = 0
  const once = async () => {
    const answer = await attempt(async () => {
      // Asking who coordinates a group also makes the topic of the groups.
      const any = lines.of(1, 'groups')
      const { coordinators } = await any.ask(find, { keyType: 0, coordinatorKeys: [group] })
      const { errorCode, nodeId } = coordinators[0]!
      if (errorCode !== 0) return undefined
      const beat = await beats[kind](lines.of(nodeId, 'groups'), group, topic, memberEpoch)
      return beat.errorCode === 0 ? { coordinator: nodeId, ...beat } : undefined
    })
    if (answer === undefined || isUnknown(answer)) return undefined
    memberEpoch = answer.memberEpoch
    return answer.isAssigned ? answer : undefined
  }
  try {
    const joined = await poll(once, { clock: cluster.clock, everyMs: 200, timeoutMs })
    if (joined === undefined) throw new Error(`nobody assigned anything to the member of the ${kind} group ${group}`)
    return joined
  } finally {
    lines.close()
  }
}

/** The member of a share group leaves, and the group, which is empty then, is put to an offset of partition 0. */
export async function leaveAndMoveShareGroup(
  cluster: Cluster,
  { group, coordinator }: { readonly group: string; readonly coordinator: number },
  { topic, offset }: { readonly topic: string; readonly offset: number },
): Promise<void> {
  const lines = new Lines(cluster, 10_000)
  const line = lines.of(coordinator, 'groups')
  const codes: string[] = []
  try {
    await line.ask(share, { groupId: group, memberId, memberEpoch: -1 })
    const moved = await poll(
      async () => {
        const { errorCode, responses } = await line.ask(move, {
          groupId: group,
          topics: [{ topicName: topic, partitions: [{ partitionIndex: 0, startOffset: offset }] }],
        })
        const code = errorCode || (responses[0]?.partitions[0]?.errorCode ?? -1)
        codes.push(errorName(code))
        return code === 0 || undefined
      },
      { clock: cluster.clock, everyMs: 200, timeoutMs },
    )
    if (moved === undefined) throw new Error(`the share group ${group} could not be moved: ${codes.at(-1)}`)
  } finally {
    lines.close()
  }
}

/** Commits an offset of partition 0 for the member. */
export async function commitOffset(
  cluster: Cluster,
  at: { readonly group: string; readonly coordinator: number; readonly memberEpoch: number },
  record: { readonly topic: string; readonly offset: number },
): Promise<number | undefined> {
  const lines = new Lines(cluster, 10_000)
  try {
    const answer = await lines.of(at.coordinator, 'groups').ask(commit, {
      groupId: at.group,
      generationIdOrMemberEpoch: at.memberEpoch,
      memberId,
      topics: [
        {
          name: record.topic,
          partitions: [{ partitionIndex: 0, committedOffset: record.offset, committedMetadata: '' }],
        },
      ],
    })
    return answer.topics[0]?.partitions[0]?.errorCode
  } finally {
    lines.close()
  }
}
