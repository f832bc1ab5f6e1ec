/**
 * What the quorum machine does of its own accord: deadlines that passed, requests that are due. Runs after every event.
 * Sources: KIP-595, KIP-996.
 */
import { lastEpoch, type QuorumCore } from './quorum-core.ts'
import { noDirectoryId, type FetchRequest, type QuorumRequest } from './quorum-messages.ts'
import type { Candidate, Follower, Leader, Prospective, Resigned } from './roles.ts'

/** Follows the deadlines until the role no longer changes, and sends what the role wants to send. */
export function poll(core: QuorumCore, nowMs: number): void {
  core.peers.expire(nowMs)
  for (let role; role !== core.role;) {
    role = core.role
    pollRole(core, nowMs)
  }
}

/** When something becomes due next; Infinity for never. */
export function nextDeadlineMs(core: QuorumCore, nowMs: number): number {
  const due = [core.peers.nextDeadlineMs(nowMs), core.shutdownDeadlineMs ?? Infinity, ...roleDeadlines(core)]
  return Math.min(...due.filter(deadlineMs => deadlineMs > nowMs))
}

/** A shutdown is over when nobody needs to hear from this node any more, or nobody listens. */
export function isStopped(core: QuorumCore, nowMs: number): boolean {
  if (core.shutdownDeadlineMs === undefined) return false
  const hasNoticeToGive =
    core.role.name === 'leader' || (core.role.name === 'resigned' && core.role.unacknowledged.size > 0)
  return !hasNoticeToGive || nowMs >= core.shutdownDeadlineMs
}

function pollRole(core: QuorumCore, nowMs: number): void {
  const { role } = core
  switch (role.name) {
    case 'unattached':
      if (!core.isVoter) fetchFromAnyVoter(core, nowMs)
      else if (nowMs >= role.deadlineMs && mayStand(core)) core.becomeProspective(nowMs)
      return
    case 'prospective':
      return pollProspective(core, role, nowMs)
    case 'candidate':
      return pollCandidate(core, role, nowMs)
    case 'leader':
      return pollLeader(core, role, nowMs)
    case 'follower':
      return core.isVoter ? pollFollower(core, role, nowMs) : pollObserver(core, role, nowMs)
    case 'resigned':
      return pollResigned(core, role, nowMs)
  }
}

function roleDeadlines(core: QuorumCore): readonly number[] {
  const { role } = core
  switch (role.name) {
    case 'unattached':
    case 'resigned':
      return mayStand(core) ? [role.deadlineMs] : []
    case 'prospective':
      return [role.deadlineMs]
    case 'candidate':
      return [role.backoffUntilMs ?? role.deadlineMs]
    case 'follower':
      return isWaitingForDisk(core, role) ? [] : [role.deadlineMs]
    case 'leader':
      return [role.beginEpochDueMs, role.progress.checkQuorumDeadlineMs, ...role.parked.map(fetch => fetch.deadlineMs)]
  }
}

// ------------------------------------------------------------------------------------------------------------ elections

/** In the last epoch there can be no other election: who leads it, if anyone, is the last to lead. */
function mayStand(core: QuorumCore): boolean {
  return core.shutdownDeadlineMs === undefined && core.epoch < lastEpoch
}

function pollProspective(core: QuorumCore, role: Prospective, nowMs: number): void {
  if (role.votes.isWon && core.epoch < lastEpoch) return core.becomeCandidate(nowMs)
  if (role.votes.isWon || role.votes.isLost || nowMs >= role.deadlineMs) {
    if (role.leaderId === undefined) core.becomeUnattached(core.epoch, nowMs)
    else core.becomeFollower(role.leaderId, core.epoch, nowMs)
    return
  }
  sendVotes(core, role, nowMs)
}

function pollCandidate(core: QuorumCore, role: Candidate, nowMs: number): void {
  if (role.votes.isWon) return core.becomeLeader([...role.votes.granted], nowMs)
  if (role.backoffUntilMs === undefined && (role.votes.isLost || nowMs >= role.deadlineMs)) {
    role.backoffUntilMs = nowMs + core.electionBackoffMs()
  }
  if (role.backoffUntilMs === undefined) sendVotes(core, role, nowMs)
  else if (nowMs >= role.backoffUntilMs && core.shutdownDeadlineMs === undefined) core.becomeProspective(nowMs)
}

function sendVotes(core: QuorumCore, role: Prospective | Candidate, nowMs: number): void {
  for (const voterId of role.votes.unrecorded()) {
    send(core, voterId, nowMs, () => ({
      kind: 'vote',
      clusterId: core.options.clusterId,
      voterId,
      voterDirectoryId: noDirectoryId,
      epoch: core.epoch,
      replicaId: core.options.nodeId,
      replicaDirectoryId: core.options.directoryId,
      lastEpoch: core.history.lastEpoch,
      lastOffset: core.history.endOffset,
      preVote: role.name === 'prospective',
    }))
  }
}

