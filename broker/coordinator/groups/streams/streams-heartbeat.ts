/**
 * StreamsGroupHeartbeat: the one conversation of a member with its group. It joins with its topology, learns its tasks, says what it has,
 * and leaves; the group changes on no other occasion, but for time (streams-groups.ts).
 *
 * What a heartbeat sets off, each step only if there is cause:
 *
 *   admitted    → (admission.ts)   a refusal, and not a trace of the heartbeat
 *   introduced  → member or topology record
 *   epoch       → group epoch + 1: members, topics, fitness of the topology or settings of the assignment changed
 *   assigned    → target for the group epoch, unless it has to wait
 *   reconciled  → the member comes nearer to its target (../modern/reconcile.ts), and so may others with their next heartbeats
 *   answered    → epoch, tasks if they are not as before, statuses, where the others are
 *
 * The state that these records make is in streams-group.ts, what moves the epochs in rebalance.ts. Source: KIP-1071.
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { ErrorName } from '../../../protocol/errors.ts'
import { sameAssignment, type Assignment } from '../modern/assignment.ts'
import { sameEpochs, withoutEpochs } from '../modern/consumer-member.ts'
import type { Write } from '../modern/modern-group.ts'
import { endpointsOf, type EndpointPartitions } from './endpoints.ts'
import type { InternalTopic, Plan } from './partition-plan.ts'
import { advance, assign, introduce, raiseEpoch, remove } from './rebalance.ts'
import type { Status } from './statuses.ts'
import type { StreamsGroup } from './streams-group.ts'
import type { Endpoint, StreamsMember } from './streams-member.ts'
import type { Topology } from './topology.ts'

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

/** Null: as before, but for `topology`, which only joining members bring. */
export interface StreamsHeartbeat {
  readonly groupId: string
  readonly memberId: string
  /** 0: joins; -1: leaves. */
  readonly memberEpoch: number
  readonly endpointEpoch: number
  readonly rackId: string | null
  /** -1: as before. */
  readonly rebalanceTimeoutMs: number
  readonly clientId: string
  readonly clientHost: string
  readonly topology: Topology | null
  readonly owned: Assignment | null
  readonly processId: string | null
  readonly userEndpoint: Endpoint | null
  readonly clientTags: StreamsMember['clientTags'] | null
  readonly shutdownApplication: boolean
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
  /** Null: as before. */
  readonly endpoints: readonly EndpointPartitions[] | null
  /** Topics that somebody has to create. */
  readonly missing: readonly InternalTopic[]
}

const silence: Omit<StreamsAnswer, 'error' | 'message'> = {
  memberId: '',
  memberEpoch: 0,
  heartbeatIntervalMs: 0,
  statuses: [],
  tasks: undefined,
  endpointEpoch: 0,
  endpoints: null,
  missing: [],
}

export function refuseStreams(error: ErrorName, message: string | null = null): StreamsAnswer {
  return { error, message, ...silence }
}

/** Of a member that was admitted. */
export function streamsHeartbeat(group: StreamsGroup, request: StreamsHeartbeat, step: StreamsStep): StreamsAnswer {
  const { memberId } = request
  const { settings, nowMs, image } = step
  const { before, after, isChanged } = introduce(group, request, step)
  const plan = group.planFor(image)
  raiseEpoch(group, { isChanged, plan }, step)
  const delay = assign(group, step)
  const now = advance(group, after, request.owned ?? undefined, step)
  group.heard(memberId, nowMs, settings.sessionTimeoutMs)
  if (request.shutdownApplication) group.shutdownBy ??= memberId
  const isNew = request.memberEpoch === 0 || !sameEpochs(before.assigned, now.assigned)
  if (isNew && now.userEndpoint !== null) group.endpointEpoch++
  const tasks = withoutEpochs(now.assigned)
  // It has something else when the answer that told it got lost, with a coordinator that died, say.
  const isTold = isNew || (request.owned !== null && !sameAssignment(request.owned, tasks))
  const { endpointEpoch } = group
  return {
    ...silence,
    error: 'NONE',
    message: null,
    memberId,
    memberEpoch: now.memberEpoch,
    heartbeatIntervalMs: settings.heartbeatIntervalMs,
    statuses: statusesFor(group, now, { delay, plan }),
    tasks: isTold ? tasks : undefined,
    endpointEpoch,
    endpoints: endpointEpoch === request.endpointEpoch ? null : endpointsOf(group, image),
    missing: plan.kind === 'plan' ? plan.missing : [],
  }
}

function statusesFor(
  group: StreamsGroup,
  { topologyEpoch }: StreamsMember,
  { delay, plan }: { readonly delay: Status | undefined; readonly plan: Plan },
): Status[] {
  const epoch = group.topology?.epoch ?? topologyEpoch
  const statuses: Status[] = []
  if (topologyEpoch < epoch)
    statuses.push({
      status: 'STALE_TOPOLOGY',
      detail: `The topology of the group has epoch ${epoch}, that of this member ${topologyEpoch}.`,
    })
  if (delay !== undefined) statuses.push(delay)
  const obstacle = group.obstacle(plan)
  if (obstacle !== undefined) statuses.push(obstacle)
  if (group.shutdownBy !== undefined)
    statuses.push({
      status: 'SHUTDOWN_APPLICATION',
      detail: `Member ${group.shutdownBy} asked for the end of the whole application.`,
    })
  return statuses
}

export function streamsLeave(group: StreamsGroup, request: StreamsHeartbeat, step: StreamsStep): StreamsAnswer {
  const { memberId, memberEpoch, shutdownApplication } = request
  if (!group.members.has(memberId))
    return refuseStreams('UNKNOWN_MEMBER_ID', `Group ${group.groupId} has no member ${memberId} that could leave.`)
  if (shutdownApplication) group.shutdownBy ??= memberId
  remove(group, [memberId], step)
  return { ...silence, error: 'NONE', message: null, memberId, memberEpoch }
}
