/**
 * A broker's logs under a scenario that a crash may end anywhere, and what the scenario knows then: what the log may hold, what it must still
 * hold after a kill, and what after a power failure.
 */
import { deepStrictEqual as deepEqual, ok } from 'node:assert/strict'
import type { DirectoryLogManager } from '#broker/log/log-manager.ts'
import type { AppendRequest, LogConfig } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { buildEndTransactionMarker, type BatchOptions } from '#broker/protocol/records/batch-build.ts'
import { BatchView } from '#broker/protocol/records/batch.ts'
import { asClient, batchOf, defaultConfig, Machine, startWallMs, topicId, startManager } from '../harness.ts'
import type { CrashScene, Ending } from './points.ts'
import { wholeLog, type Digest } from './whole-log.ts'

export const partition = { topic: 'events', partition: 0 }

/** What is known of one log when the crash comes. */
class Expectation {
  batches: Digest[] = []
  /** What else may be found: a truncation was under way. */
  alternatives: Digest[][] = []
  /** The log reaches this far at least after a kill, and after a power failure. */
  written = 0
  durable = 0
  /** Log start offsets: the least after a kill, the least after a power failure, the highest. */
  readonly start = { killed: 0, failed: 0, most: 0 }

  get end(): number {
    return this.batches.at(-1)?.nextOffset ?? this.start.most
  }
}

export interface SceneOptions {
  readonly config?: Partial<LogConfig>
  readonly logDirs?: readonly string[]
  readonly needsOrderOfNames?: boolean
  readonly scenario: (scene: LogScene) => void
}

export class LogScene implements CrashScene {
  readonly machine = new Machine()
  readonly config: LogConfig
  readonly needsOrderOfNames: boolean
  manager!: DirectoryLogManager
  private readonly options: SceneOptions
  private expected = new Expectation()
  /** Of the log as it is now; another one after the topic was made anew. */
  private topicId = topicId
  /** Logs that may be found in its place, by topic id. */
  private readonly former = new Map<string, Expectation>()
  /** The log may be missing: it was just made, or deleted. */
  private mayBeMissing = true
  private sequences = new Map<number, number>()
  private directoryIds: string[] | undefined

  constructor(options: SceneOptions) {
    this.options = options
    this.needsOrderOfNames = options.needsOrderOfNames === true
    this.config = { ...defaultConfig, segmentBytes: 700, indexIntervalBytes: 100, ...options.config }
  }

  run(): void {
    this.start()
    this.open()
    this.options.scenario(this)
  }

  restart(): void {
    this.start()
  }

  /** A new process. */
  start(): void {
    const { logDirs = ['/data'] } = this.options
    this.manager = startManager(this.machine.environment(), { logDirs, configOf: () => this.config })
    const ids = this.manager.directories.map(({ id }) => id)
    if (this.directoryIds !== undefined) deepEqual(ids, this.directoryIds, 'a directory has another id')
    this.directoryIds = ids
  }

  /** Made when it is missing. */
  open(): SegmentedLog {
    return this.manager.getOrCreate(partition, this.topicId, this.config) as SegmentedLog
  }

  get log(): SegmentedLog {
    return this.manager.get(partition) as SegmentedLog
  }

  // -------------------------------------------------------------------------------------------------------- the work

  append(count: number, leaderEpoch: number, options: BatchOptions & { readonly records?: number } = {}): void {
    for (let index = 0; index < count; index++) {
      const values = Array.from(
        { length: options.records ?? 1 },
        (_, at) => `${leaderEpoch}.${this.expected.end}.${at}`,
      )
      this.put(batchOf(values, { timestamp: this.nextTimestamp(), ...options }), { ...asClient, leaderEpoch })
    }
  }

  /** One batch of an idempotent producer, in a transaction when told so. */
  produce(
    producer: number,
    leaderEpoch: number,
    options: { readonly transactional: boolean; readonly records?: number },
  ): void {
    const { transactional, records = 1 } = options
    const baseSequence = this.sequences.get(producer) ?? 0
    this.append(1, leaderEpoch, {
      producerId: BigInt(producer),
      producerEpoch: 0,
      baseSequence,
      transactional,
      records,
    })
    this.sequences.set(producer, baseSequence + records)
  }

