/** Partitions by topic id, as members of the newer group protocols have them. Values are never changed once made. */
import type { Uuid } from '../../../controller/metadata-record.ts'

export type Assignment = ReadonlyMap<Uuid, ReadonlySet<number>>

/** The form of records and messages. */
export interface TopicPartitions {
  readonly topicId: Uuid
  readonly partitions: readonly number[]
}

export const noAssignment: Assignment = new Map<Uuid, ReadonlySet<number>>()

export function assignmentOf(topics: readonly TopicPartitions[]): Assignment {
  return topics.length === 0
    ? noAssignment
    : new Map(topics.map(({ topicId, partitions }) => [topicId, new Set(partitions)]))
}

/** Ordered, so that equal assignments make equal bytes. */
export function topicPartitionsOf(assignment: Assignment): { topicId: Uuid; partitions: number[] }[] {
  return [...assignment]
    .map(([topicId, partitions]) => ({ topicId, partitions: [...partitions].sort((left, right) => left - right) }))
    .sort((left, right) => (left.topicId < right.topicId ? -1 : 1))
}

export function sameAssignment(left: Assignment, right: Assignment): boolean {
  if (left.size !== right.size) return false
  for (const [topicId, partitions] of left) {
    const others = right.get(topicId)
    if (others?.size !== partitions.size) return false
    for (const partition of partitions) if (!others.has(partition)) return false
  }
  return true
}

export function* partitionsOf(assignment: Assignment): Generator<readonly [topicId: Uuid, partition: number]> {
  for (const [topicId, partitions] of assignment) for (const partition of partitions) yield [topicId, partition]
}
