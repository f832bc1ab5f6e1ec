/**
 * A member of a classic group that a script plays: it joins, takes every partition of its topic, and says nothing more. Whoever joins after it
 * gets them when it has not joined again within its rebalance timeout, as of a process that hangs.
 */
import { errorTable } from '#broker/protocol/errors.ts'
import { joinGroupRequest, joinGroupResponse } from '#broker/protocol/messages/11-join-group.ts'
import { syncGroupRequest, syncGroupResponse } from '#broker/protocol/messages/14-sync-group.ts'
import { consumerProtocolAssignment, consumerProtocolSubscription } from '#broker/protocol/records/consumer-protocol.ts'
import { encodeVersioned } from '#broker/protocol/records/prefixed.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { Calls } from './calls.ts'
import type { Place } from './group-offsets.ts'
import type { Membership } from './producer.ts'

const join = { request: joinGroupRequest, response: joinGroupResponse }
const sync = { request: syncGroupRequest, response: syncGroupResponse }
const protocol = { type: 'consumer', name: 'range' } as const
/** No lab is as long: a member that hangs is missed at the next rebalance. */
const sessionTimeoutMs = 120_000
const rebalanceTimeoutMs = 1_000

/** Resolves when the member has its partitions, alone. */
export async function joinAlone(cluster: Cluster, group: string, { topic, partition }: Place): Promise<Membership> {
  const calls = new Calls(cluster)
  try {
    const { memberId, generationId: generation } = await joined(calls, group, topic)
    const assignment = encodeVersioned(consumerProtocolAssignment, 0, {
      assignedPartitions: [{ topic, partitions: [partition] }],
    })
    const body = {
      groupId: group,
      generationId: generation,
      memberId,
      protocolType: protocol.type,
      protocolName: protocol.name,
      assignments: [{ memberId, assignment }],
    }
    const ask = async () => await calls.ask(await calls.coordinator('group', group), sync, body)
    await calls.patiently('SyncGroup', ask, ({ errorCode }) => errorCode)
    return { generation, memberId }
  } finally {
    calls.close()
  }
}

/** The first answer may be no more than an id to join with (KIP-394). */
async function joined(calls: Calls, group: string, topic: string) {
  const needsId = errorTable.MEMBER_ID_REQUIRED.code
  const metadata = encodeVersioned(consumerProtocolSubscription, 0, { topics: [topic] })
  const ask = (memberId: string) => async () =>
    await calls.ask(await calls.coordinator('group', group), join, {
      groupId: group,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId,
      protocolType: protocol.type,
      protocols: [{ name: protocol.name, metadata }],
    })
  const first = await calls.patiently('JoinGroup', ask(''), ({ errorCode }) => (errorCode === needsId ? 0 : errorCode))
  const answer =
    first.errorCode === 0 ? first : await calls.patiently('JoinGroup', ask(first.memberId), each => each.errorCode)
  if (answer.members.length !== 1) throw new Error(`expected ${group} to have one member, got ${answer.members.length}`)
  return answer
}
