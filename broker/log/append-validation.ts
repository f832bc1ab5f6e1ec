/**
 * Decides whether a leader may append what it was sent, and stamps it: nothing is changed unless all of it is accepted.
 * Knows nothing of files. Producer sequences are checked elsewhere (producer-state.ts).
 *
 * Batches are walked record by record; a compressed payload is decompressed for that, within a bound, and stored as it
 * came unless the topic's compression.type asks for another codec. Source: Kafka's rules for produced batches (KIP-32,
 * KIP-98, KIP-467 for the per-record errors, KIP-937 for the bounds of timestamps).
 */
import type { DiskError } from '../environment/environment.ts'
import { batchBytes, BatchView, stampMaxTimestamp, stampOffsetAndEpoch } from '../protocol/records/batch.ts'
import type { CompressionName } from '../protocol/records/batch.ts'
import { compressionNames } from '../protocol/records/batch.ts'
import { checkBatchBytes, checkBatchCounts, RecordWalk } from '../protocol/records/batch-validate.ts'
import { CompressedDataError } from '../protocol/records/compressed-data.ts'
import { decompress, maxDecompressedBytes } from '../protocol/records/compression.ts'
import type { ErrorName } from '../protocol/errors.ts'
import { renumber, rewriteBatch } from './batch-rewrite.ts'
import { isDiskFull, isOutOfFiles } from './log-failure.ts'
import type { AppendInfo, AppendRequest, AppendResult, LogConfig, TopicPartition } from './log.ts'
import type { BatchMetadata, ProducerStates } from './producer-state.ts'

export type Refusal = Extract<AppendResult, { refused: ErrorName }>

/** What was found about an append that is allowed. */
export interface ValidatedAppend {
  /** What to store: the bytes that came, or others in their place. */
  readonly records: Buffer
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
  at: TopicPartition,
): ValidatedAppend | Refusal {
  const batches: BatchView[] = []
  const maxTimestamps: (number | undefined)[] = []
  let isRewritten = false
  if (records.length === 0)
    return { refused: 'INVALID_RECORD', message: 'Expected at least one record batch, got none.' }
  for (let start = 0; start < records.length; start += batchBytes(records, start)) {
    const problem = checkBatchBytes(records, start)
    if (problem !== undefined) return refuse(problem)
    const batch = new BatchView(records, start)
    const checked = validateBatch(batch, request, config, at)
    if (typeof checked === 'object' && 'refused' in checked) return checked
    if (typeof checked === 'object') isRewritten = true
    batches.push(typeof checked === 'object' ? checked.rewritten : batch)
    maxTimestamps.push(typeof checked === 'object' ? checked.maxTimestamp : checked)
  }
  if (request.origin === 'client' && batches.length > 1) {
    return { refused: 'INVALID_RECORD', message: `Expected one record batch per partition, got ${batches.length}.` }
  }
  return isRewritten ? joined(batches, maxTimestamps) : { records, batches, maxTimestamps }
}

