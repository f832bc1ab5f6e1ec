/**
 * What a `.swap` file says about itself, and whether that can be believed before segments are removed for it. A batch's base offset and length
 * are outside of its checksum, so where a cleaned segment ends is not certain from its own bytes alone: the last batch of it must be found in
 * the segment that it was taken from, or, when that is gone already, fill the hole that it has left exactly.
 */
import type { Disk } from '../../environment/environment.ts'
import { batchHeaderBytes, BatchView } from '../../protocol/records/batch.ts'
import { MalformedBatchError, readRecords } from '../../protocol/records/batch-read.ts'
import { ByteWindow, nextSoundBatch, soundBatchAt } from '../batch-search.ts'
import { logSuffix, offsetFileName } from '../log-files.ts'

export interface SwapContent {
  /** Every byte belongs to an undamaged batch, and their offsets rise. False for an empty file. */
  readonly isSound: boolean
  /** The offset after the last undamaged batch. */
  readonly endOffset: number
  readonly last: BatchView | undefined
}

/** Reads a whole segment file. */
export function readSwap(disk: Disk, path: string, baseOffset: number): SwapContent {
  return withFile(disk, path, window => {
    let endOffset = baseOffset
    let last: BatchView | undefined
    for (let position = 0; position < window.end;) {
      const batch = soundBatchAt(window, position)
      if (batch === undefined || batch.baseOffset < endOffset || batch.lastOffset < batch.baseOffset)
        return { isSound: false, endOffset, last }
      // A copy: the window reads on.
      last = new BatchView(Buffer.from(batch.bytes))
      endOffset = batch.nextOffset
      position += batch.sizeBytes
    }
    return { isSound: last !== undefined, endOffset, last }
  })
}

/** Whether it is sure that the swap ends at its `endOffset`. `logs`: base offsets of the segments that have their name, rising. */
export function isEndCertain(
  disk: Disk,
  directory: string,
  { isSound, endOffset, last }: SwapContent,
  logs: readonly number[],
): boolean {
  if (!isSound || last === undefined) return false
  const home = logs.findLast(offset => offset <= last.baseOffset)
  if (home === undefined) return logs.includes(endOffset)
  const path = `${directory}/${offsetFileName(home, logSuffix)}`
  const { batch, end } = findBatch(disk, path, home, last.baseOffset)
  if (batch !== undefined) return isWhatIsLeftOf(batch, last) && (last.recordsCount > 0 || end === endOffset)
  return end !== undefined && end <= last.baseOffset && logs.includes(endOffset)
}

/** Up to where a damaged swap may reach: nobody can tell when damage is what it ends with. */
export function reachOf(disk: Disk, path: string): number {
  return withFile(disk, path, window => {
    let reach = 0
    for (let position = 0; position < window.end;) {
      const batch = soundBatchAt(window, position)
      if (batch !== undefined) reach = Math.max(reach, batch.nextOffset)
      const next =
        batch === undefined ? nextSoundBatch(window, position + 1, window.end, () => true) : position + batch.sizeBytes
      if (next === undefined) return Infinity
      position = next
    }
    return reach
  })
}

/**
 * Whether each segment from `baseOffset` on begins where the one before it ends, as far as they begin below `reach`: none of those was taken
 * away. What is behind is no business of the swap's.
 */
export function areNeighbours(
  disk: Disk,
  directory: string,
  logs: readonly number[],
  { baseOffset, reach }: { readonly baseOffset: number; readonly reach: number },
): boolean {
  const from = logs.indexOf(baseOffset)
  return logs.slice(from, -1).every((offset, index) => {
    if (offset >= reach) return true
    const { end } = findBatch(disk, `${directory}/${offsetFileName(offset, logSuffix)}`, offset, Infinity)
    return end === logs[from + index + 1]
  })
}

/** Where a damaged swap file is to be cut so that nothing of it lies at or above `offset`; undefined: nowhere, nothing does. */
export function cutBelow(disk: Disk, path: string, offset: number): number | undefined {
  return withFile(disk, path, window => {
    let keptEnd = 0
    let isAbove = false
    for (let position: number | undefined = 0; position !== undefined && position < window.end;) {
      const batch = soundBatchAt(window, position)
      if (batch === undefined) {
        position = nextSoundBatch(window, position + 1, window.end, () => true)
        continue
      }
      position += batch.sizeBytes
      if (batch.lastOffset < offset) keptEnd = position
      isAbove = batch.lastOffset >= offset
    }
    return isAbove ? keptEnd : undefined
  })
}

/** The batch that begins at an offset, and where the file ends, when headers lead through all of it. */
function findBatch(
  disk: Disk,
  path: string,
  fileBase: number,
  baseOffset: number,
): { readonly batch: BatchView | undefined; readonly end: number | undefined } {
  return withFile(disk, path, window => {
    let batch: BatchView | undefined
    let end = fileBase
    let position = 0
    while (window.end - position >= batchHeaderBytes) {
      const header = new BatchView(window.at(position, batchHeaderBytes))
      const { sizeBytes, baseOffset: found } = header
      if (header.buffer.length < batchHeaderBytes || sizeBytes < batchHeaderBytes || found < end) break
      end = header.nextOffset
      if (found === baseOffset) {
        const sound = soundBatchAt(window, position)
        batch = sound && new BatchView(Buffer.from(sound.bytes))
      }
      position += sizeBytes
    }
    return { batch, end: position === window.end ? end : undefined }
  })
}

/** Whether a cleaning may have left `cleaned` of `old`. */
function isWhatIsLeftOf(old: BatchView, cleaned: BatchView): boolean {
  const isSame =
    old.lastOffset === cleaned.lastOffset &&
    old.producerId === cleaned.producerId &&
    old.producerEpoch === cleaned.producerEpoch &&
    old.baseSequence === cleaned.baseSequence &&
    old.isControl === cleaned.isControl &&
    old.isTransactional === cleaned.isTransactional
  if (!isSame) return false
  if (cleaned.recordsCount === 0) return old.maxTimestamp === cleaned.maxTimestamp
  try {
    const before = new Map(readRecords(old).map(record => [record.offset, record]))
    return readRecords(cleaned).every(({ offset, key, value }) => {
      const record = before.get(offset)
      return record !== undefined && isEqual(record.key, key) && isEqual(record.value, value)
    })
  } catch (error) {
    if (!(error instanceof MalformedBatchError)) throw error
    return false
  }
}

function isEqual(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b)
}

function withFile<T>(disk: Disk, path: string, read: (window: ByteWindow) => T): T {
  const file = disk.open(path, 'read')
  try {
    return read(new ByteWindow((target, position) => file.read(target, position), file.size()))
  } finally {
    file.close()
  }
}
