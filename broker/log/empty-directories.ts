/** Warns of log directories and logs that begin empty where something was before: a disk that was not mounted looks like a new one. */
import type { Logger } from '../environment/environment.ts'
import type { LogDirectory } from './log-directory.ts'
import type { TopicPartition } from './log.ts'

/** At start: directories without meta.properties while others have theirs, or with logs. */
export function warnOfNewDirectories(log: Logger, directories: readonly LogDirectory[]): void {
  for (const directory of directories) {
    const { path, id, wasUnformatted, logs } = directory
    const others = directories.filter(other => other !== directory && other.id !== '' && !other.wasUnformatted)
    if (!wasUnformatted || (others.length === 0 && logs.size === 0)) continue
    log.warn(
      'A log directory had no meta.properties and was made into a new one: other log directories or logs in it were there before. ' +
        'If its disk is not mounted, stop the node and mount it.',
      { directory: path, directoryId: id, logs: logs.size, otherDirectories: others.length },
    )
  }
}

/**
 * The metadata had the replica before this node followed it: where it names a log directory, by the id `named`, the log ought to be there.
 * @param missing.begun  where it is begun, empty
 */
export function warnOfMissingLog(
  log: Logger,
  directories: readonly LogDirectory[],
  missing: { readonly partition: TopicPartition; readonly begun: LogDirectory; readonly named: string | undefined },
): void {
  const { partition, begun, named } = missing
  if (named === undefined) return
  log.warn(
    directories.some(({ id }) => id === named)
      ? 'A log is not in the log directory in which the metadata has it; it is begun empty.'
      : 'The metadata has a log in a log directory that is not among log.dirs; it is begun empty in another.',
    { ...partition, metadataDirectoryId: named, directory: begun.path },
  )
}
