/**
 * A log on a simulated disk, with a clock, timers and fsyncs that move only when the test says so. `crash` kills the
 * process between two disk calls, `powerFailure` also loses what was not fsynced.
 */
import { logConfig } from '../../../bench/measure/log-config.ts'
import type { Disk, DiskError, Environment, LogFields, Logger } from '#broker/environment/environment.ts'
import { FaultPlan } from '#broker/environment/faulty/fault-plan.ts'
import { faultyEnvironment } from '#broker/environment/faulty/faulty-environment.ts'
import type { LogConfig } from '#broker/log/log.ts'
import { DirectoryLogManager, type LogManagerOptions } from '#broker/log/log-manager.ts'
import { openPartitionLog } from '#broker/log/partition-log.ts'
import type { PartitionLogOptions } from '#broker/log/partition-log-options.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import type { BatchOptions, RecordInput } from '#broker/protocol/records/batch-build.ts'
import { SimulatedDisk } from '#simulator/disk/simulated-disk.ts'
import { Prng } from '#simulator/world/prng.ts'

/** The simulated process ended in the middle of a disk call. */
export class Crash extends Error {}

export const topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
export const startWallMs = 1_700_000_000_000

export const defaultConfig: LogConfig = {
  ...logConfig,
  segmentBytes: 1024 * 1024,
  segmentIndexBytes: 64 * 1024,
  indexIntervalBytes: 256,
  maxMessageBytes: 512 * 1024,
  fileDeleteDelayMs: 1000,
}

interface Due {
  readonly atMs: number
  readonly run: () => void
}

export class Machine {
  readonly disk = new SimulatedDisk()
  nowMs = 0
  /** Disk calls so far. */
  calls = 0
  /** The call that ends the process; Infinity: none. */
  crashAtCall = Infinity
  /** Changes of the disk so far: writes, fsyncs, truncations, renames, removals, new names, fsyncs of directories. */
  changes = 0
  /** The process ends right after so many changes; Infinity: it does not. */
  crashAfterChange = Infinity
  /** Faults of the disk, at any time. */
  readonly faults = new FaultPlan(new Prng(11))
  /** Answers for a call by its number: an error to throw. */
  failCall: ((call: number) => DiskError | undefined) | undefined
  readonly lines: string[] = []
  /** More than the message: for looking at what was logged. */
  readonly logged: { message: string; fields: LogFields | undefined }[] = []
  /** Of the process that runs. */
  currentDisk: Disk | undefined
  private soon: (() => void)[] = []
  private timers = new Set<Due>()
  private generation = 0
  private readonly random = new Prng(7)

  /** The environment of a process that starts now; the one before is dead. */
  environment(): Environment {
    const generation = ++this.generation
    this.soon = []
    this.timers = new Set()
    const alive = () => {
      if (generation !== this.generation) throw new Crash('this process is no more')
      this.calls++
      if (this.calls >= this.crashAtCall) {
        this.generation++
        throw new Crash('the process was killed')
      }
      const error = this.failCall?.(this.calls)
      if (error !== undefined) throw error
    }
    const disk = this.disk.for({
      nowUs: 0,
      wallMs: startWallMs,
      alive,
      fsyncBlocks: () => {},
      fsyncLater: done => this.soon.push(done),
      note: () => {
        this.changes++
        if (this.changes >= this.crashAfterChange) this.crash('the process was killed')
      },
    })
    const environment: Environment = {
      clock: { monotonicMs: () => this.nowMs, wallMs: () => startWallMs + this.nowMs },
      timers: {
        after: (delayMs, run) => {
          const due = { atMs: this.nowMs + delayMs, run }
          this.timers.add(due)
          return { cancel: () => this.timers.delete(due) }
        },
        soon: run => this.soon.push(run),
      },
      random: { below: limit => this.random.below(limit), bytes: count => this.random.bytes(count) },
      disk,
      network: undefined as never,
      log: this.logger(),
      halt: reason => {
        throw new Error(reason)
      },
    }
    const faulty = faultyEnvironment(environment, this.faults, {
      stall: () => {},
      crash: reason => this.crash(reason),
    })
    this.currentDisk = faulty.disk
    return faulty
  }

  private crash(reason: string): never {
    this.generation++
    throw new Crash(reason)
  }

  /** Runs what waits for a later turn, until nothing does. */
  turn(): void {
    while (this.soon.length > 0) this.soon.splice(0).forEach(run => run())
  }

  advance(ms: number): void {
    this.nowMs += ms
    for (const due of [...this.timers].sort((a, b) => a.atMs - b.atMs)) {
      if (due.atMs > this.nowMs || !this.timers.delete(due)) continue
      due.run()
    }
    this.turn()
  }

  /** Ends the process; the disk keeps everything. */
  kill(): void {
    this.generation++
    this.crashAtCall = Infinity
    this.crashAfterChange = Infinity
    this.failCall = undefined
    this.faults.healAll()
  }

  powerFailure(seed: number, directoryLoss: 'ordered' | 'independent' = 'ordered'): void {
    this.kill()
    this.disk.powerFailure(new Prng(seed), 0, { directoryLoss, writebackUs: Infinity })
  }

  logger(): Logger {
    const line = (message: string, fields?: LogFields) => {
      this.lines.push(message)
      this.logged.push({ message, fields })
    }
    const logger: Logger = { debug: line, info: line, warn: line, error: line, child: () => logger }
    return logger
  }
}

export const logDirectory = '/data/events-0'

export function openLog(machine: Machine, options: Partial<PartitionLogOptions> = {}): SegmentedLog {
  return openPartitionLog({
    environment: machine.environment(),
    directory: logDirectory,
    topicPartition: { topic: 'events', partition: 0 },
    topicId,
    config: defaultConfig,
    cleanShutdown: false,
    ...options,
  })
}

/** The logs of a node that starts in `environment`, with one log directory, `/data`. */
export function startManager(environment: Environment, options: Partial<LogManagerOptions> = {}): DirectoryLogManager {
  const defaults = { logDirs: ['/data'], clusterId: 'c', nodeId: 1, configOf: () => defaultConfig }
  const manager = new DirectoryLogManager({ environment, ...defaults, ...options })
  manager.start()
  return manager
}

/** The disk as the test sees it: works also after the process was killed. */
export function inspect(machine: Machine): Disk {
  return machine.disk.for({
    nowUs: 0,
    wallMs: 0,
    alive: () => {},
    fsyncBlocks: () => {},
    fsyncLater: done => done(),
    note: () => {},
  })
}

export function batchOf(values: readonly string[], options: BatchOptions = {}): Buffer {
  const records: RecordInput[] = values.map(value => ({ key: `k${value}`, value }))
  return buildBatch(records, { timestamp: startWallMs, ...options })
}

export const asClient = { origin: 'client', leaderEpoch: 0, wallMs: startWallMs } as const
