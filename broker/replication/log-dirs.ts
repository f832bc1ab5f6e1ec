/**
 * What lies in the log directories of this broker: for DescribeLogDirs. Reads only.
 * Sources: KIP-113, KIP-827 (size of the volume); Kafka's ReplicaManager.describeLogDirs.
 */
import { DiskError, type Disk } from '../environment/environment.ts'
import type { LogManager, PartitionLog, TopicPartition } from '../log/log.ts'

export interface DescribedLogDir {
  readonly path: string
  /** Offline: nothing more is known of it. */
  readonly online: boolean
  readonly totalBytes: number
  readonly usableBytes: number
  readonly logs: readonly DescribedLog[]
}

export interface DescribedLog {
  readonly topicPartition: TopicPartition
  readonly sizeBytes: number
  /** How far the log end is behind the high watermark; -1 when there is no replica that would know. */
  readonly offsetLag: number
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
  const describe = (log: PartitionLog): DescribedLog => {
    const { topicPartition, sizeBytes, logEndOffset } = log
    const committed = surroundings.highWatermark(topicPartition)
    return {
      topicPartition,
      sizeBytes,
      offsetLag: committed === undefined ? -1 : Math.max(0, committed - logEndOffset),
    }
  }
  const all = [...logs.all()].filter(log => wanted(log.topicPartition))
  return logs.directories.map(({ path, id, online }) => {
    const offline = { path, online: false, totalBytes: -1, usableBytes: -1, logs: [] }
    if (!online) return offline
    try {
      const own = all.filter(log => logs.directoryOf(log.topicPartition)?.id === id)
      return { path, online, ...disk.space(path), logs: own.map(describe) }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      return offline
    }
  })
}
