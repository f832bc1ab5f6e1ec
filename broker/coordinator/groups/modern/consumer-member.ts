/** A member of a consumer group: what it said of itself, and how far it has come towards its target. A value that never changes. */
import type { Uuid } from '../../../controller/metadata-record.ts'
import type { ModernMember } from './modern-group.ts'
import type { Assignment } from './assignment.ts'
import type { Reconcilable } from './reconcile.ts'

/**
 * stable: has reached the epoch it is in, as far as it can.
 * unrevoked: must give partitions up before it may go on.
 * unreleased: has reached the epoch but waits for partitions that others still hold.
 */
export type MemberState = 'stable' | 'unrevoked' | 'unreleased' | 'unknown'

const stateCodes = { stable: 0, unrevoked: 1, unreleased: 2, unknown: 127 } as const

export const stateCode = (state: MemberState): number => stateCodes[state]

export function stateOf(code: number): MemberState {
  if (code === stateCodes.stable) return 'stable'
  if (code === stateCodes.unrevoked) return 'unrevoked'
  return code === stateCodes.unreleased ? 'unreleased' : 'unknown'
}

/** The epoch in which each partition was assigned to the member, by topic and partition (KIP-1251). */
export type EpochAssignment = ReadonlyMap<Uuid, ReadonlyMap<number, number>>

export interface ClassicProtocol {
  readonly name: string
  readonly metadata: Buffer
}

/** Of a member that uses the classic protocol in a consumer group, while the group migrates. */
export interface ClassicMetadata {
  readonly sessionTimeoutMs: number
  readonly supportedProtocols: readonly ClassicProtocol[]
}

export interface ConsumerMember extends ModernMember, Reconcilable {
  readonly rebalanceTimeoutMs: number
  /** Null or '': none. */
  readonly subscribedTopicRegex: string | null
  readonly serverAssignor: string | null
  readonly classic: ClassicMetadata | null
}

/** Epoch of a static member that left and may come back (LEAVE_GROUP_STATIC_MEMBER_EPOCH). */
export const leftForNowEpoch = -2
export const leftEpoch = -1

const nothing: EpochAssignment = new Map<Uuid, ReadonlyMap<number, number>>()

export function newConsumerMember(memberId: string): ConsumerMember {
  return {
    memberId,
    instanceId: null,
    rackId: null,
    clientId: '',
    clientHost: '',
    subscribedTopicNames: new Set(),
    subscribedTopicRegex: '',
    rebalanceTimeoutMs: -1,
    serverAssignor: null,
    classic: null,
    memberEpoch: 0,
    previousMemberEpoch: -1,
    state: 'stable',
    assigned: nothing,
    revoking: nothing,
  }
}

export const regexOf = ({ subscribedTopicRegex }: ConsumerMember): string | undefined =>
  subscribedTopicRegex === null || subscribedTopicRegex === '' ? undefined : subscribedTopicRegex

export function withEpoch(assignment: Assignment, epoch: number): EpochAssignment {
  return new Map(
    [...assignment].map(([topicId, partitions]) => [topicId, new Map([...partitions].map(each => [each, epoch]))]),
  )
}

export function withoutEpochs(assignment: EpochAssignment): Assignment {
  return new Map([...assignment].map(([topicId, partitions]) => [topicId, new Set(partitions.keys())]))
}

export function sameEpochs(left: EpochAssignment, right: EpochAssignment): boolean {
  if (left === right) return true
  if (left.size !== right.size) return false
  for (const [topicId, partitions] of left) {
    const others = right.get(topicId)
    if (others?.size !== partitions.size) return false
    for (const [partition, epoch] of partitions) if (others.get(partition) !== epoch) return false
  }
  return true
}

function sameNames(left: ReadonlySet<string>, right: ReadonlySet<string>): boolean {
  return left.size === right.size && [...left].every(name => right.has(name))
}

export function sameSubscribedNames(left: ConsumerMember, right: ConsumerMember): boolean {
  return sameNames(left.subscribedTopicNames, right.subscribedTopicNames)
}

/** Equal in all that ConsumerGroupMemberMetadata holds. */
export function sameMetadata(left: ConsumerMember, right: ConsumerMember): boolean {
  return (
    left.instanceId === right.instanceId &&
    left.rackId === right.rackId &&
    left.clientId === right.clientId &&
    left.clientHost === right.clientHost &&
    left.subscribedTopicRegex === right.subscribedTopicRegex &&
    left.rebalanceTimeoutMs === right.rebalanceTimeoutMs &&
    left.serverAssignor === right.serverAssignor &&
    sameSubscribedNames(left, right) &&
    sameClassic(left.classic, right.classic)
  )
}

function sameClassic(left: ClassicMetadata | null, right: ClassicMetadata | null): boolean {
  if (left === null || right === null) return left === right
  const others = right.supportedProtocols
  return (
    left.sessionTimeoutMs === right.sessionTimeoutMs &&
    left.supportedProtocols.length === others.length &&
    left.supportedProtocols.every(
      ({ name, metadata }, index) => name === others[index]?.name && metadata.equals(others[index].metadata),
    )
  )
}

/** Equal in all that ConsumerGroupCurrentMemberAssignment, and its like of streams groups, holds. */
export function sameProgress(left: Reconcilable, right: Reconcilable): boolean {
  return (
    left.memberEpoch === right.memberEpoch &&
    left.previousMemberEpoch === right.previousMemberEpoch &&
    left.state === right.state &&
    sameEpochs(left.assigned, right.assigned) &&
    sameEpochs(left.revoking, right.revoking)
  )
}
