/**
 * ConsumerGroupHeartbeat: joining, staying, reconciling and leaving, for members of the consumer protocol. Every refusal comes before the
 * first record is written, so that a refused heartbeat leaves no trace.
 * Sources: KIP-848; Kafka 4.3's GroupMetadataManager.consumerGroupHeartbeat.
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { ErrorName } from '../../../protocol/errors.ts'
import type { Assignment } from './assignment.ts'
import type { Assignor } from './assignors/assignor.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import {
  leftEpoch,
  leftForNowEpoch,
  newConsumerMember,
  regexOf,
  sameEpochs,
  sameMetadata,
  sameProgress,
  sameSubscribedNames,
  withEpoch,
  withoutEpochs,
  type ConsumerMember,
} from './consumer-member.ts'
import { memberRecord, progressRecord, regexRecord, tombstones } from './consumer-records.ts'
import type { Write } from './modern-group.ts'
import { reconcile } from './reconcile.ts'
import { refreshRegexes, regexError } from './regexes.ts'

export interface ConsumerSettings {
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly assignmentIntervalMs: number
  readonly regexRefreshIntervalMs: number
  readonly maxSize: number
  /** Which way groups may change between the protocols. */
  readonly migrationPolicy: 'DISABLED' | 'UPGRADE' | 'DOWNGRADE' | 'BIDIRECTIONAL'
  /** Bounds of classic members: group.min.session.timeout.ms and its like. */
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  readonly classicMaxSize: number
  /** group.consumer.assignors, the first one is the default. */
  readonly assignors: readonly Assignor[]
}

/** What a step of a modern group may use. */
export interface GroupStep {
  readonly image: MetadataImage
  readonly nowMs: number
  readonly nowWallMs: number
  readonly settings: ConsumerSettings
  readonly write: Write
  /** Members are out; the group may become a classic one by that. */
  readonly fence: (group: ConsumerGroup, members: readonly ConsumerMember[]) => void
  /** Topics that a pattern may stand for. */
  readonly mayDescribe: (topic: string) => boolean
}

export interface ConsumerHeartbeat {
  readonly groupId: string
  /** Never empty: v0 members are named by the handler. */
  readonly memberId: string
  readonly memberEpoch: number
  readonly instanceId: string | null
  readonly rackId: string | null
  /** -1: as before. */
  readonly rebalanceTimeoutMs: number
  readonly clientId: string
  readonly clientHost: string
  readonly subscribedTopicNames: readonly string[] | null
  readonly subscribedTopicRegex: string | null
  readonly serverAssignor: string | null
  /** What it owns; null: as before. */
  readonly owned: Assignment | null
}

export interface HeartbeatAnswer {
  readonly error: ErrorName
  readonly message: string | null
  readonly memberId: string
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  /** Undefined: as before. */
  readonly assignment: Assignment | undefined
}

export function refuseHeartbeat(error: ErrorName, message: string | null = null): HeartbeatAnswer {
  return { error, message, memberId: '', memberEpoch: 0, heartbeatIntervalMs: 0, assignment: undefined }
}

/** Undefined: it may go on. The group is a new one when the member is the first. */
export function heartbeatError(
  group: ConsumerGroup,
  request: ConsumerHeartbeat,
  { settings }: Pick<GroupStep, 'settings'>,
): HeartbeatAnswer | undefined {
  const { memberId, memberEpoch, instanceId } = request
  if (group.members.size >= settings.maxSize && !group.members.has(memberId))
    return refuseHeartbeat(
      'GROUP_MAX_SIZE_REACHED',
      `The consumer group has reached its maximum capacity of ${settings.maxSize} members.`,
    )
  if (request.subscribedTopicRegex !== null && request.subscribedTopicRegex !== '') {
    const invalid = regexError(request.subscribedTopicRegex)
    if (invalid !== undefined) return refuseHeartbeat('INVALID_REGULAR_EXPRESSION', invalid)
  }
  const member = instanceId === null ? group.members.get(memberId) : group.staticMember(instanceId)
  if (memberEpoch === 0) {
    const isTaken = instanceId !== null && member !== undefined && member.classic === null
    return isTaken && member.memberEpoch !== leftForNowEpoch
      ? refuseHeartbeat(
          'UNRELEASED_INSTANCE_ID',
          `Static member ${memberId} with instance id ${instanceId} cannot join the group because the instance id is owned by ` +
            `${member.memberId} member.`,
        )
      : undefined
  }
  if (member === undefined) return unknownMember(group, memberId, instanceId)
  return fencedInstance(member, memberId, instanceId) ?? epochError(member, request)
}

