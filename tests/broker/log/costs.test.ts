/**
 * What a log costs does not grow with it: the same disk calls for an append, a fetch, a look-up, a pass of retention, a checkpoint over ten
 * segments and over ten thousand; one call per segment at a start; and never more descriptors than allowed, over all logs together.
 */
import { describe, expect, test, vi } from 'vitest'
import { DiskError } from '#broker/environment/environment.ts'
import type { Disk, DiskFile, Environment } from '#broker/environment/environment.ts'
import type { LogConfig } from '#broker/log/log.ts'
import { OpenFiles, openFilesLimit } from '#broker/log/open-files.ts'
import type { PartitionLogOptions } from '#broker/log/partition-log-options.ts'
import { openPartitionLog } from '#broker/log/partition-log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { Segment } from '#broker/log/segment.ts'
import { buildEndTransactionMarker } from '#broker/protocol/records/batch-build.ts'
import {
  asClient,
  batchOf,
  defaultConfig,
  inspect,
  logDirectory,
  Machine,
  openLog,
  startWallMs,
  topicId,
} from './harness.ts'

/** One record a segment. */
const config: LogConfig = { ...defaultConfig, segmentBytes: 100 }

function appendOne(log: SegmentedLog): void {
  const batch = batchOf(['x'.repeat(10)], { timestamp: startWallMs + log.logEndOffset })
  const result = log.appendAsLeader(batch, asClient)
  if (!('appended' in result)) throw new Error(JSON.stringify(result))
}

/** A transaction of one record that is aborted at once. */
function abortOne(log: SegmentedLog, producerId: bigint): void {
  const producer = { producerId, producerEpoch: 0 }
  log.appendAsLeader(batchOf(['x'], { ...producer, baseSequence: 0, transactional: true }), asClient)
  const marker = buildEndTransactionMarker('abort', { ...producer, coordinatorEpoch: 0, timestamp: startWallMs })
  log.appendAsLeader(marker, { origin: 'coordinator', leaderEpoch: 0, wallMs: startWallMs })
}

function read(log: SegmentedLog, offset: number): number {
  const result = log.read(offset, { maxBytes: 10, untilOffset: log.logEndOffset, atLeastOneBatch: true })
  if ('refused' in result) throw new Error(result.refused)
  return result.baseOffset
}

function logOf(machine: Machine, segments: number): SegmentedLog {
  const log = openLog(machine, { config })
  for (const producerId of [1n, 2n, 3n]) abortOne(log, producerId)
  while (log.segmentOffsets.length < segments) appendOne(log)
  log.setHighWatermark(log.logEndOffset)
  log.flush()
  machine.turn()
  return log
}

/** What is done with a log of any length; each begins where the one before ended. */
const operations: readonly (readonly [string, (log: SegmentedLog, machine: Machine) => unknown])[] = [
  ['an append that fits', log => (log.updateConfig({ ...config, segmentBytes: 1000 }), appendOne(log))],
  ['an append that begins a segment', log => (log.updateConfig(config), appendOne(log))],
  ['flush.messages=1', log => (log.updateConfig({ ...config, segmentBytes: 1000, flushMessages: 1 }), appendOne(log))],
  ['a flush off the event loop', (log, machine) => (appendOne(log), log.flushLater(() => {}), machine.turn())],
  ['a fetch at the end', log => read(log, log.logEndOffset - 1)],
  ['a fetch in the middle', log => read(log, Math.floor(log.logEndOffset / 2))],
  ['a fetch that goes on in the next segment', log => read(log, Math.floor(log.logEndOffset / 2) + 1)],
  ['a fetch of a file that is not open', log => read(log, Math.floor(log.logEndOffset / 3))],
  ['aborted transactions at the start', log => log.abortedTransactions(0, 4).length],
  ['aborted transactions at the end', log => log.abortedTransactions(log.logEndOffset - 1, log.logEndOffset).length],
  ['the size', log => log.sizeBytes > 0],
  ['a pass of retention with nothing to do', log => log.enforceRetention(startWallMs, log.logEndOffset)],
  [
    'a pass of retention by size with nothing to do',
    log => {
      log.updateConfig({ ...config, retentionBytes: log.sizeBytes })
      return log.enforceRetention(startWallMs, log.logEndOffset)
    },
  ],
  [
    'a pass of retention that deletes one segment',
    log => {
      log.updateConfig({ ...config, retentionBytes: log.sizeBytes - 100 })
      return log.enforceRetention(startWallMs, log.logEndOffset)
    },
  ],
  ['a checkpoint', log => (log.prepareCheckpoint(), log.firstSegmentOffset)],
  ['an epoch', log => log.endOffsetForEpoch(0).leaderEpoch],
  ['the truncation of the last record', log => log.truncateTo(log.logEndOffset - 1)],
]

