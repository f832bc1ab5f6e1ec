/**
 * All logs of this node, over one or more log directories. Implements LogManager (log.ts has the contract): finds and
 * recovers logs at start, creates and deletes them, keeps the checkpoints, and takes a directory offline when its disk
 * fails. It decides nothing about replication.
 *
 * Source: KIP-112, KIP-113, KIP-858; Kafka documentation, "Log".
 */
import { DiskError } from '../environment/environment.ts'
import type { Environment } from '../environment/environment.ts'
import { writeCleanShutdown } from './clean-shutdown.ts'
import { partitionDirectoryName, partitionKey } from './log-files.ts'
import { LogCleaner, type CleanerTarget } from './cleaner/log-cleaner.ts'
import { MissingLogs, warnOfNewDirectories } from './empty-directories.ts'
import { FutureLogs } from './future-logs.ts'
import type { HeldLog, LogToOpen } from './future-logs.ts'
import { LogDirectory, type FoundPartition } from './log-directory.ts'
import { isDiskFull, isOutOfFiles, isShortage } from './log-failure.ts'
import { LogPlacement } from './log-placement.ts'
import { LogRemovals } from './log-removals.ts'
import type {
  AssignedReplica,
  DescribedDirectory,
  FutureLog,
  LogConfig,
  LogManager,
  PartitionLog,
  TopicPartition,
} from './log.ts'
import { LogDirectoryError } from './meta-properties.ts'
import { OpenFiles } from './open-files.ts'
import { openPartitionLog, type SegmentedLog } from './partition-log.ts'

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
  /** Descriptors of all logs. */
  readonly openFiles?: OpenFiles
  /** producer.id.expiration.ms as it is now. */
  readonly producerIdExpirationMs?: () => number
}

type MetadataDirectory = (partition: TopicPartition, topicId: string) => string | undefined
type DirectoryFailureListener = (directoryId: string, partitions: readonly TopicPartition[], error: Error) => void

export class DirectoryLogManager implements LogManager {
  private readonly options: LogManagerOptions
  private readonly environment: Environment
  private readonly dirs: LogDirectory[]
  private readonly byPartition = new Map<string, HeldLog>()
  private readonly futures: FutureLogs
  private readonly openFiles: OpenFiles
  private readonly placement: LogPlacement<LogDirectory>
  readonly cleaner: LogCleaner
  /** Logs of partitions of which another directory has a log too; until `settle`. */
  private rivals: { readonly directory: LogDirectory; readonly found: FoundPartition }[] = []
  /** Directories that failed with the log of a partition; until it is made anew or deleted. */
  private readonly lost = new Map<string, LogDirectory>()
  private readonly listeners: DirectoryFailureListener[] = []
  private readonly removals: LogRemovals
  private readonly missing: MissingLogs
  private readonly spaceListeners: ((directoryId: string) => void)[] = []
  private closed = false

  constructor(options: LogManagerOptions) {
    this.options = options
    this.environment = options.environment
    this.openFiles = options.openFiles ?? new OpenFiles()
    this.dirs = options.logDirs.map(path => {
      const directory: LogDirectory = new LogDirectory(path, options, {
        hasSpace: () => this.hasSpace(directory),
        failed: error => this.failDirectory(directory, error),
      })
      return directory
    })
    this.placement = new LogPlacement(this.dirs)
    this.missing = new MissingLogs(this.environment, this.dirs)
    this.removals = new LogRemovals({
      environment: this.environment,
      trying: (directory, run) => this.trying(directory, run),
    })
    this.futures = new FutureLogs({
      environment: this.environment,
      current: partition => this.byPartition.get(partitionKey(partition)),
      open: (directory, partition, log) => this.open(directory, partition, log),
      replace: (partition, held) => this.byPartition.set(partitionKey(partition), held),
      retire: (directory, partition, name, delayMs) => this.removals.retire(directory, partition, name, delayMs),
      inDirectory: (directory, run) => this.inDirectory(directory, run),
      refused: (directory, error) => this.refused(directory, error),
      clearPlace: (directory, name) => this.removals.clearPlace(directory, name),
    })
    this.cleaner = new LogCleaner({
      environment: this.environment,
      targets: () => [...this.byPartition.values()].map(held => this.cleanerTarget(held)),
      isCopied: partition => this.futures.get(partition) !== undefined,
    })
  }

