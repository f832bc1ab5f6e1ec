/**
 * StreamsGroupHeartbeat: v0. A thread of a Kafka Streams application joins, stays, learns its tasks and leaves (KIP-1071).
 *
 * Behavior:
 * - Offered while streams.version is at least 1 and group.coordinator.rebalance.protocols has `streams`; else UNSUPPORTED_VERSION.
 * - Internal topics that are missing are created on behalf of the group; until they are there the status says MISSING_INTERNAL_TOPICS.
 * - Static members are refused, as in Kafka 4.3.
 * Errors: GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
 * INVALID_REQUEST, UNKNOWN_MEMBER_ID, GROUP_ID_NOT_FOUND, FENCED_MEMBER_EPOCH, GROUP_MAX_SIZE_REACHED, STREAMS_INVALID_TOPOLOGY,
 * UNSUPPORTED_VERSION.
 */
import {
  refuseStreams,
  type StreamsAnswer,
  type StreamsHeartbeat,
} from '../coordinator/groups/streams/streams-heartbeat.ts'
import { assignmentFromTasks, tasksOf } from '../coordinator/groups/streams/tasks.ts'
import { requiredTopics, statusCodes, type Topology } from '../coordinator/groups/streams/topology.ts'
import { errorCode } from '../protocol/errors.ts'
import type {
  StreamsGroupHeartbeatRequest,
  streamsGroupHeartbeatResponse,
} from '../protocol/messages/88-streams-group-heartbeat.ts'
import type { Input } from '../protocol/schema.ts'
import { clusterName } from '../security/authorization/acl.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof streamsGroupHeartbeatResponse>

const leftForNow = -2

function toResponse(answer: StreamsAnswer): Response {
  const tasks = answer.tasks === undefined ? undefined : tasksOf(answer.tasks)
  return {
    errorCode: errorCode(answer.error),
    errorMessage: answer.message,
    memberId: answer.memberId,
    memberEpoch: answer.memberEpoch,
    heartbeatIntervalMs: answer.heartbeatIntervalMs,
    acceptableRecoveryLag: 0,
    taskOffsetIntervalMs: 0,
    status: answer.statuses.map(({ status, detail }) => ({ statusCode: statusCodes[status], statusDetail: detail })),
    activeTasks: tasks?.active ?? null,
    standbyTasks: tasks?.standby ?? null,
    warmupTasks: tasks?.warmup ?? null,
    endpointInformationEpoch: answer.endpointEpoch,
    partitionsByUserEndpoint: answer.endpoints?.map(each => ({ ...each })) ?? null,
  }
}

const isBlank = (text: string | null): boolean => text?.trim() === ''

/** What is wrong with the request in itself. */
function invalid(request: StreamsGroupHeartbeatRequest): string | undefined {
  const { memberEpoch, activeTasks, standbyTasks, warmupTasks } = request
  const kinds = [activeTasks, standbyTasks, warmupTasks]
  if (request.instanceId !== null) return 'Static membership is not yet supported.'
  if (isBlank(request.memberId)) return "MemberId can't be empty."
  if (isBlank(request.groupId)) return "GroupId can't be empty."
  if (isBlank(request.rackId)) return "RackId can't be empty."
  if (memberEpoch < leftForNow) return `MemberEpoch is ${memberEpoch}, but must be greater than or equal to -2.`
  if (memberEpoch === leftForNow) return "InstanceId can't be null."
  if (kinds.some(each => each !== null) && kinds.includes(null))
    return 'If one task-type is non-null, all must be non-null.'
  if (memberEpoch !== 0)
    return request.topology === null ? undefined : 'Topology can only be provided when (re-)joining.'
  if (request.rebalanceTimeoutMs === -1) return 'RebalanceTimeoutMs must be provided in first request.'
  if (kinds.some(each => each?.length !== 0)) return 'Tasks must be empty when (re-)joining.'
  return request.topology === null ? 'Topology must be non-null when (re-)joining.' : undefined
}

function refusalOf(request: StreamsGroupHeartbeatRequest, context: RequestContext): StreamsAnswer | undefined {
  if (!brokerOf(context).groups.offers('streams')) return refuseStreams('UNSUPPORTED_VERSION')
  const { topology } = request
  const topics = topology === null ? [] : [...requiredTopics(topology)]
  if (topics.some(name => !context.authorize('Describe', 'Topic', name)))
    return refuseStreams('TOPIC_AUTHORIZATION_FAILED')
  const reason = invalid(request)
  if (reason !== undefined) return refuseStreams('INVALID_REQUEST', reason)
  const sized = topology?.subtopologies.flatMap(each => each.stateChangelogTopics).find(each => each.partitions !== 0)
  return sized === undefined
    ? undefined
    : refuseStreams(
        'STREAMS_INVALID_TOPOLOGY',
        `Changelog topic ${sized.name} must have an undefined partition count, but it is set to ${sized.partitions}.`,
      )
}

/** Asks for the topics that are missing; who may not have them created is told so. */
function createMissing(answer: StreamsAnswer, context: RequestContext): StreamsAnswer {
  if (answer.missing.length === 0) return answer
  const mayCreate = (name: string): boolean =>
    context.authorize('Create', 'Cluster', clusterName, 'filter') || context.authorize('Create', 'Topic', name)
  const forbidden = answer.missing.filter(({ name }) => !mayCreate(name)).map(({ name }) => name)
  if (forbidden.length === 0) {
    brokerOf(context).autoTopics.create(answer.missing)
    return answer
  }
  const statuses = answer.statuses.map(each =>
    each.status === 'MISSING_INTERNAL_TOPICS'
      ? { ...each, detail: `${each.detail}; Unauthorized to CREATE on topics ${forbidden.join(', ')}.` }
      : each,
  )
  return { ...answer, statuses }
}

export const streamsGroupHeartbeat = handler<StreamsGroupHeartbeatRequest, Response>({
  apiKey: 88,
  versions: [0, 0],
  listeners: ['broker'],
  authorization: [
    right('Read', 'Group'),
    right('Describe', 'Topic'),
    right('Create', 'Topic'),
    right('Create', 'Cluster'),
  ],
  fail: (_request, error, message) => toResponse(refuseStreams(error, message)),
  handle: async (request, context) => {
    if (!context.authorize('Read', 'Group', request.groupId))
      return toResponse(refuseStreams('GROUP_AUTHORIZATION_FAILED'))
    const refusal = refusalOf(request, context)
    if (refusal !== undefined) return toResponse(refusal)
    const { activeTasks, standbyTasks, warmupTasks } = request
    const topology: Topology | null = request.topology
    const heartbeat: StreamsHeartbeat = {
      ...request,
      topology,
      endpointEpoch: request.endpointInformationEpoch,
      clientId: context.clientId ?? '',
      clientHost: `/${context.connection.clientHost}`,
      owned:
        activeTasks === null || standbyTasks === null || warmupTasks === null
          ? null
          : assignmentFromTasks({ active: activeTasks, standby: standbyTasks, warmup: warmupTasks }),
    }
    const answer = await brokerOf(context).groups.ask<StreamsAnswer>(
      request.groupId,
      error => refuseStreams(error),
      (shard, ticket, nowMs) => shard.streamsHeartbeat(heartbeat, ticket, nowMs),
    )
    return toResponse(createMissing(answer, context))
  },
})
