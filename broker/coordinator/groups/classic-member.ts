/** One member of a classic group: what it said when it joined, what it was assigned, and whom we owe an answer. */
import type { ErrorName } from '../../protocol/errors.ts'
import type { Ticket } from '../runtime/effects.ts'

export interface MemberProtocol {
  readonly name: string
  readonly metadata: Buffer
}

export interface JoinAnswer {
  readonly error: ErrorName
  readonly memberId: string
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leader: string
  readonly skipAssignment: boolean
  readonly members: readonly { memberId: string; groupInstanceId: string | null; metadata: Buffer }[]
}

export interface SyncAnswer {
  readonly error: ErrorName
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignment: Buffer
}

export interface ClassicMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  rebalanceTimeoutMs: number
  sessionTimeoutMs: number
  protocols: readonly MemberProtocol[]
  assignment: Buffer
  joinTicket: Ticket<JoinAnswer> | undefined
  syncTicket: Ticket<SyncAnswer> | undefined
  /** Monotonic ms at which it is given up; Infinity while we owe it an answer. */
  sessionDeadlineMs: number
}

export function metadataFor(member: ClassicMember, protocolName: string): Buffer {
  const found = member.protocols.find(({ name }) => name === protocolName)
  if (found === undefined) throw new Error(`member ${member.memberId} does not support protocol ${protocolName}`)
  return found.metadata
}

/** Same protocols, in the same order, with the same metadata: a re-join that need not cause a rebalance. */
export function sameProtocols(left: readonly MemberProtocol[], right: readonly MemberProtocol[]): boolean {
  return (
    left.length === right.length &&
    left.every((each, index) => each.name === right[index]?.name && each.metadata.equals(right[index].metadata))
  )
}

/** The protocol that all members support and most prefer; ties go to the one that the first members name first. */
export function electProtocol(members: readonly Pick<ClassicMember, 'protocols'>[]): string {
  const candidates = commonProtocols(members)
  const votes = new Map<string, number>()
  for (const { protocols } of members) {
    const choice = protocols.find(({ name }) => candidates.has(name))?.name
    if (choice !== undefined) votes.set(choice, (votes.get(choice) ?? 0) + 1)
  }
  let best: string | undefined
  for (const [name, count] of votes) if (best === undefined || count > (votes.get(best) ?? 0)) best = name
  if (best === undefined) throw new Error('members without a common protocol were let into one group')
  return best
}

export function commonProtocols(members: readonly Pick<ClassicMember, 'protocols'>[]): Set<string> {
  const [first, ...others] = members
  const common = new Set(first?.protocols.map(({ name }) => name))
  for (const name of [...common]) {
    if (others.some(({ protocols }) => !protocols.some(protocol => protocol.name === name))) common.delete(name)
  }
  return common
}
