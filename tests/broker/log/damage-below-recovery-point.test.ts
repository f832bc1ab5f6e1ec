/**
 * A disk that damages what was fsynced, found when a log is recovered: lengths, offsets, epochs, headers, whole pages. What is below the recovery
 * point is never cut, all that is undamaged is served, and the log goes on; what is above it ends where it is torn, as ever.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Disk } from '#broker/environment/environment.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { DamagedBatchError } from '#broker/log/read-check.ts'
import { makeDurableDirectory, readFile } from '#broker/log/small-files.ts'
import { DamagedLogError } from '#broker/log/tail-checker.ts'
import { batchBytes, batchHeaderBytes, lastOffsetOf, readInt64 } from '#broker/protocol/records/batch.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { allRecords } from '#broker/protocol/records/batch-read.ts'
import { Prng } from '#simulator/world/prng.ts'
import { asClient, batchOf, defaultConfig, inspect, logDirectory, Machine, openLog, startWallMs } from './harness.ts'

const config = { ...defaultConfig, segmentBytes: 1500, indexIntervalBytes: 300 }
const count = 30
const perBatch = 2

interface Placed {
  readonly path: string
  readonly position: number
  readonly size: number
  readonly nextOffset: number
}

interface Filled {
  readonly machine: Machine
  readonly places: readonly Placed[]
}

/** Batches of two records; leader epochs rise now and then. */
function filled(batches = count): Filled {
  const machine = new Machine()
  makeDurableDirectory(machine.environment().disk, '/data')
  const log = openLog(machine, { config })
  for (let index = 0; index < batches; index++)
    log.appendAsLeader(batchOf([`v${index}`, 'second'], { timestamp: startWallMs + index }), {
      ...asClient,
      leaderEpoch: 1 + Math.floor(index / 7),
    })
  log.flush()
  log.prepareCheckpoint()
  machine.kill()
  return { machine, places: placesOf(inspect(machine)) }
}

function placesOf(disk: Disk): Placed[] {
  const places: Placed[] = []
  for (const { name } of disk.list(logDirectory).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!name.endsWith('.log')) continue
    const path = `${logDirectory}/${name}`
    const bytes = readFile(disk, path)!
    for (let position = 0; position < bytes.length; position += batchBytes(bytes, position))
      places.push({
        path,
        position,
        size: batchBytes(bytes, position),
        nextOffset: lastOffsetOf(bytes, position) + 1,
      })
  }
  return places
}

const filledPlain = filled()

function copyOf({ machine, places }: Filled): Filled {
  const copy = new Machine()
  const from = inspect(machine)
  const to = inspect(copy)
  to.makeDirectory(logDirectory)
  for (const { name } of from.list(logDirectory)) {
    const file = to.open(`${logDirectory}/${name}`, 'write')
    file.write([readFile(from, `${logDirectory}/${name}`)!], 0)
    file.sync()
  }
  to.syncDirectory(logDirectory)
  return { machine: copy, places }
}

function change(machine: Machine, path: string, position: number, edit: (bytes: Buffer) => void, size: number): void {
  const file = inspect(machine).open(path, 'write')
  const bytes = Buffer.alloc(Math.max(0, Math.min(size, file.size() - position)))
  file.read(bytes, position)
  edit(bytes)
  file.write([bytes], position)
}

/** Offsets of the records that are served, and of those that are refused. Every record is the one that was written there. */
function readAll(log: SegmentedLog): { readonly served: number[]; readonly damaged: number[] } {
  const served: number[] = []
  const damaged: number[] = []
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    try {
      const result = log.read(offset, { maxBytes: 400, untilOffset: log.logEndOffset, atLeastOneBatch: true })
      if ('refused' in result || result.nextOffset === offset) throw new Error(`nothing at ${offset}`)
      for (const record of allRecords(result.records)) {
        if (record.offset < offset) continue
        const wanted = record.offset % perBatch === 0 ? `v${record.offset / perBatch}` : 'second'
        expect([record.offset, record.value!.toString()]).toEqual([record.offset, wanted])
        served.push(record.offset)
      }
      offset = result.nextOffset
    } catch (error) {
      if (!(error instanceof DamagedBatchError)) throw error
      damaged.push(offset)
      offset++
    }
  }
  return { served, damaged }
}

