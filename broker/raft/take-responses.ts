/**
 * What the quorum machine makes of the responses to its own requests. Each function returns whether the exchange went well; if not, the
 * peer is left alone for the retry backoff. Truncation below the high watermark is impossible and fails an assertion.
 * Sources: KIP-595, KIP-630, KIP-996.
 */
import { isConsistentLeader, isSameSnapshot, learnLeader } from './answer-requests.ts'
import { lastEpoch, type QuorumCore } from './quorum-core.ts'
import type {
  EpochEnd,
  FetchedRecords,
  FetchResponse,
  FetchSnapshotResponse,
  QuorumResponse,
  ResponseHead,
  SnapshotId,
  VoteResponse,
} from './quorum-messages.ts'
import type { Follower } from './roles.ts'

export function takeResponse(core: QuorumCore, from: number, response: QuorumResponse, nowMs: number): boolean {
  if (response.topLevelError !== 'NONE') return false
  if (core.isLeap(response.epoch)) {
    core.out.leaps.push({ from, epoch: response.epoch })
    return false
  }
  const outcome = isVoteOfThisEpoch(core, response) ? 'continue' : takeHead(core, response, nowMs)
  if (outcome !== 'continue') return outcome === 'done'
  switch (response.kind) {
    case 'vote':
      return takeVote(core, from, response, nowMs)
    case 'beginQuorumEpoch':
      return response.error === 'NONE'
    case 'endQuorumEpoch':
      if (core.role.name === 'resigned') core.role.unacknowledged.delete(from)
      return response.error === 'NONE'
    case 'fetch':
      return takeFetch(core, response, nowMs)
    case 'fetchSnapshot':
      return takeFetchSnapshot(core, response, nowMs)
  }
}

/**
 * Votes count whomever their voter takes for the leader. Voters that were told of different leaders of one epoch, or of such as do not lead,
 * have no other way out of it than the next epoch.
 */
function isVoteOfThisEpoch(core: QuorumCore, response: QuorumResponse): boolean {
  const namesALeader = core.electedId() === undefined && response.leaderId !== core.options.nodeId
  const isNews = namesALeader && core.options.voters.includes(response.leaderId)
  return response.kind === 'vote' && response.error === 'NONE' && response.epoch === core.epoch && !isNews
}

/** The part that all responses share: a newer epoch, or a leader this node did not know. */
function takeHead(core: QuorumCore, head: ResponseHead, nowMs: number): 'continue' | 'done' | 'backOff' {
  const leaderId = core.options.voters.includes(head.leaderId) ? head.leaderId : undefined
  if (head.epoch < core.epoch || head.error === 'UNKNOWN_LEADER_EPOCH') return 'backOff'
  if (!isConsistentLeader(core, leaderId, head.epoch)) return 'backOff'
  if (head.epoch > core.epoch || head.error === 'FENCED_LEADER_EPOCH' || head.error === 'NOT_LEADER_OR_FOLLOWER') {
    return learnLeader(core, leaderId, head.epoch, nowMs) ? 'done' : 'backOff'
  }
  if (leaderId !== undefined && core.electedId() === undefined) {
    core.becomeFollower(leaderId, head.epoch, nowMs)
    // An observer finds the leader with a Fetch whose records are as good as any.
    return head.error === 'NONE' ? 'continue' : 'done'
  }
  const givenUp =
    head.error === 'BROKER_NOT_AVAILABLE' || head.error === 'INVALID_VOTER_KEY' || head.error === 'INVALID_REQUEST'
  return givenUp ? 'backOff' : 'continue'
}

function takeVote(core: QuorumCore, from: number, response: VoteResponse, nowMs: number): boolean {
  if (response.error !== 'NONE') return false
  const { role } = core
  if (role.name !== 'prospective' && role.name !== 'candidate') return true
  role.votes.record(from, response.voteGranted)
  if (!role.votes.isWon) return true
  if (role.name === 'candidate') core.becomeLeader([...role.votes.granted], nowMs)
  else if (core.epoch < lastEpoch) core.becomeCandidate(nowMs)
  return true
}