describe('the costs of a log', () => {
  test('are the same with ten segments and with ten thousand', () => {
    const sizeOf = vi.spyOn(Segment.prototype, 'sizeBytes', 'get')
    const unsyncedOf = vi.spyOn(Segment.prototype, 'unsynced', 'get')
    const [small, large] = [10, 10_000].map(segments => {
      const machine = new Machine()
      const log = logOf(machine, segments)
      return operations.map(([name, run]) => {
        const before = machine.calls
        sizeOf.mockClear()
        unsyncedOf.mockClear()
        const result = run(log, machine)
        const visits = sizeOf.mock.calls.length + unsyncedOf.mock.calls.length
        return { name, diskCalls: machine.calls - before, visits, result: /retention|aborted/.test(name) ? result : '' }
      })
    })
    expect(large).toEqual(small)
    // An append is one write and nothing else.
    expect(small![0]!.diskCalls).toBe(1)
    expect(small!.map(({ result }) => result).filter(result => result !== '')).toEqual([2, 0, 0, 0, 1])
    vi.restoreAllMocks()
  })

  test('at a start after a clean stop are one call for each closed segment', () => {
    const calls = [10, 210].map(segments => {
      const machine = new Machine()
      const log = logOf(machine, segments)
      log.close()
      machine.kill()
      const before = machine.calls
      const again = openLog(machine, { config, cleanShutdown: true, recoveryPoint: log.logEndOffset })
      expect(again.segmentOffsets).toHaveLength(segments)
      return machine.calls - before
    })
    expect(calls[1]! - calls[0]!).toBe(200)
  })
})

/** The object with some of its methods replaced. */
function changed<T extends object>(base: T, methods: Partial<T>): T {
  return new Proxy(base, {
    get(target, name) {
      const own = methods[name as keyof T]
      const value: unknown = own ?? Reflect.get(target, name, target)
      return typeof value === 'function' && own === undefined ? value.bind(target) : value
    },
  })
}

interface Counted {
  readonly environment: Environment
  /** Open files of segments. */
  readonly open: Set<DiskFile>
  /** Every one that was opened. */
  readonly opened: string[]
  /** The next file of a segment cannot be opened. */
  refuseNext: boolean
  /** fsyncs of any file or directory. */
  syncs: number
}

/** Counts the descriptors of segments, and refuses to close one with an fsync under way. */
function counting(machine: Machine): Counted {
  const environment = machine.environment()
  const count = (file: DiskFile, path: string): DiskFile => {
    let syncs = 0
    const counted = changed(file, {
      close: () => {
        if (syncs > 0) throw new Error(`${path} is closed with an fsync under way`)
        counts.open.delete(counted)
        file.close()
      },
      syncLater: done => {
        syncs++
        file.syncLater(error => {
          syncs--
          done(error)
        })
      },
    })
    counts.open.add(counted)
    counts.opened.push(path)
    return counted
  }
  const disk = changed<Disk>(environment.disk, {
    open: (path, mode) => {
      const isSegment = path.endsWith('.log')
      if (isSegment && counts.refuseNext) {
        counts.refuseNext = false
        throw new DiskError('EMFILE', 'open', path)
      }
      const opened = environment.disk.open(path, mode)
      const file = changed(opened, {
        sync: () => {
          counts.syncs++
          opened.sync()
        },
      })
      return isSegment ? count(file, path) : file
    },
    syncDirectory: path => {
      counts.syncs++
      environment.disk.syncDirectory(path)
    },
  })
  const counts: Counted = {
    environment: { ...environment, disk },
    open: new Set(),
    opened: [],
    refuseNext: false,
    syncs: 0,
  }
  return counts
}

function openIn(environment: Environment, options: Partial<PartitionLogOptions> = {}): SegmentedLog {
  return openPartitionLog({
    environment,
    directory: logDirectory,
    topicPartition: { topic: 'events', partition: 0 },
    topicId,
    config,
    cleanShutdown: false,
    ...options,
  })
}

describe('the fsyncs of a log', () => {
  /** A log that begins and ends where its checkpoint says, killed; how often its start and the first checkpoint fsync. */
  test('at a start after a kill, and at a stop of a log that nobody wrote to, are none', () => {
    const machine = new Machine()
    const first = openLog(machine, { config: defaultConfig })
    for (let index = 0; index < 5; index++) appendOne(first)
    first.close()
    machine.kill()
    const counts = counting(machine)
    let log = openIn(counts.environment, { recoveryPoint: 5, config: defaultConfig })
    log.prepareCheckpoint()
    expect([log.logEndOffset, counts.syncs]).toEqual([5, 0])
    appendOne(log)
    log.prepareCheckpoint()
    expect(counts.syncs).toBe(0)
    // An epoch below the recovery point must be in the checkpoint file.
    log.startEpoch(1, 6)
    log.appendAsLeader(batchOf(['x']), { ...asClient, leaderEpoch: 1 })
    log.flush()
    const before = counts.syncs
    log.prepareCheckpoint()
    expect(counts.syncs).toBeGreaterThan(before)
    log.close()
    machine.kill()
    const clean = counting(machine)
    log = openIn(clean.environment, { recoveryPoint: 7, config: defaultConfig, cleanShutdown: true })
    expect([read(log, 6), log.latestEpoch]).toEqual([6, 1])
    log.close()
    expect(clean.syncs).toBe(0)
  })
})

