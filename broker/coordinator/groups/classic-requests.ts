/** What comes to a classic group and how it is turned down. */
import type { ErrorName } from '../../protocol/errors.ts'
import {
  commonProtocols,
  type ClassicMember,
  type JoinAnswer,
  type MemberProtocol,
  type SyncAnswer,
} from './classic-member.ts'

export type ClassicState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

export interface GroupLimits {
  readonly initialRebalanceDelayMs: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  readonly maxSize: number
}

export interface JoinRequest {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  readonly protocols: readonly MemberProtocol[]
  /** JoinGroup v4+: a member without id is first told one (KIP-394). */
  readonly memberIdRequired: boolean
  /** JoinGroup v9+: knows `skipAssignment` (KIP-814). */
  readonly skipAssignmentSupported: boolean
  /** Id for the member if it is new; the random part comes from outside. */
  readonly newMemberId: string
}

export interface SyncRequest {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignments: ReadonlyMap<string, Buffer>
}

export interface MemberIdentity {
  readonly memberId: string
  readonly groupInstanceId: string | null
}

const noBytes = Buffer.alloc(0)

export function refuseJoin(error: ErrorName, memberId: string): JoinAnswer {
  return {
    error,
    memberId,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    members: [],
  }
}

export function refuseSync(error: ErrorName): SyncAnswer {
  return { error, protocolType: null, protocolName: null, assignment: noBytes }
}

/** What of a group the answers depend on. */
interface GroupView {
  readonly state: ClassicState
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly members: ReadonlyMap<string, ClassicMember>
}

/** Undefined: it may join, as far as the request itself tells. */
export function joinRefusal(group: GroupView, request: JoinRequest, limits: GroupLimits): ErrorName | undefined {
  const { sessionTimeoutMs, protocolType, protocols } = request
  if (group.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
  if (sessionTimeoutMs < limits.minSessionTimeoutMs || sessionTimeoutMs > limits.maxSessionTimeoutMs)
    return 'INVALID_SESSION_TIMEOUT'
  if (protocolType === '' || protocols.length === 0) return 'INCONSISTENT_GROUP_PROTOCOL'
  const members = [...group.members.values()]
  if (members.length > 0) {
    const common = commonProtocols(members)
    if (protocolType !== group.protocolType || !protocols.some(({ name }) => common.has(name)))
      return 'INCONSISTENT_GROUP_PROTOCOL'
  }
  return hasRoom(group, request, limits) ? undefined : 'GROUP_MAX_SIZE_REACHED'
}

/**
 * In a rebalance those count who have joined it so far: members from before have no place of their own (KIP-389). A static member that comes
 * back without its id is a newcomer in this, as in Kafka.
 */
function hasRoom({ state, members }: GroupView, { memberId }: JoinRequest, { maxSize }: GroupLimits): boolean {
  const all = [...members.values()]
  const seated = state === 'PreparingRebalance' ? all.filter(({ joinTicket }) => joinTicket !== undefined) : all
  return seated.length < maxSize || seated.some(member => member.memberId === memberId)
}

export function assignmentOf({ protocolType, protocolName }: GroupView, { assignment }: ClassicMember): SyncAnswer {
  return { error: 'NONE', protocolType, protocolName, assignment }
}
