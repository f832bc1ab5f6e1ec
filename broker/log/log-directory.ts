/**
 * One log directory: claims it for this node, loads the partitions in it, keeps its checkpoint files. It goes offline
 * at the first DiskError and stays so until the node starts again.
 *
 * Source: KIP-112 (disk failure), KIP-858; Kafka's layout of a log directory.
 */
import type { DiskError, DiskLock, Environment } from '../environment/environment.ts'
import {
  DamagedFileError,
  cleanerOffsetFile,
  highWatermarkFile,
  logStartOffsetFile,
  offsetCheckpointText,
  readOffsetCheckpoint,
  recoveryPointFile,
} from './checkpoints.ts'
import type { PartitionOffset } from './checkpoints.ts'
import { takeCleanShutdown } from './clean-shutdown.ts'
import { probeFile, Room } from './directory-room.ts'
import type { RoomOptions } from './directory-room.ts'
import {
  isDeletedDirectoryName,
  isStrayDirectoryName,
  parseFutureDirectoryName,
  parsePartitionDirectoryName,
  partitionKey,
} from './log-files.ts'
import type { TopicPartition } from './log.ts'
import { claimDirectory, lockDirectory, metaPropertiesFile } from './meta-properties.ts'
import type { SegmentedLog } from './partition-log.ts'
import { readPartitionMetadata } from './partition-metadata.ts'
import { makeDurableDirectory, replaceFile, replaceFileLater } from './small-files.ts'

/** What a start does without the file. Kafka says as much, and then takes the whole directory offline. */
const withoutCheckpoint: Readonly<Record<string, string>> = {
  [recoveryPointFile]: 'logs are checked from their beginning, and damage cannot be told from a torn end',
  [logStartOffsetFile]:
    'each log starts with its first segment: records that were deleted (DeleteRecords, retention) and whose segment is still there can be read again',
  [highWatermarkFile]: 'high watermarks are 0 until leader and followers agree on them again',
  [cleanerOffsetFile]: 'compacted logs are cleaned again from their beginning',
}

export interface LogDirectoryOwner {
  readonly environment: Environment
  readonly clusterId: string
  readonly nodeId: number
}

/** A partition found in the directory. */
export interface FoundPartition {
  readonly partition: TopicPartition
  /** Undefined when partition.metadata is missing or damaged. */
  readonly topicId: string | undefined
  /** Name of its directory. */
  readonly name: string
}

/** What `list` finds. */
export interface DirectoryContents {
  readonly partitions: readonly FoundPartition[]
  /** Copies under way. */
  readonly futures: readonly FoundPartition[]
  /** Paths of what is left of deleted partitions. */
  readonly deleted: readonly string[]
}

export class LogDirectory {
  readonly path: string
  /** Logs of partitions, and copies under way: never both of one partition. */
  readonly logs = new Map<string, SegmentedLog>()
  /** Whether it has space. */
  readonly room: Room
  id = ''
  online = false
  /** It had no meta.properties when it was opened. */
  wasUnformatted = false
  failure: DiskError | undefined
  cleanShutdown = false
  /** The broker epoch at the last clean shutdown, -1 when not known. */
  previousBrokerEpoch = -1
  private lock: DiskLock | undefined
  private readonly owner: LogDirectoryOwner
  private recoveryPoints = new Map<string, number>()
  private logStartOffsets = new Map<string, number>()
  private highWatermarks = new Map<string, number>()
  /** How far logs were cleaned, by partition: also of those that are not compacted any more. */
  private cleanerOffsets = new Map<string, number>()
  /** What each checkpoint file holds ('': not known), and a number that a write under way must still find. */
  private readonly written = new Map<string, { text: string; version: number }>()

  /** Partitions that a checkpoint on disk may say something about. */
  private readonly mentioned = new Set<string>()

  constructor(path: string, owner: LogDirectoryOwner, room: Pick<RoomOptions, 'hasSpace' | 'failed'>) {
    this.path = path
    this.owner = owner
    this.room = new Room({ environment: owner.environment, path, ...room })
  }

