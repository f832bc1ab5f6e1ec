/**
 * Damage that passes: a bit that flips on the way from the disk is there in one read and not in the next. And damage that stays, as look-ups by
 * time, the state of producers and a truncation meet it.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bitFlip } from '#broker/environment/faulty/bit-flip.ts'
import { FaultPlan } from '#broker/environment/faulty/fault-plan.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { DamagedBatchError } from '#broker/log/read-check.ts'
import { CorruptRecordsError } from '#broker/log/replicated-batches.ts'
import { makeDurableDirectory, readFile } from '#broker/log/small-files.ts'
import { batches } from '#broker/protocol/records/batch.ts'
import { allRecords } from '#broker/protocol/records/batch-read.ts'
import { Prng } from '#simulator/world/prng.ts'
import { asClient, batchOf, defaultConfig, inspect, Machine, openLog, startWallMs } from './harness.ts'

const config = { ...defaultConfig, segmentBytes: 2000, indexIntervalBytes: 300 }
const count = 60
const expected = Array.from({ length: count }, (_, index) => `v${index}`)

/** One record a batch, a millisecond apart, each of a producer of its own. */
function filled(batchCount = count): { machine: Machine; log: SegmentedLog } {
  const machine = new Machine()
  makeDurableDirectory(machine.environment().disk, '/data')
  const log = openLog(machine, { config })
  for (let index = 0; index < batchCount; index++)
    log.appendAsLeader(
      batchOf([`v${index}`], {
        timestamp: startWallMs + index,
        producerId: BigInt(1000 + index),
        producerEpoch: 0,
        baseSequence: 0,
      }),
      asClient,
    )
  return { machine, log }
}

/** Values of the records that are served; `undefined` for an offset that is refused. */
function readAll(log: SegmentedLog): (string | undefined)[] {
  const found: (string | undefined)[] = []
  let empty = 0
  for (let offset = 0; offset < log.logEndOffset;) {
    try {
      const result = log.read(offset, { maxBytes: 500, untilOffset: log.logEndOffset, atLeastOneBatch: true })
      if ('refused' in result) throw new Error(`refused at ${offset}`)
      // A flipped length or offset may hide a batch from one read: readers ask again.
      if (result.nextOffset === offset && ++empty > 100) throw new Error(`nothing at ${offset}`)
      for (const record of allRecords(result.records)) if (record.offset >= offset) found.push(record.value!.toString())
      offset = result.nextOffset
    } catch (error) {
      if (!(error instanceof DamagedBatchError)) throw error
      found.push(undefined)
      offset++
    }
  }
  return found
}

function reopened({ machine, log }: { machine: Machine; log: SegmentedLog }): SegmentedLog {
  log.close()
  return openLog(machine, { config, cleanShutdown: true })
}

/** The batches of the closed segment at `slot`: its path and their positions. */
function placesIn(
  machine: Machine,
  log: SegmentedLog,
  slot: number,
): { path: string; starts: number[]; offsets: number[] } {
  const { path } = log.currentSegments[slot]!
  const found = [...batches(readFile(inspect(machine), path)!)]
  return { path, starts: found.map(({ start }) => start), offsets: found.map(({ baseOffset }) => baseOffset) }
}

function overwrite(machine: Machine, path: string, position: number, bytes: Buffer): void {
  const file = inspect(machine).open(path, 'write')
  file.write([bytes], position)
  file.close()
}