/** Batches that lie in different buffers, one behind the other. */
function joined(batches: readonly BatchView[], maxTimestamps: readonly (number | undefined)[]): ValidatedAppend {
  const records = batches.length === 1 ? batches[0]!.bytes : Buffer.concat(batches.map(batch => batch.bytes))
  let start = 0
  const views = batches.map(batch => {
    const view = new BatchView(records, start)
    start += batch.sizeBytes
    return view
  })
  return { records, batches: views, maxTimestamps }
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

/** A batch that takes the place of the one that came. */
interface Rewritten {
  readonly rewritten: BatchView
  readonly maxTimestamp: number
}

/** The largest timestamp of the records, undefined where the header is believed; or the batch to store; or a refusal. */
function validateBatch(
  batch: BatchView,
  request: AppendRequest,
  config: LogConfig,
  at: TopicPartition,
): number | undefined | Rewritten | Refusal {
  const { origin } = request
  const tooLarge = origin === 'raft' ? undefined : checkSize(batch, config)
  if (tooLarge !== undefined) return tooLarge
  const counts = checkBatchCounts(batch)
  if (counts !== undefined) return refuse(counts)
  if (origin === 'client') {
    const refusal = validateClientBatch(batch)
    if (refusal !== undefined) return refusal
  }
  if (batch.isCompressed) return origin === 'raft' ? undefined : validateCompressed(batch, request, config, at)
  const codec = targetCodec(batch, config)
  prepareWalk(batch, request, config)
  const refusal = refusalOf(walk.walk(batch), at)
  if (refusal !== undefined) return refusal
  return codec === 'none' ? walk.maxTimestamp : rewritten(batch, batch.payload, codec, config)
}

function checkSize(batch: BatchView, config: LogConfig): Refusal | undefined {
  if (batch.sizeBytes <= config.maxMessageBytes) return undefined
  const message = `The record batch has ${batch.sizeBytes} bytes, more than max.message.bytes (${config.maxMessageBytes}) allows.`
  return { refused: 'MESSAGE_TOO_LARGE', message }
}

/** Markers stay uncompressed. */
function targetCodec(batch: BatchView, config: LogConfig): CompressionName {
  const source = compressionNames[batch.compressionId] ?? 'none'
  return config.compressionType === 'producer' || (batch.isControl && source === 'none')
    ? source
    : config.compressionType
}

function validateCompressed(
  batch: BatchView,
  request: AppendRequest,
  config: LogConfig,
  at: TopicPartition,
): number | Rewritten | Refusal {
  let payload: Buffer
  try {
    payload = decompress(batch.compressionId, batch.payload, maxDecompressedBytes)
  } catch (error) {
    if (!(error instanceof CompressedDataError)) throw error
    return invalid(error.message)
  }
  prepareWalk(batch, request, config)
  const refusal = refusalOf(walk.walkPayload(batch, payload, 0, payload.length), at)
  if (refusal !== undefined) return refusal
  const codec = targetCodec(batch, config)
  if (!walk.inOrder) return rewritten(batch, renumber(payload, batch.recordsCount), codec, config)
  return codec === compressionNames[batch.compressionId] ? walk.maxTimestamp : rewritten(batch, payload, codec, config)
}

function rewritten(batch: BatchView, payload: Buffer, codec: CompressionName, config: LogConfig): Rewritten | Refusal {
  const view = new BatchView(rewriteBatch(batch, payload, codec, config.compressionLevels))
  return checkSize(view, config) ?? { rewritten: view, maxTimestamp: walk.maxTimestamp }
}

function prepareWalk(batch: BatchView, request: AppendRequest, config: LogConfig): void {
  const createTime = config.messageTimestampType === 'CreateTime'
  walk.earliestTimestamp = createTime ? request.wallMs - config.messageTimestampBeforeMaxMs : -Infinity
  walk.latestTimestamp = createTime ? request.wallMs + config.messageTimestampAfterMaxMs : Infinity
  walk.keysRequired = config.cleanupPolicy.includes('compact') && !batch.isControl
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

/** What the walk found, in Kafka's words. */
function refusalOf(problem: ReturnType<RecordWalk['walk']>, at: TopicPartition): Refusal | undefined {
  if (problem !== undefined) return refuse(problem)
  const { badTimestamps, missingKeys, earliestTimestamp, latestTimestamp } = walk
  if (badTimestamps.length === 0 && missingKeys.length === 0) return undefined
  const noKey = `Compacted topic cannot accept message without key in topic partition ${at.topic}-${at.partition}`
  const range = `The timestamp should be within [${earliestTimestamp}, ${latestTimestamp}]`
  const recordErrors = [
    ...missingKeys.map(batchIndex => ({ batchIndex, message: noKey })),
    ...badTimestamps.map(({ index, timestamp }) => ({
      batchIndex: index,
      message: `Timestamp ${timestamp} of message with offset ${index} is out of range. ${range}`,
    })),
  ].sort((a, b) => a.batchIndex - b.batchIndex)
  if (badTimestamps.length > 0) {
    const message = 'One or more records have been rejected due to invalid timestamp'
    return { refused: 'INVALID_TIMESTAMP', message, recordErrors }
  }
  const shown = recordErrors
    .slice(0, 3)
    .map(({ batchIndex, message }) => `RecordError(batchIndex=${batchIndex}, message='${message}')`)
  const message = `One or more records have been rejected due to ${recordErrors.length} record errors in total, and only showing the first three errors at most: [${shown.join(', ')}]`
  return { refused: 'INVALID_RECORD', message, recordErrors }
}

function refuse(problem: { readonly kind: 'corrupt' | 'invalid'; readonly message: string }): Refusal {
  return { refused: problem.kind === 'corrupt' ? 'CORRUPT_MESSAGE' : 'INVALID_RECORD', message: problem.message }
}

function invalid(message: string): Refusal {
  return { refused: 'INVALID_RECORD', message }
}

/** What to acknowledge for a batch that is in the log already. */
function duplicateInfo(known: BatchMetadata, config: LogConfig): AppendInfo {
  const logAppendTimeMs = config.messageTimestampType === 'LogAppendTime' ? known.timestamp : -1
  return { firstOffset: known.lastOffset - known.offsetDelta, lastOffset: known.lastOffset, logAppendTimeMs, bytes: 0 }
}

/** For a log whose directory failed, or has no space at the moment. */
export function storageRefusal({ topic, partition }: TopicPartition, error: DiskError): Refusal {
  const log = `The log of ${topic}-${partition}`
  const message = isDiskFull(error)
    ? `${log} takes no records: its disk is full (${error.message}). Free some space; nothing has to be restarted.`
    : isOutOfFiles(error)
      ? `${log} took no records: the broker has no file descriptor left (${error.message}). Try again, and raise its limit of open files.`
      : `${log} is offline: ${error.message}.`
  return { refused: 'KAFKA_STORAGE_ERROR', message, cause: error }
}

/** What the producers of the batches stand in the way of; undefined when the batches may be appended. */
export function checkProducers(
  append: ValidatedAppend,
  request: AppendRequest,
  states: ProducerStates,
  config: LogConfig,
): AppendResult | undefined {
  for (const batch of append.batches) {
    const found = states.check(batch, request)
    if (found === undefined) continue
    return 'duplicate' in found ? { duplicate: duplicateInfo(found.duplicate, config) } : found
  }
  return undefined
}
