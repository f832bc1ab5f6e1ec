/** One machine and the messages that a test wants to show it, with defaults that make each message acceptable. */
import type { MachineOptions, Recovered } from '#broker/raft/quorum-core.ts'
import { QuorumMachine } from '#broker/raft/quorum-machine.ts'
import {
  noDirectoryId,
  type BeginQuorumEpochRequest,
  type EndQuorumEpochRequest,
  type FetchRequest,
  type FetchResponse,
  type FetchSnapshotRequest,
  type QuorumRequest,
  type QuorumResponse,
  type VoteRequest,
  type VoteResponse,
} from '#broker/raft/quorum-messages.ts'
import type { HardState, QuorumEvent, Ready, Send } from '#broker/raft/ready.ts'

export const clusterId = 'cluster'

export interface Given {
  readonly id?: number
  readonly voters?: readonly number[]
  readonly hardState?: HardState
  /** Epoch of each record in the log. */
  readonly log?: readonly number[]
  readonly durableOffset?: number
  readonly startOffset?: number
  readonly snapshots?: Recovered['snapshots']
  /** What `random.below` answers; 0 when it runs out. */
  readonly random?: number[]
}

export class Subject {
  readonly machine: QuorumMachine
  nowMs = 0
  last: Ready
  /** Requests that are on their way, as far as the test sees. */
  readonly sent: Send[] = []
  private token = 0

  constructor(given: Given = {}) {
    const draws = [...(given.random ?? [])]
    const options: MachineOptions = {
      nodeId: given.id ?? 1,
      directoryId: 'directory-of-this-node',
      clusterId,
      voters: given.voters ?? [1, 2, 3],
      electionTimeoutMs: 1000,
      electionBackoffMaxMs: 1000,
      fetchTimeoutMs: 2000,
      requestTimeoutMs: 2000,
      retryBackoffMs: 20,
      fetchMaxWaitMs: 500,
      fetchMaxBytes: 1000,
      random: { below: limit => Math.min(draws.shift() ?? 0, limit - 1), bytes: count => Buffer.alloc(count) },
    }
    const startOffset = given.startOffset ?? 0
    const records = given.log ?? []
    const epochs = records.flatMap((epoch, index) =>
      epoch === records[index - 1] ? [] : [{ epoch, startOffset: startOffset + index }],
    )
    const endOffset = startOffset + records.length
    const snapshots = given.snapshots ?? []
    const baseEpoch = snapshots.find(snapshot => snapshot.endOffset === startOffset)?.epoch ?? 0
    const log = { startOffset, endOffset, durableOffset: given.durableOffset ?? endOffset, baseEpoch, epochs }
    this.machine = new QuorumMachine(options, { hardState: given.hardState, log, snapshots }, this.nowMs)
    this.last = this.keep(this.machine.start(this.nowMs))
  }

  step(event: QuorumEvent): Ready {
    this.last = this.keep(this.machine.step(event, this.nowMs))
    return this.last
  }

  /** Lets time pass up to the next deadline of the machine, again and again. */
  pass(durationMs: number): Ready {
    const untilMs = this.nowMs + durationMs
    while (this.last.deadlineMs <= untilMs) {
      this.nowMs = this.last.deadlineMs
      this.step({ kind: 'tick' })
    }
    this.nowMs = untilMs
    return this.step({ kind: 'tick' })
  }

  /** The reply to a request; undefined when it was parked. */
  ask<Request extends QuorumRequest>(request: Request): Extract<QuorumResponse, { kind: Request['kind'] }> | undefined {
    const token = this.park(request)
    const reply = this.last.replies.find(each => each.token === token)
    return reply?.response as Extract<QuorumResponse, { kind: Request['kind'] }> | undefined
  }

  park(request: QuorumRequest): number {
    this.token += 1
    this.step({ kind: 'request', token: this.token, request })
    return this.token
  }

  /** Answers the newest request of this kind to that node. */
  answer(from: number, response: QuorumResponse): Ready {
    const sent = this.sent.findLast(each => each.to === from && each.request.kind === response.kind)
    if (sent === undefined) throw new Error(`no ${response.kind} was sent to ${from}`)
    return this.step({ kind: 'response', from, requestId: sent.requestId, response })
  }

