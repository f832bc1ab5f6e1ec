/**
 * The Fetch path behind the handler: read all partitions within the limits (KIP-74), and when there is too little, wait for more and read
 * again. Whether there is enough meanwhile is estimated (byte-meter.ts); what is answered is always read from the log.
 */
import type { ReadMemory } from '../log/log.ts'
import type { ErrorName } from '../protocol/errors.ts'
import { failedRead, type Isolation, type LocalReplica, type ReadOutcome } from './local-replica.ts'
import type { ParkedOperation, Parker, Purgatory } from './purgatory.ts'
import type { ReplicationQuota } from './replication-quotas.ts'

export interface FetchEntry {
  /** Where to read, or why that is not possible. */
  readonly target: LocalReplica | ErrorName
  readonly fetchOffset: number
  readonly currentLeaderEpoch: number
  readonly lastFetchedEpoch: number
  readonly maxBytes: number
  /** The follower's log start offset; -1 for consumers. */
  readonly logStartOffset: number
}

export interface FetchOptions {
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  /**
   * Bytes that a response had better stay below just now; 0: it brings no records. Asked whenever it is read, since a fetch that waited finds
   * other replies held.
   */
  readonly room?: () => number
  readonly isolation: Isolation
  readonly onlyLeader: boolean
  readonly follower?: { readonly replicaId: number; readonly brokerEpoch: number }
  /** Where a consumer had better read (KIP-392): it is told so and gets no records here. */
  preferredReplica?(leader: LocalReplica, fetchOffset: number): number | undefined
  readonly connection: Parker
  /** For the records; given back while the fetch waits. */
  readonly memory?: ReadMemory
}

/** What a fetch meets on its way. */
export interface FetchSurroundings {
  readonly purgatory: Purgatory<LocalReplica>
  /** What this broker sends to throttled replicas. */
  readonly quota: ReplicationQuota
  monotonicMs(): number
}

/** Only replicas that are not in sync are held back: what is needed to commit must flow. */
function isHeldBack(target: LocalReplica, { follower }: FetchOptions, surroundings: FetchSurroundings): boolean {
  const { topic, partition } = target.topicPartition
  const { quota } = surroundings
  if (follower === undefined || !quota.isThrottled(topic, partition)) return false
  return !target.machine.isr.includes(follower.replicaId) && quota.isExceeded(surroundings.monotonicMs())
}

/** Counts what goes to throttled replicas, in sync or not. */
function recordThrottled(
  entries: readonly FetchEntry[],
  outcomes: readonly ReadOutcome[],
  surroundings: FetchSurroundings,
): void {
  let bytes = 0
  entries.forEach(({ target }, index) => {
    if (typeof target === 'string') return
    const { topic, partition } = target.topicPartition
    if (surroundings.quota.isThrottled(topic, partition)) bytes += outcomes[index]?.records.length ?? 0
  })
  surroundings.quota.record(bytes, surroundings.monotonicMs())
}

/** Reads each partition, in order, until the response is full. The first batch is returned whatever its size, if there is any room. */
function readAll(
  entries: readonly FetchEntry[],
  options: FetchOptions,
  surroundings: FetchSurroundings,
  { roomBytes, isNew }: { readonly roomBytes: number; readonly isNew: boolean },
): ReadOutcome[] {
  let remainingBytes = Math.min(options.maxBytes, roomBytes)
  let atLeastOneBatch = roomBytes > 0
  const { follower, isolation, onlyLeader } = options
  return entries.map(entry => {
    const { target, fetchOffset, currentLeaderEpoch, lastFetchedEpoch } = entry
    if (typeof target === 'string') return failedRead(target)
    const heldBack = isHeldBack(target, options, surroundings)
    const preferredReadReplica = options.preferredReplica?.(target, fetchOffset)
    const outcome = target.read({
      fetchOffset,
      currentLeaderEpoch,
      lastFetchedEpoch,
      maxBytes: heldBack ? 0 : Math.min(entry.maxBytes, remainingBytes),
      atLeastOneBatch: atLeastOneBatch && !heldBack,
      isolation,
      onlyLeader,
      memory: options.memory,
      ...(preferredReadReplica === undefined ? {} : { preferredReadReplica }),
      ...(follower === undefined ? {} : { follower: { ...follower, logStartOffset: entry.logStartOffset, isNew } }),
    })
    if (outcome.records.length > 0) {
      atLeastOneBatch = false
      remainingBytes = Math.max(0, remainingBytes - outcome.records.length)
    }
    return outcome
  })
}