describe('a bit that flips on its way from the disk', () => {
  test('once, costs nothing: what is damaged is read again', () => {
    for (let nth = 1; nth <= 12; nth++) {
      const scene = filled()
      const log = reopened(scene)
      scene.machine.faults.add(bitFlip({ on: 'read', path: /\.log$/, nth }))
      expect(readAll(log)).toEqual(expected)
      expect(log.damage).toEqual([])
      expect(log.currentSegments.flatMap(({ damaged }) => damaged)).toEqual([])
    }
  })

  test('in every read, is told, and forgotten when the disk is good again', () => {
    const scene = filled()
    const log = reopened(scene)
    const id = scene.machine.faults.add(bitFlip({ on: 'read', path: /\.log$/, oneIn: 1 }))
    const during = readAll(log)
    expect(during).toContain(undefined)
    expect(log.damage).not.toEqual([])
    scene.machine.faults.heal(id)
    expect(readAll(log)).toEqual(expected)
    expect(log.damage).toEqual([])
    expect(readAll(log)).toEqual(expected)
  })

  test('now and then, never makes a wrong record of a right one, and nothing of it stays', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 8, max: count }),
        (seed, oneIn, batchCount) => {
          const scene = filled(batchCount)
          const log = reopened(scene)
          const wanted = expected.slice(0, batchCount)
          const plan = new FaultPlan(new Prng(seed))
          const flip = bitFlip({ on: 'read', path: /\.log$/, oneIn })
          const id = scene.machine.faults.add({
            ...flip,
            changeRead: (call, bytes, effects) => flip.changeRead?.(call, bytes, { ...effects, random: plan.random }),
          })
          for (let round = 0; round < 2; round++) {
            let from = 0
            for (const value of readAll(log)) {
              if (value === undefined) continue
              const index = wanted.indexOf(value, from)
              // A base offset or an epoch has no checksum: such a record may come at another place, never with another value.
              expect(wanted).toContain(value)
              from = Math.max(from, index + 1)
            }
          }
          scene.machine.faults.heal(id)
          expect(readAll(log)).toEqual(wanted)
          expect(log.damage).toEqual([])
        },
      ),
      { numRuns: 400 },
    )
  })
})

describe('damage that was suspected', () => {
  const read = (log: SegmentedLog, offset: number) =>
    log.read(offset, { maxBytes: 1, untilOffset: log.logEndOffset, atLeastOneBatch: true })
  /** Some bits have no checksum, and some flips are not there in the next read. */
  function untilDamaged(log: SegmentedLog, offset: number): void {
    while (log.damage.length === 0) {
      try {
        read(log, offset)
      } catch (error) {
        if (!(error instanceof DamagedBatchError)) throw error
      }
    }
  }

  test('of a batch is forgotten when it is read well, whichever of its records is asked for', () => {
    const machine = new Machine()
    makeDurableDirectory(machine.environment().disk, '/data')
    const log = openLog(machine, { config })
    for (let index = 0; index < count; index++) log.appendAsLeader(batchOf(['a', 'b', 'c']), asClient)
    const again = reopened({ machine, log })
    for (const [asked, askedNext] of [
      [30, 32],
      [31, 30],
      [32, 31],
    ] as const) {
      const id = machine.faults.add(bitFlip({ on: 'read', path: /\.log$/, oneIn: 1 }))
      untilDamaged(again, asked)
      machine.faults.heal(id)
      expect(again.damage).toHaveLength(1)
      read(again, askedNext)
      expect(again.damage).toEqual([])
    }
  })

  test('whose end could not be found for passing damage does not hide what is behind real damage later', () => {
    for (let damaged = 1; damaged < 12; damaged++) {
      const scene = filled()
      const { machine } = scene
      const log = reopened(scene)
      const { path, starts, offsets } = placesIn(machine, log, 1)
      // A reader that goes on where it was needs no look-up.
      read(log, offsets[damaged - 1]!)
      const id = machine.faults.add({
        kind: 'bit-flip',
        summary: 'nothing is read as it is',
        changeRead: (call, bytes) => void (call.path.endsWith('.log') && bytes.fill(0xff)),
      })
      untilDamaged(log, offsets[damaged]!)
      machine.faults.heal(id)
      overwrite(machine, path, starts[damaged]!, Buffer.alloc(61))
      expect(() => read(log, offsets[damaged]!)).toThrow(DamagedBatchError)
      expect(log.currentSegments[1]!.damaged).toMatchObject([{ from: starts[damaged], to: starts[damaged + 1] }])
      expect(read(log, offsets[damaged + 1]!)).toMatchObject({ baseOffset: offsets[damaged + 1] })
    }
  })

  test('is looked into a few times, and not at each read', () => {
    const scene = filled()
    const { machine } = scene
    const log = reopened(scene)
    const { path, starts, offsets } = placesIn(machine, log, 1)
    const size = readFile(inspect(machine), path)!.length
    overwrite(machine, path, starts[2]!, Buffer.alloc(size - starts[2]!))
    let bytesRead = 0
    machine.faults.add({
      kind: 'bit-flip',
      summary: 'none, but reads are counted',
      changeRead: (_, bytes) => void (bytesRead += bytes.length),
    })
    const costs = Array.from({ length: 10 }, () => {
      bytesRead = 0
      expect(() => read(log, offsets[2]!)).toThrow(DamagedBatchError)
      return bytesRead
    })
    expect(costs[0]).toBeGreaterThan(size - starts[2]!)
    for (const cost of costs.slice(3)) expect(cost).toBeLessThan(costs[0]! / 2)
  })
})

