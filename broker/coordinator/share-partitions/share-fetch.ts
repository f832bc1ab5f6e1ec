/**
 * The long poll of a share fetch: reads the partitions where something can be acquired, and acquires once there is enough or the time is
 * over. What is answered is always read from the log. Waits like a fetch does, for the same replicas; a share partition that gets room or
 * free records wakes those who wait for its replica. Source: KIP-932; Kafka's DelayedShareFetch.
 */
import { batches, type BatchView } from '../../protocol/records/batch.ts'
import { endTransactionMarkerOf } from '../../protocol/records/batch-read.ts'
import type { Isolation, LocalReplica, ReadOutcome } from '../../replication/local-replica.ts'
import type { ParkedOperation, Parker } from '../../replication/purgatory.ts'
import type { Acquired, OffsetRange } from './acquire.ts'
import type { AcknowledgeOutcome } from './share-partition.ts'
import type { Opened, SharePartitions } from './share-partitions.ts'
import type { SharePlace } from './share-sessions.ts'

export interface ShareFetch {
  readonly groupId: string
  readonly memberId: string
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  /** Bytes that the response had better stay below just now, 0: it brings no records; asked whenever it is read. */
  readonly room: () => number
  readonly maxRecords: number
  readonly batchSize: number
  readonly mode: number
  /** In the order in which they are served. */
  readonly places: readonly SharePlace[]
  readonly connection: Parker
}

export interface ShareFetched extends AcknowledgeOutcome {
  readonly place: SharePlace
  readonly records: Buffer
  readonly acquired: readonly Acquired[]
}

interface Read {
  readonly opened: Opened
  readonly fetchOffset: number
  readonly outcome: ReadOutcome
}

const noRecords = Buffer.alloc(0)

/** One entry per partition with records or an error. */
export function shareFetch(fetch: ShareFetch, partitions: SharePartitions): Promise<readonly ShareFetched[]> {
  const { clock } = partitions.options.environment
  const deadlineMs = clock.monotonicMs() + fetch.maxWaitMs
  return new Promise(resolve => {
    const attempt = (): void => {
      const answer = new Attempt(fetch, partitions)
      const leftMs = deadlineMs - clock.monotonicMs()
      if (leftMs <= 0 || answer.isEnough || answer.opened.length === 0) {
        const fetched = answer.finish()
        if (fetched.length > 0 || leftMs <= 0 || answer.opened.length === 0) {
          resolve(fetched)
          return
        }
        // All that was read belongs to aborted transactions: what follows may not.
        if (answer.hasMoved) {
          attempt()
          return
        }
      }
      partitions.options.replicas.park(new ParkedShareFetch(answer, attempt), leftMs, fetch.connection)
    }
    attempt()
  })
}

class ParkedShareFetch implements ParkedOperation<LocalReplica> {
  readonly keys: readonly LocalReplica[]
  readonly #attempt: Attempt
  readonly #again: () => void

  constructor(attempt: Attempt, again: () => void) {
    this.keys = [...new Set(attempt.opened.map(({ replica }) => replica))]
    this.#attempt = attempt
    this.#again = again
  }

  isReady(woken: LocalReplica): boolean {
    return this.#attempt.opened.some(opened => opened.replica === woken && this.#attempt.hasNews(opened))
  }

  complete(): void {
    this.#again()
  }
}

/** One look at all partitions. */
class Attempt {
  readonly opened: Opened[] = []
  /** Whether `finish` got beyond something. */
  hasMoved = false
  readonly #fetch: ShareFetch
  readonly #partitions: SharePartitions
  readonly #isolation: Isolation
  readonly #failed: ShareFetched[] = []
  readonly #reads: Read[] = []
  #readBytes = 0
  readonly #limitBytes: number

