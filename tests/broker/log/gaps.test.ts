/**
 * Offsets that are missing: what compaction has left out stays, in the log of a follower and of a broker that Apache Kafka ran; what a power
 * failure has taken ends the log there, and never leaves a hole.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DirectoryLogManager } from '#broker/log/log-manager.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { readFile, replaceFile } from '#broker/log/small-files.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { BatchView } from '#broker/protocol/records/batch.ts'
import { Prng } from '#simulator/world/prng.ts'
import { Crash, defaultConfig, inspect, Machine, startWallMs, topicId, startManager } from './harness.ts'

const events = { topic: 'events', partition: 0 }
const config = { ...defaultConfig, segmentBytes: 700, indexIntervalBytes: 150 }

function start(machine: Machine): DirectoryLogManager {
  return startManager(machine.environment(), { configOf: () => config })
}

/** What a leader with a compacted log sends: batches with offsets missing between them, and records missing in some. */
function compactedBatches(random: Prng, count: number): Buffer[] {
  const batches: Buffer[] = []
  let offset = 0
  for (let index = 0; index < count; index++) {
    offset += random.below(3) === 0 ? random.below(40) : 0
    const values = Array.from({ length: 1 + random.below(3) }, (_, at) => ({
      key: `k${at}`,
      value: `${offset}`,
      timestamp: startWallMs,
    }))
    const batch = buildBatch(values, { baseOffset: offset, partitionLeaderEpoch: 1 + Math.floor(index / 10) })
    batches.push(batch)
    offset = new BatchView(batch).nextOffset
  }
  return batches
}

function baseOffsets(log: SegmentedLog): number[] {
  const found: number[] = []
  for (const segment of log.currentSegments)
    segment.scan(0, (bytes, at) => {
      found.push(new BatchView(bytes, at).baseOffset)
      return true
    })
  return found
}

describe('a follower of a compacted log', () => {
  test('has a beginning of what it was sent after a power failure, with all that was durable: never a hole', () => {
    const run = fc.record({
      seed: fc.nat(1_000_000),
      count: fc.integer({ min: 5, max: 60 }),
      flushAt: fc.integer({ min: 0, max: 60 }),
      checkpoints: fc.boolean(),
      /** How often what waits for a later turn runs: fsyncs of rolled segments, among others. */
      turnEvery: fc.integer({ min: 1, max: 70 }),
      order: fc.constantFrom('ordered' as const, 'independent' as const),
    })
    let shortened = 0
    let withSegments = 0
    fc.assert(
      fc.property(run, ({ seed, count, flushAt, checkpoints, turnEvery, order }) => {
        const machine = new Machine()
        const manager = start(machine)
        const log = manager.getOrCreate(events, topicId, config) as SegmentedLog
        const sent = compactedBatches(new Prng(seed), count)
        let durable = 0
        for (const [index, batch] of sent.entries()) {
          log.appendAsFollower(batch)
          if (index % turnEvery === 0) machine.turn()
          if (index !== flushAt) continue
          log.flush()
          durable = log.recoveryPoint
          if (checkpoints) manager.checkpoint(() => 0)
          if (checkpoints) machine.turn()
        }
        const wasSegments = log.currentSegments.length
        // Names out of order may cost the first segment, as long as nothing was asked to be durable.
        machine.powerFailure(seed, durable > 0 ? order : 'ordered')
        const again = start(machine).get(events) as SegmentedLog | undefined
        if (again === undefined) {
          expect(durable).toBe(0)
          return
        }
        expect(again.logEndOffset).toBeGreaterThanOrEqual(durable)
        const offsets = sent.map(batch => new BatchView(batch).baseOffset)
        const found = baseOffsets(again)
        expect(found).toEqual(offsets.slice(0, found.length))
        const last = found.length === 0 ? undefined : new BatchView(sent[found.length - 1]!)
        // Nothing may be missing between the last batch and where the log ends, but what the leader had not.
        const next = sent[found.length]
        expect(again.logEndOffset).toBeGreaterThanOrEqual(last?.nextOffset ?? 0)
        if (next !== undefined) expect(again.logEndOffset).toBeLessThanOrEqual(new BatchView(next).baseOffset)
        if (found.length < sent.length) shortened++
        if (wasSegments > 2) withSegments++
        // It goes on where it ends.
        for (const batch of sent.slice(found.length)) again.appendAsFollower(batch)
        expect(baseOffsets(again)).toEqual(offsets)
      }),
      { numRuns: 500 },
    )
    expect(shortened).toBeGreaterThan(50)
    expect(withSegments).toBeGreaterThan(100)
  })

  test('keeps all after a kill', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const machine = new Machine()
      const log = start(machine).getOrCreate(events, topicId, config) as SegmentedLog
      const sent = compactedBatches(new Prng(seed), 50)
      for (const batch of sent) log.appendAsFollower(batch)
      machine.kill()
      const again = start(machine).get(events) as SegmentedLog
      expect(baseOffsets(again)).toEqual(sent.map(batch => new BatchView(batch).baseOffset))
    }
  })

  test('keeps all where compaction, or a cut, took what ended at the recovery point', () => {
    const machine = new Machine()
    const log = start(machine).getOrCreate(events, topicId, config) as SegmentedLog
    const batch = (baseOffset: number): Buffer =>
      buildBatch([{ key: 'k', value: 'v', timestamp: startWallMs }], { baseOffset, partitionLeaderEpoch: 1 })
    const sent = [0, 1, 4, 20, 21, 40].map(batch)
    for (const each of sent) log.appendAsFollower(each)
    log.flush()
    machine.kill()
    for (const recoveryPoint of [2, 3, 5, 12, 20, 21, 30, 41]) {
      const checkpoint = `0\n1\nevents 0 ${recoveryPoint}\n`
      replaceFile(inspect(machine), '/data/recovery-point-offset-checkpoint', checkpoint, { durable: true })
      const again = start(machine).get(events) as SegmentedLog
      expect([recoveryPoint, baseOffsets(again), again.logEndOffset]).toEqual([
        recoveryPoint,
        [0, 1, 4, 20, 21, 40],
        41,
      ])
      machine.kill()
    }
  })

  test('ends where a segment lost its end, whatever that segment and the next one show of compaction', () => {
    const machine = new Machine()
    const log = start(machine).getOrCreate(events, topicId, config) as SegmentedLog
    for (const batch of compactedBatches(new Prng(3), 50)) log.appendAsFollower(batch)
    const [first, second] = log.currentSegments
    let cut = 0
    let end = 0
    first!.scan(0, (bytes, at, position, size) => {
      if (position + size === first!.sizeBytes) return false
      cut = position + size
      end = new BatchView(bytes, at).nextOffset
      return true
    })
    expect(second!.baseOffset).toBeGreaterThan(end)
    machine.kill()
    inspect(machine).open(first!.path, 'write').truncate(cut)
    const again = start(machine).get(events) as SegmentedLog
    expect([again.logEndOffset, again.segmentOffsets]).toEqual([end, [0]])
  })
})

