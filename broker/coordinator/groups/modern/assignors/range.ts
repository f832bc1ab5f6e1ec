/**
 * The assignor `range`: every topic is cut into as many ranges as it has subscribers, and member i gets range i of each topic. Members
 * with the same subscriptions thus get the same partition numbers of topics with equally many partitions, as joins want. Static members
 * come first, in the order of their instance ids, so that a restart moves nothing.
 * Source: KIP-848; Kafka's RangeAssignor.
 */
import type { Uuid } from '../../../../controller/metadata-record.ts'
import type { Assignor, GroupAssignment, GroupSpec, MemberSpec, TopicDescriber } from './assignor.ts'

interface Cut {
  readonly partitions: readonly number[]
  subscribers: number
  /** How many members have had their range. */
  served: number
}

export const rangeAssignor: Assignor = {
  name: 'range',
  assign(group: GroupSpec, topics: TopicDescriber): GroupAssignment {
    const cuts = new Map<Uuid, Cut>()
    for (const { topicIds } of group.members)
      for (const topicId of topicIds) {
        const cut = cuts.get(topicId) ?? { partitions: topics.partitions(topicId), subscribers: 0, served: 0 }
        cut.subscribers++
        cuts.set(topicId, cut)
      }
    const assigned = new Map<string, Map<Uuid, ReadonlySet<number>>>()
    for (const { memberId, topicIds } of [...group.members].sort(inOrder)) {
      const ranges = new Map<Uuid, ReadonlySet<number>>()
      assigned.set(memberId, ranges)
      for (const topicId of topicIds) {
        const cut = cuts.get(topicId)
        const range = cut === undefined ? [] : nextRange(cut)
        if (range.length > 0) ranges.set(topicId, new Set(range))
      }
    }
    return assigned
  },
}

/** The first ones get one more when it does not come out even. */
function nextRange(cut: Cut): readonly number[] {
  const { partitions, subscribers, served } = cut
  const quota = Math.floor(partitions.length / subscribers)
  const extra = partitions.length % subscribers
  const startOf = (index: number): number => index * quota + Math.min(index, extra)
  cut.served++
  return partitions.slice(startOf(served), startOf(served + 1))
}

function inOrder(left: MemberSpec, right: MemberSpec): number {
  if (left.instanceId !== null && right.instanceId !== null) return compare(left.instanceId, right.instanceId)
  if (left.instanceId !== null) return -1
  if (right.instanceId !== null) return 1
  return compare(left.memberId, right.memberId)
}

const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)
