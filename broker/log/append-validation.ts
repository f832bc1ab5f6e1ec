/**
 * Decides whether a leader may append what it was sent, and stamps it: two passes over the batch headers, so that
 * nothing is changed unless all of it is accepted. Knows nothing of files. Producer sequences are checked elsewhere
 * (producer-state.ts).
 *
 * Uncompressed batches are walked record by record; compressed payloads pass through as they are, and their timestamps
 * are judged by the batch header. Source: Kafka's rules for produced batches (KIP-32, KIP-98, KIP-467 for the
 * per-record errors).
 */
import { batchBytes, BatchView, stampMaxTimestamp, stampOffsetAndEpoch } from '../protocol/records/batch.ts'
import { checkBatchBytes, checkBatchCounts, RecordWalk } from '../protocol/records/batch-validate.ts'
import type { ErrorName } from '../protocol/errors.ts'
import type { AppendInfo, AppendRequest, AppendResult, LogConfig } from './log.ts'
import type { BatchMetadata } from './producer-state.ts'

export type Refusal = Extract<AppendResult, { refused: ErrorName }>

/** What was found about an append that is allowed. */
export interface ValidatedAppend {
  readonly batches: readonly BatchView[]
  /** Largest timestamp of each batch as its records say; undefined where the header is to be believed. */
  readonly maxTimestamps: readonly (number | undefined)[]
}

/** One walk for all logs: it is used within one synchronous step. */
const walk = new RecordWalk()

export function validateForLeader(
  records: Buffer,
  request: AppendRequest,
  config: LogConfig,
): ValidatedAppend | Refusal {
  const batches: BatchView[] = []
  const maxTimestamps: (number | undefined)[] = []
  if (records.length === 0)
    return { refused: 'INVALID_RECORD', message: 'Expected at least one record batch, got none.' }
  for (let at = 0; at < records.length; at += batchBytes(records, at)) {
    const problem = checkBatchBytes(records, at)
    if (problem !== undefined) return refuse(problem)
    const batch = new BatchView(records, at)
    const refusal = validateBatch(batch, request, config)
    if (typeof refusal === 'object') return refusal
    batches.push(batch)
    maxTimestamps.push(refusal)
  }
  if (request.origin === 'client' && batches.length > 1) {
    return { refused: 'INVALID_RECORD', message: `Expected one record batch per partition, got ${batches.length}.` }
  }
  return { batches, maxTimestamps }
}

/**
 * Stamps offsets from `nextOffset` on, the leader epoch and, where it differs, the largest timestamp. Returns the last
 * offset.
 */
export function stampForLeader(
  append: ValidatedAppend,
  nextOffset: number,
  request: AppendRequest,
  config: LogConfig,
): number {
  const logAppendTime = config.messageTimestampType === 'LogAppendTime'
  let offset = nextOffset
  append.batches.forEach((batch, index) => {
    stampOffsetAndEpoch(batch.buffer, batch.start, offset, request.leaderEpoch)
    const maxTimestamp = append.maxTimestamps[index]
    if (logAppendTime) stampMaxTimestamp(batch.buffer, batch.start, request.wallMs, true)
    else if (maxTimestamp !== undefined && maxTimestamp !== batch.maxTimestamp)
      stampMaxTimestamp(batch.buffer, batch.start, maxTimestamp, false)
    offset += batch.lastOffsetDelta + 1
  })
  return offset - 1
}

/** The largest timestamp of the records where the batch can be walked, undefined where not; or why it is refused. */
function validateBatch(batch: BatchView, request: AppendRequest, config: LogConfig): number | undefined | Refusal {
  const { origin } = request
  if (origin !== 'raft' && batch.sizeBytes > config.maxMessageBytes) {
    const message = `The record batch has ${batch.sizeBytes} bytes, more than max.message.bytes (${config.maxMessageBytes}) allows.`
    return { refused: 'MESSAGE_TOO_LARGE', message }
  }
  const counts = checkBatchCounts(batch)
  if (counts !== undefined) return refuse(counts)
  if (origin === 'client') {
    const refusal = validateClientBatch(batch)
    if (refusal !== undefined) return refusal
  }
  return batch.isCompressed ? checkHeaderTimestamps(batch, request, config) : walkRecords(batch, request, config)
}

