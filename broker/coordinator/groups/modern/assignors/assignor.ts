/**
 * What distributes partitions over the members of a group on the server: a pure function of members, their subscriptions and what the last
 * target assigned to them.
 * Source: KIP-848 (PartitionAssignor).
 */
import type { Uuid } from '../../../../controller/metadata-record.ts'
import type { Assignment } from '../assignment.ts'

export interface MemberSpec {
  readonly memberId: string
  /** Static members keep it when their member id changes. */
  readonly instanceId: string | null
  readonly rackId: string | null
  /** Topics that exist and that it subscribes to. */
  readonly topicIds: ReadonlySet<Uuid>
  /** Its part of the last target. */
  readonly assignment: Assignment
}

export interface GroupSpec {
  readonly members: readonly MemberSpec[]
  /** All members subscribe to the same topics. */
  readonly isHomogeneous: boolean
}

export interface TopicDescriber {
  /** Partitions that may be assigned; empty for a topic that does not exist. */
  partitions(topicId: Uuid): readonly number[]
}

/** By member id; a member that is missing gets nothing. */
export type GroupAssignment = ReadonlyMap<string, Assignment>

export interface Assignor {
  readonly name: string
  assign(group: GroupSpec, topics: TopicDescriber): GroupAssignment
}
