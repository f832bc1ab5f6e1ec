/** A member of a streams group: one thread of an application, in a process that may have several. A value that never changes. */
import type { Uuid } from '../../../controller/metadata-record.ts'
import type { ModernMember } from '../modern/modern-group.ts'
import type { Reconcilable } from '../modern/reconcile.ts'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** `assigned` and `revoking` have tasks, see tasks.ts. */
export interface StreamsMember extends ModernMember, Reconcilable {
  readonly rebalanceTimeoutMs: number
  readonly topologyEpoch: number
  readonly processId: string
  readonly userEndpoint: Endpoint | null
  readonly clientTags: readonly { readonly key: string; readonly value: string }[]
}

const nothing = new Map<Uuid, ReadonlyMap<number, number>>()

export function newStreamsMember(memberId: string): StreamsMember {
  return {
    memberId,
    instanceId: null,
    rackId: null,
    clientId: '',
    clientHost: '',
    subscribedTopicNames: new Set(),
    rebalanceTimeoutMs: -1,
    topologyEpoch: -1,
    processId: '',
    userEndpoint: null,
    clientTags: [],
    memberEpoch: 0,
    previousMemberEpoch: -1,
    state: 'stable',
    assigned: nothing,
    revoking: nothing,
  }
}

/** Equal in all that StreamsGroupMemberMetadata holds. */
export function sameStreamsMetadata(left: StreamsMember, right: StreamsMember): boolean {
  const text = (member: StreamsMember): string =>
    JSON.stringify([
      member.instanceId,
      member.rackId,
      member.clientId,
      member.clientHost,
      member.rebalanceTimeoutMs,
      member.topologyEpoch,
      member.processId,
      member.userEndpoint && [member.userEndpoint.host, member.userEndpoint.port],
      [...member.clientTags].map(({ key, value }) => `${key}=${value}`).sort(),
    ])
  return text(left) === text(right)
}
