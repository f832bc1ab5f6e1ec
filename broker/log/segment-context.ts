/** What a segment is opened with, and how its batches are visited. */
import type { LogFileContext } from './segment-log-file.ts'

/** Sees one batch header at `bytes[at]`; `position` is where the batch begins in the segment. False stops the scan. */
export type HeaderVisitor = (bytes: Buffer, at: number, position: number, sizeBytes: number) => boolean

/** What all segments of a log have in common. */
export interface SegmentContext extends LogFileContext {
  /** The partition's directory. */
  readonly directory: string
  /** Appended to the name of each file, for segments that are no part of the log yet. */
  readonly fileEnding?: string
  /** For rebuilding an index that turns out to be damaged. */
  indexIntervalBytes(): number
}

export interface SegmentOptions {
  readonly context: SegmentContext
  readonly baseOffset: number
  /** Wall ms; stands in for the first timestamp when records have none. */
  readonly createdWallMs: number
  readonly rollJitterMs: number
}