function unknownMember(group: ConsumerGroup, memberId: string, instanceId: string | null): HeartbeatAnswer {
  return refuseHeartbeat(
    'UNKNOWN_MEMBER_ID',
    instanceId === null
      ? `Member ${memberId} is not a member of group ${group.groupId}.`
      : `Instance id ${instanceId} is unknown.`,
  )
}

function fencedInstance(
  member: ConsumerMember,
  memberId: string,
  instanceId: string | null,
): HeartbeatAnswer | undefined {
  if (member.memberId === memberId) return undefined
  return refuseHeartbeat(
    'FENCED_INSTANCE_ID',
    `Static member ${memberId} with instance id ${String(instanceId)} was fenced by member ${member.memberId}.`,
  )
}

/** A member that did not hear the last answer may repeat the epoch before, if it owns no more than it may. */
function epochError(member: ConsumerMember, { memberEpoch, owned }: ConsumerHeartbeat): HeartbeatAnswer | undefined {
  if (memberEpoch === member.memberEpoch) return undefined
  if (memberEpoch < member.memberEpoch && memberEpoch === member.previousMemberEpoch && isWithin(owned, member))
    return undefined
  const compared = memberEpoch > member.memberEpoch ? 'greater' : 'smaller'
  return refuseHeartbeat(
    'FENCED_MEMBER_EPOCH',
    `The consumer group member has a ${compared} member epoch (${memberEpoch}) than the one known by the group coordinator ` +
      `(${member.memberEpoch}). The member must abandon all its partitions and rejoin.`,
  )
}

function isWithin(owned: Assignment | null, { assigned }: ConsumerMember): boolean {
  if (owned === null) return false
  for (const [topicId, partitions] of owned)
    for (const partition of partitions) if (assigned.get(topicId)?.has(partition) !== true) return false
  return true
}

/** After `heartbeatError` had nothing against it. */
export function heartbeat(group: ConsumerGroup, request: ConsumerHeartbeat, step: GroupStep): HeartbeatAnswer {
  const before = memberOf(group, request, step.write)
  const updated = withRequest(before, request)
  const reconciled = takeIn(group, before, updated, request.owned ?? undefined, step)
  if (reconciled === 'fence')
    return refuseHeartbeat('FENCED_MEMBER_EPOCH', 'The member is in an unknown state and must rejoin.')
  group.heard(request.memberId, step.nowMs, step.settings.sessionTimeoutMs)
  const isFull =
    request.rebalanceTimeoutMs !== -1 &&
    (request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null) &&
    request.owned !== null
  const tells = request.memberEpoch === 0 || isFull || !sameEpochs(before.assigned, reconciled.assigned)
  return {
    error: 'NONE',
    message: null,
    memberId: reconciled.memberId,
    memberEpoch: reconciled.memberEpoch,
    heartbeatIntervalMs: step.settings.heartbeatIntervalMs,
    assignment: tells ? withoutEpochs(reconciled.assigned) : undefined,
  }
}

/** The member as it is known; a static member that comes back takes the place of its former self. */
function memberOf(group: ConsumerGroup, request: ConsumerHeartbeat, write: Write): ConsumerMember {
  const { memberId, instanceId, memberEpoch } = request
  const former = instanceId === null || memberEpoch !== 0 ? undefined : group.staticMember(instanceId)
  if (former === undefined) return group.members.get(memberId) ?? newConsumerMember(memberId)
  return replaceMember(group, former, memberId, write)
}

export function replaceMember(
  group: ConsumerGroup,
  former: ConsumerMember,
  memberId: string,
  write: Write,
): ConsumerMember {
  const target = group.targetOf(former.memberId)
  const next: ConsumerMember = { ...former, memberId, memberEpoch: 0, previousMemberEpoch: 0 }
  removeMember(group, former.memberId, write)
  write(memberRecord(group.groupId, next))
  write(group.targetRecord(memberId, target))
  write(progressRecord(group.groupId, next))
  return next
}

