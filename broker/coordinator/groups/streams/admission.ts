/**
 * Whether a heartbeat is heard at all. The rules are asked in order, and the first that objects refuses it; none of them writes anything.
 *
 *   a place in the group     GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID
 *   the epoch it is in       FENCED_MEMBER_EPOCH
 *   the topology it brings   INVALID_REQUEST, STREAMS_INVALID_TOPOLOGY
 *   the tasks it has         INVALID_REQUEST
 * Source: KIP-1071, StreamsGroupHeartbeat.
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { ErrorName } from '../../../protocol/errors.ts'
import type { StreamsGroup } from './streams-group.ts'
import type { StreamsHeartbeat } from './streams-heartbeat.ts'
import type { StreamsMember } from './streams-member.ts'
import { kindOf } from './tasks.ts'
import { sameTopology } from './topology.ts'

export interface Refusal {
  readonly error: ErrorName
  readonly message: string
}

interface Visit {
  readonly group: StreamsGroup
  /** Undefined: not known yet. */
  readonly member: StreamsMember | undefined
  readonly request: StreamsHeartbeat
  readonly image: MetadataImage
  readonly maxSize: number
}

const rules: readonly ((visit: Visit) => Refusal | undefined)[] = [place, epoch, topology, tasks]

/** Undefined: it is heard. */
export function refusalOf(
  group: StreamsGroup,
  request: StreamsHeartbeat,
  { image, maxSize }: Pick<Visit, 'image' | 'maxSize'>,
): Refusal | undefined {
  const visit = { group, member: group.members.get(request.memberId), request, image, maxSize }
  for (const rule of rules) {
    const refusal = rule(visit)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

const joins = ({ memberEpoch }: StreamsHeartbeat): boolean => memberEpoch === 0

/** In a full group there is no joining, not even for a member that comes back under its name: as in Kafka. */
function place({ group, member, request, maxSize }: Visit): Refusal | undefined {
  if (!joins(request) && member === undefined)
    return { error: 'UNKNOWN_MEMBER_ID', message: `Group ${group.groupId} has no member ${request.memberId}.` }
  if (!joins(request) || group.members.size < maxSize) return undefined
  return { error: 'GROUP_MAX_SIZE_REACHED', message: `Group ${group.groupId} is full: it may have ${maxSize} members.` }
}

/**
 * A member that did not get the last answer still says the epoch before: that is believed as long as it has nothing that it was not given.
 * One in a state that a newer coordinator left behind must have nothing at all.
 */
function epoch({ member, request }: Visit): Refusal | undefined {
  if (member === undefined || joins(request)) return undefined
  const { memberEpoch, owned } = request
  const isCurrent = memberEpoch === member.memberEpoch
  const missedOne = memberEpoch === member.previousMemberEpoch && owned !== null && hasOnlyItsOwn(member, owned)
  const isUnderstood = member.state !== 'unknown' || owned?.size === 0
  if ((isCurrent || missedOne) && isUnderstood) return undefined
  return {
    error: 'FENCED_MEMBER_EPOCH',
    message: `Member ${request.memberId} says epoch ${memberEpoch} and is in ${member.memberEpoch}: it must give up its tasks and join again.`,
  }
}

function hasOnlyItsOwn({ assigned }: StreamsMember, owned: NonNullable<StreamsHeartbeat['owned']>): boolean {
  for (const [key, partitions] of owned)
    for (const partition of partitions) if (assigned.get(key)?.has(partition) !== true) return false
  return true
}

/** A group keeps the topology it began with; members with an older one are told so, see STALE_TOPOLOGY. */
function topology({ group, request, image }: Visit): Refusal | undefined {
  const { topology: known } = group
  const { topology: brought } = request
  if (known !== undefined && brought !== null && brought.epoch >= known.epoch && !sameTopology(brought, known))
    return {
      error: 'INVALID_REQUEST',
      message: `Group ${group.groupId} has another topology (epoch ${known.epoch}), and a topology cannot be replaced yet.`,
    }
  const current = known ?? brought
  if (current === null)
    return { error: 'UNKNOWN_SERVER_ERROR', message: `Group ${group.groupId} has members and no topology.` }
  const plan = group.planFor(image, current)
  return plan.kind === 'senseless' ? { error: 'STREAMS_INVALID_TOPOLOGY', message: plan.message } : undefined
}

function tasks({ group, request, image }: Visit): Refusal | undefined {
  const { owned, topology: brought } = request
  const current = group.topology ?? brought
  if (owned === null || current === null) return undefined
  const plan = group.planFor(image, current)
  // Without all topics the numbers of tasks are not known, and nobody has any for long.
  if (plan.kind !== 'plan' || plan.missing.length > 0) return undefined
  for (const [key, partitions] of owned) {
    const { subtopologyId } = kindOf(key)
    const there = plan.subtopologies.get(subtopologyId)?.tasks
    if (there === undefined)
      return { error: 'INVALID_REQUEST', message: `The topology has no subtopology ${subtopologyId}.` }
    const odd = [...partitions].find(partition => partition < 0 || partition >= there)
    if (odd !== undefined)
      return {
        error: 'INVALID_REQUEST',
        message: `Subtopology ${subtopologyId} has ${there} tasks, from 0, and none of number ${odd}.`,
      }
  }
  return undefined
}
