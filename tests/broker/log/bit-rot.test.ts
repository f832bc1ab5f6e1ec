/**
 * Bytes that a disk has damaged in the middle of a log: whoever reads cold data is given nothing of them, and everything before and after.
 */
import { describe, expect, test } from 'vitest'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { makeDurableDirectory } from '#broker/log/small-files.ts'
import { DamagedBatchError } from '#broker/log/read-check.ts'
import { batchBytes } from '#broker/protocol/records/batch.ts'
import { allRecords } from '#broker/protocol/records/batch-read.ts'
import { copyNext } from '#broker/replication/log-copy.ts'
import { asClient, batchOf, defaultConfig, inspect, logDirectory, Machine, openLog, startWallMs } from './harness.ts'

const config = { ...defaultConfig, segmentBytes: 2000, indexIntervalBytes: 300 }
const count = 60

function filled(): { machine: Machine; log: SegmentedLog } {
  const machine = new Machine()
  makeDurableDirectory(machine.environment().disk, '/data')
  const log = openLog(machine, { config })
  for (let index = 0; index < count; index++)
    log.appendAsLeader(batchOf([`v${index}`, 'second'], { timestamp: startWallMs + index }), asClient)
  return { machine, log }
}

/** Everything that can be read, batch by batch; 'damaged' for a batch that cannot, which is stepped over an offset at a time. */
function readAll(log: SegmentedLog): string[] {
  const found: string[] = []
  for (let offset = 0; offset < log.logEndOffset;) {
    try {
      const result = log.read(offset, { maxBytes: 500, untilOffset: log.logEndOffset, atLeastOneBatch: true })
      if ('refused' in result || result.nextOffset === offset) throw new Error(`nothing at ${offset}`)
      for (const record of allRecords(result.records)) if (record.offset >= offset) found.push(record.value!.toString())
      offset = result.nextOffset
    } catch (error) {
      if (!(error instanceof DamagedBatchError)) throw error
      expect(error.damage.offset).toBe(offset)
      found.push('damaged')
      offset++
    }
  }
  return found
}

/** Position of a batch in the file that holds it. */
function place(machine: Machine, batch: number): { path: string; position: number; size: number } {
  const disk = inspect(machine)
  let left = batch
  for (const { name } of disk.list(logDirectory).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!name.endsWith('.log')) continue
    const path = `${logDirectory}/${name}`
    const file = disk.open(path, 'read')
    const bytes = Buffer.alloc(file.size())
    file.read(bytes, 0)
    for (let at = 0; at < bytes.length; at += batchBytes(bytes, at))
      if (left-- === 0) return { path, position: at, size: batchBytes(bytes, at) }
  }
  throw new Error('no such batch')
}

function flip(machine: Machine, batch: number, at: number, mask = 0x10): void {
  const { path, position } = place(machine, batch)
  const file = inspect(machine).open(path, 'write')
  const byte = Buffer.alloc(1)
  file.read(byte, position + at)
  byte[0] = byte[0]! ^ mask
  file.write([byte], position + at)
}

const expected = Array.from({ length: count }, (_, index) => [`v${index}`, 'second']).flat()

