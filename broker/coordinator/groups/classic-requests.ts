/** What comes to a classic group and how it is turned down. */
import type { ErrorName } from '../../protocol/errors.ts'
import type { JoinAnswer, MemberProtocol, SyncAnswer } from './classic-member.ts'

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