  get directories(): readonly DescribedDirectory[] {
    return this.dirs
  }

  /**
   * The broker epoch at the last clean shutdown of all directories; -1 when the node was not stopped cleanly, or not with all of them: one that
   * was put back to how it was before may lack records for which the others are remembered (KIP-966).
   */
  get previousBrokerEpoch(): number {
    const epochs = new Set(this.dirs.map(each => (each.cleanShutdown ? each.previousBrokerEpoch : -1)))
    const [epoch = -1] = epochs
    return epochs.size === 1 ? epoch : -1
  }

  /** Directory that holds the partition's log: for the broker's answer to DescribeLogDirs and AssignReplicasToDirs. */
  directoryOf(partition: TopicPartition): { readonly path: string; readonly id: string } | undefined {
    return this.byPartition.get(partitionKey(partition))?.directory
  }

  lostWith(partition: TopicPartition): string | undefined {
    return this.byPartition.has(partitionKey(partition)) ? undefined : this.lost.get(partitionKey(partition))?.id
  }

  start(): void {
    for (const directory of this.dirs) {
      try {
        directory.open()
        this.load(directory)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        if (isOutOfFiles(error))
          throw new LogDirectoryError(
            `Not enough file descriptors to open the logs of ${directory.path} (${error.message}). Raise the limit of open files (ulimit -n).`,
          )
        // Also for want of space: logs that could not be made whole cannot be served.
        this.failDirectory(directory, error)
      }
      if (directory.online) this.trying(directory, () => directory.checkpointNow())
    }
    warnOfNewDirectories(this.environment.log, this.dirs)
    if (!this.dirs.some(directory => directory.online)) {
      const problems = this.dirs.map(directory => directory.failure?.message).join('; ')
      throw new LogDirectoryError(
        `None of the log directories can be used: ${problems}. Check that they exist, can be written and have space.`,
      )
    }
  }

  private load(directory: LogDirectory): void {
    const { partitions, futures, deleted } = directory.list()
    for (const path of deleted) this.environment.disk.remove(path)
    for (const found of partitions) {
      const { partition, topicId } = found
      if (this.byPartition.has(partitionKey(partition))) {
        this.rivals.push({ directory, found })
        continue
      }
      const config = this.options.configOf(partition)
      const log = this.open(directory, partition, { topicId: topicId ?? '', config, name: found.name })
      this.byPartition.set(partitionKey(partition), { log, directory })
    }
    for (const found of futures) this.futures.load(directory, found, this.options.configOf(found.partition))
    const fields = { directory: directory.path, partitions: partitions.length, cleanShutdown: directory.cleanShutdown }
    this.environment.log.info('Loaded a log directory.', { ...fields, copiesUnderWay: futures.length })
  }

  private open(
    directory: LogDirectory,
    partition: TopicPartition,
    { topicId, config, name, isClosed }: LogToOpen,
  ): SegmentedLog {
    const { producerIdExpirationMs } = this.options
    const { disk } = this.environment
    const path = `${directory.path}/${name}`
    const isNew = disk.stat(path) === undefined
    const open = (): SegmentedLog =>
      openPartitionLog({
        environment: this.environment,
        directory: path,
        room: directory.room,
        openFiles: this.openFiles,
        topicPartition: partition,
        topicId,
        config,
        cleanShutdown: isClosed ?? directory.cleanShutdown,
        recoveryPoint: directory.recoveryPoint(partition),
        logStartOffset: directory.logStartOffset(partition),
        cleanedBelow: directory.cleanerOffset(partition) ?? 0,
        ...(producerIdExpirationMs === undefined ? {} : { producerIdExpirationMs }),
        onFailure: error => this.failDirectory(directory, error),
        onGapKept: offset => directory.raiseCleanerOffset(partition, offset),
        onTruncated: offset => directory.lowerCleanerOffset(partition, offset),
        onOffsetsLowered: () => {
          // While the node starts, one checkpoint follows for all logs.
          const log = directory.logs.get(partitionKey(partition))
          if (log !== undefined) directory.lowerOffsets(log)
        },
      })
    let log: SegmentedLog
    try {
      log = open()
    } catch (error) {
      // Half a log is no log: it is made anew when there is space.
      if (isNew && isShortage(error)) disk.remove(path)
      throw error
    }
    directory.logs.set(partitionKey(partition), log)
    return log
  }

