/** Records of streams groups, in the numbers that Apache Kafka writes and reads. */
import { describe, expect, it } from 'vitest'
import { newStreamsMember } from '#broker/coordinator/groups/streams/streams-member.ts'
import { streamsProgressRecord } from '#broker/coordinator/groups/streams/streams-records.ts'
import { groupRecords } from '#broker/protocol/records/group/index.ts'
import { decodeVersioned } from '#broker/protocol/records/prefixed.ts'

describe('the progress of a member', () => {
  // org.apache.kafka.coordinator.group.streams.MemberState
  it.each([
    ['stable', 1],
    ['unrevoked', 2],
    ['unreleased', 3],
    ['unknown', 127],
  ] as const)('says %s as %d', (state, code) => {
    const { value } = streamsProgressRecord('group', { ...newStreamsMember('member'), state })
    expect(decodeVersioned(groupRecords.StreamsGroupCurrentMemberAssignment.value, value!).value.state).toBe(code)
  })
})
