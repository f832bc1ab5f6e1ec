/**
 * StreamsGroupHeartbeat: joining with a topology, staying, reconciling tasks and leaving. Every refusal comes before the first record is
 * written, so that a refused heartbeat leaves no trace.
 * Sources: KIP-1071; Kafka 4.3's GroupMetadataManager.streamsGroupHeartbeat.
 */
import { isDeepStrictEqual } from 'node:util'
import type { MetadataImage } from '../../../controller/image.ts'
import type { ErrorName } from '../../../protocol/errors.ts'
import type { Assignment } from '../modern/assignment.ts'
import { sameEpochs, withoutEpochs } from '../modern/consumer-member.ts'
import type { Write } from '../modern/modern-group.ts'
import { reconcile } from '../modern/reconcile.ts'
import { metadataHash } from '../modern/subscribed-topics.ts'
import { assignTasks } from './sticky-assignor.ts'
import type { StreamsGroup } from './streams-group.ts'
import { newStreamsMember, sameStreamsMetadata, type Endpoint, type StreamsMember } from './streams-member.ts'
import {
  epochRecord,
  streamsMemberRecord,
  streamsProgressRecord,
  streamsTombstones,
  topologyRecord,
} from './streams-records.ts'
import { kindOf } from './tasks.ts'
import {
  requiredTopics,
  sourceTopicsOf,
  TopologyError,
  type ConfiguredTopology,
  type InternalTopic,
  type Status,
  type Topology,
} from './topology.ts'

export interface StreamsSettings {
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly assignmentIntervalMs: number
  readonly initialRebalanceDelayMs: number
  readonly standbyReplicas: number
  readonly maxSize: number
}

export interface StreamsStep {
  readonly image: MetadataImage
  readonly nowMs: number
  readonly nowWallMs: number
  readonly settings: StreamsSettings
  readonly write: Write
}

export interface StreamsHeartbeat {
  readonly groupId: string
  readonly memberId: string
  readonly memberEpoch: number
  readonly endpointEpoch: number
  readonly rackId: string | null
  readonly rebalanceTimeoutMs: number
  readonly clientId: string
  readonly clientHost: string
  readonly topology: Topology | null
  /** Null: as before. */
  readonly owned: Assignment | null
  readonly processId: string | null
  readonly userEndpoint: Endpoint | null
  readonly clientTags: StreamsMember['clientTags'] | null
  readonly shutdownApplication: boolean
}

interface EndpointPartitions {
  readonly userEndpoint: Endpoint
  readonly activePartitions: { readonly topic: string; readonly partitions: number[] }[]
  readonly standbyPartitions: { readonly topic: string; readonly partitions: number[] }[]
}

export interface StreamsAnswer {
  readonly error: ErrorName
  readonly message: string | null
  readonly memberId: string
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  readonly statuses: readonly Status[]
  /** Undefined: as before. */
  readonly tasks: Assignment | undefined
  readonly endpointEpoch: number
  readonly endpoints: readonly EndpointPartitions[] | null
  /** Topics that somebody has to create. */
  readonly missing: readonly InternalTopic[]
}

export function refuseStreams(error: ErrorName, message: string | null = null): StreamsAnswer {
  return {
    error,
    message,
    memberId: '',
    memberEpoch: 0,
    heartbeatIntervalMs: 0,
    statuses: [],
    tasks: undefined,
    endpointEpoch: 0,
    endpoints: null,
    missing: [],
  }
}

