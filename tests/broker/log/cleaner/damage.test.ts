/**
 * A cleaning of a log whose disk has changed what no checksum covers: a batch's base offset, its length. Either the cleaning refuses it, and
 * the log stays as it is, or nobody can tell, and no record that should stay goes.
 */
import { describe, expect, test } from 'vitest'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { MalformedBatchError } from '#broker/protocol/records/batch-read.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { batches, stampCrc } from '#broker/protocol/records/batch.ts'
import { readFile } from '#broker/log/small-files.ts'
import { asClient, inspect, Machine, openLog, startWallMs } from '../harness.ts'
import { clean, compacted, lastValues, readAll } from './harness.ts'

const rounds = 14

/** About three batches in a segment; of some of them a cleaning leaves nothing. */
function filled(machine: Machine): SegmentedLog {
  const log = openLog(machine, { config: { ...compacted, segmentBytes: 600 } })
  log.updateConfig({ ...compacted, segmentBytes: 600 })
  for (let round = 0; round < rounds; round++) {
    const keys = round % 2 === 0 ? [`a${round % 3}`, `b${round}`] : [`a${round % 3}`]
    const records = keys.map(key => ({ key, value: `${round}${'x'.repeat(40)}` }))
    const result = log.appendAsLeader(buildBatch(records, { timestamp: startWallMs }), asClient)
    if (!('appended' in result)) throw new Error(`refused: ${JSON.stringify(result)}`)
  }
  log.setHighWatermark(log.logEndOffset)
  return log
}

/** Every file of the log and what is in it. */
function files(machine: Machine, log: SegmentedLog): Record<string, string | undefined> {
  const disk = inspect(machine)
  return Object.fromEntries(
    disk.list(log.directory).map(({ name }) => [name, readFile(disk, `${log.directory}/${name}`)?.toString('hex')]),
  )
}

/** Of the closed segments: the file and position of each batch. */
function places(machine: Machine, log: SegmentedLog): { readonly path: string; readonly position: number }[] {
  return log.currentSegments
    .slice(0, -1)
    .flatMap(({ path }) =>
      [...batches(readFile(inspect(machine), path)!)].map(({ start }) => ({ path, position: start })),
    )
}

function flip(machine: Machine, { path, position }: { path: string; position: number }, bit: number): void {
  const file = inspect(machine).open(path, 'write')
  try {
    const at = position + (bit >>> 3)
    const byte = Buffer.alloc(1)
    file.read(byte, at)
    byte[0]! ^= 1 << (bit & 7)
    file.write([byte], at)
  } finally {
    file.close()
  }
}

/** Base offset and length. */
const bits = Array.from({ length: 96 }, (_, bit) => bit)

describe('a bit that flipped in a base offset or a length', () => {
  test('ends the cleaning of a log without gaps, which stays as it is', () => {
    const machine = new Machine()
    const log = filled(machine)
    for (const place of places(machine, log)) {
      for (const bit of bits) {
        flip(machine, place, bit)
        const before = files(machine, log)
        expect(() => clean(machine, log), `${place.path} ${place.position} bit ${bit}`).toThrow(MalformedBatchError)
        expect(files(machine, log)).toEqual(before)
        flip(machine, place, bit)
      }
    }
    const before = lastValues(readAll(log))
    clean(machine, log)
    expect(lastValues(readAll(log))).toEqual(before)
  })

  test('costs no newest record of a key in a log with gaps, where a moved batch may pass for one in its place', () => {
    let passed = 0
    const cleaned = (): { machine: Machine; log: SegmentedLog } => {
      const machine = new Machine()
      const log = filled(machine)
      clean(machine, log)
      return { machine, log }
    }
    let { machine, log } = cleaned()
    const expected = lastValues(readAll(log))
    for (const place of places(machine, log)) {
      for (const bit of bits) {
        flip(machine, place, bit)
        const before = files(machine, log)
        try {
          clean(machine, log)
        } catch (error) {
          if (!(error instanceof MalformedBatchError)) throw error
          expect(files(machine, log)).toEqual(before)
          flip(machine, place, bit)
          continue
        }
        passed++
        expect(lastValues(readAll(log)), `${place.path} ${place.position} bit ${bit}`).toEqual(expected)
        ;({ machine, log } = cleaned())
      }
    }
    expect(passed).toBeGreaterThan(0)
  })

  test('a record that says an offset beyond its batch ends the cleaning, too', () => {
    const machine = new Machine()
    const log = filled(machine)
    const before = files(machine, log)
    const [first] = [...batches(readFile(inspect(machine), log.currentSegments[1]!.path)!)]
    // The second record of two: its offset delta is the fourth byte of it, after size, attributes and timestamp delta.
    const bytes = Buffer.from(first!.bytes)
    const at = bytes.lastIndexOf(Buffer.from([2 << 1, ...Buffer.from('b')])) - 1
    expect(bytes[at]).toBe(1 << 1)
    bytes[at] = 60 << 1
    const file = inspect(machine).open(log.currentSegments[1]!.path, 'write')
    stampCrc(bytes, 0)
    file.write([bytes], 0)
    file.close()
    expect(() => clean(machine, log)).toThrow('offset delta 60')
    expect(Object.keys(files(machine, log))).toEqual(Object.keys(before))
  })
})
