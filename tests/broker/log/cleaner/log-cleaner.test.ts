/** The cleaner of a node: which log, when, how fast, and what it notes; and what ends a cleaning. */
import { describe, expect, test } from 'vitest'
import { cleanerSettings } from '#broker/config/cleaner-settings.ts'
import { withOverrides } from '#broker/config/dynamic.ts'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import type { CleanerSettings } from '#broker/log/cleaner/log-cleaner.ts'
import type { DirectoryLogManager } from '#broker/log/log-manager.ts'
import type { LogConfig } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { readFile } from '#broker/log/small-files.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { asClient, inspect, Machine, startWallMs, topicId, startManager } from '../harness.ts'
import { compacted, lastValues, readAll } from './harness.ts'

const given = {
  'process.roles': 'broker',
  'node.id': '1',
  'controller.quorum.voters': '100@localhost:9093',
  'controller.listener.names': 'CONTROLLER',
}
const { config: brokerConfig } = parseBrokerConfig(new Map(Object.entries(given)))

/** As they are after these were altered. */
function settings(overrides: Readonly<Record<string, string>> = {}): CleanerSettings {
  const refused = (error: Error): never => {
    throw error
  }
  return cleanerSettings(withOverrides(brokerConfig, [new Map(Object.entries(overrides))], refused))
}

function start(machine: Machine, logDirs: readonly string[] = ['/data']): DirectoryLogManager {
  const configOf = () => ({ ...compacted, cleanupPolicy: ['delete'] as const })
  return startManager(machine.environment(), { logDirs, configOf })
}

function logOf(manager: DirectoryLogManager, topic: string, config: Partial<LogConfig> = {}): SegmentedLog {
  const log = manager.getOrCreate({ topic, partition: 0 }, topicId, compacted) as SegmentedLog
  log.updateConfig({ ...compacted, ...config })
  return log
}

function fill(log: SegmentedLog, count: number, bytes = 100, keys = 3): void {
  for (let index = 0; index < count; index++) {
    const value = `${index}${'x'.repeat(bytes)}`
    const result = log.appendAsLeader(
      buildBatch([{ key: `k${index % keys}`, value }], { timestamp: startWallMs }),
      asClient,
    )
    if (!('appended' in result)) throw new Error(`refused: ${JSON.stringify(result)}`)
  }
  log.setHighWatermark(log.logEndOffset)
}

/** Advances ms by ms until `done`. Returns how long it took. */
function until(machine: Machine, done: () => boolean, limitMs = 20_000): number {
  for (let ms = 0; ms <= limitMs; ms++) {
    if (done()) return ms
    machine.advance(1)
  }
  throw new Error('it did not happen')
}

const checkpoint = (machine: Machine, directory = '/data'): string | undefined =>
  readFile(inspect(machine), `${directory}/cleaner-offset-checkpoint`)?.toString()