/** Undefined: it may go on. */
export function streamsError(
  group: StreamsGroup,
  request: StreamsHeartbeat,
  { image, settings }: StreamsStep,
): StreamsAnswer | undefined {
  const { memberId, memberEpoch } = request
  const member = group.members.get(memberId)
  if (memberEpoch === 0) {
    if (group.members.size >= settings.maxSize)
      return refuseStreams(
        'GROUP_MAX_SIZE_REACHED',
        `The streams group has reached its maximum capacity of ${settings.maxSize} members.`,
      )
  } else if (member === undefined)
    return refuseStreams('UNKNOWN_MEMBER_ID', `Member ${memberId} is not a member of group ${group.groupId}.`)
  else if (!isExpectedEpoch(member, request))
    return refuseStreams(
      'FENCED_MEMBER_EPOCH',
      `The streams group member has another member epoch (${memberEpoch}) than the one known by the group coordinator ` +
        `(${member.memberEpoch}). The member must abandon all its partitions and rejoin.`,
    )
  return topologyError(group, request, image)
}

function isExpectedEpoch(member: StreamsMember, { memberEpoch, owned }: StreamsHeartbeat): boolean {
  if (memberEpoch === member.memberEpoch) return true
  if (memberEpoch !== member.previousMemberEpoch || memberEpoch > member.memberEpoch || owned === null) return false
  return [...owned].every(([key, partitions]) =>
    [...partitions].every(partition => member.assigned.get(key)?.has(partition) === true),
  )
}

function topologyError(
  group: StreamsGroup,
  request: StreamsHeartbeat,
  image: MetadataImage,
): StreamsAnswer | undefined {
  const { topology, owned } = request
  const known = group.topology
  if (topology !== null && known !== undefined && topology.epoch >= known.epoch && !sameTopology(topology, known))
    return refuseStreams('INVALID_REQUEST', 'Topology updates are not supported yet.')
  const current = known ?? topology
  if (current === null) return refuseStreams('UNKNOWN_SERVER_ERROR', 'The group has no topology.')
  try {
    return tasksError(group.configured(current, image), owned)
  } catch (error) {
    if (error instanceof TopologyError) return refuseStreams('STREAMS_INVALID_TOPOLOGY', error.message)
    throw error
  }
}

function sameTopology(left: Topology, right: Topology): boolean {
  const byId = (topology: Topology) => new Map(topology.subtopologies.map(each => [each.subtopologyId, each]))
  return left.epoch === right.epoch && isDeepStrictEqual(byId(left), byId(right))
}

function tasksError(
  { problem, subtopologies }: ConfiguredTopology,
  owned: Assignment | null,
): StreamsAnswer | undefined {
  if (problem !== undefined || owned === null) return undefined
  for (const [key, partitions] of owned) {
    const { subtopologyId } = kindOf(key)
    const tasks = subtopologies.get(subtopologyId)?.tasks
    if (tasks === undefined)
      return refuseStreams('INVALID_REQUEST', `Subtopology ${subtopologyId} does not exist in the topology.`)
    for (const partition of partitions)
      if (partition < 0 || partition >= tasks)
        return refuseStreams(
          'INVALID_REQUEST',
          `Task ${partition} for subtopology ${subtopologyId} is invalid. Number of tasks for this subtopology: ${tasks}`,
        )
  }
  return undefined
}

