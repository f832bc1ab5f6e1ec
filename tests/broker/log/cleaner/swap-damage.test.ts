/**
 * A stop in the middle of a swap of segments, and damage in the `.swap` file: no segment that the swap does not replace is removed, and of
 * what it replaces no newest record goes without anybody being told.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readSwap } from '#broker/log/cleaner/swap-evidence.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { DamagedBatchError } from '#broker/log/read-check.ts'
import { readFile } from '#broker/log/small-files.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { batches } from '#broker/protocol/records/batch.ts'
import { readRecords } from '#broker/protocol/records/batch-read.ts'
import { asClient, Crash, inspect, logDirectory, Machine, openLog, startWallMs } from '../harness.ts'
import { clean, compacted, seen, type SeenRecord } from './harness.ts'

const config = { ...compacted, segmentBytes: 600 }
const rounds = 24

interface Scene {
  readonly machine: Machine
  readonly written: SeenRecord[]
  readonly swapPath: string
  readonly swapBase: number
  readonly swapEnd: number
}

/** The process ends after `changes` changes of a cleaning; undefined when no `.log.swap` was there then. */
function interrupted(changes: number, withPower: boolean): Scene | undefined {
  const machine = new Machine()
  inspect(machine).makeDirectory('/data')
  inspect(machine).syncDirectory('/')
  const log = openLog(machine, { config })
  inspect(machine).syncDirectory('/data')
  log.updateConfig(config)
  const written: SeenRecord[] = []
  for (let round = 0; round < rounds; round++) {
    const keys = round % 2 === 0 ? [`a${round % 3}`, `b${round}`] : [`a${round % 3}`]
    const records = keys.map(key => ({ key, value: `${round}${'x'.repeat(40)}` }))
    for (const { key, value } of records)
      written.push({ offset: written.length, key, value, timestamp: startWallMs + round })
    const result = log.appendAsLeader(buildBatch(records, { timestamp: startWallMs + round }), asClient)
    if (!('appended' in result)) throw new Error(`refused: ${JSON.stringify(result)}`)
  }
  log.setHighWatermark(log.logEndOffset)
  log.flush()
  machine.turn()
  machine.crashAfterChange = machine.changes + changes
  try {
    clean(machine, log, { mapBytes: 1024 })
    return undefined
  } catch (error) {
    if (!(error instanceof Crash)) throw error
  }
  if (withPower) machine.powerFailure(changes)
  else machine.kill()
  const disk = inspect(machine)
  const name = disk.list(logDirectory).find(each => each.name.endsWith('.log.swap'))?.name
  if (name === undefined) return undefined
  const swapPath = `${logDirectory}/${name}`
  const swapBase = Number(name.slice(0, 20))
  const { isSound, endOffset } = readSwap(disk, swapPath, swapBase)
  expect(isSound).toBe(true)
  return { machine, written, swapPath, swapBase, swapEnd: endOffset }
}

/** Record by record, over what is damaged. */
function readable(log: SegmentedLog): { readonly records: Map<number, SeenRecord>; readonly isTold: boolean } {
  const records = new Map<number, SeenRecord>()
  let isTold = false
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    try {
      const result = log.read(offset, { maxBytes: 1, untilOffset: Infinity, atLeastOneBatch: true })
      if ('refused' in result || result.nextOffset <= offset) throw new Error(`nothing to read at ${offset}`)
      for (const batch of batches(result.records))
        for (const record of readRecords(batch)) records.set(record.offset, seen(record))
      offset = result.nextOffset
    } catch (error) {
      if (!(error instanceof DamagedBatchError)) throw error
      isTold = true
      offset++
    }
  }
  return { records, isTold }
}

/** `isMoved`: a batch of the swap may say another base offset, and no checksum tells. */
function check({ machine, written, swapBase, swapEnd }: Scene, where: string, isMoved = false): void {
  const log = openLog(machine, { config, recoveryPoint: written.length })
  const names = inspect(machine).list(log.directory)
  expect([where, names.filter(({ name }) => /cleaned|swap/.test(name))]).toEqual([where, []])
  expect([where, log.logEndOffset]).toEqual([where, written.length])
  const { records, isTold } = readable(log)
  const newest = new Map(written.map(({ key, offset }) => [key, offset]))
  const lost = written.filter(record => newest.get(record.key) === record.offset && !records.has(record.offset))
  const isReplaced = ({ offset }: SeenRecord): boolean => offset >= swapBase && offset < swapEnd
  expect([where, lost.filter(record => !isReplaced(record))]).toEqual([where, []])
  for (const [offset, record] of records)
    if (!isMoved || !isReplaced(record)) expect([where, record]).toEqual([where, written[offset]])
  const isSaid = isMoved || isTold || machine.logged.some(({ message }) => /damaged|lacks offsets/.test(message))
  if (lost.length > 0) expect([where, isSaid]).toEqual([where, true])
}