describe('the log cleaner', () => {
  test('cleans the dirtiest log first, and notes how far it came as Kafka does', () => {
    const machine = new Machine()
    const manager = start(machine)
    const clean = logOf(manager, 'clean')
    fill(clean, 30)
    manager.cleaner.configure(settings({ 'log.cleaner.backoff.ms': '10' }))
    until(machine, () => manager.cleaner.figures.cleanings === 1)
    const cleanedTo = clean.segmentOffsets.at(-1)!
    expect(checkpoint(machine)).toBe(`0\n1\nclean 0 ${cleanedTo}\n`)
    fill(clean, 60, 100, 60)
    fill(logOf(manager, 'dirty'), 60)
    fill(logOf(manager, 'kept', { cleanupPolicy: ['delete'] }), 60)
    until(machine, () => manager.cleaner.figures.cleanings === 3)
    const order = machine.logged.flatMap(({ message, fields }) => (message === 'Cleaned a log.' ? [fields?.topic] : []))
    expect(order).toEqual(['clean', 'dirty', 'clean'])
    expect(manager.get({ topic: 'kept', partition: 0 })!.sizeBytes).toBeGreaterThan(60 * 100)
    manager.close(() => 0)
    const again = start(machine)
    expect(checkpoint(machine)).toMatch(/^0\n2\nclean 0 \d+\ndirty 0 \d+\n$/)
    again.delete({ topic: 'clean', partition: 0 })
    const renewed = logOf(again, 'clean')
    expect(checkpoint(machine)).toMatch(/^0\n1\ndirty 0 \d+\n$/)
    expect(renewed.logEndOffset).toBe(0)
  })

  test('waits for min.cleanable.dirty.ratio, and for nobody once max.compaction.lag.ms is over', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = logOf(manager, 'events')
    fill(log, 60, 100, 60)
    manager.cleaner.configure(settings({ 'log.cleaner.backoff.ms': '10' }))
    until(machine, () => manager.cleaner.figures.cleanings === 1)
    fill(log, 20)
    log.updateConfig({ ...compacted, minCleanableDirtyRatio: 0.9 })
    machine.advance(200)
    expect(manager.cleaner.figures.cleanings).toBe(1)
    expect(manager.cleaner.figures.maxDirtyRatio).toBeGreaterThan(0)
    log.updateConfig({ ...compacted, minCleanableDirtyRatio: 0.9, maxCompactionLagMs: machine.nowMs + 100 })
    const tookMs = until(machine, () => manager.cleaner.figures.cleanings === 2)
    expect(tookMs).toBeGreaterThanOrEqual(100)
    log.updateConfig({ ...compacted, minCompactionLagMs: 1_000_000 })
    fill(log, 60)
    machine.advance(200)
    expect(manager.cleaner.figures.cleanings).toBe(2)
  })

  test('looks after log.cleaner.backoff.ms, and at once when that is altered', () => {
    const machine = new Machine()
    const manager = start(machine)
    manager.cleaner.configure(settings({ 'log.cleaner.backoff.ms': '500' }))
    const log = logOf(manager, 'events')
    fill(log, 30)
    expect(until(machine, () => manager.cleaner.figures.cleanings === 1)).toBeGreaterThanOrEqual(500)
    fill(log, 30)
    machine.advance(100)
    manager.cleaner.configure(settings({ 'log.cleaner.backoff.ms': '10000' }))
    expect(until(machine, () => manager.cleaner.figures.cleanings === 2)).toBeLessThan(400)
  })

  test('log.cleaner.threads: none cleans nothing, several share the table of keys', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = logOf(manager, 'events')
    fill(log, 60, 100, 60)
    const quick = { 'log.cleaner.backoff.ms': '1', 'log.cleaner.dedupe.buffer.size': '768' }
    manager.cleaner.configure(settings({ ...quick, 'log.cleaner.threads': '0' }))
    machine.advance(1000)
    expect(manager.cleaner.figures.cleanings).toBe(0)
    const rounds = (threads: string): number => {
      const before = manager.cleaner.figures.cleanings
      manager.cleaner.configure(settings({ ...quick, 'log.cleaner.threads': threads }))
      fill(log, 60, 100, 60)
      machine.advance(1)
      until(machine, () => manager.cleaner.figures.maxDirtyRatio === 0 && manager.cleaner.current === undefined)
      return manager.cleaner.figures.cleanings - before
    }
    const alone = rounds('1')
    expect(rounds('4')).toBeGreaterThan(alone)
  })

  test('log.cleaner.dedupe.buffer.size and io.buffer.load.factor bound the table: a smaller one takes more cleanings', () => {
    const cleanings = (overrides: Readonly<Record<string, string>>): number => {
      const machine = new Machine()
      const manager = start(machine)
      const log = logOf(manager, 'events')
      fill(log, 120, 100, 120)
      const before = lastValues(readAll(log))
      manager.cleaner.configure(settings({ 'log.cleaner.backoff.ms': '1', ...overrides }))
      machine.advance(2)
      until(machine, () => manager.cleaner.figures.maxDirtyRatio === 0 && manager.cleaner.current === undefined)
      expect(lastValues(readAll(log))).toEqual(before)
      return manager.cleaner.figures.cleanings
    }
    const [large, small] = ['100000', '1536'].map(size => cleanings({ 'log.cleaner.dedupe.buffer.size': size }))
    expect(large).toBe(1)
    expect(small).toBeGreaterThan(2)
    const half = cleanings({ 'log.cleaner.dedupe.buffer.size': '1536', 'log.cleaner.io.buffer.load.factor': '0.3' })
    expect(half).toBeGreaterThanOrEqual(small!)
  })

  test('keeps to log.cleaner.io.max.bytes.per.second, which can be altered during a cleaning', () => {
    const machine = new Machine()
    const manager = start(machine)
    fill(logOf(manager, 'events'), 300, 400, 300)
    const slow = { 'log.cleaner.backoff.ms': '0', 'log.cleaner.io.max.bytes.per.second': '20000' }
    manager.cleaner.configure(settings(slow))
    for (let ms = 0; ms < 5000; ms++) machine.advance(1)
    expect(manager.cleaner.current?.topic).toBe('events')
    manager.cleaner.configure(settings({ ...slow, 'log.cleaner.io.max.bytes.per.second': '1e9' }))
    until(machine, () => manager.cleaner.current === undefined)
    const { bytesRead, bytesWritten, lastCleaningMs } = manager.cleaner.figures
    expect(bytesRead + bytesWritten).toBeGreaterThan(20_000 * 6)
    expect(lastCleaningMs).toBeGreaterThanOrEqual(5000)
  })

  test('log.cleaner.io.buffer.size changes what is read at once, not what comes out', () => {
    const sizes = ['0', '10000', '1000000'].map(size => {
      const machine = new Machine()
      const manager = start(machine)
      const log = logOf(manager, 'events')
      fill(log, 60, 1000, 5)
      manager.cleaner.configure(settings({ 'log.cleaner.backoff.ms': '1', 'log.cleaner.io.buffer.size': size }))
      until(machine, () => manager.cleaner.figures.cleanings === 1)
      return [log.sizeBytes, lastValues(readAll(log)).size]
    })
    expect(new Set(sizes.map(String)).size).toBe(1)
  })

  test('does not begin before the settings of the topic are known, nor while its log is copied to another directory', () => {
    const machine = new Machine()
    const manager = start(machine, ['/data', '/other'])
    manager.cleaner.configure(settings({ 'log.cleaner.backoff.ms': '1' }))
    const partition = { topic: 'events', partition: 0 }
    const log = manager.getOrCreate(partition, topicId, compacted) as SegmentedLog
    fill(log, 30)
    machine.advance(100)
    expect(manager.cleaner.figures.cleanings).toBe(0)
    log.updateConfig(compacted)
    until(machine, () => manager.cleaner.figures.cleanings === 1)
    const from = manager.directoryOf(partition)!.path
    const to = from === '/data' ? '/other' : '/data'
    const copy = manager.createFuture(partition, to, compacted)
    fill(log, 30)
    machine.advance(100)
    expect(manager.cleaner.figures.cleanings).toBe(1)
    for (let offset = 0; offset < log.logEndOffset;) {
      const read = log.read(offset, { maxBytes: 1000, untilOffset: Infinity, atLeastOneBatch: true })
      if ('refused' in read) throw new Error(read.refused)
      copy.appendAsFollower(Buffer.from(read.records))
      offset = read.nextOffset
    }
    const noted = checkpoint(machine, from)
    const moved = manager.promoteFuture(partition, compacted) as SegmentedLog
    machine.turn()
    expect([checkpoint(machine, from), checkpoint(machine, to)]).toEqual(['0\n0\n', noted])
    moved.setHighWatermark(moved.logEndOffset)
    until(machine, () => manager.cleaner.figures.cleanings === 2)
    expect(readAll(moved).map(({ value }) => value)).toEqual(expect.arrayContaining([expect.stringMatching(/^29/)]))
  })

  test.each([
    ['the log is cut', (log: SegmentedLog) => log.truncateTo(40)],
    ['its policy is delete now', (log: SegmentedLog) => log.updateConfig({ ...compacted, cleanupPolicy: ['delete'] })],
    [
      'retention takes segments from it',
      (log: SegmentedLog) => {
        log.advanceLogStart(100)
        log.enforceRetention(startWallMs, log.logEndOffset)
      },
    ],
  ])('gives a cleaning up when %s, and leaves nothing behind', (_what, change) => {
    const machine = new Machine()
    const manager = start(machine)
    // A segment takes several turns.
    const log = logOf(manager, 'events', { segmentBytes: 20_000 })
    fill(log, 300, 300, 300)
    manager.cleaner.configure(
      settings({ 'log.cleaner.backoff.ms': '0', 'log.cleaner.io.max.bytes.per.second': '50000' }),
    )
    until(machine, () => manager.cleaner.current !== undefined)
    const names = (): string[] =>
      inspect(machine)
        .list(log.directory)
        .map(({ name }) => name)
    until(machine, () => names().some(name => name.endsWith('.cleaned')))
    change(log)
    log.setHighWatermark(log.logEndOffset)
    const after = readAll(log)
    until(machine, () => manager.cleaner.current === undefined)
    expect(names().filter(name => /cleaned|swap/.test(name))).toEqual([])
    expect(readAll(log).slice(0, 5)).toEqual(after.slice(0, 5))
  })

  test('lowers its checkpoint when the log is cut below it', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = logOf(manager, 'events')
    fill(log, 60)
    manager.cleaner.configure(settings({ 'log.cleaner.backoff.ms': '1' }))
    until(machine, () => manager.cleaner.figures.cleanings === 1)
    log.truncateTo(20)
    machine.turn()
    const [, , line] = checkpoint(machine)!.split('\n')
    expect(Number(line!.split(' ')[2])).toBeLessThanOrEqual(20)
  })

  test('with compact,delete old segments go by retention too', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = logOf(manager, 'events', { cleanupPolicy: ['compact', 'delete'], retentionMs: 5000 })
    fill(log, 60)
    manager.cleaner.configure(settings({ 'log.cleaner.backoff.ms': '1' }))
    until(machine, () => manager.cleaner.figures.cleanings === 1)
    machine.advance(6000)
    expect(log.enforceRetention(startWallMs + machine.nowMs, log.logEndOffset)).toBeGreaterThan(0)
    expect(log.logStartOffset).toBeGreaterThan(0)
    fill(log, 60)
    until(machine, () => manager.cleaner.figures.cleanings === 2)
    expect(lastValues(readAll(log)).size).toBe(3)
  })

  test('leaves a damaged log alone, says so, and goes on with the others', () => {
    const machine = new Machine()
    const manager = start(machine)
    const damaged = logOf(manager, 'damaged')
    fill(damaged, 30)
    fill(logOf(manager, 'whole'), 30)
    const file = inspect(machine).open(`${damaged.directory}/00000000000000000000.log`, 'write')
    file.write([Buffer.from([0xff])], 75)
    manager.cleaner.configure(settings({ 'log.cleaner.backoff.ms': '1' }))
    until(machine, () => manager.cleaner.figures.cleanings === 1)
    for (let ms = 0; ms < 100; ms++) machine.advance(1)
    expect(manager.cleaner.uncleanable).toEqual([{ topic: 'damaged', partition: 0 }])
    const line = 'A log cannot be compacted; it is left as it is until the node starts again.'
    expect(machine.lines.filter(each => each === line)).toHaveLength(1)
    expect(manager.directories.every(({ online }) => online)).toBe(true)
  })
})
