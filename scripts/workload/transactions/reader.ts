/**
 * A reader that a script plays, with either isolation level. The broker hands out what lies below the last stable offset, records of aborted
 * transactions as well, and a list of those transactions: leaving them out is the client's part.
 *
 * Source: KIP-98, "Consumer coordination" and the list of aborted transactions.
 */
import { fetchRequest, fetchResponse } from '#broker/protocol/messages/01-fetch.ts'
import { batches } from '#broker/protocol/records/batch.ts'
import { readRecords } from '#broker/protocol/records/batch-read.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Offset } from '../../history/operation.ts'
import { Calls } from './calls.ts'

export type Isolation = 'read_committed' | 'read_uncommitted'

export interface SeenRecord {
  readonly offset: Offset
  readonly key: string | null
  readonly value: string
}

export interface Slice {
  readonly records: readonly SeenRecord[]
  /** Records of aborted transactions that came along and were left out. */
  readonly leftOut: readonly SeenRecord[]
  readonly highWatermark: Offset
  readonly lastStableOffset: Offset
  /** Where to go on: behind the last batch that came. */
  readonly nextOffset: Offset
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: Offset
}

/** Up to v12, whose requests name topics. */
const fetch = { request: fetchRequest, response: fetchResponse, newest: 12 }
const levels = { read_uncommitted: 0, read_committed: 1 } as const
const bytesMax = 4 << 20

export class HandReader {
  readonly isolation: Isolation
  readonly #calls: Calls

  constructor(cluster: Cluster, isolation: Isolation) {
    this.#calls = new Calls(cluster)
    this.isolation = isolation
  }

  /** What the leader hands out at once, from `offset` on; it does not wait for records. */
  async fetch(topic: string, partition: number, offset: Offset): Promise<Slice> {
    const body = {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: bytesMax,
      isolationLevel: levels[this.isolation],
      topics: [{ topic, partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: bytesMax }] }],
      forgottenTopicsData: [],
    }
    const answer = await this.#calls.patiently(
      `Fetch of ${topic}-${partition} at ${offset}`,
      async () => await this.#calls.ask(await this.#calls.leader(topic, partition), fetch, body),
      ({ errorCode, responses }) => errorCode || (responses[0]?.partitions[0]?.errorCode ?? 0),
    )
    const found = answer.responses[0]?.partitions[0]
    if (found === undefined) throw new Error(`the answer to Fetch does not name ${topic}-${partition}`)
    const { highWatermark, lastStableOffset, records } = found
    return {
      highWatermark,
      lastStableOffset,
      ...sort(records ?? Buffer.alloc(0), found.abortedTransactions ?? [], offset),
    }
  }

  /** Everything that there is now, from `offset` to the last stable offset, or to the high watermark. */
  async readAll(topic: string, partition: number, offset: Offset = 0): Promise<Slice> {
    const records: SeenRecord[] = []
    const leftOut: SeenRecord[] = []
    for (let next = offset; ;) {
      const slice = await this.fetch(topic, partition, next)
      records.push(...slice.records)
      leftOut.push(...slice.leftOut)
      if (slice.nextOffset === next) return { ...slice, records, leftOut }
      next = slice.nextOffset
    }
  }

  close(): void {
    this.#calls.close()
  }
}

/** What a reader is shown of the bytes of a fetch, and what it leaves out since its transaction was aborted. */
export function sort(
  bytes: Buffer,
  aborted: readonly AbortedTransaction[],
  from: Offset,
): Pick<Slice, 'records' | 'leftOut' | 'nextOffset'> {
  const pending = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  /** Producers whose transaction at this place was aborted. */
  const open = new Set<bigint>()
  const records: SeenRecord[] = []
  const leftOut: SeenRecord[] = []
  let nextOffset = from
  for (const batch of batches(bytes)) {
    while (pending[0] !== undefined && pending[0].firstOffset <= batch.lastOffset)
      open.add((pending.shift() as AbortedTransaction).producerId)
    nextOffset = batch.nextOffset
    if (batch.isControl) {
      open.delete(batch.producerId)
      continue
    }
    const target = batch.isTransactional && open.has(batch.producerId) ? leftOut : records
    for (const { offset, key, value } of readRecords(batch))
      if (offset >= from) target.push({ offset, key: key === null ? null : String(key), value: String(value ?? '') })
  }
  return { records, leftOut, nextOffset }
}