class ParkedFetch implements ParkedOperation<LocalReplica> {
  readonly keys: readonly LocalReplica[]
  private readonly entries = new Map<LocalReplica, { entry: FetchEntry; countedBytes: number }>()
  private readonly options: FetchOptions
  private readonly surroundings: FetchSurroundings
  private haveBytes: number
  private readonly answer: () => void

  constructor(
    entries: readonly FetchEntry[],
    options: FetchOptions,
    surroundings: FetchSurroundings,
    parked: { haveBytes: number; answer: () => void },
  ) {
    for (const entry of entries) {
      if (typeof entry.target === 'string') continue
      this.entries.set(entry.target, { entry, countedBytes: bytesOf(entry.target, options.isolation) })
    }
    this.keys = [...this.entries.keys()]
    this.options = options
    this.surroundings = surroundings
    this.haveBytes = parked.haveBytes
    this.answer = parked.answer
  }

  isReady(woken: LocalReplica): boolean {
    const known = this.entries.get(woken)
    if (known === undefined) return false
    const { entry } = known
    if (woken.gone !== undefined) return true
    if (woken.machine.refusal(entry.currentLeaderEpoch, this.options.onlyLeader) !== undefined) return true
    const endOffset = woken.endOffset(this.options.isolation)
    if (endOffset < entry.fetchOffset) return true
    if (endOffset === entry.fetchOffset || isHeldBack(woken, this.options, this.surroundings)) return false
    if (this.options.minBytes <= 1) return true
    const bytes = bytesOf(woken, this.options.isolation)
    this.haveBytes += Math.min(Math.max(0, bytes - known.countedBytes), entry.maxBytes)
    known.countedBytes = bytes
    return this.haveBytes >= this.options.minBytes
  }

  complete(): void {
    this.answer()
  }
}

function bytesOf(replica: LocalReplica, isolation: Isolation): number {
  return isolation === 'log-end' ? replica.meter.appendedBytes : replica.meter.committedBytes
}

/** Outcomes in the order of the entries; a promise only when there is too little to answer at once. */
export function fetchAll(
  entries: readonly FetchEntry[],
  options: FetchOptions,
  surroundings: FetchSurroundings,
): ReadOutcome[] | Promise<ReadOutcome[]> {
  const settled = (outcomes: ReadOutcome[]): ReadOutcome[] => {
    if (options.follower !== undefined) recordThrottled(entries, outcomes, surroundings)
    return outcomes
  }
  const room = (): number => options.room?.() ?? Infinity
  const roomBytes = room()
  const outcomes = readAll(entries, options, surroundings, { roomBytes, isNew: true })
  if (options.maxWaitMs <= 0 || entries.length === 0) return settled(outcomes)
  let bytes = 0
  for (const outcome of outcomes) {
    if (outcome.error !== 'NONE' || outcome.divergingEpoch !== undefined) return settled(outcomes)
    if (outcome.preferredReadReplica !== undefined) return settled(outcomes)
    bytes += outcome.records.length
  }
  // Also where there is room for nothing: who asks to wait for a record waits.
  if (bytes >= Math.min(options.minBytes, Math.max(1, Math.min(options.maxBytes, roomBytes)))) return settled(outcomes)
  options.memory?.giveBack()
  return new Promise(resolve => {
    const answer = () => resolve(settled(readAll(entries, options, surroundings, { roomBytes: room(), isNew: false })))
    const parked = new ParkedFetch(entries, options, surroundings, { haveBytes: bytes, answer })
    surroundings.purgatory.park(parked, options.maxWaitMs, options.connection)
  })
}
