/**
 * How the quorum machine answers the requests of other nodes. Every check is Kafka's, in Kafka's order. A fetch that brings nothing new is
 * parked with the leader's role; answering it later is `wakeParkedFetches`.
 * Sources: KIP-595 (Vote, BeginQuorumEpoch, EndQuorumEpoch, Fetch), KIP-630 (FetchSnapshot), KIP-996 (pre-vote), KIP-1166.
 */
import type { ErrorName } from '../protocol/errors.ts'
import type { QuorumCore } from './quorum-core.ts'
import {
  noDirectoryId,
  type BeginQuorumEpochRequest,
  type BeginQuorumEpochResponse,
  type EndQuorumEpochRequest,
  type EndQuorumEpochResponse,
  type EpochEnd,
  type FetchRequest,
  type FetchResponse,
  type FetchSnapshotRequest,
  type FetchSnapshotResponse,
  type QuorumRequest,
  type QuorumResponse,
  type SnapshotId,
  type VoteRequest,
  type VoteResponse,
} from './quorum-messages.ts'
import type { Leader } from './roles.ts'

/** The response, or undefined when the fetch was parked under `token`. */
export function answerRequest(
  core: QuorumCore,
  token: number,
  request: QuorumRequest,
  nowMs: number,
): QuorumResponse | undefined {
  switch (request.kind) {
    case 'vote':
      return answerVote(core, request, nowMs)
    case 'beginQuorumEpoch':
      return answerBeginQuorumEpoch(core, request, nowMs)
    case 'endQuorumEpoch':
      return answerEndQuorumEpoch(core, request, nowMs)
    case 'fetch':
      return answerFetch(core, token, request, nowMs)
    case 'fetchSnapshot':
      return answerFetchSnapshot(core, request, nowMs)
  }
}

// ---------------------------------------------------------------------------------------------------------------- vote

function answerVote(core: QuorumCore, request: VoteRequest, nowMs: number): VoteResponse {
  const answer = (error: ErrorName, voteGranted = false): VoteResponse => ({
    kind: 'vote',
    ...core.head(error),
    voteGranted,
  })
  if (isForeign(core, request)) return { ...answer('NONE'), topLevelError: 'INCONSISTENT_CLUSTER_ID' }
  // A candidate votes in a new epoch, in which it cannot have records yet; a pre-vote asks in the epoch it is in.
  const newestEpoch = request.preVote ? request.epoch : request.epoch - 1
  if (request.lastOffset < 0 || request.lastEpoch < 0 || request.lastEpoch > newestEpoch)
    return answer('INVALID_REQUEST')
  const refusal = refuseVoterRequest(core, request.replicaId, request.epoch)
  if (refusal !== undefined) return answer(refusal)
  if (request.epoch > core.epoch) core.becomeUnattached(request.epoch, nowMs)
  if (!isAddressedToUs(core, request)) return answer('INVALID_VOTER_KEY')
  const granted = canGrantVote(core, request)
  if (granted && !request.preVote) core.voteFor(request.replicaId, nowMs)
  return answer('NONE', granted)
}

function canGrantVote(core: QuorumCore, request: VoteRequest): boolean {
  const { history, role } = core
  const upToDate =
    request.lastEpoch > history.lastEpoch ||
    (request.lastEpoch === history.lastEpoch && request.lastOffset >= history.endOffset)
  if (request.preVote) {
    // KIP-996: who hears from a live leader does not help to depose it.
    if (role.name === 'leader') return false
    return upToDate && !(role.name === 'follower' && role.hasFetched)
  }
  if (role.name !== 'unattached' && role.name !== 'prospective') return false
  if (core.votedId !== undefined) return core.votedId === request.replicaId && core.votedId !== core.options.nodeId
  return core.electedId() === undefined && upToDate
}

// -------------------------------------------------------------------------------------------------- begin and end epoch

function answerBeginQuorumEpoch(
  core: QuorumCore,
  request: BeginQuorumEpochRequest,
  nowMs: number,
): BeginQuorumEpochResponse {
  const answer = (error: ErrorName): BeginQuorumEpochResponse => ({ kind: 'beginQuorumEpoch', ...core.head(error) })
  if (isForeign(core, request)) return { ...answer('NONE'), topLevelError: 'INCONSISTENT_CLUSTER_ID' }
  const refusal = refuseVoterRequest(core, request.leaderId, request.epoch) ?? refuseLeader(core, request)
  if (refusal !== undefined) return answer(refusal)
  learnLeader(core, request.leaderId, request.epoch, nowMs)
  if (core.role.name === 'prospective') core.becomeFollower(request.leaderId, request.epoch, nowMs)
  return answer(isAddressedToUs(core, request) ? 'NONE' : 'INVALID_VOTER_KEY')
}

