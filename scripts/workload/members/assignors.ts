/**
 * Who gets which partitions of one topic, as the leader of a classic group decides it, and how that and the owned partitions are told.
 *
 * Source: Kafka's RangeAssignor and CooperativeStickyAssignor (KIP-429).
 */
import { consumerProtocolAssignment, consumerProtocolSubscription } from '#broker/protocol/records/consumer-protocol.ts'
import { decodeVersioned, encodeVersioned } from '#broker/protocol/records/prefixed.ts'

/** Member id → its partitions, ascending. */
export type Assignment = ReadonlyMap<string, readonly number[]>

export interface Candidate {
  readonly id: string
  /** By which members are put in order: of a static member, as it outlives the id. */
  readonly instanceId?: string | null
  /** What it says that it owns. */
  readonly owned: readonly number[]
}

/** Kafka's range: members in order, each with partitions in a row, the first ones with one more where they do not divide. */
export function assignRanges(members: readonly Candidate[], partitions: number): Assignment {
  const ordered = inOrder(members)
  const [each, rest] = [Math.floor(partitions / members.length), partitions % members.length]
  let next = 0
  return new Map(
    ordered.map(({ id }, index) => {
      const count = each + (index < rest ? 1 : 0)
      const range = Array.from({ length: count }, (_, step) => next + step)
      next += count
      return [id, range] as const
    }),
  )
}

/**
 * As even as can be, and everybody keeps what it owns up to its share. A partition that changes hands goes to nobody in this generation: its old
 * owner has to let go of it first, and joins again when it has.
 */
export function assignCooperatively(members: readonly Candidate[], partitions: number): Assignment {
  const shares = new Map(members.map(({ id }) => [id, [] as number[]]))
  const owner = ownersOf(members)
  const most = Math.ceil(partitions / members.length)
  /** How many members may have `most`, where the partitions do not divide. */
  let mayHaveMost = partitions % members.length || members.length
  for (const { id, owned } of mostFirst(members)) {
    const mine = owned.filter(partition => partition < partitions && owner.get(partition) === id)
    const limit = mayHaveMost > 0 ? most : most - 1
    const kept = mine.slice(0, limit)
    if (kept.length === most) mayHaveMost -= 1
    shares.get(id)?.push(...kept)
  }
  const kept = new Set([...shares.values()].flat())
  for (let partition = 0; partition < partitions; partition++) {
    if (kept.has(partition)) continue
    const [id, share] = [...shares].sort(([a, x], [b, y]) => x.length - y.length || compare(a, b))[0] as [
      string,
      number[],
    ]
    // It counts as this member's share, whether it gets it now or in the next generation.
    share.push(partition)
    if (owner.has(partition) && owner.get(partition) !== id) owner.set(partition, heldBack)
  }
  return new Map(
    [...shares].map(([id, share]) => [
      id,
      share.filter(partition => owner.get(partition) !== heldBack).sort((a, b) => a - b),
    ]),
  )
}

const heldBack = ' moving'

/** Of two members that say they own the same, neither does. */
function ownersOf(members: readonly Candidate[]): Map<number, string> {
  const owner = new Map<number, string>()
  const contested = new Set<number>()
  for (const { id, owned } of members) {
    for (const partition of owned) {
      if (owner.has(partition)) contested.add(partition)
      owner.set(partition, id)
    }
  }
  for (const partition of contested) owner.delete(partition)
  return owner
}

function mostFirst(members: readonly Candidate[]): readonly Candidate[] {
  return inOrder(members).sort((a, b) => b.owned.length - a.owned.length)
}

function inOrder(members: readonly Candidate[]): Candidate[] {
  return [...members].sort((a, b) => compare(a.instanceId ?? a.id, b.instanceId ?? b.id))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** What a member says in JoinGroup; version 1 is the first with owned partitions. */
export function encodeSubscription(topic: string, owned: readonly number[]): Buffer {
  return encodeVersioned(consumerProtocolSubscription, 1, {
    topics: [topic],
    ownedPartitions: owned.length === 0 ? [] : [{ topic, partitions: [...owned] }],
  })
}

/** What another one said that it owns. */
export function ownedIn(metadata: Buffer, topic: string): readonly number[] {
  const { ownedPartitions } = decodeVersioned(consumerProtocolSubscription, metadata, { lenient: true }).value
  return ownedPartitions.filter(each => each.topic === topic).flatMap(each => each.partitions)
}

export function encodeAssignment(topic: string, partitions: readonly number[]): Buffer {
  const assignedPartitions = partitions.length === 0 ? [] : [{ topic, partitions: [...partitions] }]
  return encodeVersioned(consumerProtocolAssignment, 1, { assignedPartitions })
}

/** Of an assignment as SyncGroup hands it out; empty: none. */
export function decodeAssignment(bytes: Buffer, topic: string): readonly number[] {
  if (bytes.length === 0) return []
  const { assignedPartitions } = decodeVersioned(consumerProtocolAssignment, bytes, { lenient: true }).value
  return assignedPartitions.filter(each => each.topic === topic).flatMap(each => each.partitions)
}