  private cleanerTarget({ log, directory }: HeldLog): CleanerTarget {
    const { topicPartition } = log
    const failed = (error: DiskError): void => this.refused(directory, error)
    return {
      log,
      cleanerOffset: () => directory.cleanerOffset(topicPartition),
      setCleanerOffset: offset => directory.setCleanerOffset(topicPartition, offset, failed),
    }
  }

  settle(metadataDirectory: MetadataDirectory): void {
    const partitions = new Map(this.rivals.map(({ found: { partition } }) => [partitionKey(partition), partition]))
    for (const partition of partitions.values()) this.settleRivals(partition, metadataDirectory)
    this.rivals = []
    for (const { log, directory } of this.futures.all()) {
      const { topicPartition: partition, topicId } = log
      const current = this.byPartition.get(partitionKey(partition))
      const wanted = metadataDirectory(partition, topicId)
      if (wanted === undefined || (current !== undefined && current.log.topicId !== topicId)) {
        this.futures.drop(partition)
      } else if (current === undefined && wanted === directory.id) {
        // The controller knew already that the copy was complete, and the log's directory is gone.
        this.environment.log.warn('The copy of a log takes its place, since its directory is offline.', {
          ...partition,
        })
        this.trying(directory, () => this.futures.promote(partition, this.options.configOf(partition)))
      } else if (current === undefined && this.dirs.every(({ online }) => online)) this.futures.drop(partition)
    }
  }

  /** Several directories hold a log of the partition: the one that the metadata names stays. */
  private settleRivals(partition: TopicPartition, metadataDirectory: MetadataDirectory): void {
    const key = partitionKey(partition)
    const opened = this.byPartition.get(key)
    const rivals = this.rivals.filter(
      ({ found, directory }) => partitionKey(found.partition) === key && directory.online,
    )
    if (opened === undefined || rivals.length === 0) return
    const needed = [
      { directory: opened.directory, topicId: opened.log.topicId, name: partitionDirectoryName(partition) },
      ...rivals.map(({ directory, found: { topicId, name } }) => ({ directory, topicId: topicId ?? '', name })),
    ].flatMap(each => {
      const wanted = metadataDirectory(partition, each.topicId)
      return wanted === undefined ? [] : [{ ...each, isNamed: wanted === each.directory.id }]
    })
    const winner = needed.length === 1 ? needed[0] : needed.find(({ isNamed }) => isNamed)
    if (winner === undefined && needed.length > 0) {
      const paths = [opened, ...rivals].map(({ directory }) => directory.path)
      this.environment.halt(`${key} is in ${paths.join(' and in ')}: remove all but one of them.`)
      return
    }
    this.environment.log.warn('Several log directories hold a log of a partition; one stays.', {
      ...partition,
      stays: winner?.directory.path,
    })
    const config = this.options.configOf(partition)
    for (const { directory, found } of rivals)
      if (directory !== winner?.directory)
        this.removals.retire(directory, partition, found.name, config.fileDeleteDelayMs)
    if (winner === undefined || winner.directory === opened.directory) return
    this.delete(partition)
    const { directory, topicId, name } = winner
    const log = this.trying(directory, () => this.open(directory, partition, { topicId, config, name }))
    if (log !== undefined) this.byPartition.set(key, { log, directory })
  }

  get(partition: TopicPartition): PartitionLog | undefined {
    return this.byPartition.get(partitionKey(partition))?.log
  }

