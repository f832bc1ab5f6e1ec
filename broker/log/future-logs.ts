/**
 * Copies of logs on their way into another log directory of this node (KIP-113): `<topic>-<partition>.<uuid>-future`. At
 * most one for a partition. Decides nothing about when a copy is complete.
 *
 * How a copy takes the place of the log (`promote`), and what a stop in between leaves behind:
 *
 *   1. the copy is closed, everything in it and its checkpoints are durable    log, complete copy
 *   2. its directory gets the partition's name                                 two logs with the same content
 *   3. it is opened as the log
 *   4. the former directory is renamed to `-delete`                            one log
 *
 * After a stop between 2 and 4 the metadata tells which of the two stays (`log-manager.ts`, `settle`); either is whole.
 *
 * Source: KIP-113, KIP-858; Kafka's names for the directories.
 */
import { DiskError } from '../environment/environment.ts'
import type { Environment } from '../environment/environment.ts'
import { futureDirectoryName, partitionDirectoryName, partitionKey } from './log-files.ts'
import type { LogDirectory } from './log-directory.ts'
import type { FoundPartition } from './log-directory.ts'
import { isShortage } from './log-failure.ts'
import type { LogConfig, TopicPartition } from './log.ts'
import type { SegmentedLog } from './partition-log.ts'

/** A log, or a copy of one, and where it is. */
export interface HeldLog {
  readonly log: SegmentedLog
  readonly directory: LogDirectory
}

/** The manager of all logs, as copies need it. */
export interface FutureLogsHost {
  readonly environment: Environment
  current(partition: TopicPartition): HeldLog | undefined
  /** Opens `<directory>/<name>`, without making it the partition's log. Throws DiskError. */
  open(directory: LogDirectory, partition: TopicPartition, log: LogToOpen): SegmentedLog
  /** From now on this is the partition's log. */
  replace(partition: TopicPartition, held: HeldLog): void
  /** Renames a log's directory to `-delete`, and removes it later. Does not throw DiskError. */
  retire(directory: LogDirectory, partition: TopicPartition, name: string, delayMs: number): void
  /** Takes the directory offline when `run` throws DiskError, and passes the error on. */
  inDirectory<T>(directory: LogDirectory, run: () => T): T
  /** Takes the directory offline, unless it is for a shortage. */
  refused(directory: LogDirectory, error: DiskError): void
  /** Takes away what should be gone from `<directory>/<name>` already. Throws DiskError. */
  clearPlace(directory: LogDirectory, name: string): void
}

export interface LogToOpen {
  readonly topicId: string
  readonly config: LogConfig
  readonly name: string
  /** It was closed by this very process: there is nothing to recover. */
  readonly isClosed?: true
}

export class FutureLogs {
  private readonly host: FutureLogsHost
  private readonly futures = new Map<string, HeldLog>()

  constructor(host: FutureLogsHost) {
    this.host = host
  }

  get(partition: TopicPartition): HeldLog | undefined {
    return this.futures.get(partitionKey(partition))
  }

  all(): HeldLog[] {
    return [...this.futures.values()]
  }

  /** A copy found at the start; one that cannot be gone on with is removed. */
  load(directory: LogDirectory, found: FoundPartition, config: LogConfig): void {
    const { partition, topicId, name } = found
    const key = partitionKey(partition)
    const path = `${directory.path}/${name}`
    const problem =
      topicId === undefined
        ? 'it does not say of which topic it is'
        : directory.logs.has(key) || this.futures.has(key)
          ? 'the partition has another log or copy'
          : undefined
    if (problem === undefined && topicId !== undefined) {
      this.futures.set(key, { log: this.host.open(directory, partition, { topicId, config, name }), directory })
      return
    }
    this.host.environment.log.warn('Removing a copy of a log that was under way.', { path, problem })
    this.host.environment.disk.remove(path)
  }

