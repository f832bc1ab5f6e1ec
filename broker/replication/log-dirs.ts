/**
 * What lies in the log directories of this broker, for DescribeLogDirs, and what of it the metadata knows.
 * Sources: KIP-113, KIP-827 (size of the volume); Kafka's ReplicaManager.describeLogDirs.
 */
import type { MetadataImage, PartitionImage, TopicImage } from '../controller/image.ts'
import { isReservedDirectory } from '../controller/uuid.ts'
import { DiskError, type Disk, type Environment } from '../environment/environment.ts'
import { partitionKey } from '../log/log-files.ts'
import type { LogManager, PartitionLog, TopicPartition } from '../log/log.ts'

export interface DescribedLogDir {
  readonly path: string
  /** Offline: nothing more is known of it. */
  readonly online: boolean
  readonly totalBytes: number
  readonly usableBytes: number
  /** Gets no new logs (KIP-1066). */
  readonly isCordoned: boolean
  readonly logs: readonly DescribedLog[]
}

export interface DescribedLog {
  readonly topicPartition: TopicPartition
  readonly sizeBytes: number
  /**
   * How far the log end is behind the high watermark, or, of a copy, behind the end of its log; -1 when there is no replica that would know.
   */
  readonly offsetLag: number
  /** A copy on its way into this directory. */
  readonly isFuture: boolean
}

export interface LogDirsSurroundings {
  readonly disk: Pick<Disk, 'space'>
  readonly logs: LogManager
  /** Undefined: no replica here, or none whose log can be read. */
  highWatermark(topicPartition: TopicPartition): number | undefined
}

/** Every directory of log.dirs; the logs in it that are `wanted`. */
export function describeLogDirs(
  surroundings: LogDirsSurroundings,
  wanted: (topicPartition: TopicPartition) => boolean,
): DescribedLogDir[] {
  const { disk, logs } = surroundings
  const current = (log: PartitionLog): DescribedLog => {
    const { topicPartition, sizeBytes, logEndOffset } = log
    const committed = surroundings.highWatermark(topicPartition)
    const offsetLag = committed === undefined ? -1 : Math.max(0, committed - logEndOffset)
    return { topicPartition, sizeBytes, offsetLag, isFuture: false }
  }
  const future = ({ topicPartition, sizeBytes, logEndOffset }: PartitionLog): DescribedLog => {
    const log = logs.get(topicPartition)
    return {
      topicPartition,
      sizeBytes,
      offsetLag: log === undefined ? -1 : log.logEndOffset - logEndOffset,
      isFuture: true,
    }
  }
  const all = [...logs.all()].filter(log => wanted(log.topicPartition))
  const futures = logs.futureLogs().filter(log => wanted(log.topicPartition))
  return logs.directories.map(({ path, id, online }) => {
    const isCordoned = logs.isCordoned(path)
    const offline = { path, online: false, totalBytes: -1, usableBytes: -1, isCordoned, logs: [] }
    if (!online) return offline
    try {
      const own = all.filter(log => logs.directoryOf(log.topicPartition)?.id === id).map(current)
      const coming = futures.filter(log => logs.future(log.topicPartition)?.directoryId === id).map(future)
      return { path, online, ...disk.space(path), isCordoned, logs: [...own, ...coming] }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      return offline
    }
  })
}

/** Id of the log directory in which the metadata has a replica of this broker; undefined when it has none here. */
export function directoryInMetadata(
  image: MetadataImage,
  brokerId: number,
  { topic, partition }: TopicPartition,
  topicId: string,
): string | undefined {
  // Directories from before topic ids existed have none.
  const owner = topicId === '' ? image.topicsByName.get(topic) : image.topicsById.get(topicId)
  const assigned = owner?.partitions.get(partition)
  return assigned?.directories[assigned.replicas.indexOf(brokerId)]
}

/** The same; undefined also when the metadata names no directory in particular (unassigned, lost, from before KIP-858). */
export function namedDirectory(...replica: Parameters<typeof directoryInMetadata>): string | undefined {
  const id = directoryInMetadata(...replica)
  return id === undefined || isReservedDirectory(id) ? undefined : id
}

/**
 * Logs of topics that were deleted, or of partitions that moved away, while this broker was down, go aside. Nothing removes them: they are also
 * all that is left when it is the metadata that was lost.
 */
export function setStrayLogsAside(
  { logs, brokerId, environment }: { logs: LogManager; brokerId: number; environment: Pick<Environment, 'log'> },
  image: MetadataImage,
): void {
  for (const { topicPartition, topicId } of Array.from(logs.all())) {
    if (directoryInMetadata(image, brokerId, topicPartition, topicId) !== undefined) continue
    const about = { ...topicPartition, topicId }
    if (logs.setAside(topicPartition))
      environment.log.warn('a log that the metadata does not know was set aside as -stray', about)
    else
      environment.log.error(
        'a log that the metadata does not know could not be set aside; no other log takes its place',
        {
          ...about,
          advice:
            'see the error of its log directory; it is tried again when the place is needed, and at the next start',
        },
      )
  }
}

/** The partitions of the metadata whose keys are `wanted`, as they are in it. */
export function partitionsAmong(
  wanted: ReadonlySet<string>,
  image: MetadataImage,
): (readonly [TopicImage, number, PartitionImage])[] {
  const found: (readonly [TopicImage, number, PartitionImage])[] = []
  for (const topic of wanted.size === 0 ? [] : image.topicsByName.values())
    for (const [partition, state] of topic.partitions)
      if (wanted.has(partitionKey({ topic: topic.name, partition }))) found.push([topic, partition, state])
  return found
}