  constructor(fetch: ShareFetch, partitions: SharePartitions) {
    this.#fetch = fetch
    this.#partitions = partitions
    this.#isolation = partitions.settings(fetch.groupId).isReadCommitted ? 'last-stable' : 'high-watermark'
    for (const place of fetch.places) {
      const opened = partitions.open(fetch.groupId, place)
      if ('error' in opened) this.#failed.push({ place, ...opened, records: noRecords, acquired: [] })
      else this.opened.push(opened)
    }
    const ready = this.opened.filter(opened => this.#canRead(opened))
    const roomBytes = fetch.room()
    this.#limitBytes = Math.min(fetch.maxBytes, roomBytes)
    const maxBytes = Math.max(1, Math.floor(this.#limitBytes / Math.max(1, ready.length)))
    if (fetch.maxRecords <= 0) return
    for (const opened of ready) {
      if (this.#readBytes >= roomBytes) break
      this.#read(opened, maxBytes)
    }
  }

  #canRead(opened: Opened): boolean {
    return (
      this.#partitions.step(
        opened,
        machine => machine.canAcquire() && machine.nextFetchOffset() < opened.replica.endOffset(this.#isolation),
      ) === true
    )
  }

  /** Something happened that an answer, or another wait, must take into account. */
  hasNews(opened: Opened): boolean {
    return !this.#partitions.isGood(opened) || this.#canRead(opened)
  }

  #read(opened: Opened, maxBytes: number): void {
    const fetchOffset = opened.machine?.nextFetchOffset() ?? 0
    const outcome = opened.replica.read({
      fetchOffset,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      maxBytes,
      atLeastOneBatch: true,
      isolation: this.#isolation,
      onlyLeader: true,
    })
    const { topicId, partition } = opened.key
    if (outcome.error === 'NONE') {
      this.#reads.push({ opened, fetchOffset, outcome })
      this.#readBytes += outcome.records.length
    }
    // A log that lost its end grows up to the offset again.
    else if (outcome.error !== 'OFFSET_OUT_OF_RANGE')
      this.#failed.push({ place: { topicId, partition }, error: outcome.error, records: noRecords, acquired: [] })
  }

  get isEnough(): boolean {
    const wantedBytes = Math.min(this.#fetch.minBytes, this.#limitBytes)
    return this.#failed.length > 0 || (this.#readBytes > 0 && this.#readBytes >= wantedBytes)
  }

  /** Acquires; from here on the records are the member's. */
  finish(): readonly ShareFetched[] {
    let leftRecords = this.#fetch.maxRecords
    const fetched: ShareFetched[] = []
    for (const { opened, fetchOffset, outcome } of this.#reads) {
      const { memberId, mode, batchSize } = this.#fetch
      const views = [...batches(outcome.records)]
      const ranges = views.map(rangeOf)
      const aborted = abortedBatches(views, outcome.abortedTransactions ?? [])
      const request = { memberId, mode, batchSize, maxRecords: leftRecords, fetchOffset, batches: ranges, aborted }
      const acquired =
        leftRecords <= 0 ? [] : this.#partitions.step(opened, (machine, nowMs) => machine.acquire(request, nowMs))
      if (opened.machine?.nextFetchOffset() !== fetchOffset) this.hasMoved = true
      if (acquired === undefined || acquired.length === 0) continue
      for (const { firstOffset, lastOffset } of acquired) leftRecords -= lastOffset - firstOffset + 1
      const { topicId, partition } = opened.key
      fetched.push({
        place: { topicId, partition },
        error: 'NONE',
        records: slice(outcome.records, acquired),
        acquired,
      })
    }
    return [...this.#failed, ...fetched]
  }
}

const rangeOf = ({ baseOffset, lastOffset }: BatchView): OffsetRange => ({ baseOffset, lastOffset })

/** Batches of transactions that were aborted, as a consumer finds them: from the first offset of the transaction to its marker. */
function abortedBatches(
  views: readonly BatchView[],
  transactions: readonly { readonly producerId: bigint; readonly firstOffset: number }[],
): OffsetRange[] {
  if (transactions.length === 0) return []
  const coming = [...transactions].sort((a, b) => a.firstOffset - b.firstOffset)
  const aborting = new Set<bigint>()
  const found: OffsetRange[] = []
  for (const view of views) {
    for (let next = coming[0]; next !== undefined && next.firstOffset <= view.lastOffset; next = coming[0]) {
      aborting.add(next.producerId)
      coming.shift()
    }
    if (view.isControl) {
      if (endTransactionMarkerOf(view)?.type === 'abort') aborting.delete(view.producerId)
    } else if (view.isTransactional && aborting.has(view.producerId)) found.push(rangeOf(view))
  }
  return found
}

/** The batches between the first and the last acquired record. */
function slice(records: Buffer, acquired: readonly Acquired[]): Buffer {
  const firstOffset = acquired[0]?.firstOffset ?? 0
  const lastOffset = acquired.at(-1)?.lastOffset ?? -1
  let from: number | undefined
  let to = 0
  let at = 0
  for (const view of batches(records)) {
    const end = at + view.sizeBytes
    if (view.lastOffset >= firstOffset && view.baseOffset <= lastOffset) {
      from ??= at
      to = end
    }
    at = end
  }
  if (from === undefined) return noRecords
  const part = records.subarray(from, to)
  // A small part of what was read, waiting in a reply, would hold all of it in memory.
  return part.length * 2 < records.length ? Buffer.from(part) : part
}
