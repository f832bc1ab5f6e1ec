/**
 * Reads the log of a consumer group back from __consumer_offsets and checks what it says about ownership, batch by batch: a coordinator
 * writes what belongs together in one batch.
 */
import { partitionOf } from '#broker/coordinator/runtime/java-hash.ts'
import { coordinatorRecordType, decodeCoordinatorKey, decodeVersioned } from '#broker/protocol/records/prefixed.ts'
import type { BatchRecord } from '#broker/protocol/records/batch-read.ts'
import {
  consumerGroupCurrentMemberAssignmentKey as keyMessage,
  consumerGroupCurrentMemberAssignmentValue as valueMessage,
} from '#broker/protocol/records/group/consumer-group-current-member-assignment.ts'
import type { Wire } from './wire.ts'

const offsetsTopic = '__consumer_offsets'

interface Member {
  readonly epoch: number
  readonly partitions: readonly string[]
}

export async function judgeGroupLog(wire: Wire, group: string): Promise<void> {
  const partitions = await wire.partitionCount(offsetsTopic)
  const partition = partitionOf(group, partitions)
  const members = new Map<string, Member>()
  for (const batch of await wire.batchesOf(offsetsTopic, partition)) {
    for (const record of batch) take(members, group, record)
    const owners = new Map<string, string>()
    for (const [member, { partitions: owned }] of members)
      for (const each of owned) {
        const other = owners.get(each)
        if (other !== undefined)
          throw new Error(
            `${group}: at offset ${batch[0]?.offset} of ${offsetsTopic}-${partition} both ${other} and ${member} own ${each}`,
          )
        owners.set(each, member)
      }
  }
}

function take(members: Map<string, Member>, group: string, { key, value, offset }: BatchRecord): void {
  if (key === null || coordinatorRecordType(key) !== keyMessage.key) return
  const { groupId, memberId } = decodeCoordinatorKey(keyMessage, key)
  if (groupId !== group) return
  if (value === null) {
    members.delete(memberId)
    return
  }
  const { memberEpoch, assignedPartitions, partitionsPendingRevocation } = decodeVersioned(valueMessage, value).value
  const before = members.get(memberId)
  if (before !== undefined && memberEpoch >= 0 && memberEpoch < before.epoch)
    throw new Error(`${group}: at offset ${offset} ${memberId} goes back from epoch ${before.epoch} to ${memberEpoch}`)
  const partitions = [...assignedPartitions, ...partitionsPendingRevocation].flatMap(each =>
    each.partitions.map(index => `${each.topicId}-${index}`),
  )
  members.set(memberId, { epoch: memberEpoch, partitions })
}