function withRequest(member: ConsumerMember, request: ConsumerHeartbeat): ConsumerMember {
  const { subscribedTopicNames, rebalanceTimeoutMs } = request
  return {
    ...member,
    instanceId: request.instanceId ?? member.instanceId,
    rackId: request.rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    serverAssignor: request.serverAssignor ?? member.serverAssignor,
    subscribedTopicNames: subscribedTopicNames === null ? member.subscribedTopicNames : new Set(subscribedTopicNames),
    subscribedTopicRegex: request.subscribedTopicRegex ?? member.subscribedTopicRegex,
    clientId: request.clientId,
    clientHost: request.clientHost,
    classic: null,
  }
}

/** Writes what is new about the member, the target when one is due, and the member's next step towards it. */
export function takeIn(
  group: ConsumerGroup,
  before: ConsumerMember,
  updated: ConsumerMember,
  owned: Assignment | undefined,
  step: GroupStep,
): ConsumerMember | 'fence' {
  const { groupId } = group
  const { image, write, settings, nowMs, nowWallMs } = step
  const isKnown = group.members.has(before.memberId)
  if (!isKnown || !sameMetadata(before, updated)) write(memberRecord(groupId, updated))
  const namesChanged = !sameSubscribedNames(before, updated)
  const regexChanged = regexOf(before) !== regexOf(updated)
  const resolvedChanged = refreshRegexes(group, regexOf(before), regexOf(updated), step)
  const subscriptionChanged = namesChanged || regexChanged
  group.refreshMetadata(image, subscriptionChanged || resolvedChanged, write)
  if (group.hasPartitionMetadata) write(tombstones.partitionMetadata(groupId))
  if (!group.mustAwaitAssignment(settings.assignmentIntervalMs, nowWallMs))
    group.updateTarget({ assignor: assignorOf(group, settings), image, nowWallMs, write })
  const next = reconcile(updated, {
    epoch: group.assignmentEpoch,
    target: group.targetOf(updated.memberId),
    subscribed: group.subscribedTopicIds(updated, image),
    subscriptionChanged,
    owned,
    isHeld: (topicId, partition) => group.isHeld(topicId, partition),
  })
  if (next === 'fence' || sameProgress(next, updated)) return next
  write(progressRecord(groupId, next))
  if (next.classic === null) {
    if (next.state === 'unrevoked') group.awaitRevocation(next.memberId, nowMs, next.rebalanceTimeoutMs)
    else group.hasRevoked(next.memberId)
  }
  return next
}

function assignorOf(group: ConsumerGroup, { assignors }: ConsumerSettings): Assignor {
  const wanted = group.preferredAssignor()
  const assignor = assignors.find(({ name }) => name === wanted) ?? assignors[0]
  if (assignor === undefined) throw new Error('group.consumer.assignors names none')
  return assignor
}

// ---------------------------------------------------------------------------------------------------------- leaving

/** Epoch -1: for good; -2: a static member that may come back keeps its partitions until its session ends. */
export function leave(group: ConsumerGroup, request: ConsumerHeartbeat, step: GroupStep): HeartbeatAnswer {
  const { memberId, instanceId, memberEpoch } = request
  const member = instanceId === null ? group.members.get(memberId) : group.staticMember(instanceId)
  if (member === undefined) return unknownMember(group, memberId, instanceId)
  const fenced = fencedInstance(member, memberId, instanceId)
  if (fenced !== undefined) return fenced
  if (instanceId !== null && memberEpoch === leftForNowEpoch) {
    const assigned = withEpoch(withoutEpochs(member.assigned), 0)
    step.write(
      progressRecord(group.groupId, { ...member, memberEpoch: leftForNowEpoch, revoking: new Map(), assigned }),
    )
  } else step.fence(group, [member])
  return {
    ...refuseHeartbeat('NONE'),
    memberId,
    memberEpoch: memberEpoch === leftForNowEpoch ? memberEpoch : leftEpoch,
  }
}

/** Members are out, and the others get what they had. */
export function fence(
  group: ConsumerGroup,
  members: readonly ConsumerMember[],
  step: Pick<GroupStep, 'image' | 'write'>,
): void {
  const { image, write } = step
  for (const { memberId } of members) removeMember(group, memberId, write)
  for (const regex of new Set(members.map(regexOf)))
    if (regex !== undefined && group.subscribersOf(regex) === 0) write(regexRecord(group.groupId, regex, null))
  group.refreshMetadata(image, true, write)
}

function removeMember(group: ConsumerGroup, memberId: string, write: Write): void {
  write(tombstones.progress(group.groupId, memberId))
  write(group.targetRecord(memberId, null))
  write(tombstones.member(group.groupId, memberId))
}