  /** An empty copy beside the partition's log, and durable; it begins where the log begins. Throws DiskError. */
  create(partition: TopicPartition, directory: LogDirectory, config: LogConfig): SegmentedLog {
    const current = this.host.current(partition)
    const name = futureDirectoryName(partition, this.host.environment.random.bytes(16).toString('hex'))
    if (current === undefined || name === undefined || this.futures.has(partitionKey(partition)))
      throw new Error(`Bug: ${partitionKey(partition)} cannot be copied to ${directory.path}.`)
    const { topicId } = current.log
    return this.host.inDirectory(directory, () => {
      // What the checkpoints say is about an earlier log of this name: a crash must not apply it to the copy.
      if (directory.mentions(partition)) {
        directory.checkpointFinally(other => directory.highWatermark(other) ?? 0)
      }
      const log = this.host.open(directory, partition, { topicId, config, name })
      this.futures.set(partitionKey(partition), { log, directory })
      try {
        if (current.log.logStartOffset > 0) log.truncateFullyAndStartAt(current.log.logStartOffset)
        log.flush()
      } catch (error) {
        if (isShortage(error)) this.drop(partition)
        throw error
      }
      return log
    })
  }

  /** Gives the copy up, if there is one. */
  drop(partition: TopicPartition): void {
    const future = this.forget(partition)
    if (future === undefined) return
    const { log, directory } = future
    log.release()
    directory.logs.delete(partitionKey(partition))
    this.host.retire(directory, partition, baseName(log.directory), log.fileDeleteDelayMs)
  }

  /** Its directory failed, or it is the log now. */
  forget(partition: TopicPartition): HeldLog | undefined {
    const future = this.futures.get(partitionKey(partition))
    this.futures.delete(partitionKey(partition))
    return future
  }

  /**
   * Makes the copy, which holds all that the log holds, the partition's log. Throws DiskError when the directory of the
   * copy fails, or for a shortage there; then the log stays what it was, and the copy can only be dropped.
   */
  promote(partition: TopicPartition, config: LogConfig): SegmentedLog {
    const future = this.futures.get(partitionKey(partition))
    const current = this.host.current(partition)
    if (future === undefined || (current !== undefined && current.log.logEndOffset !== future.log.logEndOffset))
      throw new Error(`Bug: ${partitionKey(partition)} has no complete copy.`)
    const { directory } = future
    const name = partitionDirectoryName(partition)
    const promoted = this.host.inDirectory(directory, () => {
      const { disk } = this.host.environment
      const { topicId } = future.log
      // Of a log that was compacted the batches alone do not tell.
      if (current !== undefined) future.log.learnEpochs(current.log.epochs.all)
      future.log.close()
      directory.checkpointNow()
      this.host.clearPlace(directory, name)
      disk.rename(future.log.directory, `${directory.path}/${name}`)
      try {
        disk.syncDirectory(directory.path)
        return this.host.open(directory, partition, { topicId, config, name, isClosed: true })
      } catch (error) {
        // There must not be two logs: it is a copy again.
        if (isShortage(error)) disk.rename(`${directory.path}/${name}`, future.log.directory)
        throw error
      }
    })
    this.forget(partition)
    if (current !== undefined) promoted.succeed(current.log)
    this.host.replace(partition, { log: promoted, directory })
    if (current !== undefined) {
      this.moveCleanerOffset(partition, current.directory, directory)
      current.log.release()
      current.directory.logs.delete(partitionKey(partition))
      this.host.retire(current.directory, partition, name, config.fileDeleteDelayMs)
    }
    return promoted
  }

  /** The copy is as clean as the log was. A write that is lost only has more cleaned again than must be. */
  private moveCleanerOffset(partition: TopicPartition, from: LogDirectory, to: LogDirectory): void {
    const offset = from.cleanerOffset(partition)
    if (offset === undefined) return
    for (const [directory, value] of [[to, offset] as const, [from, undefined] as const]) {
      try {
        directory.setCleanerOffset(partition, value, error => this.host.refused(directory, error))
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        this.host.refused(directory, error)
      }
    }
  }

  /** Every copy in the directory is out of reach. */
  directoryFailed(directory: LogDirectory, error: DiskError): void {
    for (const { log, directory: own } of this.all()) {
      if (own !== directory) continue
      log.markFailed(error)
      this.forget(log.topicPartition)
    }
  }
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