  endTransaction(producer: number, leaderEpoch: number, type: 'commit' | 'abort'): void {
    const marker = {
      producerId: BigInt(producer),
      producerEpoch: 0,
      coordinatorEpoch: 1,
      timestamp: this.nextTimestamp(),
    }
    this.put(buildEndTransactionMarker(type, marker), { origin: 'coordinator', leaderEpoch, wallMs: startWallMs })
  }

  private nextTimestamp(): number {
    // Most rise, some do not.
    return startWallMs + this.expected.end * 1000 - (this.expected.end % 4 === 3 ? 50_000 : 0)
  }

  private put(records: Buffer, request: AppendRequest): void {
    const { crc, lastOffsetDelta } = new BatchView(records)
    const baseOffset = this.expected.end
    const nextOffset = baseOffset + lastOffsetDelta + 1
    // Counts from here on: a crash in the middle of the append may leave the batch.
    this.expected.batches.push({ baseOffset, nextOffset, epoch: request.leaderEpoch, crc })
    const result = this.log.appendAsLeader(records, request)
    if (!('appended' in result)) throw new Error(`refused: ${JSON.stringify(result)}`)
    this.expected.written = nextOffset
    // From here on nothing may be found that was cut before.
    if (this.expected.alternatives.length > 0 && this.expected.durable >= nextOffset) this.expected.alternatives = []
    this.mayBeMissing = false
  }

  /** Batches that a leader sent. */
  replicate(records: readonly Buffer[]): void {
    for (const bytes of records) {
      const { baseOffset, nextOffset, partitionLeaderEpoch: epoch, crc } = new BatchView(bytes)
      this.expected.batches.push({ baseOffset, nextOffset, epoch, crc })
      this.log.appendAsFollower(bytes)
      this.expected.written = nextOffset
    }
    this.mayBeMissing = false
  }

  flush(): void {
    const { log, expected } = this
    let isDone = false
    log.flushLater(result => {
      if ('error' in result) throw result.error
      expected.durable = Math.max(expected.durable, result.durableOffset)
      isDone = true
    })
    this.machine.turn()
    ok(isDone, 'the flush never ended')
  }

  checkpoint(): void {
    this.manager.checkpoint(() => this.expected.written)
    this.machine.turn()
    this.expected.start.killed = this.log.logStartOffset
  }

  truncate(offset: number): void {
    const { expected } = this
    this.cutTo(
      expected.batches.filter(batch => batch.nextOffset <= offset),
      offset,
    )
    this.log.truncateTo(offset)
    expected.start.killed = Math.min(expected.start.killed, offset)
    // It is durable when it returns.
    expected.alternatives = []
  }

  beginAnewAt(offset: number): void {
    const { expected } = this
    this.cutTo([], offset)
    expected.start.most = Math.max(offset, expected.start.most)
    this.log.truncateFullyAndStartAt(offset)
    expected.alternatives = []
    Object.assign(expected.start, { most: offset, killed: offset, failed: offset })
    expected.written = offset
    expected.durable = offset
  }

  private cutTo(batches: Digest[], offset: number): void {
    const { expected } = this
    expected.alternatives = [expected.batches]
    expected.batches = batches
    const end = batches.at(-1)?.nextOffset ?? 0
    expected.written = Math.min(expected.written, end)
    expected.durable = Math.min(expected.durable, end)
    expected.start.killed = Math.min(expected.start.killed, offset)
    expected.start.failed = Math.min(expected.start.failed, offset)
  }

  deleteRecords(offset: number): void {
    this.expected.start.most = Math.max(this.expected.start.most, offset)
    this.log.advanceLogStart(offset)
  }