// --------------------------------------------------------------------------------------------------------------- leader

function pollLeader(core: QuorumCore, role: Leader, nowMs: number): void {
  if (core.shutdownDeadlineMs !== undefined || nowMs >= role.progress.checkQuorumDeadlineMs) {
    return core.becomeResigned(role.progress.successors(), nowMs)
  }
  if (nowMs < role.beginEpochDueMs) return
  const intervalMs = Math.floor(core.options.fetchTimeoutMs / 2)
  role.beginEpochDueMs = nowMs + intervalMs
  for (const voter of role.progress.voters.values()) {
    const isFollowing = voter.lastFetchMs >= 0 && nowMs - voter.lastFetchMs < intervalMs
    if (voter.id === core.options.nodeId || isFollowing) continue
    send(core, voter.id, nowMs, () => ({
      kind: 'beginQuorumEpoch',
      clusterId: core.options.clusterId,
      voterId: voter.id,
      voterDirectoryId: noDirectoryId,
      leaderId: core.options.nodeId,
      epoch: core.epoch,
    }))
  }
}

function pollResigned(core: QuorumCore, role: Resigned, nowMs: number): void {
  if (mayStand(core) && nowMs >= role.deadlineMs) {
    // Not again in this epoch, see QuorumCore.initialRole.
    return core.becomeUnattached(core.epoch + 1, nowMs)
  }
  for (const voterId of role.unacknowledged) {
    send(core, voterId, nowMs, () => ({
      kind: 'endQuorumEpoch',
      clusterId: core.options.clusterId,
      leaderId: core.options.nodeId,
      epoch: core.epoch,
      preferredSuccessors: role.successors,
    }))
  }
}

// ------------------------------------------------------------------------------------------------------------ followers

/**
 * While its own disk is busy a follower can neither fetch nor tell whether the leader lives: an election would be pointless, since it could
 * not commit anything either.
 */
function isWaitingForDisk(core: QuorumCore, role: Follower): boolean {
  return core.isVoter && (core.durableOffset < core.history.endOffset || role.snapshot?.complete === true)
}

function pollFollower(core: QuorumCore, role: Follower, nowMs: number): void {
  if (core.shutdownDeadlineMs !== undefined || isWaitingForDisk(core, role)) return
  if (nowMs >= role.deadlineMs) return core.becomeProspective(nowMs)
  send(core, role.leaderId, nowMs, () => fetchOrFetchSnapshot(core, role))
}

/** An observer that does not hear from the leader asks any voter who leads now. */
function pollObserver(core: QuorumCore, role: Follower, nowMs: number): void {
  if (core.shutdownDeadlineMs !== undefined || role.snapshot?.complete === true) return
  if (nowMs >= role.deadlineMs || core.peers.isBackingOff(role.leaderId, nowMs)) return fetchFromAnyVoter(core, nowMs)
  if (!core.peers.anyInFlight()) send(core, role.leaderId, nowMs, () => fetchOrFetchSnapshot(core, role))
}

function fetchFromAnyVoter(core: QuorumCore, nowMs: number): void {
  if (core.peers.anyInFlight() || core.shutdownDeadlineMs !== undefined) return
  const voterId = core.peers.pickReady(core.options.random, nowMs)
  if (voterId !== undefined) send(core, voterId, nowMs, () => fetchRequest(core))
}

function fetchOrFetchSnapshot(core: QuorumCore, role: Follower): QuorumRequest {
  if (role.snapshot === undefined) return fetchRequest(core)
  return {
    kind: 'fetchSnapshot',
    clusterId: core.options.clusterId,
    replicaId: core.options.nodeId,
    replicaDirectoryId: core.options.directoryId,
    epoch: core.epoch,
    snapshotId: role.snapshot.id,
    position: role.snapshot.position,
    maxBytes: core.options.fetchMaxBytes,
  }
}

function fetchRequest(core: QuorumCore): FetchRequest {
  return {
    kind: 'fetch',
    clusterId: core.options.clusterId,
    replicaId: core.options.nodeId,
    replicaDirectoryId: core.options.directoryId,
    epoch: core.epoch,
    fetchOffset: core.history.endOffset,
    lastFetchedEpoch: core.history.lastEpoch,
    maxWaitMs: core.options.fetchMaxWaitMs,
    maxBytes: core.options.fetchMaxBytes,
    highWatermark: core.highWatermark,
  }
}

/** Sends unless a request to that peer is on its way or the peer is backing off. */
function send(core: QuorumCore, to: number, nowMs: number, request: () => QuorumRequest): void {
  if (!core.peers.isReady(to, nowMs)) return
  core.out.sends.push({ to, requestId: core.peers.sent(to, nowMs), request: request() })
}