  getOrCreate(
    partition: TopicPartition,
    topicId: string,
    config: LogConfig,
    assigned: AssignedReplica = {},
  ): PartitionLog {
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
    const name = partitionDirectoryName(partition)
    const { directoryId, isNew = false } = assigned
    // A directory may have failed after its id was read: only one that works is known not to hold the log.
    const isCertain =
      directoryId === undefined ? isNew : this.dirs.some(({ id, online }) => online && id === directoryId)
    // An empty log in its place would pass for the log that is there.
    if (!isCertain && this.dirs.some(({ online }) => !online))
      throw new DiskError('EIO', 'create', name, 'the log may be in a directory that is offline')
    const directory = this.placement.choose(partition, directoryId)
    if (directory === undefined) throw new DiskError('EIO', 'create', name, 'every log directory is offline')
    // What the checkpoints say is about an earlier log of this name: a crash must not apply it to the new one.
    if (directory.mentions(partition)) {
      this.trying(directory, () => directory.checkpointFinally(other => directory.highWatermark(other) ?? 0))
      // That went wrong: among the directories that are left, if it may be in one of them.
      if (directory.failure !== undefined) return this.getOrCreate(partition, topicId, config, assigned)
      if (directory.room.full !== undefined) throw directory.room.full
    }
    const log = this.inDirectory(directory, () => {
      this.removals.clearPlace(directory, name)
      return this.open(directory, partition, { topicId, config, name })
    })
    if (!isNew) this.missing.add({ partition, begun: directory, named: directoryId })
    this.byPartition.set(partitionKey(partition), { log, directory })
    this.lost.delete(partitionKey(partition))
    this.placement.placed(partition)
    return log
  }

  future(partition: TopicPartition): FutureLog | undefined {
    const future = this.futures.get(partition)
    return future && { log: future.log, path: future.directory.path, directoryId: future.directory.id }
  }

  futureLogs(): PartitionLog[] {
    return this.futures.all().map(({ log }) => log)
  }

  createFuture(partition: TopicPartition, path: string, config: LogConfig): PartitionLog {
    const directory = this.dirs.find(each => each.path === path && each.online)
    if (directory === undefined) throw new DiskError('EIO', 'create', path, 'the log directory is offline')
    return this.futures.create(partition, directory, config)
  }

  promoteFuture(partition: TopicPartition, config: LogConfig): PartitionLog {
    return this.futures.promote(partition, config)
  }

  dropFuture(partition: TopicPartition): void {
    this.futures.drop(partition)
  }

  prefer(partition: TopicPartition, path: string): void {
    this.placement.prefer(partition, path)
  }

  cordon(paths: ReadonlySet<string>): void {
    this.placement.cordon(paths)
  }

  isCordoned(path: string): boolean {
    return this.placement.isCordoned(path)
  }

  all(): Iterable<PartitionLog> {
    return [...this.byPartition.values()].map(({ log }) => log)
  }

  delete(partition: TopicPartition): void {
    const found = this.forget(partition)
    if (found === undefined) return
    const { directory, log } = found
    this.removals.retire(directory, partition, partitionDirectoryName(partition), log.fileDeleteDelayMs)
  }

  setAside(partition: TopicPartition): boolean {
    const directory = this.forget(partition)?.directory
    if (directory === undefined) return true
    return this.removals.setAside(directory, partition, partitionDirectoryName(partition))
  }

  private forget(partition: TopicPartition) {
    this.futures.drop(partition)
    const key = partitionKey(partition)
    const found = this.byPartition.get(key)
    found?.log.release()
    this.byPartition.delete(key)
    this.lost.delete(key)
    found?.directory.logs.delete(key)
    return found
  }

  checkpointedHighWatermark(partition: TopicPartition): number {
    const found = this.byPartition.get(partitionKey(partition))
    if (found === undefined) return 0
    return Math.min(found.directory.highWatermark(partition) ?? 0, found.log.logEndOffset)
  }

  checkpoint(highWatermarkOf: (partition: TopicPartition) => number): void {
    for (const directory of this.dirs) {
      // The last checkpoint is a safe one.
      if (!directory.online || directory.room.full !== undefined) continue
      this.trying(directory, () => directory.checkpointLater(highWatermarkOf, error => this.refused(directory, error)))
    }
  }

  onDirectoryFailure(listener: DirectoryFailureListener): void {
    this.listeners.push(listener)
  }

  onSpace(listener: (directoryId: string) => void): void {
    this.spaceListeners.push(listener)
  }

  private hasSpace(directory: LogDirectory): void {
    this.removals.tryAgain(directory)
    for (const listener of this.spaceListeners) listener(directory.id)
  }