/** Numbers of changes after which a `.log.swap` is there. */
const moments = Array.from({ length: 400 }, (_, changes) => changes).filter(
  changes => interrupted(changes, false) !== undefined,
)

describe(`a stop at each of the ${moments.length} changes of the disk during swaps`, () => {
  test.each([false, true])('loses no newest record (with the power: %s)', withPower => {
    expect(moments.length).toBeGreaterThan(10)
    let swaps = 0
    for (const changes of moments) {
      const scene = interrupted(changes, withPower)
      if (scene === undefined) continue
      swaps++
      check(scene, `after ${changes} changes`)
      expect(scene.machine.lines.filter(line => line.includes('cleaned segment'))).toEqual([])
    }
    expect(swaps).toBeGreaterThan(5)
  })

  test('and a bit that flipped anywhere in the swap removes no segment that the swap does not replace', () => {
    let given = 0
    fc.assert(
      fc.property(fc.constantFrom(...moments), fc.boolean(), fc.nat(), fc.nat(), (changes, isHeader, at, bit) => {
        const scene = interrupted(changes, false)!
        const { machine, swapPath } = scene
        const file = inspect(machine).open(swapPath, 'write')
        const starts = [...batches(readFile(inspect(machine), swapPath)!)].map(({ start }) => start)
        const position = isHeader ? starts[at % starts.length]! + (bit % 12) : at % file.size()
        const byte = Buffer.alloc(1)
        file.read(byte, position)
        byte[0]! ^= 1 << (bit % 8)
        file.write([byte], position)
        file.close()
        const isMoved = starts.some(start => position >= start && position < start + 8)
        check(scene, `after ${changes} changes, byte ${position} bit ${bit % 8}`, isMoved)
        if (machine.lines.some(line => line.includes('given up'))) given++
      }),
      { numRuns: 700 },
    )
    expect(given).toBeGreaterThan(10)
  })
})

test('a damaged swap is given up also where a segment behind what it replaces is damaged', () => {
  let given = 0
  for (const changes of moments) {
    const scene = interrupted(changes, false)!
    const { machine, swapPath, swapBase, swapEnd } = scene
    const disk = inspect(machine)
    const bases = disk
      .list(logDirectory)
      .flatMap(({ name }) => (/^\d{20}\.log$/.test(name) ? Number(name.slice(0, 20)) : []))
    const behind = bases.filter(base => base >= swapEnd).sort((a, b) => a - b)
    const starts = [...batches(readFile(disk, swapPath)!)].map(({ start }) => start)
    // With the first segment there, some batches of the swap, and one behind that is not the active one.
    if (!bases.includes(swapBase) || starts.length < 2 || behind.length < 2) continue
    const overwrite = (path: string, position: number, bytes: Buffer): void => {
      const file = disk.open(path, 'write')
      file.write([bytes], position)
      file.close()
    }
    overwrite(swapPath, starts[0]! + 61, Buffer.from([0xee]))
    const damaged = `${logDirectory}/${String(behind[0]).padStart(20, '0')}.log`
    overwrite(damaged, 8, Buffer.from([0x7f]))
    const log = openLog(machine, { config, recoveryPoint: scene.written.length })
    expect(machine.lines.filter(line => line.includes('it is given up'))).toHaveLength(1)
    expect(log.logEndOffset).toBe(scene.written.length)
    given++
  }
  expect(given).toBeGreaterThan(2)
})

test('the base offset of the last batch that says the base of a later segment removes nothing either', () => {
  for (const changes of moments) {
    const first = interrupted(changes, false)!
    const bases = inspect(first.machine)
      .list(logDirectory)
      .flatMap(({ name }) => (/^\d{20}\.log$/.test(name) ? Number(name.slice(0, 20)) : []))
      .filter(base => base > first.swapEnd)
    for (const base of bases) {
      const scene = interrupted(changes, false)!
      const disk = inspect(scene.machine)
      const last = [...batches(readFile(disk, scene.swapPath)!)].at(-1)!
      const file = disk.open(scene.swapPath, 'write')
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64BE(BigInt(base - 1 - last.lastOffsetDelta))
      file.write([bytes], last.start)
      file.close()
      check(scene, `after ${changes} changes, the last batch ends at ${base}`, true)
    }
  }
})
