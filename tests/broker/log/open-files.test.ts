import { describe, expect, test } from 'vitest'
import { DiskError, type Disk, type DiskFile } from '#broker/environment/environment.ts'
import { OpenFiles } from '#broker/log/open-files.ts'
import { openPartitionLog, type SegmentedLog } from '#broker/log/partition-log.ts'
import { asClient, batchOf, defaultConfig, Machine, startWallMs, topicId } from './harness.ts'

test('fsyncs wait their turn, and tens of thousands that are over at once end without a deep stack', () => {
  const openFiles = new OpenFiles(8)
  const underWay: (() => void)[] = []
  for (let index = 0; index < 4; index++) openFiles.whenSyncMayStart(ended => underWay.push(ended))
  expect(underWay).toHaveLength(4)
  const order: number[] = []
  for (let index = 0; index < 50_000; index++)
    openFiles.whenSyncMayStart(ended => {
      order.push(index)
      ended()
    })
  expect(order).toEqual([])
  underWay[0]!()
  expect(order).toHaveLength(50_000)
  expect(order.slice(0, 3)).toEqual([0, 1, 2])
})

/** Logs that share eight descriptors, on a disk that knows what was written through each and not fsynced since. */
class CrowdedLogs {
  readonly machine = new Machine()
  readonly openFiles = new OpenFiles(8)
  readonly logs: SegmentedLog[]
  /** Paths of files that were closed with bytes for whose fsync an error could get lost. */
  readonly closedUnsynced: string[] = []
  /** Paths whose fsync fails. */
  readonly failing = new Set<string>()
  syncs = 0
  most = 0
  readonly disk: Disk
  private open = 0

  constructor(count: number) {
    const environment = this.machine.environment()
    const disk = this.watched(environment.disk)
    this.disk = disk
    this.logs = Array.from({ length: count }, (_, partition) =>
      openPartitionLog({
        environment: { ...environment, disk },
        openFiles: this.openFiles,
        directory: `/data/many-${partition}`,
        topicPartition: { topic: 'many', partition },
        topicId,
        config: defaultConfig,
        cleanShutdown: false,
      }),
    )
  }

  append(log: SegmentedLog): ReturnType<SegmentedLog['appendAsLeader']> {
    return log.appendAsLeader(batchOf(['x'], { timestamp: startWallMs + log.logEndOffset }), asClient)
  }

  private watched(disk: Disk): Disk {
    return {
      open: (path, mode) => (path.endsWith('.log') ? this.file(disk.open(path, mode)) : disk.open(path, mode)),
      list: path => disk.list(path),
      stat: path => disk.stat(path),
      makeDirectory: path => disk.makeDirectory(path),
      rename: (from, to) => disk.rename(from, to),
      remove: path => disk.remove(path),
      syncDirectory: path => disk.syncDirectory(path),
      syncDirectoryLater: (path, done) => disk.syncDirectoryLater(path, done),
      lock: path => disk.lock(path),
      space: path => disk.space(path),
    }
  }

  private file(file: DiskFile): DiskFile {
    this.most = Math.max(this.most, ++this.open)
    const { path } = file
    let writes = 0
    let synced = 0
    const fault = () => (this.failing.has(path) ? new DiskError('EIO', 'sync', path) : undefined)
    return {
      path,
      size: () => file.size(),
      read: (target, position) => file.read(target, position),
      write: (chunks, position) => {
        writes++
        file.write(chunks, position)
      },
      truncate: bytes => file.truncate(bytes),
      sync: () => {
        this.syncs++
        const error = fault()
        if (error !== undefined) throw error
        file.sync()
        synced = writes
      },
      syncLater: done => {
        this.syncs++
        const covered = writes
        file.syncLater(() => {
          const error = fault()
          if (error === undefined) synced = covered
          done(error)
        })
      },
      close: () => {
        this.open--
        if (synced < writes && !this.failing.has(path)) this.closedUnsynced.push(path)
        file.close()
      },
    }
  }
}

describe('a descriptor through which something was written', () => {
  test('is closed for others only after an fsync, and there are never more than allowed', () => {
    const crowd = new CrowdedLogs(40)
    for (let round = 0; round < 6; round++) {
      for (const log of crowd.logs) {
        expect(crowd.append(log)).toHaveProperty('appended')
        if (round % 2 === 1) crowd.machine.turn()
      }
      crowd.machine.turn()
    }
    expect([crowd.closedUnsynced, crowd.most]).toEqual([[], 8])
    expect(crowd.logs.map(log => log.logEndOffset)).toEqual(crowd.logs.map(() => 6))
    // Nobody was told that anything is durable, names included.
    expect(crowd.logs.map(log => log.recoveryPoint)).toEqual(crowd.logs.map(() => 0))
  })

  test('needs no fsync of its own when it is one of a few', () => {
    const crowd = new CrowdedLogs(5)
    for (let round = 0; round < 20; round++) for (const log of crowd.logs) crowd.append(log)
    expect(crowd.syncs).toBe(0)
  })

  test('and whose fsync fails then ends its own log, not the one that needed the room', () => {
    const crowd = new CrowdedLogs(12)
    const [first] = crowd.logs
    crowd.append(first!)
    crowd.failing.add(`${first!.directory}/00000000000000000000.log`)
    for (const log of crowd.logs.slice(1)) expect(crowd.append(log)).toHaveProperty('appended')
    crowd.machine.turn()
    for (const log of crowd.logs.slice(1)) expect(crowd.append(log)).toHaveProperty('appended')
    crowd.machine.turn()
    expect(crowd.logs.map(log => log.failedWith?.code)).toEqual(['EIO', ...Array<undefined>(11).fill(undefined)])
    expect(crowd.append(first!)).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
  })
})

test('whoever finds no descriptor left on the disk gets one that a segment does not need', () => {
  const crowd = new CrowdedLogs(6)
  for (const log of crowd.logs) crowd.append(log)
  expect(crowd.openFiles.count).toBe(6)
  const { disk } = crowd
  let refusals = 2
  const scarce: Disk = {
    ...crowd.openFiles.sparing(disk),
    list: path => {
      if (refusals-- > 0) throw new DiskError('EMFILE', 'list', path)
      return disk.list(path)
    },
  }
  const sparing = crowd.openFiles.sparing(scarce)
  // Refused twice in a row: what can be done about it was done.
  expect(() => sparing.list('/data')).toThrow('EMFILE')
  expect(crowd.openFiles.count).toBeLessThan(6)
  refusals = 1
  expect(sparing.list('/data')).toHaveLength(6)
})
