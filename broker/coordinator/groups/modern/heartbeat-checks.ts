/**
 * Whether a member may send this heartbeat (KIP-848, "Consumer Group Heartbeat"). Asked before anything is written, so that a refused heartbeat
 * leaves no trace. The first check that finds something decides.
 */
import type { ErrorName } from '../../../protocol/errors.ts'
import { partitionsOf, type Assignment } from './assignment.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { leftForNowEpoch, type ConsumerMember } from './consumer-member.ts'
import type { ConsumerHeartbeat, GroupStep } from './consumer-heartbeat.ts'

export interface Refusal {
  readonly error: ErrorName
  readonly message: string
}

type CheckStep = Pick<GroupStep, 'patterns' | 'settings'>

interface Asked {
  readonly group: ConsumerGroup
  readonly request: ConsumerHeartbeat
  readonly step: CheckStep
  /** Who has the instance id, if one is named; else who has the member id. */
  readonly holder: ConsumerMember | undefined
}

const refuse = (error: ErrorName, message: string): Refusal => ({ error, message })

/** Undefined: it may go on. The group is a new one when the member is the first. */
export function heartbeatRefusal(
  group: ConsumerGroup,
  request: ConsumerHeartbeat,
  step: CheckStep,
): Refusal | undefined {
  const asked = { group, request, step, holder: holderOf(group, request) }
  return (
    roomRefusal(asked) ?? patternRefusal(asked) ?? (request.memberEpoch === 0 ? joinRefusal(asked) : stayRefusal(asked))
  )
}

type Identity = Pick<ConsumerHeartbeat, 'memberId' | 'instanceId'>

function holderOf(group: ConsumerGroup, { memberId, instanceId }: Identity): ConsumerMember | undefined {
  return instanceId === null ? group.members.get(memberId) : group.staticMember(instanceId)
}

function roomRefusal({ group, request, step }: Asked): Refusal | undefined {
  if (group.members.has(request.memberId) || group.members.size < step.settings.maxSize) return undefined
  return refuse(
    'GROUP_MAX_SIZE_REACHED',
    `Group ${group.groupId} has ${group.members.size} members; group.consumer.max.size allows no more.`,
  )
}

function patternRefusal({ request: { subscribedTopicRegex: pattern }, step }: Asked): Refusal | undefined {
  const problem = pattern === null || pattern === '' ? undefined : step.patterns.error(pattern)
  return problem === undefined ? undefined : refuse('INVALID_REGULAR_EXPRESSION', problem)
}

/** A static member takes over from its former self once that has left, for now or for the other protocol. */
function joinRefusal({ request: { memberId, instanceId }, holder }: Asked): Refusal | undefined {
  if (instanceId === null || holder === undefined) return undefined
  if (holder.memberEpoch === leftForNowEpoch || holder.classic !== null) return undefined
  return refuse(
    'UNRELEASED_INSTANCE_ID',
    `Instance ${instanceId} is member ${holder.memberId}, which has not left: ${memberId} cannot take its place yet.`,
  )
}

function stayRefusal({ group, request, holder }: Asked): Refusal | undefined {
  const present = memberNamed(group, request, holder)
  return 'error' in present ? present : epochRefusal(present, request)
}

/** Who sends the heartbeat: the member of that id, and under that instance id if it says one. */
export function memberNamed(
  group: ConsumerGroup,
  { memberId, instanceId }: Identity,
  holder = holderOf(group, { memberId, instanceId }),
): ConsumerMember | Refusal {
  if (holder?.memberId === memberId) return holder
  if (instanceId === null) return refuse('UNKNOWN_MEMBER_ID', `Group ${group.groupId} has no member ${memberId}.`)
  if (holder === undefined) return refuse('UNKNOWN_MEMBER_ID', `Group ${group.groupId} has no instance ${instanceId}.`)
  return refuse('FENCED_INSTANCE_ID', `Instance ${instanceId} is member ${holder.memberId} now, not ${memberId}.`)
}

/** A member that did not hear the last answer may repeat the epoch before, if it owns no more than it may. */
function epochRefusal(member: ConsumerMember, { memberEpoch, owned }: ConsumerHeartbeat): Refusal | undefined {
  if (memberEpoch === member.memberEpoch) return undefined
  const isLate = memberEpoch === member.previousMemberEpoch && memberEpoch < member.memberEpoch
  if (isLate && owned !== null && isWithin(owned, member)) return undefined
  return refuse(
    'FENCED_MEMBER_EPOCH',
    `Member ${member.memberId} is in epoch ${member.memberEpoch}, not ${memberEpoch}: it must drop its partitions and join again.`,
  )
}

function isWithin(owned: Assignment, { assigned }: ConsumerMember): boolean {
  for (const [topicId, partition] of partitionsOf(owned))
    if (assigned.get(topicId)?.has(partition) !== true) return false
  return true
}
