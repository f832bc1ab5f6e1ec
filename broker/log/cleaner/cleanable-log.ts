/** What the cleaner needs of a log; SegmentedLog satisfies it. */
import type { DiskError } from '../../environment/environment.ts'
import type { LogConfig, TopicPartition } from '../log.ts'
import type { Segment } from '../segment.ts'
import type { SegmentContext } from '../segment-context.ts'
import type { AbortedTransaction } from '../transaction-index.ts'
import type { SegmentReplacement } from './segment-replacement.ts'

export interface CleanableLog {
  readonly topicPartition: TopicPartition
  readonly directory: string
  readonly segmentContext: SegmentContext
  readonly logStartOffset: number
  readonly logEndOffset: number
  /** Below it no transaction is open, and everything is committed. */
  readonly lastStableOffset: number
  readonly recoveryPoint: number
  /** By base offset; the last one is active. */
  readonly currentSegments: readonly Segment[]
  /** The settings of its topic; undefined until somebody who knows them has told the log. */
  readonly cleaning: LogConfig | undefined
  /** No more disk calls: it failed, or was closed. */
  readonly isOver: boolean
  /** Grows whenever the log loses segments or its end, other than by a cleaning. */
  readonly losses: number
  /** Where the last data of each living producer is. */
  producerEnds(): ReadonlyMap<bigint, ProducerEnd>
  abortedTransactions(fromOffset: number, untilOffset: number): readonly AbortedTransaction[]
  flushLater(done: (result: { durableOffset: number } | { error: Error }) => void): void
  /** Brings to its end what a shortage has interrupted: until then the only copy of some records may be in `.swap` files. Throws DiskError. */
  settleReplacement(): void
  /** Begins to put a cleaned segment, which is durable, in the place of neighbours. */
  replaceSegments(cleaned: Segment, old: readonly Segment[]): SegmentReplacement
  /** Takes a DiskError as the end of this log; throws what is none. */
  fail(error: unknown): DiskError
}

export interface ProducerEnd {
  /** -1: its epoch began with a marker, and nothing came since. */
  readonly lastDataOffset: number
  readonly epoch: number
}