function answerEndQuorumEpoch(core: QuorumCore, request: EndQuorumEpochRequest, nowMs: number): EndQuorumEpochResponse {
  const answer = (error: ErrorName): EndQuorumEpochResponse => ({ kind: 'endQuorumEpoch', ...core.head(error) })
  if (isForeign(core, request)) return { ...answer('NONE'), topLevelError: 'INCONSISTENT_CLUSTER_ID' }
  const refusal = refuseVoterRequest(core, request.leaderId, request.epoch) ?? refuseLeader(core, request)
  if (refusal !== undefined) return answer(refusal)
  learnLeader(core, request.leaderId, request.epoch, nowMs)
  const { role } = core
  if (role.name === 'follower' && role.leaderId === request.leaderId) {
    role.deadlineMs = nowMs + successorDelayMs(core, request.preferredSuccessors)
    // The leader itself said that it is leaving: whoever asks for a pre-vote now disturbs nobody.
    role.hasFetched = false
  }
  return answer('NONE')
}

/** The furthest voter stands at once, the next ones later and later, so that they rarely compete. */
function successorDelayMs(core: QuorumCore, successors: readonly number[]): number {
  const maxMs = core.options.electionBackoffMaxMs
  const position = successors.indexOf(core.options.nodeId)
  if (position === 0) return 0
  if (position < 0) return maxMs
  const baseMs = Math.floor(maxMs / 2 ** (successors.length - 1))
  return Math.min(maxMs, baseMs * 2 ** (position - 1))
}

/**
 * Takes over what a message says about the leader of an epoch that is not older than ours. Returns whether that was news. The caller has
 * checked `isConsistentLeader`.
 */
export function learnLeader(core: QuorumCore, leaderId: number | undefined, epoch: number, nowMs: number): boolean {
  if (epoch > core.epoch) {
    if (leaderId === undefined) core.becomeUnattached(epoch, nowMs)
    else core.becomeFollower(leaderId, epoch, nowMs)
    return true
  }
  if (epoch < core.epoch || leaderId === undefined || core.electedId() !== undefined) return false
  core.becomeFollower(leaderId, epoch, nowMs)
  return true
}

/** An epoch has one leader: false when a message contradicts what this node knows for certain. */
export function isConsistentLeader(core: QuorumCore, leaderId: number | undefined, epoch: number): boolean {
  if (leaderId === core.options.nodeId) return epoch === core.epoch && core.electedId() === leaderId
  const elected = core.electedId()
  return epoch !== core.epoch || leaderId === undefined || elected === undefined || elected === leaderId
}

// --------------------------------------------------------------------------------------------------------------- fetch

function answerFetch(core: QuorumCore, token: number, request: FetchRequest, nowMs: number): FetchResponse | undefined {
  if (isForeign(core, request)) return { ...fetchRefusal(core, 'NONE'), topLevelError: 'INCONSISTENT_CLUSTER_ID' }
  const malformed =
    request.maxWaitMs < 0 ||
    request.fetchOffset < 0 ||
    request.lastFetchedEpoch < 0 ||
    request.lastFetchedEpoch > request.epoch ||
    request.replicaId === core.options.nodeId
  if (malformed) return fetchRefusal(core, 'INVALID_REQUEST')
  const refusal = refuseLeaderRequest(core, request.epoch)
  if (refusal !== undefined) return fetchRefusal(core, refusal)
  const { role } = core
  if (role.name !== 'leader') return fetchRefusal(core, 'NOT_LEADER_OR_FOLLOWER')
  const position = judgeFetchPosition(core, request)
  if (position.valid && request.replicaId >= 0) {
    const replica = { id: request.replicaId, directoryId: request.replicaDirectoryId }
    role.progress.fetched(replica, request.fetchOffset, core.history.endOffset, nowMs)
    core.raiseHighWatermark(role.progress.highWatermark ?? 0)
  }
  if (request.maxWaitMs === 0 || hasNews(core, role, request)) return fetchAnswer(core, role, request)
  role.parked.push({ token, request, deadlineMs: nowMs + request.maxWaitMs })
  return undefined
}

/** Answers the parked fetches that have something new to learn or have waited long enough. */
export function wakeParkedFetches(core: QuorumCore, nowMs: number): void {
  const { role } = core
  if (role.name !== 'leader' || role.parked.length === 0) return
  const waiting = role.parked
  role.parked = []
  for (const fetch of waiting) {
    if (nowMs < fetch.deadlineMs && !hasNews(core, role, fetch.request)) role.parked.push(fetch)
    else core.out.replies.push({ token: fetch.token, response: fetchAnswer(core, role, fetch.request) })
  }
}

function hasNews(core: QuorumCore, leader: Leader, request: FetchRequest): boolean {
  return (
    request.fetchOffset < core.history.endOffset ||
    !judgeFetchPosition(core, request).valid ||
    request.highWatermark < (leader.progress.highWatermark ?? -1)
  )
}

function fetchAnswer(core: QuorumCore, leader: Leader, request: FetchRequest): FetchResponse {
  const position = judgeFetchPosition(core, request)
  const hasRecords = position.valid && request.fetchOffset < core.history.endOffset
  return {
    kind: 'fetch',
    ...core.head('NONE'),
    highWatermark: leader.progress.highWatermark ?? -1,
    logStartOffset: core.history.startOffset,
    divergingEpoch: position.divergingEpoch,
    snapshotId: position.snapshotId,
    read: hasRecords ? { offset: request.fetchOffset, maxBytes: request.maxBytes } : undefined,
    records: undefined,
  }
}

