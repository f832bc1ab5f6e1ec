/**
 * What must be true of an open log, whatever it went through: batches are undamaged and follow each other, and everything that was derived
 * from them (indexes, epochs, producers, aborted transactions) is what the batches say.
 */
import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from 'node:assert/strict'
import { BatchView } from '#broker/protocol/records/batch.ts'
import { checkBatchBytes } from '#broker/protocol/records/batch-validate.ts'
import { abortedTransaction } from '#broker/log/log-loader.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { ProducerStates } from '#broker/log/producer-state.ts'
import type { Segment } from '#broker/log/segment.ts'

/** One batch as its header has it. */
export interface Digest {
  readonly baseOffset: number
  readonly nextOffset: number
  readonly epoch: number
  readonly crc: number
}

interface Placed extends Digest {
  readonly position: number
  readonly maxTimestamp: number
  readonly view: BatchView
}

/** The batches of the log, from the segment on that holds its start. */
export function wholeLog(log: SegmentedLog): Digest[] {
  const producers = new ProducerStates()
  const all: Digest[] = []
  const aborted: unknown[] = []
  const epochs = new Map<number, number>()
  const { currentSegments: segments, logStartOffset } = log
  const held = segments.slice(
    Math.max(
      0,
      segments.findLastIndex(each => each.baseOffset <= logStartOffset),
    ),
  )
  for (const segment of held) {
    const batches = batchesOf(segment)
    const expected = all.at(-1)?.nextOffset
    if (expected !== undefined)
      equal(segment.baseOffset, expected, 'a segment does not begin where the one before ends')
    for (const batch of batches) {
      equal(batch.baseOffset, all.at(-1)?.nextOffset ?? segment.baseOffset, 'a batch does not follow the one before')
      all.push({ baseOffset: batch.baseOffset, nextOffset: batch.nextOffset, epoch: batch.epoch, crc: batch.crc })
      for (let offset = batch.baseOffset; offset < batch.nextOffset; offset++) epochs.set(offset, batch.epoch)
      const completed = producers.apply(batch.view)
      if (completed?.aborted === true) aborted.push(abortedTransaction(completed, producers))
    }
    indexesAgree(segment, batches)
  }
  const first = held[0]!.baseOffset
  equal(log.logEndOffset, all.at(-1)?.nextOffset ?? first, 'the log end offset is not where the batches end')
  ok(log.logStartOffset >= first && log.logStartOffset <= log.logEndOffset, `the log starts at ${log.logStartOffset}`)
  ok(log.recoveryPoint <= log.logEndOffset, 'the recovery point is beyond the log end')
  for (const [offset, epoch] of epochs)
    if (offset >= log.logStartOffset) equal(log.epochAt(offset), epoch, `epoch of offset ${offset}`)
  // Where the beginning is gone the log may know more than its batches tell.
  if (first > 0) return all
  deepEqual(
    new Map(log.producers().map(each => [each.producerId, each])),
    new Map(producers.entries().map(each => [each.producerId, each])),
  )
  deepEqual(log.abortedTransactions(0, log.logEndOffset), aborted)
  return all
}

function batchesOf(segment: Segment): Placed[] {
  const bytes = Buffer.alloc(segment.sizeBytes)
  equal(segment.read(bytes, 0), bytes.length)
  const batches: Placed[] = []
  for (let at = 0; at < bytes.length;) {
    equal(checkBatchBytes(bytes, at)?.message, undefined, `${segment.path} at ${at}`)
    const view = new BatchView(bytes, at)
    const { baseOffset, nextOffset, partitionLeaderEpoch: epoch, crc, maxTimestamp } = view
    batches.push({ baseOffset, nextOffset, epoch, crc, position: at, maxTimestamp, view })
    at += view.sizeBytes
  }
  return batches
}

function list(batches: readonly Placed[]): string {
  return batches.map(batch => `${batch.nextOffset - 1} at ${batch.position}, ${batch.maxTimestamp}`).join('; ')
}

/** Every entry, not only the last. */
function indexesAgree(segment: Segment, batches: readonly Placed[]): void {
  const byPosition = new Map(batches.map(batch => [batch.position, batch]))
  let last = -1
  for (let slot = 0; slot < segment.offsetIndex.entries; slot++) {
    const entry = segment.offsetIndex.entryAt(slot)!
    const where = `entry ${slot} of the offset index of ${segment.path}: ${JSON.stringify(entry)} for ${list(batches)}`
    equal(entry.offset, (byPosition.get(entry.position)?.nextOffset ?? NaN) - 1, where)
    ok(entry.offset > last, where)
    last = entry.offset
  }
  let lastTime = -1
  for (let slot = 0; slot < segment.timeIndex.entries; slot++) {
    const entry = segment.timeIndex.entryAt(slot)!
    const where = `entry ${slot} of the time index of ${segment.path}: ${JSON.stringify(entry)} for ${list(batches)}`
    const upTo = batches.filter(batch => batch.nextOffset - 1 <= entry.offset)
    equal(upTo.at(-1)?.nextOffset, entry.offset + 1, where)
    equal(Math.max(...upTo.map(batch => batch.maxTimestamp)), entry.timestamp, where)
    ok(entry.timestamp > lastTime, where)
    lastTime = entry.timestamp
  }
}