/** After `streamsError` had nothing against it. */
export function streamsHeartbeat(group: StreamsGroup, request: StreamsHeartbeat, step: StreamsStep): StreamsAnswer {
  const { groupId } = group
  const { memberId } = request
  const { image, write, settings, nowMs } = step
  const before = group.members.get(memberId) ?? newStreamsMember(memberId)
  const updated = withRequest(before, request)
  if (group.isEmpty && settings.initialRebalanceDelayMs > 0 && group.delayUntilMs === 0)
    group.delayUntilMs = nowMs + settings.initialRebalanceDelayMs
  const isChanged = !group.members.has(memberId) || !sameStreamsMetadata(before, updated)
  if (isChanged) write(streamsMemberRecord(groupId, updated))
  if (group.topology === undefined && request.topology !== null) write(topologyRecord(groupId, request.topology))
  const topology = group.topology
  if (topology === undefined) throw new Error(`streams group ${groupId} has no topology`)
  const configured = group.configured(topology, image)
  refreshEpoch(group, configured, isChanged, step)
  const statuses = [...staleStatus(topology, updated), ...assign(group, step)]
  const next = advance(group, updated, request.owned ?? undefined, step)
  if (next === 'fence')
    return refuseStreams('FENCED_MEMBER_EPOCH', 'The member is in an unknown state and must rejoin.')
  group.heard(memberId, nowMs, settings.sessionTimeoutMs)
  if (request.shutdownApplication) group.shutdownBy ??= memberId
  const tells = request.memberEpoch === 0 || !sameEpochs(before.assigned, next.assigned)
  if (tells && next.userEndpoint !== null) group.endpointEpoch++
  if (configured.problem !== undefined) statuses.push(configured.problem)
  return {
    ...refuseStreams('NONE'),
    memberId,
    memberEpoch: next.memberEpoch,
    heartbeatIntervalMs: settings.heartbeatIntervalMs,
    statuses: [...statuses, ...shutdownStatus(group)],
    tasks: tells ? withoutEpochs(next.assigned) : undefined,
    endpointEpoch: group.endpointEpoch,
    endpoints: group.endpointEpoch === request.endpointEpoch ? null : endpointsOf(group, image),
    missing: configured.missing,
  }
}

function withRequest(member: StreamsMember, request: StreamsHeartbeat): StreamsMember {
  const { rebalanceTimeoutMs, topology, clientId, clientHost } = request
  return {
    ...member,
    rackId: request.rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    topologyEpoch: topology?.epoch ?? member.topologyEpoch,
    processId: request.processId ?? member.processId,
    userEndpoint: request.userEndpoint ?? member.userEndpoint,
    clientTags: request.clientTags ?? member.clientTags,
    clientId,
    clientHost,
  }
}

/** Raises the group epoch when members, topics, the fitness of the topology or the settings of the assignment changed. */
function refreshEpoch(
  group: StreamsGroup,
  configured: ConfiguredTopology,
  isChanged: boolean,
  step: StreamsStep,
): void {
  const topology = group.topology
  const { image, settings } = step
  const configs = new Map([['num.standby.replicas', String(settings.standbyReplicas)]])
  const isStale = group.isMetadataStale && topology !== undefined
  const hash = isStale ? metadataHash(requiredTopics(topology), image) : group.metadataHash
  group.isMetadataStale = false
  const validatedTopologyEpoch = configured.problem === undefined ? configured.epoch : -1
  if (
    !isChanged &&
    hash === group.metadataHash &&
    validatedTopologyEpoch === group.validatedTopologyEpoch &&
    isDeepStrictEqual(configs, group.configs)
  )
    return
  const epoch = group.groupEpoch + 1
  step.write(epochRecord(group.groupId, { epoch, metadataHash: hash, validatedTopologyEpoch, configs }))
}

/** Makes the target when it is due; a status when it has to wait. */
export function assign(group: StreamsGroup, step: StreamsStep): Status[] {
  const { settings, nowMs, nowWallMs, image, write } = step
  if (group.delayUntilMs > nowMs)
    return [
      { status: 'ASSIGNMENT_DELAYED', detail: 'Assignment delayed due to the configured initial rebalance delay.' },
    ]
  group.delayUntilMs = 0
  if (group.assignmentEpoch >= group.groupEpoch || group.topology === undefined) return []
  if (group.mustAwaitAssignment(settings.assignmentIntervalMs, nowWallMs))
    return [{ status: 'ASSIGNMENT_DELAYED', detail: 'Assignment delayed due to the configured assignment interval.' }]
  const { problem, subtopologies } = group.configured(group.topology, image)
  const members = [...group.members.values()].map(({ memberId, processId }) => ({
    memberId,
    processId,
    assignment: group.targetOf(memberId),
  }))
  const assignor = {
    name: 'sticky',
    assign: () =>
      problem === undefined
        ? assignTasks(members, subtopologies, settings.standbyReplicas)
        : new Map<string, Assignment>(),
  }
  group.updateTarget({ assignor, image, nowWallMs, write })
  return []
}