function fetchRefusal(core: QuorumCore, error: ErrorName): FetchResponse {
  return {
    kind: 'fetch',
    ...core.head(error),
    highWatermark: -1,
    logStartOffset: core.history.startOffset,
    divergingEpoch: undefined,
    snapshotId: undefined,
    read: undefined,
    records: undefined,
  }
}

interface FetchPosition {
  readonly valid: boolean
  readonly divergingEpoch?: EpochEnd
  readonly snapshotId?: SnapshotId
}

/**
 * Whether the replica's log is a prefix of ours. If not: where its last epoch ends here (it truncates to that), or the snapshot it needs
 * because our log no longer reaches back. An empty log is always better served by a snapshot when there is one.
 */
function judgeFetchPosition(core: QuorumCore, request: FetchRequest): FetchPosition {
  const { history, snapshots } = core
  const { fetchOffset, lastFetchedEpoch } = request
  const latest = snapshots.at(-1)
  const earliest = snapshots[0]
  if (fetchOffset === 0 && latest !== undefined) return { valid: false, snapshotId: latest }
  if (fetchOffset === 0 && history.startOffset === 0) return { valid: true }
  if (latest !== undefined && earliest !== undefined) {
    if (fetchOffset < history.startOffset || lastFetchedEpoch < earliest.epoch)
      return { valid: false, snapshotId: latest }
  }
  const end = history.endOffsetFor(lastFetchedEpoch)
  if (end.epoch !== lastFetchedEpoch || end.endOffset < fetchOffset) return { valid: false, divergingEpoch: end }
  return { valid: true }
}

// ------------------------------------------------------------------------------------------------------------ snapshot

function answerFetchSnapshot(core: QuorumCore, request: FetchSnapshotRequest, nowMs: number): FetchSnapshotResponse {
  const answer = (error: ErrorName): FetchSnapshotResponse => ({
    kind: 'fetchSnapshot',
    ...core.head(error),
    snapshotId: undefined,
    sizeBytes: 0,
    position: 0,
    readBytes: 0,
    bytes: undefined,
  })
  if (isForeign(core, request)) return { ...answer('NONE'), topLevelError: 'INCONSISTENT_CLUSTER_ID' }
  const refusal = refuseLeaderRequest(core, request.epoch)
  if (refusal !== undefined) return answer(refusal)
  const { snapshotId, position } = request
  const stored = core.snapshots.find(candidate => isSameSnapshot(candidate, snapshotId))
  if (stored === undefined) return answer('SNAPSHOT_NOT_FOUND')
  if (position < 0 || position >= stored.bytes) return answer('POSITION_OUT_OF_RANGE')
  if (core.role.name === 'leader') core.role.progress.heardFrom(request.replicaId, nowMs)
  const readBytes = Math.min(Math.max(0, request.maxBytes), core.options.fetchMaxBytes, stored.bytes - position)
  return { ...answer('NONE'), snapshotId, sizeBytes: stored.bytes, position, readBytes }
}

export function isSameSnapshot(left: SnapshotId, right: SnapshotId): boolean {
  return left.endOffset === right.endOffset && left.epoch === right.epoch
}

// ---------------------------------------------------------------------------------------------------------- validation

/** A request without a cluster id is taken on trust. */
function isForeign(core: QuorumCore, request: { clusterId: string | null }): boolean {
  return request.clusterId !== null && request.clusterId !== core.options.clusterId
}

function refuseVoterRequest(core: QuorumCore, fromId: number, epoch: number): ErrorName | undefined {
  if (epoch < core.epoch) return 'FENCED_LEADER_EPOCH'
  return fromId < 0 || core.isLeap(epoch) ? 'INVALID_REQUEST' : undefined
}

/** With static voters a leader that is none of them cannot be reached, and one that contradicts what we know cannot be. */
function refuseLeader(core: QuorumCore, request: { leaderId: number; epoch: number }): ErrorName | undefined {
  if (!core.options.voters.includes(request.leaderId)) return 'INCONSISTENT_VOTER_SET'
  return isConsistentLeader(core, request.leaderId, request.epoch) ? undefined : 'INVALID_REQUEST'
}

function refuseLeaderRequest(core: QuorumCore, epoch: number): ErrorName | undefined {
  if (epoch < core.epoch) return 'FENCED_LEADER_EPOCH'
  if (epoch > core.epoch) return 'UNKNOWN_LEADER_EPOCH'
  if (core.role.name !== 'leader') return 'NOT_LEADER_OR_FOLLOWER'
  return core.shutdownDeadlineMs === undefined ? undefined : 'BROKER_NOT_AVAILABLE'
}

function isAddressedToUs(core: QuorumCore, request: { voterId: number; voterDirectoryId: string }): boolean {
  if (request.voterId === -1) return true
  if (request.voterId !== core.options.nodeId) return false
  return request.voterDirectoryId === noDirectoryId || request.voterDirectoryId === core.options.directoryId
}