  /** Resolves when `close` has little left to do; for when nothing is appended any more. */
  async writeOut(): Promise<void> {
    await Promise.all(this.dirs.filter(({ online }) => online).map(directory => this.writeOutIn(directory)))
  }

  private async writeOutIn(directory: LogDirectory): Promise<void> {
    const logs = [...directory.logs.values()]
    await Promise.all(logs.map(log => this.whenOver(directory, done => log.writeOutLater(() => done(undefined)))))
    const named = logs.filter(log => log.durability.hasNewName)
    if (named.length === 0 || !directory.online) return
    const isDurable = await this.whenOver(directory, done =>
      this.environment.disk.syncDirectoryLater(directory.path, done),
    )
    if (isDurable) for (const log of named) log.durability.nameIsDurable()
  }

  /** Resolves when disk work off the event loop is over, with whether it went well. */
  private whenOver(
    directory: LogDirectory,
    run: (done: (error: DiskError | undefined) => void) => void,
  ): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const done = (error: DiskError | undefined): void => {
        if (error !== undefined) this.refused(directory, error)
        resolve(error === undefined)
      }
      try {
        run(done)
      } catch (error) {
        // The other directories go on.
        if (error instanceof DiskError) done(error)
        else reject(error)
      }
    })
  }

  close(highWatermarkOf: (partition: TopicPartition) => number): void {
    if (this.closed) return
    this.closed = true
    this.cleaner.stop()
    this.removals.stop()
    for (const directory of this.dirs) {
      if (!directory.online) continue
      try {
        this.closeDirectory(directory, highWatermarkOf)
      } finally {
        this.trying(directory, () => directory.release())
      }
    }
    for (const directory of this.dirs) for (const log of directory.logs.values()) log.release()
  }

  /** The mark of a clean stop is left only where everything is durable; what finds no space costs the next start a recovery. */
  private closeDirectory(directory: LogDirectory, highWatermarkOf: (partition: TopicPartition) => number): void {
    let isClean = true
    for (const log of directory.logs.values())
      if (this.trying(directory, () => (log.close(), true)) !== true) isClean = false
    if (!isClean || !directory.online) {
      const { path, online } = directory
      this.environment.log.warn('A log directory is not closed cleanly: its logs are recovered at the next start.', {
        directory: path,
        online,
      })
      return
    }
    this.trying(directory, () => {
      directory.checkpointFinally(highWatermarkOf)
      // A node that was never registered since its last clean stop is still the one of that stop.
      const epoch = Math.max(this.options.brokerEpoch?.() ?? -1, directory.previousBrokerEpoch)
      if (directory.online) writeCleanShutdown(this.environment.disk, directory.path, epoch)
    })
  }

  /** Runs disk work of one directory: its failure takes the directory offline and nothing else; a shortage not even that. */
  private trying<T>(directory: LogDirectory, run: () => T): T | undefined {
    try {
      return run()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.refused(directory, error)
      return undefined
    }
  }

  private refused(directory: LogDirectory, error: DiskError): void {
    if (isDiskFull(error)) directory.room.ranFull(error)
    if (!isShortage(error)) return this.failDirectory(directory, error)
    if (isOutOfFiles(error))
      this.environment.log.warn('No file descriptor is left for work in a log directory; it is tried again.', {
        directory: directory.path,
        operation: error.operation,
        path: error.path,
        advice: 'raise the limit of open files (ulimit -n), or lower log.open.files.max or max.connections',
      })
  }

  /** The same, for whoever has to know that it failed. */
  private inDirectory<T>(directory: LogDirectory, run: () => T): T {
    try {
      return run()
    } catch (error) {
      if (error instanceof DiskError) this.refused(directory, error)
      throw error
    }
  }

  private failDirectory(directory: LogDirectory, error: DiskError): void {
    if (directory.failure !== undefined) return
    directory.failure = error
    directory.online = false
    directory.room.stop()
    this.futures.directoryFailed(directory, error)
    const logs = [...this.byPartition.values()].filter(held => held.directory === directory).map(({ log }) => log)
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
      this.lost.set(partitionKey(log.topicPartition), directory)
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