function advance(
  group: StreamsGroup,
  member: StreamsMember,
  owned: Assignment | undefined,
  step: StreamsStep,
): StreamsMember | 'fence' {
  const target = group.targetOf(member.memberId)
  const next = reconcile(member, {
    epoch: group.assignmentEpoch,
    target,
    subscribed: new Set(target.keys()),
    subscriptionChanged: false,
    owned,
    isHeld: (key, partition) => group.isTaskHeld(key, partition, member.processId),
  })
  if (next === 'fence' || next === member) return next
  step.write(streamsProgressRecord(group.groupId, next))
  if (next.state === 'unrevoked') group.awaitRevocation(next.memberId, step.nowMs, next.rebalanceTimeoutMs)
  else group.hasRevoked(next.memberId)
  return next
}

function staleStatus(topology: Topology, { topologyEpoch }: StreamsMember): Status[] {
  if (topologyEpoch >= topology.epoch) return []
  const detail = `The member's topology epoch ${topologyEpoch} is behind the group's topology epoch ${topology.epoch}.`
  return [{ status: 'STALE_TOPOLOGY', detail }]
}

function shutdownStatus({ shutdownBy }: StreamsGroup): Status[] {
  if (shutdownBy === undefined) return []
  const detail = `Streams group member ${shutdownBy} encountered a fatal error and requested a shutdown for the entire application.`
  return [{ status: 'SHUTDOWN_APPLICATION', detail }]
}

/** Where interactive queries find which partition. */
function endpointsOf(group: StreamsGroup, image: MetadataImage): EndpointPartitions[] {
  return [...group.members.values()].flatMap(({ userEndpoint, assigned }) => {
    if (userEndpoint === null) return []
    const found = { active: new Map<string, number[]>(), standby: new Map<string, number[]>() }
    for (const [key, partitions] of assigned) {
      const { kind, subtopologyId } = kindOf(key)
      const subtopology = group.topology?.subtopologies.find(each => each.subtopologyId === subtopologyId)
      if (kind === 'warmup' || subtopology === undefined) continue
      for (const topic of sourceTopicsOf(subtopology)) {
        const count = image.topicsByName.get(topic)?.partitions.size ?? 0
        const there = [...partitions.keys()].filter(partition => partition < count).sort((one, two) => one - two)
        found[kind].set(topic, [...(found[kind].get(topic) ?? []), ...there])
      }
    }
    const list = (map: ReadonlyMap<string, number[]>) => [...map].map(([topic, partitions]) => ({ topic, partitions }))
    return [{ userEndpoint, activePartitions: list(found.active), standbyPartitions: list(found.standby) }]
  })
}

// ---------------------------------------------------------------------------------------------------------- leaving

export function streamsLeave(group: StreamsGroup, request: StreamsHeartbeat, step: StreamsStep): StreamsAnswer {
  const { memberId, memberEpoch, shutdownApplication } = request
  if (!group.members.has(memberId))
    return refuseStreams('UNKNOWN_MEMBER_ID', `Member ${memberId} is not a member of group ${group.groupId}.`)
  if (shutdownApplication) group.shutdownBy ??= memberId
  streamsFence(group, [memberId], step)
  return { ...refuseStreams('NONE'), memberId, memberEpoch }
}

/** Members are out, and the others get their tasks. */
export function streamsFence(
  group: StreamsGroup,
  memberIds: readonly string[],
  { write }: Pick<StreamsStep, 'write'>,
): void {
  const { groupId, metadataHash: hash, validatedTopologyEpoch, configs } = group
  for (const memberId of memberIds) {
    write(streamsTombstones.progress(groupId, memberId))
    write(group.targetRecord(memberId, null))
    write(streamsTombstones.member(groupId, memberId))
  }
  write(epochRecord(groupId, { epoch: group.groupEpoch + 1, metadataHash: hash, validatedTopologyEpoch, configs }))
}