const durableBytes = (machine: Machine, places: readonly Placed[], recoveryPoint: number): Map<string, Buffer> => {
  const held = new Map<string, Buffer>()
  for (const { path, position, size, nextOffset } of places)
    if (nextOffset <= recoveryPoint) held.set(path, readFile(inspect(machine), path)!.subarray(0, position + size))
  return held
}

function offsetsOf(batch: number): number[] {
  return [batch * perBatch, batch * perBatch + 1]
}

/** Opens after a kill, and again after it went on, was killed, and was stopped: the same is there each time. */
function checkRecovered(
  { machine, places }: Filled,
  recoveryPoint: number,
  damagedBatches: readonly number[],
  logEndOffset: number,
): void {
  const before = durableBytes(machine, places, recoveryPoint)
  const lost = damagedBatches.flatMap(offsetsOf)
  const check = (log: SegmentedLog, end: number): readonly number[] => {
    expect(log.logEndOffset).toBe(end)
    const { served, damaged } = readAll(log)
    expect(served).toEqual(Array.from({ length: end }, (_, offset) => offset).filter(each => !lost.includes(each)))
    for (const [path, bytes] of before)
      expect(readFile(inspect(machine), path)!.subarray(0, bytes.length)).toEqual(bytes)
    return damaged
  }
  let log = openLog(machine, { config, recoveryPoint })
  expect(check(log, logEndOffset)).toEqual(lost.filter(each => each < logEndOffset))
  for (let batch = 0; batch * perBatch < logEndOffset; batch++)
    if (!damagedBatches.includes(batch)) expect(log.epochAt(batch * perBatch)).toBe(1 + Math.floor(batch / 7))
  const leaderEpoch = 99
  log.appendAsLeader(batchOf([`v${logEndOffset / perBatch}`, 'second']), { ...asClient, leaderEpoch })
  check(log, logEndOffset + perBatch)
  machine.kill()
  // From here on nobody has to look at the damage, until it is read.
  log = openLog(machine, { config, recoveryPoint })
  check(log, logEndOffset + perBatch)
  log.flush()
  machine.kill()
  log = openLog(machine, { config, recoveryPoint: logEndOffset + perBatch })
  check(log, logEndOffset + perBatch)
  log.close()
  log = openLog(machine, { config, cleanShutdown: true, recoveryPoint: logEndOffset + perBatch })
  check(log, logEndOffset + perBatch)
  machine.kill()
}

const end = count * perBatch

describe('a batch below the recovery point', () => {
  // The fields of a header, from the base offset to the count of records; the CRC covers those from byte 21 on.
  const fields = [
    ['base offset', 0, 8],
    ['length', 8, 4],
    ['magic', 16, 1],
    ['CRC', 17, 4],
    ['last offset delta', 23, 4],
    ['whole header', 0, batchHeaderBytes],
    ['records', batchHeaderBytes, 5],
  ] as const
  const edits = [
    ['zeros', (bytes: Buffer) => void bytes.fill(0)],
    ['ones', (bytes: Buffer) => void bytes.fill(0xff)],
    ['its lowest bit flipped', (bytes: Buffer) => void (bytes[bytes.length - 1]! ^= 1)],
    ['a higher bit flipped', (bytes: Buffer) => void (bytes[bytes.length - 1]! ^= 0x40)],
    ['its highest bit flipped', (bytes: Buffer) => void (bytes[0]! ^= 0x80)],
    ['garbage', (bytes: Buffer) => void new Prng(5).bytes(bytes.length).copy(bytes)],
  ] as const

  test.each(fields)('with a damaged %s stays, and only it is not served', (_name, at, size) => {
    for (const [how, edit] of edits) {
      for (let batch = 0; batch < count; batch++) {
        const state = copyOf(filledPlain)
        const place = state.places[batch]!
        change(state.machine, place.path, place.position + at, edit, size)
        const original = filledPlain.places[batch]!
        const bytes = readFile(inspect(state.machine), place.path)!
        if (bytes.equals(readFile(inspect(filledPlain.machine), original.path)!)) continue
        // The last batch of a log has none behind it that would tell a higher offset from offsets that compaction took.
        const isLast = batch === count - 1 && at === 0 && size === 8
        if (isLast && readInt64(bytes, place.position) > batch * perBatch) continue
        try {
          // Recovery looks at what is right below the recovery point: the batch is the last one, or among the last.
          for (const recoveryPoint of new Set([place.nextOffset, Math.min(end, place.nextOffset + 2)])) {
            const copy = copyOf(state)
            checkRecovered(copy, recoveryPoint, [batch], end)
          }
        } catch (error) {
          throw new Error(`batch ${batch}, ${how}: ${String(error)}`, { cause: error })
        }
      }
    }
  })

  test('of which the leader epoch is damaged is served, and its epoch not believed', () => {
    for (let batch = 0; batch < count - 1; batch++) {
      for (const mask of [0x01, 0x40, 0x80]) {
        const state = copyOf(filledPlain)
        const { path, position, nextOffset } = state.places[batch]!
        change(state.machine, path, position + 12, bytes => void (bytes[0]! ^= mask), 1)
        const log = openLog(state.machine, { config, recoveryPoint: Math.min(end, nextOffset + 2 * perBatch) })
        expect(log.logEndOffset).toBe(end)
        expect(readAll(log).damaged).toEqual([])
        expect([batch, mask, log.latestEpoch]).toEqual([batch, mask, 1 + Math.floor((count - 1) / 7)])
      }
    }
  })
})

