/** How a node stops whose logs are those of a process that was killed: their names may not be durable. */
import { describe, expect, test } from 'vitest'
import type { Disk, Environment } from '#broker/environment/environment.ts'
import { failingDisk } from '#broker/environment/faulty/failing-disk.ts'
import type { PartitionLog } from '#broker/log/log.ts'
import type { DirectoryLogManager } from '#broker/log/log-manager.ts'
import { asClient, batchOf, defaultConfig, inspect, Machine, topicId, startManager } from './harness.ts'

function start(environment: Environment): DirectoryLogManager {
  return startManager(environment)
}

function fill(log: PartitionLog, count: number): void {
  for (let index = 0; index < count; index++)
    expect(log.appendAsLeader(batchOf([`v${log.logEndOffset}`]), asClient)).toHaveProperty('appended')
}

describe('the stop of a node that had been killed', () => {
  const partitions = Array.from({ length: 20 }, (_, partition) => ({ topic: 'many', partition }))

  /** A node with twenty logs, the first of which is written to; and what it fsyncs from then on, in order. */
  function afterKill() {
    const machine = new Machine()
    const before = start(machine.environment())
    for (const partition of partitions) fill(before.getOrCreate(partition, topicId, defaultConfig), 2)
    machine.kill()
    const environment = machine.environment()
    const { disk } = environment
    const syncs: string[] = []
    const watched: Disk = {
      open: (path, mode) => {
        const file = disk.open(path, mode)
        const sync = file.sync.bind(file)
        file.sync = () => {
          syncs.push(`blocking ${path}`)
          sync()
        }
        return file
      },
      list: path => disk.list(path),
      stat: path => disk.stat(path),
      makeDirectory: path => disk.makeDirectory(path),
      rename: (from, to) => disk.rename(from, to),
      remove: path => disk.remove(path),
      syncDirectory: path => {
        syncs.push(`blocking ${path}`)
        disk.syncDirectory(path)
      },
      syncDirectoryLater: (path, done) => {
        syncs.push(path)
        disk.syncDirectoryLater(path, done)
      },
      lock: path => disk.lock(path),
      space: path => disk.space(path),
    }
    const manager = start({ ...environment, disk: watched })
    fill(manager.get(partitions[0]!)!, 1)
    machine.turn()
    syncs.length = 0
    return { machine, manager, syncs }
  }

  test('fsyncs the names of its logs off the event loop, those of all logs in a directory at once, and loses nothing', async () => {
    const { machine, manager, syncs } = afterKill()
    const written = manager.writeOut()
    for (let turns = 0; turns < 50; turns++) {
      machine.turn()
      await Promise.resolve()
    }
    await written
    expect(syncs.filter(path => path.startsWith('blocking'))).toEqual([])
    const names = syncs.filter(path => path === '/data')
    expect([syncs.length, names.length, syncs.at(-1)]).toEqual([21, 1, '/data'])
    syncs.length = 0
    manager.close(() => 0)
    // The checkpoints and the mark of a clean stop; nothing of a log.
    expect(syncs.filter(path => path.includes('many-'))).toEqual([])
    machine.powerFailure(4)
    const again = start(machine.environment())
    expect(again.directories[0]).toMatchObject({ cleanShutdown: true })
    expect(partitions.map(partition => again.get(partition)?.logEndOffset)).toEqual([3, ...Array<number>(19).fill(2)])
    expect(partitions.map(partition => again.get(partition)?.topicId)).toEqual(partitions.map(() => topicId))
  })

  test('takes a directory offline whose names cannot be fsynced, and no mark of a clean stop is left', async () => {
    const { machine, manager } = afterKill()
    machine.faults.add(failingDisk({ operations: ['syncDirectory'], path: /^\/data$/ }))
    const written = manager.writeOut()
    for (let turns = 0; turns < 50; turns++) {
      machine.turn()
      await Promise.resolve()
    }
    await written
    expect(manager.directories[0]!.online).toBe(false)
    manager.close(() => 0)
    expect(inspect(machine).stat('/data/.kafka_cleanshutdown')).toBeUndefined()
  })
})
