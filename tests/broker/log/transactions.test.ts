/**
 * Transactions in one partition, against a model that folds over all batches from the first on: whatever was truncated,
 * killed or recovered, open transactions, the last stable offset and the aborted transactions are those of the log.
 */
import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from 'node:assert/strict'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { makeDurableDirectory } from '#broker/log/small-files.ts'
import { buildEndTransactionMarker } from '#broker/protocol/records/batch-build.ts'
import { asClient, batchOf, defaultConfig, inspect, logDirectory, Machine, openLog, startWallMs } from './harness.ts'

interface Entry {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly producer: number
  readonly epoch: number
  readonly kind: 'plain' | 'transactional' | 'abort' | 'commit'
  readonly sequence: number
}

interface Aborted {
  readonly producerId: bigint
  readonly firstOffset: number
  readonly lastOffset: number
}

/** What the batches say, from nothing. */
function fold(entries: readonly Entry[]) {
  const open = new Map<number, number>()
  const ended: { firstOffset: number; lastOffset: number }[] = []
  const aborted: Aborted[] = []
  const producers = new Map<number, { epoch: number; lastSequence: number; start: number }>()
  for (const { producer, kind, epoch, firstOffset, lastOffset, sequence } of entries) {
    const known = producers.get(producer)
    const before = known?.epoch === epoch ? known : { epoch, lastSequence: -1, start: known?.start ?? -1 }
    if (kind === 'plain' || kind === 'transactional') {
      if (kind === 'transactional' && !open.has(producer)) open.set(producer, firstOffset)
      const lastSequence = sequence + (lastOffset - firstOffset)
      producers.set(producer, { epoch, lastSequence, start: open.get(producer) ?? -1 })
      continue
    }
    const start = open.get(producer)
    producers.set(producer, { ...before, start: -1 })
    if (start === undefined) continue
    open.delete(producer)
    ended.push({ firstOffset: start, lastOffset: firstOffset })
    if (kind === 'abort') aborted.push({ producerId: BigInt(producer), firstOffset: start, lastOffset: firstOffset })
  }
  const unstable = (highWatermark: number): number | undefined => {
    const offsets = [...open.values()]
    for (const each of ended) if (each.lastOffset >= highWatermark) offsets.push(each.firstOffset)
    return offsets.length === 0 ? undefined : Math.min(...offsets)
  }
  return { aborted, unstable, producers }
}

const config = { ...defaultConfig, segmentBytes: 700, indexIntervalBytes: 150 }

class Run {
  readonly machine = new Machine()
  log: SegmentedLog
  entries: Entry[] = []
  highWatermark = 0
  logStart = 0

  constructor() {
    makeDurableDirectory(this.machine.environment().disk, '/data')
    this.log = openLog(this.machine, { config })
  }

  append(producer: number, kind: Entry['kind'], records: number, raiseEpoch: boolean): void {
    const known = fold(this.entries).producers.get(producer)
    const epoch = (known?.epoch ?? 0) + (raiseEpoch ? 1 : 0)
    const isOpen = (known?.start ?? -1) >= 0
    const isData = kind === 'plain' || kind === 'transactional'
    // A producer does not leave its transaction, nor change its epoch in the middle of it, by sending data.
    const actual = isOpen && kind === 'plain' ? 'transactional' : kind
    const usedEpoch = isOpen && isData ? (known?.epoch ?? 0) : epoch
    const sequence = known !== undefined && known.epoch === usedEpoch ? known.lastSequence + 1 : 0
    const bytes = isData
      ? batchOf(
          Array.from({ length: records }, (_, index) => `${index}`),
          {
            producerId: BigInt(producer),
            producerEpoch: usedEpoch,
            baseSequence: sequence,
            transactional: actual === 'transactional',
          },
        )
      : buildEndTransactionMarker(kind === 'abort' ? 'abort' : 'commit', {
          producerId: BigInt(producer),
          producerEpoch: usedEpoch,
          coordinatorEpoch: 0,
          timestamp: startWallMs,
        })
    const result = this.log.appendAsLeader(bytes, { ...asClient, origin: isData ? 'client' : 'coordinator' })
    if (!('appended' in result)) throw new Error(`not appended: ${JSON.stringify(result)}`)
    const { firstOffset, lastOffset } = result.appended
    this.entries.push({ firstOffset, lastOffset, producer, epoch: usedEpoch, kind: actual, sequence })
  }

  truncate(back: number): void {
    // Never below the log start, which may lie inside a batch.
    const first = this.entries.find(entry => entry.lastOffset >= this.logStart)
    const lowest = first === undefined || first.firstOffset === this.logStart ? this.logStart : first.lastOffset + 1
    const offset = Math.max(lowest, this.log.logEndOffset - back)
    this.log.truncateTo(offset)
    this.cut()
  }

  /** The log is the authority on how much is left; never a part of a batch. */
  private cut(): void {
    this.entries = this.entries.filter(entry => entry.lastOffset < this.log.logEndOffset)
    equal(this.log.logEndOffset, (this.entries.at(-1)?.lastOffset ?? -1) + 1)
    // As in Kafka, what a rebuild takes from a snapshot counts as replicated.
    this.raise(this.log.logEndOffset)
  }