  persist(): Ready {
    const generation = this.last.flush
    if (generation === undefined) throw new Error('no flush was asked for')
    return this.step({ kind: 'persisted', durableOffset: this.machine.logEndOffset, generation })
  }

  /** The disk has everything that is in the log; for tests without truncation. */
  persistAll(): Ready {
    return this.step({ kind: 'persisted', durableOffset: this.machine.logEndOffset, generation: 0 })
  }

  requests<Kind extends QuorumRequest['kind']>(
    kind: Kind,
    ready: Ready = this.last,
  ): Extract<QuorumRequest, { kind: Kind }>[] {
    const found = ready.sends.map(send => send.request).filter(request => request.kind === kind)
    return found as Extract<QuorumRequest, { kind: Kind }>[]
  }

  /** Wins an election: pre-vote and vote of node 2. */
  win(): Ready {
    this.pass(1000)
    this.answer(2, voteResponse({ epoch: this.machine.epoch, voteGranted: true }))
    this.answer(2, voteResponse({ epoch: this.machine.epoch, voteGranted: true }))
    return this.last
  }

  private keep(ready: Ready): Ready {
    this.sent.push(...ready.sends)
    return ready
  }
}

const nobody = { topLevelError: 'NONE', error: 'NONE', leaderId: -1 } as const

export function voteRequest(fields: Partial<VoteRequest> = {}): VoteRequest {
  return {
    kind: 'vote',
    clusterId,
    voterId: 1,
    voterDirectoryId: noDirectoryId,
    epoch: 1,
    replicaId: 2,
    replicaDirectoryId: 'directory-2',
    lastEpoch: 0,
    lastOffset: 0,
    preVote: false,
    ...fields,
  }
}

export function voteResponse(fields: Partial<VoteResponse> = {}): VoteResponse {
  return { kind: 'vote', ...nobody, epoch: 0, voteGranted: false, ...fields }
}

export function beginRequest(fields: Partial<BeginQuorumEpochRequest> = {}): BeginQuorumEpochRequest {
  const to = { voterId: 1, voterDirectoryId: noDirectoryId }
  return { kind: 'beginQuorumEpoch', clusterId, ...to, leaderId: 2, epoch: 1, ...fields }
}

export function endRequest(fields: Partial<EndQuorumEpochRequest> = {}): EndQuorumEpochRequest {
  return { kind: 'endQuorumEpoch', clusterId, leaderId: 2, epoch: 1, preferredSuccessors: [], ...fields }
}

export function fetchRequest(fields: Partial<FetchRequest> = {}): FetchRequest {
  return {
    kind: 'fetch',
    clusterId,
    replicaId: 2,
    replicaDirectoryId: 'directory-2',
    epoch: 1,
    fetchOffset: 0,
    lastFetchedEpoch: 0,
    maxWaitMs: 500,
    maxBytes: 1000,
    highWatermark: 0,
    ...fields,
  }
}

export function fetchResponse(fields: Partial<FetchResponse> = {}): FetchResponse {
  return {
    kind: 'fetch',
    ...nobody,
    leaderId: 2,
    epoch: 1,
    highWatermark: -1,
    logStartOffset: 0,
    divergingEpoch: undefined,
    snapshotId: undefined,
    read: undefined,
    records: undefined,
    ...fields,
  }
}

/** Records of the given epochs, the first at `baseOffset`. */
export function records(baseOffset: number, epochs: readonly number[]): FetchResponse['records'] {
  const runs = epochs.flatMap((epoch, index) =>
    epoch === epochs[index - 1] ? [] : [{ epoch, startOffset: baseOffset + index }],
  )
  return { bytes: Buffer.alloc(1), baseOffset, endOffset: baseOffset + epochs.length, epochs: runs }
}

export function fetchSnapshotRequest(fields: Partial<FetchSnapshotRequest> = {}): FetchSnapshotRequest {
  return {
    kind: 'fetchSnapshot',
    clusterId,
    replicaId: 2,
    replicaDirectoryId: 'directory-2',
    epoch: 1,
    snapshotId: { endOffset: 1, epoch: 1 },
    position: 0,
    maxBytes: 1000,
    ...fields,
  }
}