  /** Claims the directory and reads everything but the logs. Throws DiskError, LogDirectoryError. */
  open(): void {
    const { disk, random } = this.owner.environment
    makeDurableDirectory(disk, this.path)
    this.lock ??= lockDirectory(disk, this.path)
    this.wasUnformatted = disk.stat(`${this.path}/${metaPropertiesFile}`) === undefined
    this.id = claimDirectory(disk, this.path, { clusterId: this.owner.clusterId, nodeId: this.owner.nodeId, random })
    const marker = takeCleanShutdown(disk, this.path, this.owner.environment.log)
    this.cleanShutdown = marker.clean
    this.previousBrokerEpoch = marker.brokerEpoch
    this.recoveryPoints = this.readCheckpoint(recoveryPointFile)
    this.logStartOffsets = this.readCheckpoint(logStartOffsetFile)
    this.highWatermarks = this.readCheckpoint(highWatermarkFile)
    this.cleanerOffsets = this.readCheckpoint(cleanerOffsetFile)
    for (const offsets of [this.recoveryPoints, this.logStartOffsets, this.highWatermarks, this.cleanerOffsets])
      for (const key of offsets.keys()) this.mentioned.add(key)
    disk.remove(`${this.path}/${probeFile}`)
    this.online = true
  }

  /** Another process may take the directory. */
  release(): void {
    this.room.stop()
    this.lock?.release()
    this.lock = undefined
  }

  private readCheckpoint(name: string): Map<string, number> {
    try {
      return readOffsetCheckpoint(this.owner.environment.disk, `${this.path}/${name}`)
    } catch (error) {
      if (!(error instanceof DamagedFileError)) throw error
      this.owner.environment.log.warn('A checkpoint file is damaged and is not used.', {
        directory: this.path,
        problem: error.message,
        consequence: withoutCheckpoint[name],
      })
      return new Map()
    }
  }

  /** Partitions in the directory, by name; copies under way; and what is left of deleted ones. */
  list(): DirectoryContents {
    const { disk, log } = this.owner.environment
    const partitions: FoundPartition[] = []
    const futures: FoundPartition[] = []
    const deleted: string[] = []
    const found = (partition: TopicPartition, name: string): FoundPartition => ({
      partition,
      topicId: readPartitionMetadata(disk, `${this.path}/${name}`, log),
      name,
    })
    const names = disk.list(this.path).filter(entry => entry.kind === 'directory')
    for (const { name } of names.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const partition = parsePartitionDirectoryName(name)
      const future = parseFutureDirectoryName(name)
      if (isDeletedDirectoryName(name)) deleted.push(`${this.path}/${name}`)
      else if (future !== undefined) futures.push(found(future, name))
      else if (isStrayDirectoryName(name))
        log.info('A log that was set aside at an earlier start is still there.', { directory: `${this.path}/${name}` })
      else if (partition === undefined)
        log.warn('Ignoring a directory that is no partition.', { directory: `${this.path}/${name}` })
      // The metadata log is opened by the quorum, with its own rules for recovery.
      else if (partition.topic !== '__cluster_metadata') partitions.push(found(partition, name))
    }
    return { partitions, futures, deleted }
  }

  recoveryPoint(partition: TopicPartition): number {
    return this.recoveryPoints.get(partitionKey(partition)) ?? 0
  }
  logStartOffset(partition: TopicPartition): number {
    return this.logStartOffsets.get(partitionKey(partition)) ?? 0
  }
  highWatermark(partition: TopicPartition): number | undefined {
    return this.highWatermarks.get(partitionKey(partition))
  }

  /** The checkpoints say something about a partition of this name. */
  mentions(partition: TopicPartition): boolean {
    return this.mentioned.has(partitionKey(partition))
  }

  /** Where the last cleaning of the partition's log ended; undefined: it was never cleaned. */
  cleanerOffset(partition: TopicPartition): number | undefined {
    return this.cleanerOffsets.get(partitionKey(partition))
  }