describe('a log that was written out', () => {
  test('is closed with the fsync of the name of its directory alone, and a power failure then takes nothing', () => {
    const machine = new Machine()
    const counts = counting(machine)
    counts.environment.disk.makeDirectory('/data')
    inspect(machine).syncDirectory('/')
    const log = openIn(counts.environment, { config: defaultConfig })
    for (let index = 0; index < 5; index++) appendOne(log)
    abortOne(log, 7n)
    let isOver = false
    log.writeOutLater(() => (isOver = true))
    expect(isOver).toBe(false)
    machine.turn()
    expect([isOver, counts.syncs]).toEqual([true, 0])
    log.close()
    // The transaction index, and the directory that has the name of the log.
    expect(counts.syncs).toBe(2)
    machine.powerFailure(3)
    const again = openLog(machine, { config: defaultConfig, cleanShutdown: true, recoveryPoint: 7 })
    expect([again.logEndOffset, again.latestEpoch, again.abortedTransactions(0, 7).length]).toEqual([7, 0, 1])
    expect(again.producers().map(({ producerId }) => producerId)).toEqual([7n])
    expect(machine.lines.filter(line => /damaged|Rebuilding|Cutting/.test(line))).toEqual([])
  })

  test('that fails on the way is offline, and whoever waits is told', () => {
    const machine = new Machine()
    const log = openLog(machine, { config: defaultConfig })
    appendOne(log)
    let isOver = false
    log.writeOutLater(() => (isOver = true))
    machine.failCall = () => new DiskError('EIO', 'sync', logDirectory)
    machine.turn()
    expect([isOver, log.failedWith?.code]).toEqual([true, 'EIO'])
  })
})

describe('the descriptors of all logs', () => {
  test('are never more than allowed, however many logs are written, read and flushed at once', () => {
    const machine = new Machine()
    const { environment, open } = counting(machine)
    const openFiles = new OpenFiles(12)
    const logs = Array.from({ length: 60 }, (_, partition) =>
      openIn(environment, { openFiles, directory: `/data/many-${partition}` }),
    )
    let most = 0
    const durable: number[] = []
    for (let round = 0; round < 8; round++) {
      for (const log of logs) {
        appendOne(log)
        read(log, Math.floor(log.logEndOffset / 2))
        log.flushLater(result => durable.push('durableOffset' in result ? result.durableOffset : -1))
        most = Math.max(most, open.size, openFiles.count)
      }
      if (round % 2 === 1) machine.turn()
      most = Math.max(most, open.size)
    }
    machine.turn()
    expect(most).toBeLessThanOrEqual(12)
    expect(durable).toHaveLength(60 * 8)
    expect(logs.map(log => log.recoveryPoint)).toEqual(logs.map(() => 8))
    for (const log of logs) log.close()
    expect([open.size, openFiles.count]).toEqual([0, 0])
  })

  test('go to the segments in use: one that is used between all others keeps its own', () => {
    const machine = new Machine()
    const { environment, open, opened } = counting(machine)
    const log = openIn(environment, { openFiles: new OpenFiles(8) })
    for (let index = 0; index < 40; index++) appendOne(log)
    machine.turn()
    opened.length = 0
    for (let offset = 0; offset < 39; offset++) {
      read(log, offset)
      read(log, 39)
    }
    expect(opened.filter(path => path.endsWith('39.log')).length).toBeLessThanOrEqual(1)
    expect(open.size).toBe(8)
  })

  test('are given back when the machine has fewer than was thought', () => {
    const machine = new Machine()
    const counts = counting(machine)
    const log = openIn(counts.environment)
    for (let index = 0; index < 10; index++) appendOne(log)
    machine.turn()
    counts.refuseNext = true
    appendOne(log)
    expect([counts.refuseNext, log.failedWith, log.logEndOffset, read(log, 2)]).toEqual([false, undefined, 11, 2])
  })

  test('by default are half of what the process may have', () => {
    const disk = (limit: number | undefined): Disk => ({ ...({} as Disk), openFileLimit: () => limit })
    expect([1024, Infinity, undefined, 3].map(limit => openFilesLimit(0, disk(limit)))).toEqual([512, 32_768, 512, 8])
    expect(openFilesLimit(100, disk(1024))).toBe(100)
  })
})