  retain(wallMs: number): number {
    const { expected } = this
    expected.start.most = expected.written
    const deleted = this.log.enforceRetention(wallMs, expected.written)
    expected.start.most = this.log.logStartOffset
    return deleted
  }

  deleteTopic(): void {
    this.former.set(this.topicId, this.expected)
    this.mayBeMissing = true
    this.manager.delete(partition)
    // Its name may come back with the power: what it holds then is still whole.
    this.expected = new Expectation()
  }

  makeTopicAnew(id: string): SegmentedLog {
    this.topicId = id
    this.sequences = new Map()
    return this.open()
  }

  stop(): void {
    this.manager.close(() => this.expected.written)
    this.expected.durable = this.expected.written
    this.expected.start.killed = this.log.logStartOffset
    this.expected.start.failed = this.log.logStartOffset
    this.mayBeMissing = this.expected.batches.length === 0
  }

  // ------------------------------------------------------------------------------------------------------- afterwards

  check(ending: Ending): void {
    this.start()
    const log = this.manager.get(partition) as SegmentedLog | undefined
    if (log === undefined) {
      ok(this.mayBeMissing || (ending !== 'kill' && this.expected.durable === 0), 'the log is missing')
      return
    }
    // Without an id it is that of the topic that is there now; the metadata says which.
    const expected = log.topicId === this.topicId || log.topicId === '' ? this.expected : this.former.get(log.topicId)
    ok(expected !== undefined, `a log of the unknown topic ${log.topicId}`)
    this.compare(log, expected, ending)
    const highWatermark = this.manager.checkpointedHighWatermark(partition)
    ok(
      highWatermark <= log.logEndOffset,
      `the high watermark ${highWatermark} is beyond the log end ${log.logEndOffset}`,
    )
    this.goesOn(log)
  }

  private compare(log: SegmentedLog, expected: Expectation, ending: Ending): void {
    const found = wholeLog(log)
    const histories = [expected.batches, ...expected.alternatives]
    const first = found[0]?.baseOffset ?? log.logEndOffset
    const fits = (history: readonly Digest[]): boolean => {
      const rest = history.filter(batch => batch.baseOffset >= first)
      return found.length <= rest.length && found.every((batch, at) => same(batch, rest[at]!))
    }
    if (!histories.some(fits))
      throw new Error(`found ${list(found)}, expected a prefix of ${histories.map(list).join(' or of ')}`)
    const least = ending === 'kill' ? expected.written : expected.durable
    ok(log.logEndOffset >= least, `the log ends at ${log.logEndOffset}, ${least} was there`)
    const { killed, failed, most } = expected.start
    const leastStart = ending === 'kill' ? killed : failed
    // Without an order of names the first segment may be lost, and a later one not; never one that was flushed.
    if (ending === 'names lost' && log.logStartOffset >= expected.durable) return
    ok(
      log.logStartOffset >= leastStart && log.logStartOffset <= most,
      `the log starts at ${log.logStartOffset}, expected ${leastStart} to ${most}`,
    )
  }

  /** It takes records, and a clean stop and start change nothing. */
  private goesOn(log: SegmentedLog): void {
    const next = log.logEndOffset
    const result = log.appendAsLeader(batchOf(['next']), { ...asClient, leaderEpoch: 99 })
    deepEqual('appended' in result && result.appended.firstOffset, next)
    const before = wholeLog(log)
    const producers = log.producers()
    this.manager.close(() => next)
    this.start()
    const reopened = this.manager.get(partition) as SegmentedLog
    deepEqual(wholeLog(reopened), before, 'a clean restart changed the log')
    deepEqual(reopened.producers(), producers, 'a clean restart changed the producers')
  }
}

function same(a: Digest, b: Digest): boolean {
  return a.baseOffset === b.baseOffset && a.nextOffset === b.nextOffset && a.epoch === b.epoch && a.crc === b.crc
}

function list(batches: readonly Digest[]): string {
  return `[${batches.map(({ baseOffset, epoch }) => `${baseOffset}@${epoch}`).join(' ')}]`
}
