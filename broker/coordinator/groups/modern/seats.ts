/** The records by which a member is taken out of a consumer group, and by which a static member takes the place of its former self (KIP-345). */
import type { ConsumerGroup } from './consumer-group.ts'
import type { ConsumerMember } from './consumer-member.ts'
import { memberRecord, progressRecord, tombstones } from './consumer-records.ts'
import type { Write } from './modern-group.ts'

/** A static member runs anew under another id: it gets what its former self had, and joins. */
export function replaceMember(
  group: ConsumerGroup,
  former: ConsumerMember,
  memberId: string,
  write: Write,
): ConsumerMember {
  const { groupId } = group
  const target = group.targetOf(former.memberId)
  const successor: ConsumerMember = { ...former, memberId, memberEpoch: 0, previousMemberEpoch: 0 }
  removeMember(group, former.memberId, write)
  write(memberRecord(groupId, successor))
  write(group.targetRecord(memberId, target))
  write(progressRecord(groupId, successor))
  return successor
}

/** All that the records say of a member, in the order in which it must go. */
export function removeMember({ groupId }: ConsumerGroup, memberId: string, write: Write): void {
  write(tombstones.progress(groupId, memberId))
  write(tombstones.target(groupId, memberId))
  write(tombstones.member(groupId, memberId))
}
