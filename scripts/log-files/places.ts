/**
 * What lies at a path: a broker's data directory, the directory of one partition, or one of the files that belong to a log. Reads names and
 * nothing else; works on what Faultline wrote and on what Apache Kafka wrote, which are the same.
 */
import { DiskError, type Disk } from '#broker/environment/environment.ts'
import {
  indexSuffix,
  logSuffix,
  offsetOfFileName,
  parseFutureDirectoryName,
  parsePartitionDirectoryName,
  snapshotSuffix,
  timeIndexSuffix,
  transactionIndexSuffix,
} from '#broker/log/log-files.ts'
import type { TopicPartition } from '#broker/log/log.ts'
import { parentOf } from '#broker/log/small-files.ts'
import { usageError } from '../errors.ts'

export { parentOf }

export type FileKind =
  'log' | 'index' | 'timeindex' | 'txnindex' | 'snapshot' | 'metadata-snapshot' | 'checkpoint' | 'epochs' | 'properties'

export interface LogFile {
  readonly kind: FileKind
  readonly path: string
  /** For files of a segment, and for snapshots: the offset in the name. */
  readonly offset: number
  /** No part of the log any more, or not yet: what its name ends in tells. */
  readonly leftover: Leftover | undefined
}

export type Leftover = 'deleted' | 'cleaned' | 'swap'

export interface PartitionDirectory {
  readonly path: string
  readonly partition: TopicPartition
  /** Files of a log in the order of their names; base offsets of its segments rise. */
  readonly files: readonly LogFile[]
  readonly baseOffsets: readonly number[]
}

export interface DataDirectory {
  readonly path: string
  readonly partitions: readonly PartitionDirectory[]
  readonly files: readonly LogFile[]
  /** Directories that are no log: on their way out, or not a broker's. */
  readonly others: readonly string[]
}

export type Place =
  | { readonly kind: 'data'; readonly data: DataDirectory }
  | { readonly kind: 'partition'; readonly partition: PartitionDirectory }
  | { readonly kind: 'file'; readonly file: LogFile }

/** Throws a usage error for what is missing or is nothing of a broker. */
export function placeAt(disk: Disk, path: string): Place {
  const found = statOf(disk, path)
  if (found === undefined)
    throw usageError(
      `There is nothing at ${path}.`,
      'Give a data directory (it holds meta.properties), the directory of a partition (topic-0), or one of its files.',
    )
  if (found === 'file') {
    const file = fileOf(path)
    if (file === undefined)
      throw usageError(
        `${path} is no file of a log: expected a name like 00000000000000000000.log, .index, .timeindex, .txnindex, .snapshot, a checkpoint or meta.properties.`,
      )
    return { kind: 'file', file }
  }
  const names = disk.list(path)
  if (names.some(({ name, kind }) => kind === 'file' && offsetOfFileName(name, logSuffix) !== undefined))
    return { kind: 'partition', partition: partitionAt(disk, path) }
  const data = dataAt(disk, path)
  if (data.partitions.length === 0 && data.files.length === 0)
    throw usageError(
      `${path} holds no log: expected a data directory (with meta.properties and directories like topic-0), or the directory of a partition.`,
    )
  return { kind: 'data', data }
}

function statOf(disk: Disk, path: string): 'file' | 'directory' | undefined {
  try {
    return disk.stat(path)?.kind
  } catch (error) {
    // A file in the middle of the path.
    if (error instanceof DiskError && error.code === 'ENOTDIR') return undefined
    throw error
  }
}

export function dataAt(disk: Disk, path: string): DataDirectory {
  const entries = disk.list(path).sort((a, b) => (a.name < b.name ? -1 : 1))
  const partitions: PartitionDirectory[] = []
  const others: string[] = []
  for (const { name, kind } of entries) {
    if (kind !== 'directory') continue
    const isLog = parsePartitionDirectoryName(name) !== undefined || parseFutureDirectoryName(name) !== undefined
    if (isLog) partitions.push(partitionAt(disk, `${path}/${name}`))
    else others.push(name)
  }
  const files = entries.flatMap(({ name, kind }) => (kind === 'file' ? (fileOf(`${path}/${name}`) ?? []) : []))
  return { path, partitions, files, others }
}

/** The partition of a directory is in its name; of any other directory the name stands for the topic. */
export function partitionAt(disk: Disk, path: string): PartitionDirectory {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const partition = parsePartitionDirectoryName(name) ??
    parseFutureDirectoryName(name) ?? { topic: name.replace(/-\d+\.[0-9a-f]{32}-(delete|stray)$/, ''), partition: 0 }
  const names = disk
    .list(path)
    .filter(entry => entry.kind === 'file')
    .map(entry => entry.name)
    .sort()
  const files = names.flatMap(file => fileOf(`${path}/${file}`) ?? [])
  const baseOffsets = files
    .filter(({ kind, leftover }) => kind === 'log' && leftover === undefined)
    .map(({ offset }) => offset)
  return { path, partition, files, baseOffsets }
}

const kinds: readonly (readonly [string, FileKind])[] = [
  [logSuffix, 'log'],
  [indexSuffix, 'index'],
  [timeIndexSuffix, 'timeindex'],
  [transactionIndexSuffix, 'txnindex'],
  [snapshotSuffix, 'snapshot'],
]

/** Undefined for a file that is none of a log. A name with `.deleted` or `.cleaned` behind it is read like the one without. */
function fileOf(path: string): LogFile | undefined {
  const fullName = path.slice(path.lastIndexOf('/') + 1)
  const leftover = /\.(deleted|cleaned|swap)$/.exec(fullName)?.[1] as Leftover | undefined
  const name = leftover === undefined ? fullName : fullName.slice(0, -leftover.length - 1)
  for (const [suffix, kind] of kinds) {
    const offset = offsetOfFileName(name, suffix)
    if (offset !== undefined) return { kind, path, offset, leftover }
  }
  const snapshot = /^(\d{20})-\d{10}\.checkpoint$/.exec(name)
  if (snapshot !== null || name === 'bootstrap.checkpoint')
    return { kind: 'metadata-snapshot', path, offset: Number(snapshot?.[1] ?? 0), leftover }
  if (name === 'leader-epoch-checkpoint') return { kind: 'epochs', path, offset: 0, leftover }
  if (/^(recovery-point|log-start|replication|cleaner)-offset-checkpoint$/.test(name))
    return { kind: 'checkpoint', path, offset: 0, leftover }
  if (['meta.properties', 'partition.metadata', 'quorum-state', '.kafka_cleanshutdown'].includes(name))
    return { kind: 'properties', path, offset: 0, leftover }
  return undefined
}

/** Every file at a path that can be dumped, with the partition that it belongs to. */
export function filesAt(
  disk: Disk,
  path: string,
): readonly { readonly file: LogFile; readonly partition: TopicPartition }[] {
  const place = placeAt(disk, path)
  const ofPartition = ({ files, partition }: PartitionDirectory) => files.map(file => ({ file, partition }))
  if (place.kind === 'partition') return ofPartition(place.partition)
  if (place.kind === 'file')
    return [{ file: place.file, partition: partitionAt(disk, parentOf(place.file.path)).partition }]
  const ofData = place.data.files.map(file => ({ file, partition: { topic: '', partition: 0 } }))
  return [...ofData, ...place.data.partitions.flatMap(ofPartition)]
}
