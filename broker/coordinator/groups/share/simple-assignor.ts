/**
 * The assignor `simple` of share groups: every partition has a member, every member has a partition, and the load is even. With more members
 * than partitions several members share one. Members keep what they have as far as that is even too.
 * Source: KIP-932, "SimpleAssignor" (with the balance of KIP-1101).
 */
import type { Uuid } from '../../../controller/metadata-record.ts'
import type { Assignor, GroupSpec, MemberSpec, TopicDescriber } from '../modern/assignors/assignor.ts'

interface Place {
  readonly topicId: Uuid
  readonly partition: number
}

type Given = Map<string, Map<Uuid, Set<number>>>

export const simpleAssignor: Assignor = {
  name: 'simple',
  assign(group: GroupSpec, topics: TopicDescriber) {
    const given: Given = new Map(group.members.map(({ memberId }) => [memberId, new Map<Uuid, Set<number>>()]))
    const topicIds = [...new Set(group.members.flatMap(member => [...member.topicIds]))].sort()
    const placesOf = (topicId: Uuid): Place[] => topics.partitions(topicId).map(partition => ({ topicId, partition }))
    if (group.isHomogeneous) distribute(topicIds.flatMap(placesOf), group.members, given)
    else
      for (const topicId of topicIds)
        distribute(
          placesOf(topicId),
          group.members.filter(member => member.topicIds.has(topicId)),
          given,
        )
    return given
  },
}

/** All members want all of the partitions. */
function distribute(places: readonly Place[], members: readonly MemberSpec[], given: Given): void {
  if (places.length === 0 || members.length === 0) return
  const sharing = Math.max(1, Math.ceil(members.length / places.length))
  const share = Math.ceil((places.length * (members.length > places.length ? 1 : 1)) / members.length)
  const sharers = new Map<Place, number>(places.map(place => [place, 0]))
  const counts = new Map<string, number>(members.map(({ memberId }) => [memberId, 0]))
  const give = (memberId: string, place: Place): void => {
    const topics = given.get(memberId)
    const partitions = topics?.get(place.topicId) ?? new Set<number>()
    topics?.set(place.topicId, partitions.add(place.partition))
    sharers.set(place, (sharers.get(place) ?? 0) + 1)
    counts.set(memberId, (counts.get(memberId) ?? 0) + 1)
  }
  for (const { memberId, assignment } of members)
    for (const place of places) {
      if ((counts.get(memberId) ?? 0) >= share) break
      const isKept = assignment.get(place.topicId)?.has(place.partition) === true
      if (isKept && (sharers.get(place) ?? 0) < sharing) give(memberId, place)
    }
  const leastLoaded = (): string | undefined => least(counts)
  for (const place of places) {
    const memberId = (sharers.get(place) ?? 0) === 0 ? leastLoaded() : undefined
    if (memberId !== undefined) give(memberId, place)
  }
  for (const { memberId } of members) {
    const place = (counts.get(memberId) ?? 0) === 0 ? least(sharers) : undefined
    if (place !== undefined) give(memberId, place)
  }
}

function least<Key>(counts: ReadonlyMap<Key, number>): Key | undefined {
  let best: Key | undefined
  let fewest = Infinity
  for (const [key, count] of counts)
    if (count < fewest) {
      best = key
      fewest = count
    }
  return best
}
