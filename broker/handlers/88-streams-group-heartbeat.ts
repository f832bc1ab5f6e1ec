/**
 * StreamsGroupHeartbeat: v0. A thread of a Kafka Streams application joins, stays, learns its tasks and leaves (KIP-1071).
 *
 * Behavior:
 * - Offered while streams.version is at least 1 and group.coordinator.rebalance.protocols has `streams`; else UNSUPPORTED_VERSION.
 * - Internal topics that are missing are created on behalf of the group; until they are there the status says MISSING_INTERNAL_TOPICS.
 *   A topic that could not be created is named there with the reason.
 * - Static members, source topics by regular expression, warm-up tasks and offsets of tasks are refused, as in Kafka 4.3.
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
import { flawOf } from '../coordinator/groups/streams/request-rules.ts'
import { statusCodes } from '../coordinator/groups/streams/statuses.ts'
import { requiredTopics, type Topology } from '../coordinator/groups/streams/topology.ts'
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

function refusalOf(request: StreamsGroupHeartbeatRequest, context: RequestContext): StreamsAnswer | undefined {
  if (!brokerOf(context).groups.offers('streams')) return refuseStreams('UNSUPPORTED_VERSION')
  const { topology } = request
  const topics = topology === null ? [] : [...requiredTopics(topology)]
  if (topics.some(name => !context.authorize('Describe', 'Topic', name)))
    return refuseStreams('TOPIC_AUTHORIZATION_FAILED')
  const flaw = flawOf(request)
  return flaw === undefined ? undefined : refuseStreams(flaw.error, flaw.message)
}

/** Asks for the topics that are missing; what keeps them from being created is told with the status that names them. */
function createMissing(answer: StreamsAnswer, context: RequestContext): StreamsAnswer {
  if (answer.missing.length === 0) return answer
  const { autoTopics } = brokerOf(context)
  const mayCreate = (name: string): boolean =>
    context.authorize('Create', 'Cluster', clusterName, 'filter') || context.authorize('Create', 'Topic', name)
  const forbidden = answer.missing.filter(({ name }) => !mayCreate(name)).map(({ name }) => name)
  const reasons =
    forbidden.length > 0
      ? [`the member may not create ${forbidden.join(', ')}`]
      : answer.missing.flatMap(({ name }) => autoTopics.failureOf(name) ?? [])
  if (forbidden.length === 0) autoTopics.create(answer.missing)
  if (reasons.length === 0) return answer
  const statuses = answer.statuses.map(each =>
    each.status === 'MISSING_INTERNAL_TOPICS' ? { ...each, detail: `${each.detail} ${reasons.join('; ')}` } : each,
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
