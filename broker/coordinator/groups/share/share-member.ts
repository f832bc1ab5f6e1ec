/** A member of a share group: what it said of itself, and what it was given. A value that never changes. Source: KIP-932. */
import { noAssignment, type Assignment } from '../modern/assignment.ts'
import type { ModernMember } from '../modern/modern-group.ts'

export interface ShareMember extends ModernMember {
  /** Share groups have no static members. */
  readonly instanceId: null
  readonly assigned: Assignment
}

export const leftEpoch = -1

export function newShareMember(memberId: string): ShareMember {
  return {
    memberId,
    instanceId: null,
    rackId: null,
    clientId: '',
    clientHost: '',
    subscribedTopicNames: new Set(),
    memberEpoch: 0,
    previousMemberEpoch: -1,
    assigned: noAssignment,
  }
}

export function sameSubscription(left: ShareMember, right: ShareMember): boolean {
  const { subscribedTopicNames: names } = left
  return (
    names.size === right.subscribedTopicNames.size && [...names].every(name => right.subscribedTopicNames.has(name))
  )
}

/** Equal in all that ShareGroupMemberMetadata holds. */
export function sameMetadata(left: ShareMember, right: ShareMember): boolean {
  return (
    left.rackId === right.rackId &&
    left.clientId === right.clientId &&
    left.clientHost === right.clientHost &&
    sameSubscription(left, right)
  )
}