describe('a look-up by time', () => {
  test('whose first record is right behind damage answers the damage, which may have held it', () => {
    const scene = filled()
    const { machine } = scene
    const log = reopened(scene)
    const { path, starts, offsets } = placesIn(machine, log, 1)
    for (const damagedBatch of [2, 5, starts.length - 1]) {
      const position = starts[damagedBatch]!
      const header = readFile(inspect(machine), path)!.subarray(position, position + 61)
      overwrite(machine, path, position, Buffer.alloc(61))
      const again = openLog(machine, { config, cleanShutdown: true })
      const offset = offsets[damagedBatch]!
      const found = (at: number) => again.findByTimestamp(startWallMs + at, again.logEndOffset)?.offset
      // Unless somebody has looked there nothing is known of it.
      expect(found(offset + 1)).toBe(offset)
      expect(found(offset)).toBe(offset)
      expect(found(offset - 1)).toBe(offset - 1)
      expect(found(offset + 2)).toBe(offset + 2)
      expect(() => again.read(offset, { maxBytes: 100, untilOffset: Infinity, atLeastOneBatch: true })).toThrow(
        DamagedBatchError,
      )
      machine.kill()
      overwrite(machine, path, position, header)
    }
  })
})

test('a look-up by time answers the leader epoch that the log knows, whatever a damaged batch says: its checksum does not cover that', () => {
  const scene = filled()
  const { machine } = scene
  const log = reopened(scene)
  const { path, starts, offsets } = placesIn(machine, log, 1)
  log.close()
  // A bit of the leader epoch of a batch that begins no epoch, and is not the last.
  overwrite(machine, path, starts[3]! + 13, Buffer.from([1]))
  const newest = placesIn(machine, log, log.currentSegments.length - 1)
  const again = openLog(machine, { config, cleanShutdown: true })
  const offset = offsets[3]!
  const timestamp = startWallMs + offset
  expect(again.findByTimestamp(timestamp, Infinity)).toEqual({ offset, timestamp, leaderEpoch: 0 })
  overwrite(machine, newest.path, newest.starts.at(-1)! + 13, Buffer.from([1]))
  expect(again.findMaxTimestamp()).toEqual({ offset: count - 1, timestamp: startWallMs + count - 1, leaderEpoch: 0 })
})

