/** The log against an array, over random commands: append, read, truncate, roll, reopen, kill, power failure. */
import * as fc from 'fast-check'
import { describe, test } from 'vitest'
import { allRecords } from '#broker/protocol/records/batch-read.ts'
import type { LogConfig } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { asClient, batchOf, defaultConfig, Machine, openLog } from './harness.ts'

interface Entry {
  readonly value: string
  readonly epoch: number
  /** First offset of its batch. */
  readonly batchStart: number
}

type Command =
  | { readonly kind: 'append'; readonly records: number; readonly bytes: number }
  | { readonly kind: 'read'; readonly at: number; readonly maxBytes: number; readonly until: number }
  | { readonly kind: 'truncate'; readonly at: number }
  | { readonly kind: 'startAnew'; readonly at: number }
  | { readonly kind: 'raiseStart'; readonly at: number }
  | { readonly kind: 'newEpoch' | 'flush' | 'turn' | 'reopen' | 'kill' | 'powerFailure' }

const ratio = fc.integer({ min: 0, max: 100 })
const commands = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        records: fc.integer({ min: 1, max: 6 }),
        bytes: fc.integer({ min: 0, max: 200 }),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('read' as const),
        at: ratio,
        maxBytes: fc.integer({ min: 0, max: 2000 }),
        until: ratio,
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const), at: ratio }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('raiseStart' as const), at: ratio }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('startAnew' as const), at: fc.integer({ min: 0, max: 1000 }) }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constantFrom(
          'newEpoch' as const,
          'flush' as const,
          'turn' as const,
          'reopen' as const,
          'kill' as const,
          'powerFailure' as const,
        ),
      }),
    },
  ),
  { minLength: 5, maxLength: 60 },
)

const config: LogConfig = { ...defaultConfig, segmentBytes: 4000, indexIntervalBytes: 200 }

class Run {
  machine = new Machine()
  start = 0
  /** The recovery point that a log manager would have written. */
  checkpointed = 0
  log: SegmentedLog = this.open(false)
  entries: Entry[] = []
  epoch = 0
  seed = 0
  private count = 0

  get end(): number {
    return this.start + this.entries.length
  }

  step(command: Command): void {
    switch (command.kind) {
      case 'append':
        return this.append(command.records, command.bytes)
      case 'read':
        return this.read(this.offsetAt(command.at), command.maxBytes, this.offsetAt(command.until))
      case 'truncate':
        this.log.truncateTo(this.offsetAt(command.at))
        return this.cutTo(this.offsetAt(command.at))
      case 'startAnew':
        this.log.truncateFullyAndStartAt(command.at)
        this.entries = []
        this.start = command.at
        return
      case 'raiseStart':
        return this.raiseStart(this.offsetAt(command.at))
      case 'newEpoch':
        this.epoch++
        return
      case 'flush':
        this.log.flush()
        this.log.prepareCheckpoint()
        this.checkpointed = this.log.recoveryPoint
        return
      case 'turn':
        return this.machine.turn()
      case 'reopen':
      case 'kill':
      case 'powerFailure':
        return this.restart(command.kind)
    }
  }

  private append(records: number, bytes: number): void {
    const values = Array.from({ length: records }, () => `${this.count++}:${'x'.repeat(bytes)}`)
    const batchStart = this.end
    const result = this.log.appendAsLeader(batchOf(values), { ...asClient, leaderEpoch: this.epoch })
    if (!('appended' in result)) throw new Error('refused')
    equal('first offset', result.appended.firstOffset, batchStart)
    for (const value of values) this.entries.push({ value, epoch: this.epoch, batchStart })
  }

  private read(from: number, maxBytes: number, until: number): void {
    const result = this.log.read(from, { maxBytes, untilOffset: until, atLeastOneBatch: true })
    if ('refused' in result) throw new Error('out of range')
    const records = [...allRecords(result.records)]
    for (const record of records) {
      if (record.offset < this.start) continue
      equal('value', record.value?.toString(), this.entries[record.offset - this.start]?.value)
    }
    if (records.length === 0) {
      const first = this.entries[from - this.start]
      const end = first === undefined ? from : this.batchEnd(from)
      if (from < until && end <= until) throw new Error(`read nothing at ${from}, log end ${this.end}, until ${until}`)
    } else {
      if (records[0]!.offset > from || records.at(-1)!.offset >= until)
        throw new Error('read outside of what was asked')
      equal('next offset', result.nextOffset, records.at(-1)!.offset + 1)
    }
  }

  private batchEnd(offset: number): number {
    const { batchStart } = this.entries[offset - this.start]!
    let end = offset
    while (this.entries[end - this.start]?.batchStart === batchStart) end++
    return end
  }

  private cutTo(offset: number): void {
    const at = this.entries[offset - this.start]
    this.entries.length = Math.max(0, Math.min(this.entries.length, (at?.batchStart ?? offset) - this.start))
    if (at !== undefined && at.batchStart < this.start) this.start = at.batchStart
  }

  private raiseStart(offset: number): void {
    this.log.advanceLogStart(offset)
    if (offset <= this.start) return
    this.entries = this.entries.slice(offset - this.start)
    this.start = offset
  }

  private restart(kind: 'reopen' | 'kill' | 'powerFailure'): void {
    if (kind === 'reopen') this.log.close()
    if (kind === 'powerFailure') this.machine.powerFailure(this.seed++)
    else this.machine.kill()
    this.log = this.open(kind === 'reopen')
    if (kind === 'reopen') this.checkpointed = this.log.recoveryPoint
    if (kind !== 'powerFailure') return
    if (this.log.logEndOffset < this.checkpointed)
      throw new Error(`${this.checkpointed} was durable, the log ends at ${this.log.logEndOffset}`)
    this.entries.length = Math.max(0, Math.min(this.entries.length, this.log.logEndOffset - this.start))
  }

  private open(cleanShutdown: boolean): SegmentedLog {
    return openLog(this.machine, {
      config,
      cleanShutdown,
      recoveryPoint: this.checkpointed,
      logStartOffset: this.start,
      onOffsetsLowered: log => {
        this.checkpointed = log.recoveryPoint
      },
    })
  }

  private offsetAt(ratio: number): number {
    return this.start + Math.floor((this.entries.length * ratio) / 100)
  }

  restartAndReadAll(): void {
    this.restart('kill')
    this.check()
    for (let offset = this.start; offset < this.end; offset++) this.read(offset, 500, this.end)
  }

  check(): void {
    equal('log end', this.log.logEndOffset, this.end)
    equal('log start', this.log.logStartOffset, this.start)
    for (let index = 0; index < this.entries.length; index += 7) {
      equal('epoch', this.log.epochAt(this.start + index), this.entries[index]!.epoch)
    }
    if (this.entries.length > 0) equal('newest epoch', this.log.latestEpoch, this.entries.at(-1)!.epoch)
  }
}

function equal(what: string, got: unknown, expected: unknown): void {
  if (got !== expected) throw new Error(`${what}: got ${String(got)}, expected ${String(expected)}`)
}

describe('the log behaves as an array', () => {
  test('over random commands', () => {
    fc.assert(
      fc.property(commands, list => {
        const run = new Run()
        for (const command of list) {
          run.step(command)
          run.check()
        }
        run.restartAndReadAll()
      }),
      { numRuns: 300 },
    )
  })
})
