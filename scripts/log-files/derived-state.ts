/**
 * Whether what a broker derived from its batches (producer snapshots, transaction indexes) agrees with what can be derived from them now. As
 * long as no batch is missing both are the same. Compaction takes batches: then what is left tells less than all of them told, and what was
 * derived from all may only be ahead of it.
 *
 * Sources: KIP-98; Kafka documentation, "Log compaction"; Kafka's cleaner, observed: it keeps the last batch of each living producer, the entry
 * of an aborted transaction as long as a batch of it is there, and with the entry its marker.
 */
import { lastSequenceOf } from '#broker/log/producer-state.ts'
import type { ProducerState } from '#broker/log/producer-state.ts'
import type { AbortedTransaction } from '#broker/log/transaction-index.ts'
import { endTransactionMarkerOf } from '#broker/protocol/records/batch-read.ts'
import type { BatchView } from '#broker/protocol/records/batch.ts'

/** Whether a log shows that it was compacted: it lacks offsets between its batches, or batches lack records. */
export class Completeness {
  /** Nothing was missing so far. */
  isWhole = true

  /** Passes a batch; `expected`: the offset after the one before. */
  see({ baseOffset, recordsCount, lastOffsetDelta }: BatchView, expected: number): void {
    if (baseOffset !== expected || recordsCount !== lastOffsetDelta + 1) this.isWhole = false
  }
}

/** What is wrong with the state that a snapshot has of a producer; undefined: nothing. `replayed`: of the batches below the snapshot. */
export function producerProblem(
  says: ProducerState,
  replayed: ProducerState | undefined,
  { isWhole, logStartOffset }: { readonly isWhole: boolean; readonly logStartOffset: number },
): string | undefined {
  if (replayed === undefined) {
    // Its records are deleted or compacted, and only the snapshot remembers it.
    if (!isWhole || lastOffsetOf(says) < logStartOffset) return undefined
  } else if (isWhole ? textOf(says) === textOf(replayed) : isAtLeast(says, replayed)) return undefined
  const is = replayed === undefined ? 'nothing' : textOf(replayed)
  return `says of producer ${says.producerId}: ${textOf(says)}; the batches say: ${is}`
}

const lastOffsetOf = ({ batches }: ProducerState): number => batches.at(-1)?.lastOffset ?? -1

function isAtLeast(says: ProducerState, replayed: ProducerState): boolean {
  if (says.producerEpoch !== replayed.producerEpoch) return says.producerEpoch > replayed.producerEpoch
  const [offset, least] = [lastOffsetOf(says), lastOffsetOf(replayed)]
  return offset > least || (offset === least && lastSequenceOf(says) === lastSequenceOf(replayed))
}

function textOf(producer: ProducerState): string {
  const { producerEpoch, coordinatorEpoch, currentTxnFirstOffset } = producer
  return `epoch ${producerEpoch}, last sequence ${lastSequenceOf(producer)} at offset ${lastOffsetOf(producer)}, coordinator epoch ${coordinatorEpoch}, open transaction from ${currentTxnFirstOffset}`
}

/** What the batches of one segment tell of aborted transactions. */
export class AbortsOfSegment {
  /** Those of which there is a batch before the marker, by their markers. */
  readonly transactions: AbortedTransaction[] = []
  private readonly markers = new Set<string>()

  /** Passes a control batch. Throws MalformedBatchError. */
  control(batch: BatchView): void {
    if (batch.recordsCount > 0 && endTransactionMarkerOf(batch)?.type === 'abort')
      this.markers.add(keyOf(batch.producerId, batch.baseOffset))
  }

  /** What is wrong with the entries of the segment's transaction index, and which; undefined: nothing. */
  problem(
    entries: readonly (AbortedTransaction & { readonly version: number })[],
    { isWhole, logStartOffset }: { readonly isWhole: boolean; readonly logStartOffset: number },
  ): { readonly index: number; readonly offset: number; readonly message: string } | undefined {
    // Of a transaction that began before the log does, the batches tell nothing.
    const isTold = ({ firstOffset }: AbortedTransaction) => firstOffset >= logStartOffset
    const told = entries.filter(isTold)
    const expected = this.transactions.filter(isTold)
    return isWhole ? difference(told, expected) : this.contradiction(told, expected)
  }

  /** Where batches are missing: an entry for each transaction of which there are some, and a marker for each entry. */
  private contradiction(
    told: readonly (AbortedTransaction & { readonly version: number })[],
    expected: readonly AbortedTransaction[],
  ): ReturnType<AbortsOfSegment['problem']> {
    const known = new Map(told.map((entry, index) => [keyOf(entry.producerId, entry.lastOffset), { entry, index }]))
    for (const [index, entry] of told.entries()) {
      const isThere = this.markers.has(keyOf(entry.producerId, entry.lastOffset))
      if (entry.version === 0 && isThere && entry.firstOffset < entry.lastOffset) continue
      return { index, offset: entry.firstOffset, message: `entry ${index} says ${aborted(entry)}; no marker says so` }
    }
    for (const transaction of expected) {
      const found = known.get(keyOf(transaction.producerId, transaction.lastOffset))
      if (found !== undefined && found.entry.firstOffset <= transaction.firstOffset) continue
      const says = found === undefined ? 'no entry says so' : `entry ${found.index} says ${aborted(found.entry)}`
      const message = `${says}; the batches say ${aborted(transaction)} at least`
      return { index: found?.index ?? told.length, offset: transaction.firstOffset, message }
    }
    return undefined
  }
}

function difference(
  told: readonly (AbortedTransaction & { readonly version: number })[],
  expected: readonly AbortedTransaction[],
): ReturnType<AbortsOfSegment['problem']> {
  for (let index = 0; index < Math.max(told.length, expected.length); index++) {
    const [says, is] = [told[index], expected[index]]
    if (says?.version === 0 && is !== undefined && aborted(says) === aborted(is)) continue
    const message = `entry ${index} says ${aborted(says)}; the batches say ${aborted(is)}`
    return { index, offset: (is ?? says)!.firstOffset, message }
  }
  return undefined
}

const keyOf = (producerId: bigint, markerOffset: number): string => `${producerId} ${markerOffset}`

function aborted(entry: AbortedTransaction | undefined): string {
  if (entry === undefined) return 'nothing'
  return `producer ${entry.producerId}, offsets ${entry.firstOffset} to ${entry.lastOffset}`
}