describe('a batch that its disk has damaged', () => {
  test('is forgotten when the log is cut below it and grows again', () => {
    const { machine, log } = filled()
    flip(machine, 5, 70)
    expect(readAll(log)).toContain('damaged')
    log.truncateTo(0)
    expect(log.damage).toEqual([])
    for (let index = 0; index < count; index++)
      log.appendAsLeader(batchOf([`v${index}`, 'second'], { timestamp: startWallMs + index }), asClient)
    expect(readAll(log)).toEqual(expected)
  })

  test.each([
    ['in a closed segment of a running process', false, 5],
    ['in a closed segment', true, 5],
    ['in the segment that is active after a clean stop', true, count - 2],
  ])('%s is not served; what is before and after it is', (_where, restarts, batch) => {
    const { machine, log } = filled()
    log.close()
    if (!restarts) machine.kill()
    const running = restarts ? undefined : openLog(machine, { config, cleanShutdown: true })
    flip(machine, batch, 80)
    const read = running ?? openLog(machine, { config, cleanShutdown: true })
    const values = readAll(read)
    expect(values.filter(value => value === 'damaged')).toHaveLength(2)
    expect(values.filter(value => value !== 'damaged')).toEqual([
      ...expected.slice(0, batch * 2),
      ...expected.slice(batch * 2 + 2),
    ])
    expect(read.damage).toMatchObject([
      { offset: batch * 2, problem: expect.stringContaining('CRC') },
      { offset: batch * 2 + 1 },
    ])
    const said = machine.logged.filter(({ message }) => message.startsWith('A batch is damaged'))
    expect(said[0]?.fields).toMatchObject({
      segment: place(machine, batch).path,
      position: place(machine, batch).position,
    })
    // Said once for each offset, however often it is asked for.
    readAll(read)
    expect(machine.logged.filter(({ message }) => message.startsWith('A batch is damaged'))).toHaveLength(said.length)
    expect(read.failedWith).toBeUndefined()
  })

  test('whatever byte of it is flipped, no wrong record is ever served', () => {
    const batch = 7
    const { size } = place(filled().machine, batch)
    let noticed = 0
    for (let at = 0; at < size; at++) {
      for (const mask of [0x01, 0x80]) {
        const { machine, log } = filled()
        log.close()
        flip(machine, batch, at, mask)
        const reopened = openLog(machine, { config, cleanShutdown: true })
        const values = readAll(reopened)
        // In order, each once, and only batches near the damage are missing.
        const good = values.filter(value => value !== 'damaged')
        let from = 0
        for (const value of good) {
          const index = expected.indexOf(value, from)
          expect([at, value, index >= 0]).toEqual([at, value, true])
          from = index + 1
        }
        if (good.length < values.length) noticed++
        expect([at, expected.length - good.length <= 12]).toEqual([at, true])
      }
    }
    // The leader epoch is in no checksum: of its four bytes nobody can tell.
    expect(noticed).toBe(2 * (size - 4))
  })

  test('below the recovery point it stays where it is when a log is recovered: what follows it is not cut', () => {
    const { machine, log } = filled()
    log.flush()
    machine.kill()
    for (const batch of [count - 1, count - 2, count - 3]) {
      flip(machine, batch, 80)
      const reopened = openLog(machine, { config, recoveryPoint: count * 2 })
      expect(reopened.logEndOffset).toBe(count * 2)
      const values = readAll(reopened)
      expect(values.filter(value => value !== 'damaged')).toEqual([
        ...expected.slice(0, batch * 2),
        ...expected.slice(batch * 2 + 2),
      ])
      expect(machine.lines).toContain('A batch below the recovery point is damaged; it stays, and is not served.')
      machine.kill()
      flip(machine, batch, 80)
    }
    // Above it, nobody was promised anything: the log ends before it.
    flip(machine, count - 3, 80)
    expect(openLog(machine, { config, recoveryPoint: 2 }).logEndOffset).toBe((count - 3) * 2)
  })

  test('is not copied: a move, or a follower that is handed it, refuses it', () => {
    const { machine, log } = filled()
    log.close()
    flip(machine, 3, 80)
    const source = openLog(machine, { config, cleanShutdown: true })
    const target = new Machine()
    makeDurableDirectory(target.environment().disk, '/data')
    const copy = openLog(target, { config })
    expect(() => {
      for (;;) copyNext(source, copy, 500)
    }).toThrow(DamagedBatchError)
    expect(copy.logEndOffset).toBe(6)
    const { path, position, size } = place(machine, 3)
    const bytes = Buffer.alloc(size)
    inspect(machine).open(path, 'read').read(bytes, position)
    expect(() => copy.appendAsFollower(bytes)).toThrow(/CRC/)
  })
})

test('damage at very many places is not searched again and again, and what is below the log start takes no room from what is told', () => {
  const machine = new Machine()
  makeDurableDirectory(machine.environment().disk, '/data')
  // A batch a segment: behind damage in it there is nothing.
  const single = { ...config, segmentBytes: 100 }
  const log = openLog(machine, { config: single })
  for (let index = 0; index < 140; index++) log.appendAsLeader(batchOf(['x'.repeat(8)]), asClient)
  for (const { path } of log.currentSegments)
    inspect(machine)
      .open(path, 'write')
      .write([Buffer.from([0xee])], 66)
  expect(log.segmentOffsets).toHaveLength(140)
  log.close()
  const again = openLog(machine, { config: single, cleanShutdown: true, recoveryPoint: 140 })
  /** Disk calls of a read. */
  const read = (offset: number): number => {
    const before = machine.calls
    const options = { maxBytes: 500, untilOffset: Infinity, atLeastOneBatch: true }
    expect(() => again.read(offset, options)).toThrow(DamagedBatchError)
    return machine.calls - before
  }
  for (let offset = 0; offset < 110; offset++) read(offset)
  expect(again.damage).toHaveLength(100)
  const settles = (offset: number): void => {
    const calls = [1, 2, 3, 4, 5].map(() => read(offset))
    expect(calls[3]).toBeLessThan(calls[1]!)
    expect(calls[4]).toBe(calls[3])
  }
  settles(115)
  again.advanceLogStart(120)
  for (let offset = 120; offset < 130; offset++) settles(offset)
  expect(again.damage.map(({ offset }) => offset)).toEqual([120, 121, 122, 123, 124, 125, 126, 127, 128, 129])
})
