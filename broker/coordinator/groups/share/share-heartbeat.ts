/**
 * ShareGroupHeartbeat: joining, staying and leaving. Refusals come before the first record is written. Source: KIP-932.
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { ErrorName } from '../../../protocol/errors.ts'
import { noAssignment, sameAssignment, type Assignment } from '../modern/assignment.ts'
import type { Write } from '../modern/modern-group.ts'
import { topicIdsOf } from '../modern/subscribed-topics.ts'
import type { ShareGroup } from './share-group.ts'
import {
  memberRecord,
  partitionsRecord,
  progressRecord,
  tombstones,
  type InitializedPartitions,
} from './share-group-records.ts'
import { leftEpoch, newShareMember, sameMetadata, sameSubscription, type ShareMember } from './share-member.ts'
import { simpleAssignor } from './simple-assignor.ts'

export interface ShareSettings {
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly maxSize: number
  readonly initializeRetryIntervalMs: number
}

export interface ShareStep {
  readonly image: MetadataImage
  readonly nowMs: number
  readonly nowWallMs: number
  readonly settings: ShareSettings
  readonly write: Write
}

export interface ShareHeartbeat {
  readonly groupId: string
  readonly memberId: string
  readonly memberEpoch: number
  readonly rackId: string | null
  readonly subscribedTopicNames: readonly string[] | null
  readonly clientId: string
  readonly clientHost: string
}

/** States to make at the share coordinator; the group waits for them. */
export interface Initialization {
  readonly stateEpoch: number
  readonly partitions: Assignment
}

export interface ShareHeartbeatAnswer {
  readonly error: ErrorName
  readonly message: string | null
  readonly memberId: string
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  /** Undefined: as before. */
  readonly assignment: Assignment | undefined
  readonly initialize: Initialization | undefined
}

export function refuseShareHeartbeat(error: ErrorName, message: string | null = null): ShareHeartbeatAnswer {
  const nothing = { assignment: undefined, initialize: undefined }
  return { error, message, memberId: '', memberEpoch: 0, heartbeatIntervalMs: 0, ...nothing }
}

/** Undefined: it may go on. */
export function shareHeartbeatError(
  group: ShareGroup,
  { memberId, memberEpoch }: ShareHeartbeat,
  { settings }: Pick<ShareStep, 'settings'>,
): ShareHeartbeatAnswer | undefined {
  const member = group.members.get(memberId)
  if (group.members.size >= settings.maxSize && member === undefined)
    return refuseShareHeartbeat(
      'GROUP_MAX_SIZE_REACHED',
      `Group ${group.groupId} has ${group.members.size} members; group.share.max.size allows no more.`,
    )
  if (memberEpoch === 0) return undefined
  if (member === undefined)
    return refuseShareHeartbeat('UNKNOWN_MEMBER_ID', `Group ${group.groupId} has no member ${memberId}.`)
  if (memberEpoch === member.memberEpoch || memberEpoch === member.previousMemberEpoch) return undefined
  return refuseShareHeartbeat(
    'FENCED_MEMBER_EPOCH',
    `Member ${memberId} is in epoch ${member.memberEpoch}, not ${memberEpoch}: it must join again.`,
  )
}