  /** Undefined forgets it. Written off the event loop: an older checkpoint only has more cleaned again than must be. Throws DiskError. */
  setCleanerOffset(partition: TopicPartition, offset: number | undefined, failed: (error: DiskError) => void): void {
    if (this.cleanerOffset(partition) === offset) return
    if (offset === undefined) this.cleanerOffsets.delete(partitionKey(partition))
    else this.cleanerOffsets.set(partitionKey(partition), offset)
    this.writeLater(cleanerOffsetFile, this.cleanerEntries(), failed)
  }

  /** Of a log that is being opened, whose segments show how far it was cleaned; on disk when this returns. Throws DiskError. */
  raiseCleanerOffset(partition: TopicPartition, offset: number): void {
    const known = this.cleanerOffset(partition) ?? 0
    if (known >= offset && !this.isInDoubt(cleanerOffsetFile)) return
    if (known < offset) this.cleanerOffsets.set(partitionKey(partition), offset)
    const entries = [...this.cleanerOffsets].flatMap(([key, offset]) => {
      const partition = parsePartitionDirectoryName(key)
      return partition === undefined ? [] : [{ partition, offset }]
    })
    this.writeNow(cleanerOffsetFile, entries)
  }

  /** Of a log that is about to be cut; on disk when this returns, since what is written there anew is not clean. Throws DiskError. */
  lowerCleanerOffset(partition: TopicPartition, offset: number): void {
    const isAbove = (this.cleanerOffset(partition) ?? -1) > offset
    if (!isAbove && !this.isInDoubt(cleanerOffsetFile)) return
    if (isAbove) this.cleanerOffsets.set(partitionKey(partition), offset)
    this.writeNow(cleanerOffsetFile, this.cleanerEntries())
  }

  /**
   * A log is about to be cut, and says already how far it is durable and where it starts then: on disk when this returns. A failover cuts many
   * logs, each where its high watermark is or above: the first of them has all recovery points lowered that far, and the others find theirs
   * low enough. Lower ones only have more checked after a crash; the next checkpoint raises them. Not below the active segment: before it
   * compaction may have left offsets out. Throws DiskError.
   */
  lowerOffsets(cut: SegmentedLog): void {
    const key = partitionKey(cut.topicPartition)
    const start = needsLogStart(cut) ? cut.logStartOffset : undefined
    if (start !== this.logStartOffsets.get(key) || this.isInDoubt(logStartOffsetFile))
      this.writeNow(logStartOffsetFile, this.logStartEntries())
    const isLowEnough = cut.durability.checkpointOffset >= (this.recoveryPoints.get(key) ?? 0)
    if (isLowEnough && !this.isInDoubt(recoveryPointFile)) return
    const entries = [...this.logs.values()].map(log => {
      const { topicPartition: partition, highWatermark, active, durability } = log
      const known = Math.min(this.recoveryPoints.get(partitionKey(partition)) ?? 0, durability.checkpointOffset)
      const isLowered = log !== cut && highWatermark > 0
      return { partition, offset: isLowered ? Math.min(known, Math.max(highWatermark, active.baseOffset)) : known }
    })
    this.recoveryPoints = byKey(entries)
    this.writeNow(recoveryPointFile, entries)
  }

  /** Writes recovery points and log start offsets; they are on disk when this returns. */
  checkpointNow(): void {
    for (const log of this.logs.values()) log.prepareCheckpoint()
    this.writeNow(recoveryPointFile, this.recoveryPointEntries())
    this.writeNow(logStartOffsetFile, this.logStartEntries())
    // Logs that are here no more.
    const { size } = this.cleanerOffsets
    const cleaned = this.cleanerEntries()
    if (cleaned.length !== size) this.writeNow(cleanerOffsetFile, cleaned)
  }

  /**
   * As `checkpointNow`, with high watermarks, but the fsyncs run off the event loop. An older checkpoint is always a
   * safe one.
   */
  checkpointLater(highWatermarkOf: (partition: TopicPartition) => number, failed: (error: DiskError) => void): void {
    for (const log of this.logs.values()) log.prepareCheckpoint()
    this.writeLater(recoveryPointFile, this.recoveryPointEntries(), failed)
    this.writeLater(logStartOffsetFile, this.logStartEntries(), failed)
    this.writeLater(highWatermarkFile, this.highWatermarkEntries(highWatermarkOf), failed)
  }

