/**
 * A replica is moved to another log directory while its log grows, is cut and loses its beginning; the process ends at every single disk
 * call of it, killed or with the power. After the restart the log is whole, in exactly one directory, and the move goes on to its end.
 * Sources: KIP-113, KIP-858.
 */
import { describe, expect, test } from 'vitest'
import type { DirectoryLogManager } from '#broker/log/log-manager.ts'
import type { LogConfig, PartitionLog } from '#broker/log/log.ts'
import { allRecords } from '#broker/protocol/records/batch-read.ts'
import { LocalReplica } from '#broker/replication/local-replica.ts'
import { LogDirMoves } from '#broker/replication/log-dir-moves.ts'
import { PartitionMachine } from '#broker/replication/partition-machine.ts'
import {
  asClient,
  batchOf,
  Crash,
  defaultConfig,
  inspect,
  Machine,
  startWallMs,
  topicId,
  startManager,
} from '../log/harness.ts'

const partition = { topic: 'events', partition: 0 }
const config: LogConfig = { ...defaultConfig, segmentBytes: 700, indexIntervalBytes: 100 }
const assignment = { replicas: [1], isr: [1], leader: 1, leaderEpoch: 0, partitionEpoch: 0 }

/** What outlives the process, and what the scenario knows when the crash comes. */
class World {
  readonly machine = new Machine()
  /** Where the controller has the replica. */
  directoryId = ''
  readonly values: string[] = []
  /** Histories that may be found besides: a truncation was under way. */
  alternatives: string[][] = []
  durable = 0
  /** Log start offsets that may be found. */
  start = 0
  /** The controller answers only when the test says so. */
  held: (() => void)[] | undefined
  moves!: LogDirMoves
  replica!: LocalReplica
  manager!: DirectoryLogManager

  boot(): LocalReplica {
    this.held = undefined
    const environment = this.machine.environment()
    this.manager = startManager(environment, { logDirs: ['/a', '/b'], configOf: () => config })
    this.manager.settle(() => this.directoryId)
    const log = this.manager.getOrCreate(partition, topicId, config, { directoryId: this.directoryId })
    this.directoryId = this.manager.directoryOf(partition)!.id
    const machine = new PartitionMachine(
      { brokerId: 1, brokerStatus: () => undefined, localBrokerEpoch: () => 1, replicaLagTimeMaxMs: 1000 },
      { highWatermark: log.logEndOffset, logEndOffset: log.logEndOffset, minInsyncReplicas: 1 },
    )
    machine.lead(assignment, 0)
    this.moves = new LogDirMoves({
      environment,
      logs: this.manager,
      windows: { count: 11, lengthMs: 1000 },
      logConfig: () => config,
      assignDirectory: (_replica, directoryId, done) =>
        environment.timers.soon(() => {
          this.directoryId = directoryId
          const answer = () => environment.timers.soon(() => done(true))
          if (this.held === undefined) answer()
          else this.held.push(answer)
        }),
      directoryChanged: () => (this.directoryId = this.manager.directoryOf(partition)!.id),
      diskFailed: (_replica, error) => {
        throw error
      },
    })
    this.replica = new LocalReplica({
      log,
      machine,
      owner: {
        effects: () => {},
        cut: replica => this.moves.cut(replica),
        followerFetched: () => {},
        grew: replica => this.moves.grew(replica),
        diskFailed: (_replica, error) => {
          throw error
        },
        verifiesTransactions: () => false,
        monotonicMs: () => this.machine.nowMs,
        wallMs: () => startWallMs,
      },
    })
    this.moves.resume(this.replica)
    return this.replica
  }

  append(count: number, leaderEpoch: number): void {
    for (let index = 0; index < count; index++) {
      const value = `${leaderEpoch}.${this.values.length}`
      // Counts from here on: a crash in the middle of the append may leave the record.
      this.values.push(value)
      const result = this.replica.log.appendAsLeader(batchOf([value]), { ...asClient, leaderEpoch })
      if (!('appended' in result)) throw new Error(`refused: ${JSON.stringify(result)}`)
      this.moves.grew(this.replica)
    }
  }

  flush(): void {
    const { log } = this.replica
    log.flushLater(() => (this.durable = Math.max(this.durable, log.recoveryPoint)))
    this.machine.turn()
  }

  get path(): string {
    return this.manager.directoryOf(partition)!.path
  }
}

