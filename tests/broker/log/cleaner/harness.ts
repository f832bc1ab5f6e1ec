/** Logs that are cleaned on demand, and readers as consumers are: with and without regard for transactions. */
import { cleanable } from '#broker/log/cleaner/cleaner-choice.ts'
import type { Cleanable } from '#broker/log/cleaner/cleaner-choice.ts'
import { LogCleaning } from '#broker/log/cleaner/clean-log.ts'
import type { CleaningStats, CleaningStep, CleaningTools } from '#broker/log/cleaner/clean-log.ts'
import { OffsetMap } from '#broker/log/cleaner/offset-map.ts'
import type { LogConfig, PartitionLog } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import type { BatchRecord } from '#broker/protocol/records/batch-read.ts'
import { controlTypeOf, readRecords } from '#broker/protocol/records/batch-read.ts'
import { batches } from '#broker/protocol/records/batch.ts'
import { defaultConfig, startWallMs } from '../harness.ts'
import type { Machine } from '../harness.ts'

export const compacted: LogConfig = {
  ...defaultConfig,
  segmentBytes: 1500,
  indexIntervalBytes: 100,
  cleanupPolicy: ['compact'],
  minCleanableDirtyRatio: 0,
  deleteRetentionMs: 1000,
}

export interface CleanOptions {
  /** Where the last cleaning ended. */
  readonly checkpoint?: number
  readonly mapBytes?: number
  readonly sliceCost?: number
  readonly readBytes?: number
  /** Called at every step; false gives the cleaning up. */
  readonly goesOn?: (step: number) => boolean
}

export function rangeOf(log: SegmentedLog, nowWallMs: number, checkpoint?: number): Cleanable {
  const looking = cleanable({ ...figures(log), cleaning: log.cleaning! }, checkpoint, nowWallMs)
  for (;;) {
    const { done, value } = looking.next()
    if (done === true) return value
  }
}

function figures({ logStartOffset, logEndOffset, lastStableOffset, currentSegments }: SegmentedLog) {
  return { logStartOffset, logEndOffset, lastStableOffset, currentSegments }
}

/** Cleans all that may be cleaned, once. */
export function clean(machine: Machine, log: SegmentedLog, options: CleanOptions = {}): CleaningStats {
  const nowWallMs = startWallMs + machine.nowMs
  const tools: CleaningTools = {
    disk: machine.currentDisk!,
    log: machine.logger(),
    map: new OffsetMap({ maxBytes: options.mapBytes ?? 1024 * 1024, loadFactor: 0.9, salt: Buffer.alloc(16, 7) }),
    nowWallMs,
    config: log.cleaning!,
    readBytes: options.readBytes ?? 1024,
    sliceCost: () => options.sliceCost ?? 2000,
  }
  const cleaning = new LogCleaning(log, rangeOf(log, nowWallMs, options.checkpoint), tools)
  const steps = cleaning.run()
  try {
    for (let count = 0; ; count++) {
      const { done, value } = steps.next()
      if (done === true || options.goesOn?.(count) === false) return cleaning.stats
      perform(machine, log, value)
    }
  } finally {
    // What is not over is given up.
    steps.return()
  }
}

function perform(machine: Machine, log: SegmentedLog, step: CleaningStep): void {
  let isDone = step.kind === 'worked'
  const done = (error: Error | undefined): void => {
    if (error !== undefined) throw error
    isDone = true
  }
  if (step.kind === 'flush-segment') step.segment.syncAllLater(done)
  else if (step.kind === 'flush-directory') machine.currentDisk!.syncDirectoryLater(step.directory, done)
  else if (step.kind === 'flush-log') log.flushLater(result => done('error' in result ? result.error : undefined))
  machine.turn()
  if (!isDone) throw new Error('a flush did not end')
}

export interface SeenRecord {
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly timestamp: number
}

const textOf = (bytes: Buffer | null): string | null => bytes?.toString() ?? null

export function seen({ offset, key, value, timestamp }: BatchRecord): SeenRecord {
  return { offset, key: textOf(key), value: textOf(value), timestamp }
}

/** One answer to a fetch at `offset`, as a consumer sees it; undefined at the end. */
export function fetchCommitted(
  log: PartitionLog & { readonly lastStableOffset: number },
  offset: number,
  maxBytes: number,
): { readonly records: SeenRecord[]; readonly nextOffset: number } | undefined {
  const result = log.read(offset, { maxBytes, untilOffset: log.lastStableOffset, atLeastOneBatch: true })
  if ('refused' in result) throw new Error(`refused at ${offset}: ${result.refused}`)
  if (result.records.length === 0) return undefined
  const aborted = [...(log.abortedTransactions?.(offset, result.nextOffset) ?? [])].sort(
    (a, b) => a.firstOffset - b.firstOffset,
  )
  const ongoing = new Set<bigint>()
  const records: SeenRecord[] = []
  for (const batch of batches(result.records)) {
    while (aborted.length > 0 && aborted[0]!.firstOffset <= batch.lastOffset) ongoing.add(aborted.shift()!.producerId)
    if (batch.isControl) {
      const [marker] = readRecords(batch)
      if (marker !== undefined && controlTypeOf(marker) === 0) ongoing.delete(batch.producerId)
    } else if (!batch.isTransactional || !ongoing.has(batch.producerId)) {
      records.push(
        ...readRecords(batch)
          .map(seen)
          .filter(record => record.offset >= offset),
      )
    }
  }
  return { records, nextOffset: result.nextOffset }
}

export function readCommitted(
  log: PartitionLog & { readonly lastStableOffset: number },
  from = log.logStartOffset,
  maxBytes = 400,
): SeenRecord[] {
  const records: SeenRecord[] = []
  for (let offset = from; ;) {
    const answer = fetchCommitted(log, offset, maxBytes)
    if (answer === undefined) return records
    records.push(...answer.records)
    if (answer.nextOffset <= offset) throw new Error(`no progress at ${offset}`)
    offset = answer.nextOffset
  }
}

/** Every record up to the log end but markers. */
export function readAll(log: PartitionLog, from = log.logStartOffset, maxBytes = 400): SeenRecord[] {
  const records: SeenRecord[] = []
  for (let offset = from; offset < log.logEndOffset;) {
    const result = log.read(offset, { maxBytes, untilOffset: Infinity, atLeastOneBatch: true })
    if ('refused' in result || result.nextOffset <= offset) throw new Error(`nothing to read at ${offset}`)
    for (const batch of batches(result.records)) {
      if (batch.isControl) continue
      records.push(
        ...readRecords(batch)
          .map(seen)
          .filter(record => record.offset >= offset),
      )
    }
    offset = result.nextOffset
  }
  return records
}

/** The last value of each key; a key that was deleted is not there. */
export function lastValues(records: Iterable<SeenRecord>): Map<string, string> {
  const values = new Map<string, string>()
  for (const { key, value } of records) {
    if (key === null) continue
    if (value === null) values.delete(key)
    else values.set(key, value)
  }
  return values
}
