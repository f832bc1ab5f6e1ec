/**
 * All logs of this node, over one or more log directories. Implements LogManager (log.ts has the contract): finds and
 * recovers logs at start, creates and deletes them, keeps the checkpoints, and takes a directory offline when its disk
 * fails. It decides nothing about replication.
 *
 * Source: KIP-112, KIP-113, KIP-858; Kafka documentation, "Log".
 */
import { DiskError } from '../environment/environment.ts'
import type { Environment, Timer } from '../environment/environment.ts'
import { writeCleanShutdown } from './clean-shutdown.ts'
import { deletedDirectoryName, partitionDirectoryName, partitionKey } from './log-files.ts'
import { LogDirectory } from './log-directory.ts'
import type { LogConfig, LogManager, PartitionLog, TopicPartition } from './log.ts'
import { LogDirectoryError } from './meta-properties.ts'
import { openPartitionLog } from './partition-log.ts'
import type { SegmentedLog } from './partition-log.ts'

export interface LogManagerOptions {
  readonly environment: Environment
  /** Absolute paths (log.dirs); created and formatted when they are new. */
  readonly logDirs: readonly string[]
  readonly clusterId: string
  readonly nodeId: number
  /** The settings of a log found at start; the metadata may bring others later (`updateConfig`). */
  configOf(partition: TopicPartition): LogConfig
  /** For the clean shutdown marker; -1 when the node was never registered. */
  brokerEpoch?(): number
  readonly producerIdExpirationMs?: number
}

type DirectoryFailureListener = (directoryId: string, partitions: readonly TopicPartition[], error: Error) => void

export class DirectoryLogManager implements LogManager {
  private readonly options: LogManagerOptions
  private readonly environment: Environment
  private readonly dirs: LogDirectory[]
  private readonly byPartition = new Map<string, { readonly log: SegmentedLog; readonly directory: LogDirectory }>()
  private readonly listeners: DirectoryFailureListener[] = []
  private readonly removals = new Map<string, Timer>()
  private closed = false

  constructor(options: LogManagerOptions) {
    this.options = options
    this.environment = options.environment
    this.dirs = options.logDirs.map(path => new LogDirectory(path, options))
  }

  get directories(): readonly { readonly path: string; readonly id: string; readonly online: boolean }[] {
    return this.dirs
  }

  /** The broker epoch at the last clean shutdown of all directories, -1 when the node was not stopped cleanly. */
  get previousBrokerEpoch(): number {
    const clean = this.dirs.every(directory => directory.cleanShutdown)
    return clean ? Math.max(-1, ...this.dirs.map(directory => directory.previousBrokerEpoch)) : -1
  }

  /** Directory that holds the partition's log: for the broker's answer to DescribeLogDirs and AssignReplicasToDirs. */
  directoryOf(partition: TopicPartition): { readonly path: string; readonly id: string } | undefined {
    return this.byPartition.get(partitionKey(partition))?.directory
  }

  start(): void {
    for (const directory of this.dirs) {
      this.inDirectory(directory, () => {
        directory.open()
        this.load(directory)
        directory.checkpointNow()
      })
    }
    if (!this.dirs.some(directory => directory.online)) {
      const problems = this.dirs.map(directory => directory.failure?.message).join('; ')
      throw new LogDirectoryError(
        `None of the log directories can be used: ${problems}. Check that they exist, can be written and have space.`,
      )
    }
  }

  private load(directory: LogDirectory): void {
    const { partitions, deleted } = directory.list()
    for (const path of deleted) this.environment.disk.remove(path)
    for (const { partition, topicId } of partitions) {
      const other = this.byPartition.get(partitionKey(partition))
      if (other !== undefined) {
        throw new LogDirectoryError(
          `${partitionKey(partition)} is in ${other.directory.path} and in ${directory.path}: remove one of them.`,
        )
      }
      this.open(directory, partition, topicId ?? '', this.options.configOf(partition))
    }
    const fields = { directory: directory.path, partitions: partitions.length, cleanShutdown: directory.cleanShutdown }
    this.environment.log.info('Loaded a log directory.', fields)
  }

  private open(directory: LogDirectory, partition: TopicPartition, topicId: string, config: LogConfig): SegmentedLog {
    const { producerIdExpirationMs } = this.options
    const log = openPartitionLog({
      environment: this.environment,
      directory: `${directory.path}/${partitionDirectoryName(partition)}`,
      topicPartition: partition,
      topicId,
      config,
      cleanShutdown: directory.cleanShutdown,
      recoveryPoint: directory.recoveryPoint(partition),
      logStartOffset: directory.logStartOffset(partition),
      ...(producerIdExpirationMs === undefined ? {} : { producerIdExpirationMs }),
      onFailure: error => this.failDirectory(directory, error),
      onOffsetsLowered: () => {
        // While the node starts, one checkpoint follows for all logs.
        if (directory.logs.has(partitionKey(partition))) directory.checkpointNow()
      },
    })
    directory.logs.set(partitionKey(partition), log)
    this.byPartition.set(partitionKey(partition), { log, directory })
    return log
  }