function scenario(world: World): void {
  const { machine } = world
  world.boot()
  world.append(9, 1)
  world.flush()
  world.manager.checkpoint(() => 4)
  machine.turn()
  expect(world.moves.alter(partition, '/b', world.replica)).toBe('NONE')
  world.append(4, 1)
  machine.turn()
  expect(world.path).toBe('/b')
  world.durable = world.values.length
  world.append(6, 2)
  expect(world.moves.alter(partition, '/a', world.replica)).toBe('NONE')
  // The copy has all there is while the controller is slow to answer.
  world.held = []
  machine.turn()
  expect(world.manager.future(partition)?.log.logEndOffset).toBe(19)
  world.alternatives = [[...world.values]]
  world.durable = Math.min(world.durable, 12)
  world.replica.truncateTo(12)
  world.values.length = 12
  expect(world.manager.future(partition)?.log.logEndOffset).toBe(12)
  world.append(3, 3)
  world.held.forEach(answer => answer())
  world.held = undefined
  world.start = 5
  world.replica.log.advanceLogStart(5)
  world.flush()
  expect(world.path).toBe('/a')
  world.durable = world.values.length
  world.append(2, 3)
  expect(world.moves.alter(partition, '/b', world.replica)).toBe('NONE')
  // Where it is: the move is over before it began.
  expect(world.moves.alter(partition, '/a', world.replica)).toBe('NONE')
  expect(world.manager.future(partition)).toBeUndefined()
  machine.advance(5000)
  world.manager.close(() => 17)
}

function run(world: World): void {
  try {
    scenario(world)
  } catch (error) {
    if (!(error instanceof Crash)) throw error
  }
}

function readAll(log: PartitionLog): string[] {
  const values: string[] = Array.from({ length: log.logStartOffset }, () => '')
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    const result = log.read(offset, { maxBytes: 300, untilOffset: Infinity, atLeastOneBatch: true })
    if ('refused' in result || result.nextOffset === offset)
      throw new Error(`nothing at ${offset} of ${log.logEndOffset}`)
    for (const record of allRecords(result.records)) if (record.offset >= offset) values.push(record.value!.toString())
    offset = result.nextOffset
  }
  return values
}

/** Directories that hold a log, and no copy of one, of the partition. */
function homes(world: World): string[] {
  const disk = inspect(world.machine)
  return ['/a', '/b'].filter(path => disk.stat(`${path}/events-0`) !== undefined)
}

function check(world: World, where: string): void {
  const { log } = world.boot()
  expect([where, homes(world)]).toEqual([where, [world.path]])
  expect([where, [0, world.start].includes(log.logStartOffset)]).toEqual([where, true])
  const values = readAll(log)
  const fits = (history: readonly string[]): boolean =>
    values.length <= history.length && values.every((value, at) => at < log.logStartOffset || value === history[at])
  if (![world.values, ...world.alternatives].some(fits))
    throw new Error(`${where}: found ${values.join(' ')} for ${world.values.join(' ')}`)
  if (values.length < world.durable)
    throw new Error(`${where}: ${world.durable} were durable, ${values.length} are left`)
  // What was under way goes on to its end, and the log goes on.
  const future = world.manager.future(partition)
  world.values.splice(0, world.values.length, ...values)
  world.append(2, 9)
  world.machine.turn()
  if (future !== undefined) expect([where, world.path]).toEqual([where, future.path])
  expect([where, homes(world)]).toEqual([where, [world.path]])
  expect([where, world.directoryId]).toEqual([where, world.manager.directoryOf(partition)!.id])
  const { log: moved } = world.replica
  const after = readAll(moved)
  for (const [at, value] of after.entries()) {
    if (at < moved.logStartOffset) continue
    expect([where, value]).toEqual([where, world.values[at]])
    expect([where, moved.epochAt(at)]).toEqual([where, Number(value.split('.')[0])])
  }
  expect([where, after.length]).toEqual([where, world.values.length])
}

const calls = (() => {
  const world = new World()
  run(world)
  return world.machine.calls
})()

describe(`a crash at each of the ${calls} disk calls of moves between two log directories`, () => {
  test('a kill loses nothing, and leaves the log in one directory', () => {
    for (let at = 1; at <= calls; at++) {
      const world = new World()
      world.machine.crashAtCall = at
      run(world)
      world.machine.kill()
      if (world.alternatives.length === 0) world.durable = Math.max(0, world.values.length - 1)
      check(world, `kill at call ${at}`)
    }
  })

  test.each([1, 2])('a power failure loses nothing that was flushed (seed %i)', seed => {
    for (let at = seed; at <= calls; at += 2) {
      const world = new World()
      world.machine.crashAtCall = at
      run(world)
      world.machine.powerFailure(seed * 1000 + at)
      check(world, `power failure at call ${at}, seed ${seed}`)
    }
  })

  test('a second crash, in the recovery or in the rest of the move, does no harm', () => {
    for (let at = 20; at <= calls; at += 11) {
      for (let again = 1; again < 120; again += 13) {
        const world = new World()
        world.machine.crashAtCall = at
        run(world)
        world.machine.powerFailure(at)
        world.machine.crashAtCall = world.machine.calls + again
        try {
          world.boot()
          world.machine.turn()
        } catch (error) {
          if (!(error instanceof Crash)) throw error
        }
        world.machine.powerFailure(at + 1)
        check(world, `power failure at call ${at} and ${again} calls later`)
      }
    }
  })
})