  /** For the end of the node: all three, durable. */
  checkpointFinally(highWatermarkOf: (partition: TopicPartition) => number): void {
    this.checkpointNow()
    const highWatermarks = this.highWatermarkEntries(highWatermarkOf)
    this.writeNow(highWatermarkFile, highWatermarks)
    this.mentioned.clear()
    this.mention(highWatermarks)
    this.mention(this.cleanerEntries())
  }

  private recoveryPointEntries(): PartitionOffset[] {
    const entries = [...this.logs.values()].map(log => ({
      partition: log.topicPartition,
      offset: log.durability.checkpointOffset,
    }))
    this.recoveryPoints = byKey(entries)
    return entries
  }

  private logStartEntries(): PartitionOffset[] {
    const moved = [...this.logs.values()].filter(needsLogStart)
    const entries = moved.map(log => ({ partition: log.topicPartition, offset: log.logStartOffset }))
    this.logStartOffsets = byKey(entries)
    return entries
  }

  private cleanerEntries(): PartitionOffset[] {
    const entries = [...this.logs.values()].flatMap(({ topicPartition: partition }) => {
      const offset = this.cleanerOffset(partition)
      return offset === undefined ? [] : [{ partition, offset }]
    })
    this.cleanerOffsets = byKey(entries)
    return entries
  }

  private highWatermarkEntries(highWatermarkOf: (partition: TopicPartition) => number): PartitionOffset[] {
    const entries = [...this.logs.values()].map(log => ({
      partition: log.topicPartition,
      // A copy under way may end below it.
      offset: Math.min(highWatermarkOf(log.topicPartition), log.logEndOffset),
    }))
    this.highWatermarks = byKey(entries)
    return entries
  }

  private writeNow(name: string, entries: readonly PartitionOffset[]): void {
    const text = offsetCheckpointText(entries)
    this.mention(entries)
    // What the file holds is not known until it is written.
    const version = (this.written.get(name)?.version ?? 0) + 1
    this.written.set(name, { text: '', version })
    replaceFile(this.owner.environment.disk, `${this.path}/${name}`, text, { durable: true })
    this.written.set(name, { text, version })
  }

  /** The last write failed: the file may still hold what was there before, whatever is known here. */
  private isInDoubt(name: string): boolean {
    return this.written.get(name)?.text === ''
  }

  private mention(entries: readonly PartitionOffset[]): void {
    for (const { partition } of entries) this.mentioned.add(partitionKey(partition))
  }

  private writeLater(name: string, entries: readonly PartitionOffset[], failed: (error: DiskError) => void): void {
    const text = offsetCheckpointText(entries)
    const before = this.written.get(name)
    if (before?.text === text) return
    const version = (before?.version ?? 0) + 1
    this.written.set(name, { text, version })
    this.mention(entries)
    // A write that began later wins: an older one under way must not bring back higher offsets.
    const current = () => this.written.get(name)?.version === version
    const didNotWrite = () => {
      if (current()) this.written.set(name, { text: '', version })
    }
    try {
      replaceFileLater(
        this.owner.environment.disk,
        `${this.path}/${name}`,
        text,
        { suffix: `.${version % 2}.tmp`, current },
        error => {
          if (error === undefined) return
          didNotWrite()
          failed(error)
        },
      )
    } catch (error) {
      didNotWrite()
      throw error
    }
  }
}

/** Only starts that the segments do not tell themselves, or whose segment may not have a durable name yet. */
function needsLogStart({ logStartOffset, firstSegmentOffset, durability }: SegmentedLog): boolean {
  return logStartOffset !== firstSegmentOffset || (logStartOffset > 0 && durability.directoryDirty)
}

function byKey(entries: readonly PartitionOffset[]): Map<string, number> {
  return new Map(entries.map(({ partition, offset }) => [partitionKey(partition), offset]))
}