function validateClientBatch(batch: BatchView): Refusal | undefined {
  if (batch.baseOffset !== 0)
    return invalid(`Expected a base offset of 0 in a produced batch, got ${batch.baseOffset}.`)
  if (batch.isControl) return invalid('Clients may not write control records.')
  if (batch.hasProducerId && batch.baseSequence < 0) {
    return invalid(`Expected a sequence of 0 or more from producer ${batch.producerId}, got ${batch.baseSequence}.`)
  }
  if (batch.isLogAppendTime) {
    return { refused: 'INVALID_TIMESTAMP', message: 'A producer may not set the timestamp type to LogAppendTime.' }
  }
  return undefined
}

function walkRecords(batch: BatchView, request: AppendRequest, config: LogConfig): number | Refusal {
  const createTime = config.messageTimestampType === 'CreateTime'
  walk.earliestTimestamp = createTime ? request.wallMs - config.messageTimestampBeforeMaxMs : -Infinity
  walk.latestTimestamp = createTime ? request.wallMs + config.messageTimestampAfterMaxMs : Infinity
  walk.keysRequired = config.cleanupPolicy.includes('compact') && !batch.isControl
  const problem = walk.walk(batch)
  if (problem !== undefined) return refuse(problem)
  if (walk.badTimestamps.length > 0) {
    const message = `${walk.badTimestamps.length} records have a timestamp outside of ${walk.earliestTimestamp} to ${walk.latestTimestamp}.`
    const recordErrors = walk.badTimestamps.map(batchIndex => ({
      batchIndex,
      message: 'The timestamp is out of range.',
    }))
    return { refused: 'INVALID_TIMESTAMP', message, recordErrors }
  }
  if (walk.missingKeys.length > 0) {
    const message = `${walk.missingKeys.length} records have no key, but the topic is compacted.`
    const recordErrors = walk.missingKeys.map(batchIndex => ({
      batchIndex,
      message: 'A record of a compacted topic needs a key.',
    }))
    return { refused: 'INVALID_RECORD', message, recordErrors }
  }
  return walk.maxTimestamp
}

function checkHeaderTimestamps(batch: BatchView, request: AppendRequest, config: LogConfig): Refusal | undefined {
  if (config.messageTimestampType !== 'CreateTime') return undefined
  const { maxTimestamp, baseTimestamp } = batch
  const tooLate = maxTimestamp > request.wallMs + config.messageTimestampAfterMaxMs
  const tooEarly = baseTimestamp !== -1 && baseTimestamp < request.wallMs - config.messageTimestampBeforeMaxMs
  if (!tooLate && !tooEarly) return undefined
  return {
    refused: 'INVALID_TIMESTAMP',
    message: `The batch spans timestamps ${baseTimestamp} to ${maxTimestamp}, which is out of range.`,
  }
}

function refuse(problem: { readonly kind: 'corrupt' | 'invalid'; readonly message: string }): Refusal {
  return { refused: problem.kind === 'corrupt' ? 'CORRUPT_MESSAGE' : 'INVALID_RECORD', message: problem.message }
}

function invalid(message: string): Refusal {
  return { refused: 'INVALID_RECORD', message }
}

/** What to acknowledge for a batch that is in the log already. */
export function duplicateInfo(known: BatchMetadata, config: LogConfig): AppendInfo {
  const logAppendTimeMs = config.messageTimestampType === 'LogAppendTime' ? known.timestamp : -1
  return { firstOffset: known.lastOffset - known.offsetDelta, lastOffset: known.lastOffset, logAppendTimeMs, bytes: 0 }
}
