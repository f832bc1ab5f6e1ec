/**
 * Names of the files and directories of a log, as Kafka writes them. Pure string work; touches no disk.
 *
 * Source: Kafka documentation, "Log implementation"; the layout of Apache Kafka's log directory.
 */
import type { TopicPartition } from './log.ts'

export const logSuffix = '.log'
export const indexSuffix = '.index'
export const timeIndexSuffix = '.timeindex'
export const transactionIndexSuffix = '.txnindex'
export const snapshotSuffix = '.snapshot'
/** Files that left the log and are removed after file.delete.delay.ms, or at the next start. */
export const deletedSuffix = '.deleted'
/** Files of a segment that the cleaner is writing. */
export const cleanedSuffix = '.cleaned'
/** Files of a cleaned segment on their way into the log. */
export const swapSuffix = '.swap'
/** Directories of deleted partitions: `<topic>-<partition>.<32 hex digits>-delete`. */
export const deleteDirectorySuffix = '-delete'
/** Directories of logs that the metadata did not know at a start: `<topic>-<partition>.<32 hex digits>-stray`. */
export const strayDirectorySuffix = '-stray'
/** Copies on their way into another log directory: `<topic>-<partition>.<32 hex digits>-future` (KIP-113). */
export const futureDirectorySuffix = '-future'
/** Longest name of a file or directory, in bytes. */
const maxNameBytes = 255

/** The suffixes of the files that make one segment, the log itself first. */
export const segmentSuffixes = [logSuffix, indexSuffix, timeIndexSuffix, transactionIndexSuffix] as const

/** `00000000000000000042` + suffix: twenty digits, so that names sort like offsets. */
export function offsetFileName(offset: number, suffix: string): string {
  return String(offset).padStart(20, '0') + suffix
}

/** The offset in a file name with this suffix, undefined when the name is of another form. */
export function offsetOfFileName(name: string, suffix: string): number | undefined {
  if (!name.endsWith(suffix)) return undefined
  const digits = name.slice(0, name.length - suffix.length)
  if (!/^\d{20}$/.test(digits)) return undefined
  const offset = Number(digits)
  return Number.isSafeInteger(offset) ? offset : undefined
}

export function partitionDirectoryName(partition: TopicPartition): string {
  return `${partition.topic}-${partition.partition}`
}

/** The partition of a directory name, undefined when it is none (or is marked for deletion). */
export function parsePartitionDirectoryName(name: string): TopicPartition | undefined {
  const match = /^(.+)-(\d{1,10})$/.exec(name)
  if (match === null) return undefined
  return { topic: match[1]!, partition: Number(match[2]) }
}

/** A topic name may be 249 characters long; with the suffix the directory name must stay below 255. */
export function deletedDirectoryName(partition: TopicPartition, uniqueHex: string): string {
  return shortened(partition, `.${uniqueHex}${deleteDirectorySuffix}`)
}

export function strayDirectoryName(partition: TopicPartition, uniqueHex: string): string {
  return shortened(partition, `.${uniqueHex}${strayDirectorySuffix}`)
}

function shortened(partition: TopicPartition, ending: string): string {
  const suffix = `-${partition.partition}${ending}`
  return partition.topic.slice(0, Math.max(0, maxNameBytes - suffix.length)) + suffix
}

/** Undefined when the name would be too long: a copy is known by its name alone, so nothing of it may be cut off. */
export function futureDirectoryName(partition: TopicPartition, uniqueHex: string): string | undefined {
  const name = `${partitionDirectoryName(partition)}.${uniqueHex}${futureDirectorySuffix}`
  return name.length > maxNameBytes ? undefined : name
}

/** The partition of which a directory of this name holds a copy under way; undefined when it is none. */
export function parseFutureDirectoryName(name: string): TopicPartition | undefined {
  const match = /^(.+)\.[0-9a-f]{32}-future$/.exec(name)
  return match === null ? undefined : parsePartitionDirectoryName(match[1]!)
}

export function isDeletedDirectoryName(name: string): boolean {
  return /\.[0-9a-f]{32}-delete$/.test(name)
}

export function isStrayDirectoryName(name: string): boolean {
  return /\.[0-9a-f]{32}-stray$/.test(name)
}

/** Key of a partition in maps. */
export function partitionKey(partition: TopicPartition): string {
  return `${partition.topic}-${partition.partition}`
}
