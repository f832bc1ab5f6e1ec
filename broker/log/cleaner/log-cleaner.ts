/**
 * Compacts the logs of this node, one at a time: asks cleaner-choice.ts which, runs clean-log.ts in slices between everything else the broker
 * does, and notes in the `cleaner-offset-checkpoint` of the log directory how far it came. Decides nothing itself. Ends a cleaning at the next
 * slice when the log was cut, lost segments, got another policy, is copied to another directory, or failed; what was not swapped in is
 * removed then.
 *
 * A log that turns out to be damaged is left alone until the node starts again.
 * Sources: Kafka documentation, "Log compaction"; Kafka's LogCleaner and LogCleanerManager, observed.
 */
import { DiskError } from '../../environment/environment.ts'
import type { Environment, Timer } from '../../environment/environment.ts'
import { MalformedBatchError } from '../../protocol/records/batch-read.ts'
import { partitionKey } from '../log-files.ts'
import type { LogConfig, TopicPartition } from '../log.ts'
import { LogCleaning, UncleanableError } from './clean-log.ts'
import type { CleaningStats, CleaningStep } from './clean-log.ts'
import type { CleanableLog } from './cleanable-log.ts'
import { cleanable, filthiest } from './cleaner-choice.ts'
import type { Cleanable } from './cleaner-choice.ts'
import { OffsetMap } from './offset-map.ts'
import { SlicePace } from './slice-pace.ts'

/** Settings of the broker, live. */
export interface CleanerSettings {
  /** log.cleaner.enable */
  readonly isEnabled: boolean
  /** log.cleaner.threads: 0 cleans nothing; above 1 each has its share of the table, and one works. */
  readonly threads: number
  /** log.cleaner.dedupe.buffer.size */
  readonly dedupeBufferBytes: number
  /** log.cleaner.io.buffer.load.factor */
  readonly loadFactor: number
  /** log.cleaner.io.buffer.size, for reading and writing */
  readonly ioBufferBytes: number
  /** log.cleaner.io.max.bytes.per.second */
  readonly maxBytesPerSecond: number
  /** log.cleaner.backoff.ms */
  readonly backoffMs: number
}

/** A log and how far it was cleaned. */
export interface CleanerTarget {
  readonly log: CleanableLog
  /** Where the last cleaning ended; undefined: never cleaned. */
  cleanerOffset(): number | undefined
  /** Throws DiskError. */
  setCleanerOffset(offset: number): void
}

export interface LogCleanerHost {
  readonly environment: Pick<Environment, 'clock' | 'timers' | 'random' | 'disk' | 'log'>
  /** Logs that may be cleaned now, in a fixed order. */
  targets(): Iterable<CleanerTarget>
  /** A copy of the log is under way. */
  isCopied(partition: TopicPartition): boolean
}

/** A log that was looked at. */
interface Candidate {
  readonly target: CleanerTarget
  readonly found: Cleanable
  readonly settings: LogConfig
  /** Of the log, as it was looked at. */
  readonly losses: number
}

interface Run {
  readonly target: CleanerTarget
  readonly range: Cleanable
  readonly cleaning: LogCleaning
  readonly steps: Generator<CleaningStep, void, void>
  readonly map: OffsetMap
  readonly losses: number
  readonly startedMs: number
}

/** Counts since the start, and what the last look found, for metrics. */
export interface CleanerFigures {
  cleanings: number
  bytesRead: number
  bytesWritten: number
  invalidRecords: number
  /** Of the dirtiest log, 0 to 1. */
  maxDirtyRatio: number
  /** Longest time by which max.compaction.lag.ms is exceeded. */
  maxCompactionDelayMs: number
  lastBufferUtilization: number
  lastCleaningMs: number
  /** What the last cleaning kept of what it read, 0 to 1. */
  lastRecopyRatio: number
  lastLookMs: number
}

const leastReadBytes = 4 * 1024
/** Segments whose records are looked at in one turn, when a log is chosen. */
const segmentsAtOnce = 16

export class LogCleaner {
  readonly figures: CleanerFigures = {
    cleanings: 0,
    bytesRead: 0,
    bytesWritten: 0,
    invalidRecords: 0,
    maxDirtyRatio: 0,
    maxCompactionDelayMs: 0,
    lastBufferUtilization: 0,
    lastCleaningMs: 0,
    lastRecopyRatio: 0,
    lastLookMs: 0,
  }
  readonly #host: LogCleanerHost
  /** Logs that are damaged. */
  readonly #uncleanable = new Set<CleanableLog>()
  readonly #pace: SlicePace
  #settings: CleanerSettings | undefined
  #isStopped = false
  #timer: Timer | undefined
  #run: Run | undefined

  constructor(host: LogCleanerHost) {
    this.#host = host
    this.#pace = new SlicePace(() => Math.max(1, this.#settings?.maxBytesPerSecond ?? 1))
  }

  /** The partition that is being cleaned. */
  get current(): TopicPartition | undefined {
    return this.#run?.target.log.topicPartition
  }