describe('a log that Apache Kafka has compacted and was killed with, before it wrote cleaner-offset-checkpoint', () => {
  /** Three segments: 0 to 4, then a gap, 10 to 14, then a gap, 20 to 24, which is active. In the first, offset 2 was cleaned away. */
  function killed(options: { readonly compacted: boolean; readonly preallocated: boolean }): Machine {
    const machine = new Machine()
    start(machine)
    machine.kill()
    const disk = inspect(machine)
    disk.makeDirectory('/data/events-0')
    const write = (name: string, bytes: Buffer): void => {
      const file = disk.open(`/data/events-0/${name}`, 'write')
      file.write([bytes], 0)
    }
    for (const baseOffset of [0, 10, 20]) {
      const name = String(baseOffset).padStart(20, '0')
      const at = (from: number, count: number): Buffer =>
        buildBatch(
          Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: 'v', timestamp: startWallMs })),
          { baseOffset: from, partitionLeaderEpoch: 0 },
        )
      const parts =
        options.compacted && baseOffset < 20 ? [at(baseOffset, 2), at(baseOffset + 3, 2)] : [at(baseOffset, 5)]
      write(`${name}.log`, Buffer.concat(parts))
      const isActive = baseOffset === 20
      write(`${name}.index`, Buffer.alloc(isActive && options.preallocated ? 10 * 1024 * 1024 : 0))
      write(`${name}.timeindex`, Buffer.alloc(isActive && options.preallocated ? 10_485_756 : 0))
    }
    return machine
  }
  const offsets = (machine: Machine): unknown => {
    const log = start(machine).get(events) as SegmentedLog
    return [log.segmentOffsets, log.logEndOffset]
  }
  const all = [[0, 10, 20], 25]

  test('keeps all of it, and from then on, too', () => {
    const machine = killed({ compacted: true, preallocated: true })
    expect(offsets(machine)).toEqual(all)
    expect(readFile(inspect(machine), '/data/cleaner-offset-checkpoint')?.toString()).toBe('0\n1\nevents 0 20\n')
    machine.kill()
    expect(offsets(machine)).toEqual(all)
  })

  test('keeps all of it when the start is killed, or loses its power, at any change of the disk', () => {
    let points = 0
    for (let change = 1; ; change++) {
      const machine = killed({ compacted: true, preallocated: true })
      machine.crashAfterChange = machine.changes + change
      let isOver = true
      try {
        start(machine)
      } catch (error) {
        if (!(error instanceof Crash)) throw error
        isOver = false
      }
      machine.kill()
      expect([change, offsets(machine)]).toEqual([change, all])
      points++
      if (isOver) break
    }
    expect(points).toBeGreaterThan(10)
  })

  test.each([
    ['it was not Kafka that had it last', { compacted: true, preallocated: false }],
    ['nothing of it shows that it was compacted', { compacted: false, preallocated: true }],
  ])('ends at the gap when %s', (_why, options) => {
    expect(offsets(killed(options))).toEqual([[0], 5])
  })
})
