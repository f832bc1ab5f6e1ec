/**
 * Reads a partition as a consumer with isolation.level=read_committed does: a transaction is aborted from its first offset on to its marker.
 * (kafkajs takes up one aborted transaction with each record, and so lets records of others through where several begin at once.)
 */
import { batches } from '#broker/protocol/records/batch.ts'
import { endTransactionMarkerOf, readRecords } from '#broker/protocol/records/batch-read.ts'
import type { Actor } from './actor.ts'

interface FetchedPartition {
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: number }[] | null
  readonly records: Buffer | null
}

/** Last version in which topics have names. */
const byName = 12

/** Values of all committed records. Throws when a transaction is still open, or the partition cannot be read. */
export async function committedValues(actor: Actor, topic: string, partition: number): Promise<string[]> {
  const values: string[] = []
  for (let offset = 0; ;) {
    const fetched = await fetchFrom(actor, topic, partition, offset)
    if (fetched.errorCode !== 0) throw new Error(`${topic}-${partition} at ${offset}: error ${fetched.errorCode}`)
    const next = take(fetched, values)
    if (next !== undefined) {
      offset = next
      continue
    }
    if (fetched.lastStableOffset !== fetched.highWatermark)
      throw new Error(`${topic}-${partition}: open from ${fetched.lastStableOffset} on, of ${fetched.highWatermark}`)
    if (offset !== fetched.highWatermark)
      throw new Error(`${topic}-${partition}: nothing at ${offset}, of ${fetched.highWatermark}`)
    return values
  }
}

async function fetchFrom(
  actor: Actor,
  topic: string,
  partition: number,
  fetchOffset: number,
): Promise<FetchedPartition> {
  const partitions = [{ partition, fetchOffset, partitionMaxBytes: 1 << 20 }]
  const request = { maxWaitMs: 0, minBytes: 0, isolationLevel: 1, topics: [{ topic, partitions }] }
  const { body } = await actor.ask(
    'Fetch',
    { ...request, forgottenTopicsData: [] },
    { min: 11, max: byName, intact: true },
  )
  const responses = body?.['responses'] as readonly { partitions: readonly FetchedPartition[] }[]
  const [answer] = responses[0]?.partitions ?? []
  if (answer === undefined) throw new Error(`no answer for ${topic}-${partition}`)
  return answer
}

/** Adds what is committed; the offset behind it, or undefined when there was nothing. */
function take({ records, abortedTransactions }: FetchedPartition, values: string[]): number | undefined {
  let next: number | undefined
  const starts = [...(abortedTransactions ?? [])].sort((left, right) => left.firstOffset - right.firstOffset)
  const aborted = new Set<bigint>()
  for (const batch of batches(records ?? Buffer.alloc(0))) {
    next = batch.lastOffset + 1
    while (starts[0] !== undefined && starts[0].firstOffset <= batch.lastOffset) {
      aborted.add(starts[0].producerId)
      starts.shift()
    }
    if (batch.isControl) {
      if (endTransactionMarkerOf(batch)?.type === 'abort') aborted.delete(batch.producerId)
    } else if (!batch.isTransactional || !aborted.has(batch.producerId))
      for (const { value } of readRecords(batch)) values.push(String(value))
  }
  return next
}
