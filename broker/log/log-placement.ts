/**
 * In which log directory a new log goes: where somebody asked for it to be, else where the metadata says, else where the
 * fewest logs are. Cordoned directories get nothing that may go elsewhere.
 *
 * Source: KIP-113 (directory asked for before the replica exists), KIP-858 (directory in the metadata), KIP-1066.
 */
import { partitionKey } from './log-files.ts'
import type { TopicPartition } from './log.ts'

/** What placement knows of a log directory. */
export interface PlaceableDirectory {
  readonly path: string
  readonly id: string
  readonly online: boolean
  readonly room: { readonly full: Error | undefined }
  readonly logs: { readonly size: number }
}

const maxPreferred = 10_000

export class LogPlacement<Directory extends PlaceableDirectory> {
  private readonly directories: readonly Directory[]
  private readonly preferred = new Map<string, string>()
  private cordoned: ReadonlySet<string> = new Set()

  constructor(directories: readonly Directory[]) {
    this.directories = directories
  }

  /** No new logs in these, by path. */
  cordon(paths: ReadonlySet<string>): void {
    this.cordoned = paths
  }

  isCordoned(path: string): boolean {
    return this.cordoned.has(path)
  }

  /** Where the log of a partition shall be once it exists; the last ten thousand wishes count, since anybody can name partitions. */
  prefer(partition: TopicPartition, path: string): void {
    const key = partitionKey(partition)
    this.preferred.delete(key)
    this.preferred.set(key, path)
    const [oldest] = this.preferred.keys()
    if (oldest !== undefined && this.preferred.size > maxPreferred) this.preferred.delete(oldest)
  }

  /** The log exists, in whatever directory. */
  placed(partition: TopicPartition): void {
    this.preferred.delete(partitionKey(partition))
  }

  /** Undefined when every directory is offline. */
  choose(partition: TopicPartition, directoryId: string | undefined): Directory | undefined {
    const online = this.directories.filter(directory => directory.online)
    const preferred = this.preferred.get(partitionKey(partition))
    const asked =
      online.find(directory => directory.path === preferred) ?? online.find(directory => directory.id === directoryId)
    if (asked !== undefined) return asked
    const open = online.filter(({ path, room }) => !this.cordoned.has(path) && room.full === undefined)
    // A replica that was assigned here by hand has to be somewhere.
    return leastFilled(open.length > 0 ? open : online)
  }
}

function leastFilled<Directory extends PlaceableDirectory>(directories: readonly Directory[]): Directory | undefined {
  const least = Math.min(...directories.map(directory => directory.logs.size))
  return directories.find(directory => directory.logs.size === least)
}
