/** What a consumer of the classic protocol says of itself in JoinGroup, and is told in SyncGroup: opaque bytes, unless a group migrates. */
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
  type ConsumerProtocolAssignment,
  type ConsumerProtocolSubscription,
} from '../../protocol/records/consumer-protocol.ts'
import { decodeVersioned } from '../../protocol/records/prefixed.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { MemberProtocol } from './classic-member.ts'
import type { ExpiryRule } from './group-offsets.ts'

/** Undefined when it cannot be read. */
export function subscriptionOf(protocol: MemberProtocol | undefined): ConsumerProtocolSubscription | undefined {
  return (
    protocol &&
    readable(() => decodeVersioned(consumerProtocolSubscription, protocol.metadata, { lenient: true }).value)
  )
}

export function assignmentFrom(bytes: Buffer): ConsumerProtocolAssignment | undefined {
  return readable(() => decodeVersioned(consumerProtocolAssignment, bytes, { lenient: true }).value)
}

/**
 * Topics that the consumers of a group subscribe to. Undefined: they are no consumers, have not agreed on a protocol yet, or say it in a way
 * that we cannot read.
 */
export function subscribedTopicsOf(group: ClassicGroup): ReadonlySet<string> | undefined {
  if (group.protocolType !== 'consumer') return undefined
  const topics = new Set<string>()
  for (const { protocols } of group.members.values()) {
    const subscription = subscriptionOf(protocols[0])
    if (subscription === undefined) return undefined
    for (const topic of subscription.topics) topics.add(topic)
  }
  return topics
}

/** Empty: since it became so; a stable group of consumers: topics that it reads no more; simple consumers: since each commit. */
export function expiryRuleOf(group: ClassicGroup): ExpiryRule | undefined {
  if (group.state === 'Empty')
    return {
      unusedSinceWallMs: group.protocolType === null ? undefined : group.stateChangedWallMs,
      isSubscribed: () => false,
    }
  const topics = group.state === 'Stable' ? group.subscribedTopics() : undefined
  return topics && { unusedSinceWallMs: undefined, isSubscribed: topic => topics.has(topic) }
}

function readable<Value>(decode: () => Value): Value | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}
