/** How members of a consumer group go: for good, for a while (static members, KIP-345), or put out. */
import type { ConsumerGroup } from './consumer-group.ts'
import { refuseHeartbeat, type ConsumerHeartbeat, type GroupStep, type HeartbeatAnswer } from './consumer-heartbeat.ts'
import {
  leftEpoch,
  leftForNowEpoch,
  regexOf,
  withEpoch,
  withoutEpochs,
  type ConsumerMember,
} from './consumer-member.ts'
import { progressRecord, regexRecord } from './consumer-records.ts'
import { memberNamed } from './heartbeat-checks.ts'
import { removeMember } from './seats.ts'

/** A heartbeat with epoch -1 leaves for good; with -2 a static member keeps its place until its session ends. */
export function leave(group: ConsumerGroup, request: ConsumerHeartbeat, step: GroupStep): HeartbeatAnswer {
  const member = memberNamed(group, request)
  if ('error' in member) return refuseHeartbeat(member.error, member.message)
  const isForNow = request.instanceId !== null && request.memberEpoch === leftForNowEpoch
  if (isForNow) step.write(progressRecord(group.groupId, leftForNow(member)))
  else step.fence(group, [member])
  return { ...refuseHeartbeat('NONE'), memberId: member.memberId, memberEpoch: isForNow ? leftForNowEpoch : leftEpoch }
}

/** What it has stays its own, in an epoch that lets whoever comes back commit; what it was giving up it gave up by leaving. */
function leftForNow(member: ConsumerMember): ConsumerMember {
  const assigned = withEpoch(withoutEpochs(member.assigned), 0)
  return { ...member, memberEpoch: leftForNowEpoch, assigned, revoking: new Map() }
}

/** Members are out: the group has a new epoch, and the others get what these had. */
export function fence(
  group: ConsumerGroup,
  members: readonly ConsumerMember[],
  { image, write }: Pick<GroupStep, 'image' | 'write'>,
): void {
  for (const { memberId } of members) removeMember(group, memberId, write)
  for (const regex of new Set(members.map(regexOf)))
    if (regex !== undefined && group.subscribersOf(regex) === 0) write(regexRecord(group.groupId, regex, null))
  group.refreshMetadata(image, true, write)
}
