/**
 * Logs of random keys, tombstones and transactions, cleaned again and again with crashes in between, against the list of all that was
 * appended: what readers see, those that start anywhere and those that were slow, what producers may go on with, and where each leader's epoch
 * ends, which is where other replicas cut their logs.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { compressionNames } from '#broker/protocol/records/batch.ts'
import type { CompressionName } from '#broker/protocol/records/batch.ts'
import { Crash, defaultConfig, Machine, openLog, startWallMs } from '../harness.ts'
import { clean, compacted, fetchCommitted } from './harness.ts'
import { History, same } from './history.ts'

type Command =
  | {
      readonly kind: 'append'
      readonly keys: readonly number[]
      readonly isDeletion: boolean
      readonly bytes: number
      readonly producer: number
      readonly compression: CompressionName
    }
  | { readonly kind: 'end'; readonly producer: number; readonly marker: 'abort' | 'commit' }
  | {
      readonly kind: 'clean'
      readonly mapEntries: number
      readonly sliceCost: number
      /** Disk calls, 0: it does not crash. */
      readonly crashAfter: number
      /** Ends all transactions first. */
      readonly settles: boolean
    }
  | { readonly kind: 'giveUp'; readonly step: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'restart'; readonly how: 'reopen' | 'kill' | 'powerFailure' }
  | { readonly kind: 'forgetProducers' | 'newEpoch' | 'slowReader' | 'slowRead' }

/** 0 to 2: a producer of transactions, 3 and 4 an idempotent one, others none. */
const producer = fc.integer({ min: 0, max: 9 })
const commands = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        keys: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 4 }),
        isDeletion: fc.boolean(),
        bytes: fc.integer({ min: 0, max: 150 }),
        producer,
        compression: fc.constantFrom(...compressionNames),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('end' as const),
        producer: fc.integer({ min: 0, max: 2 }),
        marker: fc.constantFrom('abort' as const, 'commit' as const),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('clean' as const),
        mapEntries: fc.constantFrom(8, 16, 1000, 1000),
        sliceCost: fc.constantFrom(1, 300, 5000),
        crashAfter: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 1, max: 120 })),
        settles: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('newEpoch' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('giveUp' as const), step: fc.integer({ min: 0, max: 9 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 400, 1000) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('restart' as const),
        how: fc.constantFrom('reopen' as const, 'kill' as const, 'powerFailure' as const),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constantFrom('slowReader' as const, 'slowRead' as const) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom('forgetProducers' as const, 'newEpoch' as const) }),
    },
  ),
  { minLength: 10, maxLength: 70, size: 'max' },
)

const runs = 300
const producerExpirationMs = 5000
const config = { ...compacted, segmentBytes: 900 }

/** A reader that takes its time; what it has seen must be right as long as it needs no longer than delete.retention.ms. */
interface SlowReader {
  readonly sinceMs: number
  offset: number
  readonly values: Map<string, string>
}

/** Over all runs, so that the test cannot pass by never cleaning anything. */
const work = { cleanings: 0, dropped: 0, crashes: 0 }

class Run {
  readonly machine = new Machine()
  readonly history = new History()
  log: SegmentedLog = this.open(false)
  private checkpoint = 0
  private recoveryPoint = 0
  private leaderEpoch = 0
  private seed = 0
  private count = 0
  /** Of each producer. */
  private ids = [0n, 1n, 2n, 3n, 4n]
  /** Producers with a transaction open. */
  private readonly open_ = new Set<number>()
  private readonly readers: SlowReader[] = []
  /** Where the first batch of each epoch was written. */
  private readonly epochStarts = new Map<number, number>()

  step(command: Command): void {
    switch (command.kind) {
      case 'append':
        return this.append(command)
      case 'end':
        if (!this.open_.delete(command.producer)) return
        return this.end(command.producer, command.marker)
      case 'clean':
        return this.clean(command)
      case 'giveUp':
        clean(this.machine, this.log, { ...this.from, sliceCost: 1, goesOn: step => step < command.step })
        return
      case 'wait':
        return this.machine.advance(command.ms)
      case 'restart':
        return this.restart(command.how)
      case 'forgetProducers':
        this.machine.advance(producerExpirationMs)
        this.expireProducers()
        // Who is forgotten comes back with an id of its own; transactions that are open are not forgotten.
        this.ids = this.ids.map((id, index) => (this.open_.has(index) ? id : id + 10n))
        return
      case 'newEpoch':
        this.leaderEpoch++
        return
      case 'slowReader':
        this.readers.push({ sinceMs: this.machine.nowMs, offset: 0, values: new Map() })
        return
      case 'slowRead':
        for (const reader of this.readers) this.read(reader)
    }
  }

  private append(command: Extract<Command, { kind: 'append' }>): void {
    const transactional = command.producer <= 2
    const { compression } = command
    const changes = command.keys.map(key => ({
      key: `k${key}`,
      value: command.isDeletion ? null : `${this.count++}${'v'.repeat(command.bytes)}`,
    }))
    const producer = command.producer <= 4 ? { producerId: this.ids[command.producer]!, transactional } : {}
    if (transactional) this.open_.add(command.producer)
    const nowMs = this.machine.nowMs
    this.noteEpoch()
    this.history.append(this.log, changes, { leaderEpoch: this.leaderEpoch, compression, nowMs, ...producer })
  }

  private get from() {
    return { checkpoint: Math.min(this.checkpoint, this.log.logEndOffset) }
  }