  get(partition: TopicPartition): PartitionLog | undefined {
    return this.byPartition.get(partitionKey(partition))?.log
  }

  getOrCreate(partition: TopicPartition, topicId: string, config: LogConfig): PartitionLog {
    const known = this.byPartition.get(partitionKey(partition))?.log
    if (known !== undefined) {
      if (known.topicId === '') known.adoptTopicId(topicId)
      if (known.topicId !== topicId) {
        throw new Error(
          `Bug: the log of ${partitionKey(partition)} has topic id ${known.topicId}, not ${topicId}: delete it first.`,
        )
      }
      return known
    }
    const online = this.dirs.filter(directory => directory.online)
    const least = Math.min(...online.map(directory => directory.logs.size))
    const directory = online.find(candidate => candidate.logs.size === least)
    if (directory === undefined)
      throw new DiskError('EIO', 'create', partitionDirectoryName(partition), 'every log directory is offline')
    // What the checkpoints say is about an earlier log of this name: a crash must not apply it to the new one.
    if (directory.mentions(partition)) {
      this.inDirectory(directory, () => directory.checkpointFinally(other => directory.highWatermark(other) ?? 0))
      // That went wrong: among the directories that are left, if there are any.
      if (directory.failure !== undefined) return this.getOrCreate(partition, topicId, config)
    }
    try {
      return this.open(directory, partition, topicId, config)
    } catch (error) {
      if (error instanceof DiskError) this.failDirectory(directory, error)
      throw error
    }
  }

  all(): Iterable<PartitionLog> {
    return [...this.byPartition.values()].map(({ log }) => log)
  }

  delete(partition: TopicPartition): void {
    const found = this.byPartition.get(partitionKey(partition))
    if (found === undefined) return
    const { log, directory } = found
    log.release()
    this.byPartition.delete(partitionKey(partition))
    directory.logs.delete(partitionKey(partition))
    const { disk, random, timers } = this.environment
    const target = `${directory.path}/${deletedDirectoryName(partition, random.bytes(16).toString('hex'))}`
    this.inDirectory(directory, () => {
      disk.rename(log.directory, target)
      disk.syncDirectory(directory.path)
    })
    const timer = timers.after(log.fileDeleteDelayMs, () => {
      this.removals.delete(target)
      this.inDirectory(directory, () => disk.remove(target))
    })
    this.removals.set(target, timer)
  }

  checkpointedHighWatermark(partition: TopicPartition): number {
    const found = this.byPartition.get(partitionKey(partition))
    if (found === undefined) return 0
    return Math.min(found.directory.highWatermark(partition) ?? 0, found.log.logEndOffset)
  }

  checkpoint(highWatermarkOf: (partition: TopicPartition) => number): void {
    for (const directory of this.dirs) {
      if (!directory.online) continue
      this.inDirectory(directory, () =>
        directory.checkpointLater(highWatermarkOf, error => this.failDirectory(directory, error)),
      )
    }
  }

  onDirectoryFailure(listener: DirectoryFailureListener): void {
    this.listeners.push(listener)
  }

  close(highWatermarkOf: (partition: TopicPartition) => number): void {
    if (this.closed) return
    this.closed = true
    for (const timer of this.removals.values()) timer.cancel()
    for (const directory of this.dirs) {
      if (!directory.online) continue
      this.inDirectory(directory, () => {
        for (const log of directory.logs.values()) log.close()
        directory.checkpointFinally(highWatermarkOf)
        // A node that was never registered since its last clean stop is still the one of that stop.
        const epoch = Math.max(this.options.brokerEpoch?.() ?? -1, directory.previousBrokerEpoch)
        if (directory.online) writeCleanShutdown(this.environment.disk, directory.path, epoch)
        directory.release()
      })
    }
    for (const { log } of this.byPartition.values()) log.release()
  }

  /** Runs disk work of one directory: its failure takes the directory offline and nothing else. */
  private inDirectory(directory: LogDirectory, run: () => void): void {
    try {
      run()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.failDirectory(directory, error)
    }
  }

  private failDirectory(directory: LogDirectory, error: DiskError): void {
    if (directory.failure !== undefined) return
    directory.failure = error
    directory.online = false
    const logs = [...directory.logs.values()]
    this.environment.log.error('A log directory failed and is offline until the node is restarted.', {
      directory: directory.path,
      directoryId: directory.id,
      operation: error.operation,
      path: error.path,
      code: error.code,
      partitions: logs.length,
    })
    for (const log of logs) {
      log.markFailed(error)
      this.byPartition.delete(partitionKey(log.topicPartition))
    }
    // In a later turn: whoever appends right now must get its refusal before its partition is taken away.
    this.environment.timers.soon(() => {
      for (const listener of this.listeners)
        listener(
          directory.id,
          logs.map(log => log.topicPartition),
          error,
        )
    })
  }
}
