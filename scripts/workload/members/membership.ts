/** What a member of a group needs of the protocol by which it is one: the classic one (eager or cooperative), or that of KIP-848. */
import type { Cluster } from '../../cluster/cluster.ts'

export interface MemberTimes {
  /** Without a heartbeat for that long the coordinator takes the member for dead (classic protocol; else the broker's setting). */
  readonly sessionTimeoutMs: number
  readonly heartbeatMs: number
  /** max.poll.interval.ms: who does not poll for that long leaves the group by itself. It is the rebalance timeout, too. */
  readonly maxPollIntervalMs: number
}

export const memberTimes: MemberTimes = { sessionTimeoutMs: 6_000, heartbeatMs: 200, maxPollIntervalMs: 30_000 }

export interface MembershipOptions {
  readonly cluster: Cluster
  readonly group: string
  readonly topic: string
  readonly partitions: number
  readonly times: MemberTimes
  /** group.instance.id of a static member (KIP-345). */
  readonly instanceId?: string | undefined
}

/** What a member does when its partitions change; each is waited for. */
export interface Changes {
  /** It is asked to give these up, and may still commit. */
  revoked(partitions: readonly number[]): Promise<void>
  /** These were taken without asking: others may read them already. */
  lost(partitions: readonly number[]): Promise<void>
  /** It has `all` from now on, `added` among them. */
  assigned(all: readonly number[], added: readonly number[]): Promise<void>
}

/** Who commits: the coordinator refuses others (KIP-848 says epoch where the classic protocol says generation). */
export interface Identity {
  readonly memberId: string
  /** -1: none. */
  readonly generation: number
  readonly instanceId: string | null
}

export interface GroupMembership {
  readonly identity: Identity
  /** Between two polls: takes part in what the coordinator has asked for meanwhile. Joins at first. */
  attend(changes: Changes): Promise<void>
  /** The coordinator refused a request for its epoch: asks for the one that the member has by now. @returns whether it is another one */
  renew(): Promise<boolean>
  /** Says goodbye; a static member does not, as it means to come back. */
  leave(): Promise<void>
  /** Not another word: the process is gone. */
  end(): void
}

/** The coordinator refuses the member for good, with Kafka's name of the reason. */
export class MemberRefusedError extends Error {
  readonly code: string

  constructor(code: string, what: string) {
    super(`${what} was refused with ${code}`)
    this.code = code
  }
}

export const without = (from: readonly number[], taken: readonly number[]): readonly number[] =>
  from.filter(each => !taken.includes(each))