const bytesOf = (of: Machine, { path, position, size }: Placed): Buffer =>
  Buffer.from(readFile(inspect(of), path)!.subarray(position, position + size))

function withoutEpoch(bytes: Buffer): Buffer {
  bytes.writeInt32BE(0, 12)
  return bytes
}

/** Batches whose bytes are not what they were; those of which only the leader epoch is another are left out. */
function changedBatches({ machine, places }: Filled): number[] {
  return places.flatMap((place, batch) =>
    withoutEpoch(bytesOf(machine, place)).equals(withoutEpoch(bytesOf(filledPlain.machine, place))) ? [] : [batch],
  )
}

function hasOtherEpoch({ machine, places }: Filled, batch: number): boolean {
  const place = places[batch]!
  return bytesOf(machine, place).readInt32BE(12) !== bytesOf(filledPlain.machine, place).readInt32BE(12)
}

describe('damage of any size', () => {
  test('costs what it covers, and nothing else below the recovery point', () => {
    const run = fc.record({
      first: fc.nat(count - 1),
      bytes: fc.integer({ min: 1, max: 900 }),
      skip: fc.nat(60),
      how: fc.constantFrom('zeros', 'garbage', 'ones'),
      recoveryBatch: fc.nat(count),
      torn: fc.boolean(),
    })
    let kept = 0
    fc.assert(
      fc.property(run, ({ first, bytes, skip, how, recoveryBatch, torn }) => {
        const state = copyOf(filledPlain)
        const { machine, places } = state
        const place = places[first]!
        const from = place.position + skip
        const fill = {
          zeros: Buffer.alloc(bytes),
          ones: Buffer.alloc(bytes, 0xff),
          garbage: new Prng(bytes).bytes(bytes),
        }
        change(machine, place.path, from, target => void fill[how].copy(target), bytes)
        const recoveryPoint = recoveryBatch * perBatch
        const hits = changedBatches(state)
        // Above the recovery point another epoch may be what was written, and what follows it then does not fit.
        const epochs = places.flatMap((_, batch) =>
          hasOtherEpoch(state, batch) && !hits.includes(batch) ? [batch] : [],
        )
        if (epochs.some(batch => batch * perBatch >= recoveryPoint)) return
        // The last write above the recovery point did not end.
        const last = places.at(-1)!
        if (torn && recoveryPoint < end)
          inspect(machine)
            .open(last.path, 'write')
            .truncate(last.position + 20)
        const firstAbove = [...hits, ...(torn ? [count - 1] : [])].find(batch => batch * perBatch >= recoveryPoint)
        // Where damage reaches over the recovery point it ends there; what is above it ends at the first that is not whole.
        const expectedEnd = firstAbove === undefined ? end : firstAbove * perBatch
        const before = durableBytes(machine, places, recoveryPoint)
        const log = openLog(machine, { config, recoveryPoint })
        expect(log.logEndOffset).toBe(expectedEnd)
        const lost = hits.flatMap(offsetsOf)
        const { served } = readAll(log)
        const wanted = Array.from({ length: recoveryPoint }, (_, offset) => offset).filter(each => !lost.includes(each))
        const regions = log.currentSegments.flatMap(segment => segment.damaged)
        const isKnown = (offset: number): boolean =>
          regions.some(each => each.offset <= offset && offset < each.nextOffset)
        for (const offset of served) expect([offset, isKnown(offset)]).toEqual([offset, false])
        for (let offset = 0; offset < recoveryPoint; offset++) if (isKnown(offset)) expect(lost).toContain(offset)
        // A damaged batch that recovery does not look at is found by who reads it; a look-up behind it begins at the next index entry.
        if (lost.every(offset => offset >= recoveryPoint || isKnown(offset)))
          expect(served.filter(each => each < recoveryPoint)).toEqual(wanted)
        for (const [path, held] of before)
          expect(readFile(inspect(machine), path)!.subarray(0, held.length)).toEqual(held)
        if (hits.some(batch => batch * perBatch < recoveryPoint)) kept++
      }),
      {
        numRuns: 400,
        examples: [
          // Ends within the base offset of a batch, which then says that it is the first of the log.
          [{ first: 0, bytes: 893, skip: 45, how: 'zeros', recoveryBatch: 1, torn: false }],
          // Makes a batch look like a marker of a transaction, with a codec that nobody knows.
          [{ first: 0, bytes: 38, skip: 15, how: 'garbage', recoveryBatch: 5, torn: false }],
        ],
      },
    )
    expect(kept).toBeGreaterThan(50)
  })

  test('bytes of a batch within the records of a damaged one are not taken for it', () => {
    const machine = new Machine()
    makeDurableDirectory(machine.environment().disk, '/data')
    const log = openLog(machine, { config: { ...config, segmentBytes: 100_000 } })
    const forged = batchOf(['forged'], { baseOffset: 3, partitionLeaderEpoch: 0 })
    for (let index = 0; index < 8; index++) {
      const value = index === 2 ? Buffer.concat([forged, forged]) : `v${index}`
      log.appendAsLeader(buildBatch([{ key: 'k', value, timestamp: startWallMs }]), asClient)
    }
    log.flush()
    machine.kill()
    const places = placesOf(inspect(machine))
    change(machine, places[2]!.path, places[2]!.position + 8, bytes => void bytes.writeInt32BE(70), 4)
    const reopened = openLog(machine, { config, recoveryPoint: 6 })
    expect(reopened.logEndOffset).toBe(8)
    const result = reopened.read(3, { maxBytes: 1, untilOffset: 8, atLeastOneBatch: true })
    expect('records' in result && [...allRecords(result.records)][0]?.value?.toString()).toBe('v3')
  })

  test('a log that lost the files or the end of segments below the recovery point keeps what comes after', () => {
    const { machine, places } = copyOf(filledPlain)
    const second = places.find(({ path }) => path !== places[0]!.path)!
    const lastOfFirst = places.findLast(({ path }) => path === places[0]!.path)!
    inspect(machine).open(lastOfFirst.path, 'write').truncate(lastOfFirst.position)
    const begins = Number(/(\d+)\.log$/.exec(second.path)![1])
    const log = openLog(machine, { config, recoveryPoint: begins })
    expect(log.logEndOffset).toBe(end)
    expect(machine.lines).toContain('A log lacks offsets that were durable, unless compaction took them.')
  })
})

test('a log that must be whole is not opened with damage below the recovery point, and loses only what is torn above it', () => {
  for (const batch of [0, 4, count - 1]) {
    const { machine, places } = copyOf(filledPlain)
    const { path, position } = places[batch]!
    change(machine, path, position + 8, bytes => void bytes.fill(0), 4)
    const open = (recoveryPoint: number) => openLog(machine, { config, recoveryPoint, refusesDamage: true })
    const bytes = readFile(inspect(machine), path)
    expect(() => open(end)).toThrow(DamagedLogError)
    expect(() => open((batch + 1) * perBatch)).toThrow(`damaged at byte ${position}, offset ${batch * perBatch}`)
    expect(readFile(inspect(machine), path)).toEqual(bytes)
    expect(open(batch * perBatch).logEndOffset).toBe(batch * perBatch)
  }
})
