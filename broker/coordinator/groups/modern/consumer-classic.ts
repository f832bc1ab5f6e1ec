/**
 * Members of the classic protocol in a consumer group, while it migrates: JoinGroup reconciles them, SyncGroup tells them their part,
 * Heartbeat sends them back to join when there is more to do. Their generation is their member epoch.
 * Source: KIP-848 "Migration".
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { ErrorName } from '../../../protocol/errors.ts'
import {
  consumerProtocolAssignment,
  type ConsumerProtocolSubscription,
} from '../../../protocol/records/consumer-protocol.ts'
import { encodeVersioned } from '../../../protocol/records/prefixed.ts'
import type { JoinAnswer, SyncAnswer } from '../classic-member.ts'
import { refuseJoin, refuseSync, type JoinRequest, type MemberIdentity, type SyncRequest } from '../classic-requests.ts'
import { subscriptionOf } from '../classic-subscription.ts'
import type { Assignment } from './assignment.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { takeTurn, type GroupStep } from './consumer-heartbeat.ts'
import { newConsumerMember, withoutEpochs, type ConsumerMember } from './consumer-member.ts'
import { replaceMember } from './seats.ts'

/** May it join? The id is the one it has or gets. */
export function joinError(
  group: ConsumerGroup,
  request: JoinRequest,
  memberId: string,
  { settings }: GroupStep,
): ErrorName | undefined {
  if (settings.migrationPolicy === 'DISABLED') return 'INCONSISTENT_GROUP_PROTOCOL'
  if (
    request.sessionTimeoutMs < settings.minSessionTimeoutMs ||
    request.sessionTimeoutMs > settings.maxSessionTimeoutMs
  )
    return 'INVALID_SESSION_TIMEOUT'
  if (group.members.size >= settings.maxSize && !group.members.has(memberId)) return 'GROUP_MAX_SIZE_REACHED'
  if (!supports(group, request)) return 'INCONSISTENT_GROUP_PROTOCOL'
  if (request.groupInstanceId === null)
    return request.memberId === '' && request.memberIdRequired ? 'MEMBER_ID_REQUIRED' : undefined
  if (request.memberId === '') return undefined
  const member = group.staticMember(request.groupInstanceId)
  if (member === undefined) return 'UNKNOWN_MEMBER_ID'
  return member.memberId === request.memberId ? undefined : 'FENCED_INSTANCE_ID'
}

/** Some protocol of the member is one of every classic member. */
function supports(group: ConsumerGroup, { protocolType, protocols }: JoinRequest): boolean {
  if (protocolType !== 'consumer' || subscriptionOf(protocols[0]) === undefined) return false
  const others = [...group.members.values()].map(({ classic }) => classic?.supportedProtocols)
  return protocols.some(({ name }) =>
    others.every(theirs => theirs === undefined || theirs.some(each => each.name === name)),
  )
}

/** After `joinError` had nothing against it. */
export function joinAsClassic(
  group: ConsumerGroup,
  request: JoinRequest,
  memberId: string,
  step: GroupStep,
): JoinAnswer {
  const { groupInstanceId, protocols } = request
  const subscription = subscriptionOf(protocols[0])
  if (subscription === undefined) return refuseJoin('INCONSISTENT_GROUP_PROTOCOL', memberId)
  const former = groupInstanceId === null || request.memberId !== '' ? undefined : group.staticMember(groupInstanceId)
  const before =
    former === undefined
      ? (group.members.get(memberId) ?? newConsumerMember(memberId))
      : replaceMember(group, former, memberId, step.write)
  const updated: ConsumerMember = {
    ...before,
    instanceId: groupInstanceId ?? before.instanceId,
    rackId: subscription.rackId === null || subscription.rackId === '' ? before.rackId : subscription.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    subscribedTopicNames: new Set(subscription.topics),
    subscribedTopicRegex: '',
    clientId: request.clientId,
    clientHost: request.clientHost,
    classic: { sessionTimeoutMs: request.sessionTimeoutMs, supportedProtocols: protocols },
  }
  const owned = ownedBy(subscription, step.image)
  const member = takeTurn(group, { before, after: updated, owned }, step)
  if (member === 'fence') return refuseJoin('UNKNOWN_MEMBER_ID', memberId)
  group.heard(memberId, step.nowMs, request.sessionTimeoutMs)
  // It must sync within its rebalance timeout.
  group.awaitRevocation(memberId, step.nowMs, request.rebalanceTimeoutMs)
  return {
    ...refuseJoin('NONE', memberId),
    generationId: member.memberEpoch,
    protocolType: 'consumer',
    protocolName: protocols[0]?.name ?? null,
  }
}