describe('the record with the largest timestamp', () => {
  /** What is damaged of a batch: where, by which bytes. */
  const damages: [string, number, Buffer][] = [
    ['the largest timestamp of a batch', 35, Buffer.from([0x00, 0x7f])],
    ['the first timestamp of a batch', 27, Buffer.from([0x00, 0x7f])],
    ['the first offset of a batch', 6, Buffer.from([0x7f])],
    ['a record', 66, Buffer.from([0xee])],
  ]

  test.each(damages)('is none whose batch is damaged: %s', (_, at, bytes) => {
    // Of the last batch nobody can tell whether its first offset is wrong.
    for (const back of at === 6 ? [2, 7] : [1, 2, 7]) {
      const scene = filled()
      const { machine } = scene
      const running = reopened(scene)
      const slot = running.currentSegments.length - 1
      const { path, starts, offsets } = placesIn(machine, running, slot)
      running.close()
      overwrite(machine, path, starts.at(-back)! + at, bytes)
      const log = openLog(machine, { config, cleanShutdown: true })
      const largest = back === 1 ? count - 2 : count - 1
      expect(log.findMaxTimestamp()).toMatchObject({ offset: largest, timestamp: startWallMs + largest })
      if (back === 1) continue
      // By its timestamp the damaged one may be what is looked for: who starts there is told.
      const damaged = offsets.at(-back)!
      const found = log.findByTimestamp(startWallMs + damaged, log.logEndOffset)!
      expect(found.offset).toBe(damaged)
      expect(() => log.read(damaged, { maxBytes: 1, untilOffset: Infinity, atLeastOneBatch: true })).toThrow(
        DamagedBatchError,
      )
    }
  })

  test('is the right one when what is read of it is damaged once', () => {
    for (let nth = 1; nth <= 8; nth++) {
      const scene = filled()
      const log = reopened(scene)
      scene.machine.faults.add(bitFlip({ on: 'read', path: /\.log$/, nth }))
      const found = log.findMaxTimestamp()
      expect(found).toMatchObject({ offset: count - 1, timestamp: startWallMs + count - 1 })
    }
  })
})

describe('the newest record of a log whose batches are all damaged', () => {
  /** Disk calls of a look-up, and what it says. */
  function lookUp(batchCount: number, sound: readonly number[] = []): { calls: number; found: number | string } {
    const scene = filled(batchCount)
    const { machine } = scene
    const running = reopened(scene)
    const places = running.currentSegments.map((_, slot) => placesIn(machine, running, slot))
    running.close()
    for (const { path, starts, offsets } of places)
      for (const [index, start] of starts.entries())
        if (!sound.includes(offsets[index]!)) overwrite(machine, path, start + 66, Buffer.from([0xee]))
    const log = openLog(machine, { config, cleanShutdown: true })
    // Opens the indexes.
    for (const segment of log.currentSegments) segment.largestTimestamp()
    const before = machine.calls
    try {
      const found = log.findMaxTimestamp()?.offset ?? 'none'
      return { calls: machine.calls - before, found }
    } catch (error) {
      if (!(error instanceof CorruptRecordsError)) throw error
      return { calls: machine.calls - before, found: error.message }
    }
  }

  test('is looked for in time that grows with the log, and not with its square', () => {
    const [few, many] = [50, 200].map(batchCount => lookUp(batchCount))
    expect([few!.found, many!.found]).toEqual(['none', 'none'])
    expect(many!.calls).toBeLessThan(few!.calls * 5)
  })

  test('is given up when very many are damaged, with an error', () => {
    const [many, more] = [300, 600].map(batchCount => lookUp(batchCount))
    expect([many!.found, more!.found]).toEqual(Array(2).fill('the 256 batches with the largest timestamps are damaged'))
    // Of the others only the headers are read.
    expect(more!.calls - many!.calls).toBeLessThan(300)
    // As far as it is among those that are looked at, it is found.
    expect(lookUp(300, [0, 50, 60]).found).toBe(60)
  })
})