  get uncleanable(): readonly TopicPartition[] {
    return [...this.#uncleanable].map(log => log.topicPartition)
  }

  /** Starts, or goes on with other settings; they count from the next cleaning on, the rate at once. */
  configure(settings: CleanerSettings): void {
    const before = this.#settings
    this.#settings = settings
    if (this.#isStopped || this.#run !== undefined) return
    const isSame =
      before !== undefined &&
      (Object.keys(settings) as (keyof CleanerSettings)[]).every(key => before[key] === settings[key])
    if (!isSame) this.#lookAfter(before === undefined ? settings.backoffMs : 0)
  }

  /** For good. A cleaning under way is given up. */
  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    this.#timer = undefined
    this.#giveUp()
  }

  // ----------------------------------------------------------------------------------------------------------- choosing

  #lookAfter(delayMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#host.environment.timers.after(delayMs, () => this.#look())
  }

  #look(): void {
    this.#timer = undefined
    const settings = this.#settings
    if (this.#isStopped || settings === undefined || !settings.isEnabled || settings.threads < 1) return
    const { clock } = this.#host.environment
    this.figures.lastLookMs = clock.monotonicMs()
    this.#lookOn(this.#choosing(clock.wallMs()), settings)
  }

  /** Looks at so many segments, and goes on in a later turn. */
  #lookOn(choosing: Generator<void, Candidate | undefined, void>, settings: CleanerSettings): void {
    for (let count = 0; count < segmentsAtOnce; count++) {
      const { done, value: chosen } = choosing.next()
      if (done !== true) continue
      if (chosen === undefined) this.#lookAfter(settings.backoffMs)
      else this.#begin(chosen, settings)
      return
    }
    this.#timer = this.#host.environment.timers.after(0, () => {
      this.#timer = undefined
      this.#lookOn(choosing, settings)
    })
  }

  *#choosing(nowWallMs: number): Generator<void, Candidate | undefined, void> {
    const candidates: Candidate[] = []
    let [maxDirtyRatio, maxCompactionDelayMs] = [0, 0]
    this.#forgetUncleanable()
    for (const target of this.#host.targets()) {
      const candidate = yield* this.#lookAt(target, nowWallMs)
      if (candidate === undefined) continue
      maxDirtyRatio = Math.max(maxDirtyRatio, candidate.found.dirtyRatio)
      maxCompactionDelayMs = Math.max(maxCompactionDelayMs, candidate.found.delayMs)
      candidates.push(candidate)
    }
    this.figures.maxDirtyRatio = maxDirtyRatio
    this.figures.maxCompactionDelayMs = maxCompactionDelayMs
    return filthiest(candidates)
  }

  /** Undefined for what may not be cleaned, or is not any more what it was when the look began. */
  *#lookAt(target: CleanerTarget, nowWallMs: number): Generator<void, Candidate | undefined, void> {
    const { log } = target
    const { cleaning: settings, losses } = log
    if (settings === undefined || !this.#mayClean(log) || this.#uncleanable.has(log)) return undefined
    try {
      const looking = cleanable({ ...figuresOf(log), cleaning: settings }, target.cleanerOffset(), nowWallMs)
      for (;;) {
        const { done, value: found } = looking.next()
        if (done === true) {
          if (found.isCheckpointWrong) target.setCleanerOffset(found.firstDirtyOffset)
          return { target, found, settings, losses }
        }
        yield
        if (log.losses !== losses || !this.#mayClean(log)) return undefined
      }
    } catch (error) {
      log.fail(error)
      return undefined
    }
  }

  #mayClean(log: CleanableLog): boolean {
    if (log.isOver || this.#host.isCopied(log.topicPartition)) return false
    return log.cleaning?.cleanupPolicy.includes('compact') === true
  }

  #forgetUncleanable(): void {
    for (const log of this.#uncleanable) if (log.isOver) this.#uncleanable.delete(log)
  }

  // ----------------------------------------------------------------------------------------------------------- cleaning

  #begin({ target, found: range, settings: config, losses }: Candidate, settings: CleanerSettings): void {
    const { log } = target
    const { environment } = this.#host
    const map = new OffsetMap({
      maxBytes: Math.floor(settings.dedupeBufferBytes / settings.threads),
      loadFactor: settings.loadFactor,
      salt: environment.random.bytes(16),
    })
    const cleaning = new LogCleaning(log, range, {
      disk: environment.disk,
      log: environment.log,
      map,
      config,
      nowWallMs: environment.clock.wallMs(),
      readBytes: Math.max(leastReadBytes, Math.min(settings.ioBufferBytes / 2, this.#pace.cost)),
      sliceCost: () => this.#pace.cost,
    })
    const startedMs = environment.clock.monotonicMs()
    this.#pace.begin(startedMs)
    this.#run = { target, range, cleaning, steps: cleaning.run(), map, losses, startedMs }
    this.#slice()
  }

  #slice(): void {
    this.#timer = undefined
    const run = this.#run
    if (run === undefined) return
    const { log } = run.target
    if (log.losses !== run.losses || !this.#mayClean(log)) {
      this.#giveUp()
      this.#lookAfter(this.#settings?.backoffMs ?? 0)
      return
    }
    const { clock } = this.#host.environment
    const startedMs = clock.monotonicMs()
    this.#attempt(run, () => {
      const { done, value: step } = run.steps.next()
      if (done === true) this.#finish(run)
      else if (step.kind === 'worked') this.#rest(this.#pace.worked(step.bytes, startedMs, clock.monotonicMs()))
      else this.#flush(run, step)
    })
  }

  #rest(pauseMs: number): void {
    const { clock, timers } = this.#host.environment
    const dueMs = clock.monotonicMs() + pauseMs
    const goOn = (): void => {
      this.#pace.waited(clock.monotonicMs() - dueMs)
      this.#slice()
    }
    if (pauseMs > 0) this.#timer = timers.after(pauseMs, goOn)
    else {
      const run = this.#run
      timers.soon(() => {
        if (this.#run === run) goOn()
      })
    }
  }

  #flush(run: Run, step: Exclude<CleaningStep, { kind: 'worked' }>): void {
    const flushed = (error: Error | undefined): void => {
      if (this.#run !== run) return
      if (error === undefined) this.#slice()
      else
        this.#attempt(run, () => {
          throw error
        })
    }
    if (step.kind === 'flush-segment') step.segment.syncAllLater(flushed)
    else if (step.kind === 'flush-directory')
      this.#attempt(run, () => this.#host.environment.disk.syncDirectoryLater(step.directory, flushed))
    else run.target.log.flushLater(result => flushed('error' in result ? result.error : undefined))
  }

  #finish(run: Run): void {
    const { stats } = run.cleaning
    const { figures } = this
    const { clock, log: lines } = this.#host.environment
    const endOffset = Math.max(stats.endOffset, run.range.firstDirtyOffset)
    run.target.setCleanerOffset(endOffset)
    this.#run = undefined
    figures.cleanings += 1
    figures.bytesRead += stats.mapBytesRead + stats.bytesRead
    figures.bytesWritten += stats.bytesWritten
    figures.invalidRecords += stats.invalidRecords
    figures.lastBufferUtilization = run.map.utilization
    figures.lastCleaningMs = clock.monotonicMs() - run.startedMs
    figures.lastRecopyRatio = stats.bytesRead === 0 ? 0 : stats.bytesWritten / stats.bytesRead
    const { topicPartition } = run.target.log
    lines.info('Cleaned a log.', {
      ...topicPartition,
      firstDirtyOffset: run.range.firstDirtyOffset,
      ...summary(stats),
      endOffset,
      keys: run.map.size,
      tableBytes: run.map.bytes,
      tookMs: figures.lastCleaningMs,
    })
    if (stats.invalidRecords > 0)
      lines.warn('A compacted log had records without a key; they are gone.', {
        ...topicPartition,
        records: stats.invalidRecords,
      })
    // Whoever else is due does not wait.
    this.#lookAfter(0)
  }

  /** Runs a piece of a cleaning; whatever goes wrong is the end of the cleaning, or of the log. */
  #attempt(run: Run, work: () => void): void {
    try {
      work()
    } catch (error) {
      if (this.#run === run) this.#giveUp()
      this.#failed(run.target.log, error)
      if (!this.#isStopped) this.#lookAfter(this.#settings?.backoffMs ?? 0)
    }
  }

  #failed(log: CleanableLog, error: unknown): void {
    const { log: lines } = this.#host.environment
    if (error instanceof MalformedBatchError || error instanceof UncleanableError) {
      this.#uncleanable.add(log)
      lines.error('A log cannot be compacted; it is left as it is until the node starts again.', {
        ...log.topicPartition,
        problem: error.message,
      })
      return
    }
    log.fail(error)
  }

  /** Ends a cleaning; what it wrote that is not in the log goes. */
  #giveUp(): void {
    const run = this.#run
    if (run === undefined) return
    this.#run = undefined
    this.#timer?.cancel()
    this.#timer = undefined
    try {
      run.steps.return()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      run.target.log.fail(error)
    }
    const { topicPartition, isOver } = run.target.log
    if (!isOver)
      this.#host.environment.log.info('A cleaning was given up.', { partition: partitionKey(topicPartition) })
  }
}

function figuresOf({ logStartOffset, logEndOffset, lastStableOffset, currentSegments }: CleanableLog) {
  return { logStartOffset, logEndOffset, lastStableOffset, currentSegments }
}

function summary(stats: CleaningStats) {
  const { bytesRead, bytesWritten, recordsRead, recordsWritten, segmentsBefore, segmentsAfter } = stats
  return { bytesRead, bytesWritten, recordsRead, recordsWritten, segmentsBefore, segmentsAfter }
}
