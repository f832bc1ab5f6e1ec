/**
 * The roles of a node in the quorum, as plain data. Which role follows which is said at the top of quorum-machine.ts.
 * Sources: KIP-595, KIP-996 (Prospective).
 */
import type { LeaderProgress } from './leader-progress.ts'
import type { FetchRequest, SnapshotId } from './quorum-messages.ts'

/** Knows no leader of the epoch. */
export interface Unattached {
  readonly name: 'unattached'
  /** Infinity for an observer. */
  readonly deadlineMs: number
}

/** Asks whether it could win an election, without disturbing the epoch. */
export interface Prospective {
  readonly name: 'prospective'
  /** The leader it lost touch with and goes back to when it could not win. */
  readonly leaderId: number | undefined
  readonly deadlineMs: number
  readonly votes: Votes
}

/** Voted for itself in a new epoch and asks for the votes of the others. */
export interface Candidate {
  readonly name: 'candidate'
  readonly deadlineMs: number
  readonly votes: Votes
  /** Set once the election is lost. */
  backoffUntilMs: number | undefined
}

export interface Leader {
  readonly name: 'leader'
  readonly progress: LeaderProgress
  parked: ParkedFetch[]
  beginEpochDueMs: number
}

export interface Follower {
  readonly name: 'follower'
  readonly leaderId: number
  deadlineMs: number
  /** Until then it does not know that the leader lives, and grants pre-votes. */
  hasFetched: boolean
  snapshot: SnapshotDownload | undefined
}

/** Led this epoch and will not again; votes for nobody in it. */
export interface Resigned {
  readonly name: 'resigned'
  readonly deadlineMs: number
  readonly unacknowledged: Set<number>
  /** Attempts to reach them that failed, by voter. */
  readonly failures: Map<number, number>
  readonly successors: readonly number[]
}

export type Role = Unattached | Prospective | Candidate | Leader | Follower | Resigned

export interface SnapshotDownload {
  readonly id: SnapshotId
  position: number
  /** All bytes are here; waiting for the disk. */
  complete: boolean
}

export interface ParkedFetch {
  readonly token: number
  readonly request: FetchRequest
  readonly deadlineMs: number
}

export class Votes {
  readonly granted = new Set<number>()
  readonly rejected = new Set<number>()
  private readonly voters: readonly number[]

  constructor(voters: readonly number[], self: number) {
    this.voters = voters
    this.granted.add(self)
  }

  record(voter: number, granted: boolean): void {
    if (!this.voters.includes(voter)) return
    this.rejected.delete(voter)
    if (granted) this.granted.add(voter)
    else if (!this.granted.has(voter)) this.rejected.add(voter)
  }

  unrecorded(): readonly number[] {
    return this.voters.filter(voter => !this.granted.has(voter) && !this.rejected.has(voter))
  }

  get isWon(): boolean {
    return this.granted.size >= this.majority
  }

  get isLost(): boolean {
    return this.voters.length - this.rejected.size < this.majority
  }

  private get majority(): number {
    return Math.floor(this.voters.length / 2) + 1
  }
}