test('producers behind damage that breaks the chain of headers are known, and the damage is told', () => {
  const scene = filled()
  const { machine } = scene
  const log = reopened(scene)
  const { path, starts, offsets } = placesIn(machine, log, 1)
  machine.kill()
  // Without snapshots all of the log is read.
  const disk = inspect(machine)
  for (const { name } of disk.list(log.directory))
    if (name.endsWith('.snapshot')) disk.remove(`${log.directory}/${name}`)
  overwrite(machine, path, starts[2]!, Buffer.alloc(61))
  const again = openLog(machine, { config, cleanShutdown: true })
  const ids = new Set(again.producers().map(({ producerId }) => Number(producerId) - 1000))
  expect([...Array(count).keys()].filter(index => !ids.has(index))).toEqual([offsets[2]])
  expect(
    machine.logged.find(({ message }) => message.startsWith('What producers wrote in damaged'))?.fields,
  ).toMatchObject({
    offset: offsets[2],
    nextOffset: offsets[3],
  })
  // A truncation builds the state of producers anew: that is not said again.
  for (let round = 0; round < 3; round++) again.truncateTo(again.logEndOffset - 1)
  expect(machine.lines.filter(line => line.startsWith('What producers wrote in damaged'))).toHaveLength(1)
})

describe('a truncation', () => {
  test('into damage that no batch follows in its segment leaves the log where its last good batch ends', () => {
    const scene = filled()
    const { machine } = scene
    const running = reopened(scene)
    const { path, starts, offsets } = placesIn(machine, running, running.currentSegments.length - 1)
    expect(starts.length).toBeGreaterThan(3)
    const from = starts.length - 3
    const size = readFile(inspect(machine), path)!.length
    overwrite(machine, path, starts[from]!, Buffer.alloc(size - starts[from]!, 0xff))
    running.truncateTo(offsets.at(-1)!)
    expect(running.logEndOffset).toBe(offsets[from]!)
    // What is appended next follows what is left, without a hole.
    const end = running.logEndOffset
    running.appendAsLeader(batchOf(['next'], { timestamp: startWallMs }), asClient)
    const values = readAll(running)
    expect(values).toEqual([...expected.slice(0, end), 'next'])
  })
})

test('what a sealed segment holds from the next one’s offset on is not the log’s', () => {
  const scene = filled()
  const { machine, log } = scene
  const { path, starts, offsets } = placesIn(machine, log, log.currentSegments.length - 1)
  expect(starts.length).toBeGreaterThan(3)
  log.flush()
  machine.kill()
  const disk = inspect(machine)
  for (const { name } of disk.list(log.directory))
    if (name.endsWith('.snapshot')) disk.remove(`${log.directory}/${name}`)
  // Damaged up to the recovery point, which is before the last two batches.
  const recoveryPoint = offsets.at(-2)!
  const from = offsets.indexOf(recoveryPoint) - 1
  overwrite(machine, path, starts[from]!, Buffer.alloc(starts[from + 1]! - starts[from]!, 0xff))
  const broken = readFile(disk, path)!
  overwrite(machine, path, starts[from + 1]!, Buffer.alloc(1, 0x7f))
  const recovered = openLog(machine, { config, recoveryPoint })
  expect(recovered.logEndOffset).toBe(recoveryPoint)
  const stale = [...recovered.currentSegments].at(-2)!
  expect(stale.sizeBytes).toBe(broken.length)
  recovered.close()
  // The byte that hid the first of the batches behind is good again: they are found, with offsets of the next segment.
  overwrite(machine, path, starts[from + 1]!, broken.subarray(starts[from + 1], starts[from + 1]! + 1))
  for (const { name } of disk.list(log.directory))
    if (name.endsWith('.snapshot')) disk.remove(`${log.directory}/${name}`)
  const again = openLog(machine, { config, cleanShutdown: true })
  expect(again.logEndOffset).toBe(recoveryPoint)
  const newest = Math.max(...again.producers().map(({ producerId }) => Number(producerId) - 1000))
  expect(newest).toBe(offsets[from - 1])
  expect(again.findByTimestamp(startWallMs + recoveryPoint, Infinity)).toBeUndefined()
  expect(again.findMaxTimestamp()?.offset).toBe(offsets[from - 1])
})