  raise(highWatermark: number): void {
    this.highWatermark = highWatermark
    this.log.setHighWatermark(highWatermark)
  }

  restart(how: 'clean' | 'kill' | 'power', seed: number): void {
    const { recoveryPoint } = this.log
    if (how === 'clean') this.log.close()
    this.machine.turn()
    if (how === 'power') this.machine.powerFailure(seed)
    else this.machine.kill()
    this.log = openLog(this.machine, {
      config,
      cleanShutdown: how === 'clean',
      recoveryPoint,
      logStartOffset: this.logStart,
    })
    ok(this.log.logEndOffset >= recoveryPoint)
    this.cut()
  }

  check(): void {
    const expected = fold(this.entries)
    const end = this.log.logEndOffset
    const unstable = expected.unstable(this.highWatermark)
    equal(this.log.firstUnstableOffset(), unstable === undefined ? undefined : Math.max(unstable, this.logStart))
    for (let from = this.logStart; from <= end; from += 3) {
      for (let until = from + 1; until <= end; until += 4) {
        const found = this.log.abortedTransactions(from, until)
        const wanted = expected.aborted.filter(each => each.lastOffset >= from && each.firstOffset < until)
        deepEqual(
          found.map(({ producerId, firstOffset, lastOffset }) => ({ producerId, firstOffset, lastOffset })),
          wanted,
        )
      }
    }
    const producers = this.log
      .producers()
      .map(each => [
        Number(each.producerId),
        { epoch: each.producerEpoch, lastSequence: each.lastSequence, start: each.currentTransactionStartOffset },
      ])
    deepEqual(new Map(producers as [number, object][]), expected.producers)
  }
}

type Command =
  | { do: 'append'; producer: number; kind: Entry['kind']; records: number; raiseEpoch: boolean }
  | { do: 'truncate'; back: number }
  | { do: 'raise'; by: number }
  | { do: 'advance'; by: number }
  | { do: 'flush' }
  | { do: 'restart'; how: 'clean' | 'kill' | 'power'; seed: number }

const commands: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      producer: fc.integer({ min: 1, max: 3 }),
      kind: fc.constantFrom('plain', 'transactional', 'transactional', 'abort', 'commit'),
      records: fc.integer({ min: 1, max: 4 }),
      raiseEpoch: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('truncate' as const), back: fc.integer({ min: 0, max: 12 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('raise' as const), by: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('advance' as const), by: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('restart' as const),
      how: fc.constantFrom('clean', 'kill', 'power'),
      seed: fc.integer({ min: 1, max: 1_000_000 }),
    }),
  },
)

function perform(run: Run, command: Command): void {
  switch (command.do) {
    case 'append':
      run.append(command.producer, command.kind, command.records, command.raiseEpoch)
      break
    case 'truncate':
      run.truncate(command.back)
      break
    case 'raise':
      run.raise(Math.min(run.log.logEndOffset, run.highWatermark + command.by))
      break
    case 'advance':
      run.logStart = Math.min(run.logStart + command.by, run.highWatermark, run.log.recoveryPoint)
      run.log.advanceLogStart(run.logStart)
      break
    case 'flush':
      run.log.flush()
      break
    case 'restart':
      run.restart(command.how, command.seed)
      break
  }
}

describe('against a fold over the whole log', () => {
  test('open transactions, last stable offset and aborted transactions survive truncation, kills and power failures', () => {
    fc.assert(
      fc.property(fc.array(commands, { minLength: 5, maxLength: 60 }), steps => {
        const run = new Run()
        for (const step of steps) {
          perform(run, step)
          run.check()
        }
        run.restart('kill', 1)
        run.check()
        run.restart('clean', 1)
        run.check()
      }),
      { numRuns: 150 },
    )
  })
})

describe('the index of aborted transactions', () => {
  function abortOne(log: SegmentedLog): void {
    const batch = batchOf(['a'], { producerId: 1n, producerEpoch: 0, baseSequence: 0, transactional: true })
    log.appendAsLeader(batch, asClient)
    const marker = { producerId: 1n, producerEpoch: 0, coordinatorEpoch: 0, timestamp: startWallMs }
    log.appendAsLeader(buildEndTransactionMarker('abort', marker), { ...asClient, origin: 'coordinator' })
  }

  test('is made anew from the log when a crash lost it', () => {
    const machine = new Machine()
    const log = openLog(machine)
    abortOne(log)
    const before = log.abortedTransactions(0, 2)
    expect(before).toHaveLength(1)
    machine.kill()
    inspect(machine).remove(`${logDirectory}/00000000000000000000.txnindex`)
    expect(openLog(machine).abortedTransactions(0, 2)).toEqual(before)
  })

  test('does not keep an abort that the log lost', () => {
    const machine = new Machine()
    const log = openLog(machine)
    abortOne(log)
    machine.kill()
    const disk = inspect(machine)
    const file = disk.open(`${logDirectory}/00000000000000000000.log`, 'write')
    file.truncate((disk.stat(`${logDirectory}/00000000000000000000.log`)?.bytes ?? 0) - 1)
    file.close()
    const reopened = openLog(machine)
    expect(reopened.logEndOffset).toBe(1)
    expect(reopened.firstUnstableOffset()).toBe(0)
    expect(reopened.abortedTransactions(0, 2)).toEqual([])
  })
})