export function shareHeartbeat(group: ShareGroup, request: ShareHeartbeat, step: ShareStep): ShareHeartbeatAnswer {
  const { groupId, memberId, memberEpoch, subscribedTopicNames } = request
  const { image, write, nowMs, nowWallMs, settings } = step
  const before = group.members.get(memberId) ?? newShareMember(memberId)
  const updated: ShareMember = {
    ...before,
    rackId: request.rackId ?? before.rackId,
    clientId: request.clientId,
    clientHost: request.clientHost,
    subscribedTopicNames: subscribedTopicNames === null ? before.subscribedTopicNames : new Set(subscribedTopicNames),
  }
  const isNew = !group.members.has(memberId)
  if (isNew || !sameMetadata(before, updated)) write(memberRecord(groupId, updated))
  const hasChanged = isNew || !sameSubscription(before, updated)
  const isPending = group.assignmentEpoch >= group.groupEpoch && group.isAssignmentPending(image)
  group.refreshMetadata(image, hasChanged || isPending, write)
  group.updateTarget({ assignor: simpleAssignor, image, nowWallMs, write })
  const next = reconciled(group, updated, image)
  if (next !== updated) write(progressRecord(groupId, next))
  group.heard(memberId, nowMs, settings.sessionTimeoutMs)
  const isFull = memberEpoch === 0 || subscribedTopicNames !== null || !sameAssignment(before.assigned, next.assigned)
  return {
    error: 'NONE',
    message: null,
    memberId,
    memberEpoch: next.memberEpoch,
    heartbeatIntervalMs: settings.heartbeatIntervalMs,
    assignment: isFull ? next.assigned : undefined,
    initialize: beginInitialization(group, step),
  }
}

/** The member has its target at once, without the topics that it does not subscribe to any more. */
function reconciled(group: ShareGroup, member: ShareMember, image: MetadataImage): ShareMember {
  const wanted = topicIdsOf(member.subscribedTopicNames, image)
  const assigned = new Map([...group.targetOf(member.memberId)].filter(([topicId]) => wanted.has(topicId)))
  const isSame = member.memberEpoch === group.assignmentEpoch && sameAssignment(assigned, member.assigned)
  if (isSame) return member
  return { ...member, memberEpoch: group.assignmentEpoch, previousMemberEpoch: member.memberEpoch, assigned }
}

function beginInitialization(
  group: ShareGroup,
  { image, nowMs, write, settings }: ShareStep,
): Initialization | undefined {
  const isRetryDue = nowMs - group.initializingSinceMs >= settings.initializeRetryIntervalMs
  const partitions = group.uninitialized(image, { isRetryDue })
  if (partitions.size === 0) return undefined
  group.initializingSinceMs = nowMs
  const { initializing } = group.partitions
  setPartitions(group, { ...group.partitions, initializing: union(initializing, partitions) }, image, write)
  return { stateEpoch: group.groupEpoch, partitions }
}

export function setPartitions(
  group: ShareGroup,
  partitions: InitializedPartitions,
  image: MetadataImage,
  write: Write,
): void {
  write(partitionsRecord(group.groupId, partitions, topicId => image.topicsById.get(topicId)?.name ?? ''))
}

export function leaveShareGroup(
  group: ShareGroup,
  { memberId }: ShareHeartbeat,
  step: ShareStep,
): ShareHeartbeatAnswer {
  if (!group.members.has(memberId))
    return refuseShareHeartbeat('UNKNOWN_MEMBER_ID', `Group ${group.groupId} has no member ${memberId}.`)
  fenceShareMembers(group, [memberId], step)
  return { ...refuseShareHeartbeat('NONE'), memberId, memberEpoch: leftEpoch }
}

/** Members are out, and the others get what they had. */
export function fenceShareMembers(
  group: ShareGroup,
  memberIds: readonly string[],
  { image, write }: Pick<ShareStep, 'image' | 'write'>,
): void {
  for (const memberId of memberIds) {
    write(tombstones.progress(group.groupId, memberId))
    write(group.targetTombstone(memberId))
    write(tombstones.member(group.groupId, memberId))
  }
  group.refreshMetadata(image, true, write)
}

export function union(left: Assignment, right: Assignment): Assignment {
  const all = new Map(left)
  for (const [topicId, partitions] of right) all.set(topicId, new Set([...(all.get(topicId) ?? []), ...partitions]))
  return all
}

export function difference(left: Assignment, right: Assignment): Assignment {
  const rest = new Map<string, ReadonlySet<number>>()
  for (const [topicId, partitions] of left) {
    const kept = [...partitions].filter(partition => right.get(topicId)?.has(partition) !== true)
    if (kept.length > 0) rest.set(topicId, new Set(kept))
  }
  return rest.size === 0 ? noAssignment : rest
}