function takeFetch(core: QuorumCore, response: FetchResponse, nowMs: number): boolean {
  const { role } = core
  if (role.name !== 'follower' || response.error !== 'NONE') return false
  if (response.divergingEpoch !== undefined) {
    truncateToEndOf(core, response.divergingEpoch)
  } else if (response.snapshotId !== undefined) {
    if (!isPossibleSnapshot(core, response.snapshotId)) return false
    beginSnapshot(core, role, response.snapshotId)
  } else {
    if (response.records !== undefined && !appendFetched(core, response.records)) return false
    core.raiseHighWatermark(response.highWatermark)
  }
  heardFromLeader(core, role, nowMs)
  return true
}

/** Keeps what both logs agree on. */
function truncateToEndOf(core: QuorumCore, diverging: EpochEnd): void {
  const local = core.history.endOffsetFor(diverging.epoch)
  const offset =
    diverging.epoch === 0 || local.epoch === diverging.epoch
      ? Math.min(diverging.endOffset, diverging.epoch === 0 ? core.history.endOffset : local.endOffset)
      : local.endOffset
  core.truncateTo(offset)
}

function appendFetched(core: QuorumCore, fetched: FetchedRecords): boolean {
  const { history } = core
  const first = fetched.epochs[0]
  if (first === undefined || fetched.baseOffset !== history.endOffset || first.epoch < history.lastEpoch) return false
  const newest = fetched.epochs.at(-1)?.epoch ?? first.epoch
  if (newest > core.epoch) return false
  core.out.appends.push({ kind: 'batches', fetched })
  for (const [index, run] of fetched.epochs.entries()) {
    core.grewTo(run.epoch, fetched.epochs[index + 1]?.startOffset ?? fetched.endOffset)
  }
  return true
}

/** Made in this epoch or before, of committed records, with all that we know to be committed. Kafka downloads any and would go back with it. */
function isPossibleSnapshot(core: QuorumCore, { epoch, endOffset }: SnapshotId): boolean {
  return epoch >= 0 && epoch <= core.epoch && endOffset >= core.highWatermark
}

function beginSnapshot(core: QuorumCore, role: Follower, id: SnapshotId): void {
  if (role.snapshot !== undefined) core.out.snapshotWork.push({ kind: 'discard', id: role.snapshot.id })
  role.snapshot = { id, position: 0, complete: false }
  core.out.snapshotWork.push({ kind: 'begin', id })
}

function takeFetchSnapshot(core: QuorumCore, response: FetchSnapshotResponse, nowMs: number): boolean {
  const { role } = core
  if (role.name !== 'follower') return false
  const download = role.snapshot
  if (download === undefined) return true
  const isGone =
    response.error === 'SNAPSHOT_NOT_FOUND' ||
    response.error === 'POSITION_OUT_OF_RANGE' ||
    (response.error === 'NONE' &&
      (response.snapshotId === undefined || !isSameSnapshot(response.snapshotId, download.id)))
  if (isGone) {
    // The leader has a newer one by now: ask again from the beginning.
    core.out.snapshotWork.push({ kind: 'discard', id: download.id })
    role.snapshot = undefined
    heardFromLeader(core, role, nowMs)
    return true
  }
  const { bytes } = response
  if (response.error !== 'NONE' || bytes === undefined || bytes.length === 0 || response.position !== download.position)
    return false
  core.out.snapshotWork.push({ kind: 'write', id: download.id, position: download.position, bytes })
  download.position += bytes.length
  if (download.position >= response.sizeBytes) {
    download.complete = true
    core.out.snapshotWork.push({ kind: 'finish', id: download.id })
  }
  heardFromLeader(core, role, nowMs)
  return true
}

function heardFromLeader(core: QuorumCore, role: Follower, nowMs: number): void {
  role.deadlineMs = nowMs + core.options.fetchTimeoutMs
  role.hasFetched = true
}