  private clean({ mapEntries, sliceCost, crashAfter, settles }: Extract<Command, { kind: 'clean' }>): void {
    if (settles) this.endAll()
    if (crashAfter > 0) this.machine.crashAtCall = this.machine.calls + crashAfter
    try {
      const stats = clean(this.machine, this.log, { ...this.from, mapBytes: mapEntries * 24, sliceCost })
      this.checkpoint = stats.endOffset
      work.cleanings += 1
      work.dropped += stats.recordsRead - stats.recordsWritten
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      work.crashes += 1
      return this.restart('kill')
    }
    this.machine.crashAtCall = Infinity
    // As a node does before it writes that down.
    this.log.prepareCheckpoint()
    this.recoveryPoint = this.log.recoveryPoint
  }

  private noteEpoch(): void {
    const { leaderEpoch, epochStarts } = this
    if (!epochStarts.has(leaderEpoch)) epochStarts.set(leaderEpoch, this.log.logEndOffset)
  }

  /** No replica may be told to keep what is not in this log, nor to cut what is (KIP-101). */
  checkEpochs(): void {
    const { log, epochStarts } = this
    const starts = [...epochStarts].filter(([, start]) => start < log.logEndOffset)
    for (const [index, [epoch, start]] of starts.entries()) {
      const end = starts[index + 1]?.[1] ?? log.logEndOffset
      const told = log.endOffsetForEpoch(epoch)
      const what = `end of epoch ${epoch}, from ${start} to ${end}, of epochs ${JSON.stringify(log.epochs.all)}`
      same(what, told, { leaderEpoch: epoch, endOffset: end })
    }
  }

  private restart(how: 'reopen' | 'kill' | 'powerFailure'): void {
    this.expireProducers()
    const producers = sequencesOf(this.log)
    if (how === 'reopen') this.log.close()
    if (how === 'powerFailure') this.machine.powerFailure(this.seed++)
    else this.machine.kill()
    this.log = this.open(how === 'reopen')
    this.expireProducers()
    if (how === 'powerFailure') {
      same('what was durable is there', this.log.logEndOffset >= this.recoveryPoint, true)
      this.history.cut(this.log.logEndOffset)
      for (const [epoch, start] of this.epochStarts) if (start >= this.log.logEndOffset) this.epochStarts.delete(epoch)
      this.open_.clear()
      for (const { producerId, currentTransactionStartOffset } of this.log.producers()) {
        if (currentTransactionStartOffset < 0) continue
        this.open_.add(Number(producerId % 10n))
        this.ids[Number(producerId % 10n)] = producerId
      }
      // What they have seen may be gone.
      this.readers.length = 0
    } else for (const [id, sequence] of producers) same(`sequence of ${id}`, sequencesOf(this.log).get(id), sequence)
    this.history.sequencesFrom(this.log)
    this.log.setHighWatermark(this.log.logEndOffset)
  }

  private expireProducers(): void {
    this.log.expireProducers(startWallMs + this.machine.nowMs, producerExpirationMs)
  }

  private open(cleanShutdown: boolean): SegmentedLog {
    const log = openLog(this.machine, {
      // The policy of the topic is not known yet when a node opens its logs.
      config: { ...config, cleanupPolicy: defaultConfig.cleanupPolicy },
      cleanShutdown,
      recoveryPoint: this.recoveryPoint ?? 0,
      producerIdExpirationMs: () => producerExpirationMs,
      onOffsetsLowered: lowered => {
        this.recoveryPoint = lowered.recoveryPoint
      },
    })
    log.updateConfig(config)
    return log
  }

  /** A piece; at the end what it knows must be right. */
  private read(reader: SlowReader): void {
    const answer = fetchCommitted(this.log, reader.offset, 150)
    for (const { key, value } of answer?.records ?? []) {
      if (value === null) reader.values.delete(key!)
      else reader.values.set(key!, value)
    }
    if (answer !== undefined) reader.offset = answer.nextOffset
    else if (this.machine.nowMs - reader.sinceMs < config.deleteRetentionMs) {
      const expected = this.history.lastCommitted()
      same('a slow reader', Object.fromEntries(reader.values), Object.fromEntries(expected))
    }
  }

  private end(producer: number, marker: 'abort' | 'commit'): void {
    const at = { leaderEpoch: this.leaderEpoch, nowMs: this.machine.nowMs }
    this.noteEpoch()
    this.history.end(this.log, marker, this.ids[producer]!, at)
  }

  private endAll(): void {
    for (const producer of this.open_) this.end(producer, producer === 0 ? 'commit' : 'abort')
    this.open_.clear()
  }

  /** Reads to the end, and cleans until nothing changes any more. */
  finish(): void {
    for (const reader of this.readers) {
      let before = -1
      while (reader.offset !== before) {
        before = reader.offset
        this.read(reader)
      }
    }
    this.endAll()
    this.restart('kill')
    this.history.check(this.log, 'at the end')
  }
}

function sequencesOf(log: SegmentedLog): Map<bigint, number> {
  return new Map(log.producers().map(({ producerId, lastSequence }) => [producerId, lastSequence]))
}

describe('a log that is cleaned', () => {
  test('gives each reader what it would see if nothing had been cleaned', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(commands, list => {
        const run = new Run()
        for (const [index, command] of list.entries()) {
          run.step(command)
          if (command.kind !== 'clean' && command.kind !== 'restart' && command.kind !== 'giveUp') continue
          run.history.check(run.log, `after command ${index}`)
          run.checkEpochs()
        }
        run.finish()
      }),
      { numRuns: runs },
    )
    expect(work.cleanings).toBeGreaterThan(runs)
    expect(work.dropped).toBeGreaterThan(4 * runs)
    expect(work.crashes).toBeGreaterThan(runs / 10)
  })
})