export function ownedBy({ ownedPartitions }: ConsumerProtocolSubscription, image: MetadataImage): Assignment {
  return new Map(
    ownedPartitions.flatMap(({ topic, partitions }) => {
      const topicId = image.topicsByName.get(topic)?.id
      return topicId === undefined ? [] : [[topicId, new Set(partitions)] as const]
    }),
  )
}

export function syncAsClassic(group: ConsumerGroup, request: SyncRequest, step: GroupStep): SyncAnswer {
  const member = classicMember(group, request, request.generationId)
  if (typeof member === 'string') return refuseSync(member)
  const protocol = member.classic?.supportedProtocols[0]
  const isOther =
    (request.protocolType !== null && request.protocolType !== 'consumer') ||
    (request.protocolName !== null && request.protocolName !== protocol?.name)
  if (isOther) return refuseSync('INCONSISTENT_GROUP_PROTOCOL')
  if (group.assignmentEpoch > member.memberEpoch && member.state !== 'unrevoked') {
    sendBack(group, member, step)
    return refuseSync('REBALANCE_IN_PROGRESS')
  }
  group.hasRevoked(member.memberId)
  group.heard(member.memberId, step.nowMs, member.classic?.sessionTimeoutMs ?? 0)
  return {
    error: 'NONE',
    protocolType: request.protocolType,
    protocolName: request.protocolName,
    assignment: assignmentBytes(withoutEpochs(member.assigned), protocol?.metadata, step.image),
  }
}

/** In the version that the member speaks. */
export function assignmentBytes(assignment: Assignment, metadata: Buffer | undefined, image: MetadataImage): Buffer {
  const version = metadata === undefined || metadata.length < 2 ? 0 : metadata.readInt16BE(0)
  const known = Math.max(0, Math.min(version, consumerProtocolAssignment.maxVersion))
  return encodeVersioned(consumerProtocolAssignment, known, {
    assignedPartitions: [...assignment].flatMap(([topicId, partitions]) => {
      const topic = image.topicsById.get(topicId)?.name
      return topic === undefined ? [] : [{ topic, partitions: [...partitions].sort((left, right) => left - right) }]
    }),
  })
}

export function heartbeatAsClassic(
  group: ConsumerGroup,
  identity: MemberIdentity,
  generationId: number,
  step: GroupStep,
): ErrorName {
  const member = classicMember(group, identity, generationId)
  if (typeof member === 'string') return member
  group.heard(member.memberId, step.nowMs, member.classic?.sessionTimeoutMs ?? 0)
  const isBehind =
    member.memberEpoch < group.assignmentEpoch ||
    member.state === 'unrevoked' ||
    (member.state === 'unreleased' && !waitsForOthers(group, member))
  if (!isBehind) return 'NONE'
  sendBack(group, member, step)
  return 'REBALANCE_IN_PROGRESS'
}

/** It must join within its rebalance timeout. */
function sendBack(group: ConsumerGroup, { memberId, rebalanceTimeoutMs }: ConsumerMember, { nowMs }: GroupStep): void {
  if (!group.isAwaitingRevocation(memberId)) group.awaitRevocation(memberId, nowMs, rebalanceTimeoutMs)
}

function waitsForOthers(group: ConsumerGroup, member: ConsumerMember): boolean {
  for (const [topicId, partitions] of group.targetOf(member.memberId))
    for (const partition of partitions)
      if (member.assigned.get(topicId)?.has(partition) !== true && group.isHeld(topicId, partition)) return true
  return false
}

function classicMember(
  group: ConsumerGroup,
  { memberId, groupInstanceId }: MemberIdentity,
  generationId: number,
): ConsumerMember | ErrorName {
  const member = groupInstanceId === null ? group.members.get(memberId) : group.staticMember(groupInstanceId)
  if (member === undefined) return 'UNKNOWN_MEMBER_ID'
  if (member.memberId !== memberId) return 'FENCED_INSTANCE_ID'
  if (member.classic === null) return 'UNKNOWN_MEMBER_ID'
  return member.memberEpoch === generationId ? member : 'ILLEGAL_GENERATION'
}

/** LeaveGroup names members of either protocol; the answer is in the order of the request. */
export function leaveAsClassic(group: ConsumerGroup, leaving: readonly MemberIdentity[], step: GroupStep): ErrorName[] {
  const out = new Set<ConsumerMember>()
  const errors = leaving.map(({ memberId, groupInstanceId }): ErrorName => {
    const member = groupInstanceId === null ? group.members.get(memberId) : group.staticMember(groupInstanceId)
    if (member === undefined) return 'UNKNOWN_MEMBER_ID'
    if (groupInstanceId !== null && memberId !== '' && member.memberId !== memberId) return 'FENCED_INSTANCE_ID'
    out.add(member)
    return 'NONE'
  })
  if (out.size > 0) step.fence(group, [...out])
  return errors
}
