/** Warns of log directories and logs that begin empty where something was before: a disk that was not mounted looks like a new one. */
import type { Environment, Logger } from '../environment/environment.ts'
import { partitionKey } from './log-files.ts'
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

/** A log that the metadata had before this node followed it, where it names a log directory: there it ought to be. */
export interface MissingLog {
  readonly partition: TopicPartition
  /** Where it is begun, empty. */
  readonly begun: LogDirectory
  /** Id of the log directory in the metadata; undefined where it names none. */
  readonly named: string | undefined
}

/** Partitions that a warning names; it says how many there are. */
const partitionsNamed = 5

/** Warns once for each log directory, of all the logs that were not there where the metadata has them: an empty disk may lack thousands. */
export class MissingLogs {
  readonly #environment: Pick<Environment, 'log' | 'timers'>
  readonly #directories: readonly LogDirectory[]
  #missing: MissingLog[] = []

  constructor(environment: Pick<Environment, 'log' | 'timers'>, directories: readonly LogDirectory[]) {
    this.#environment = environment
    this.#directories = directories
  }

  add(missing: MissingLog): void {
    if (missing.named === undefined) return
    // They come one by one, and all in one turn.
    if (this.#missing.length === 0) this.#environment.timers.soon(() => this.#warn())
    this.#missing.push(missing)
  }

  #warn(): void {
    const missing = this.#missing
    this.#missing = []
    for (const [named, logs] of Map.groupBy(missing, each => each.named)) {
      const isKnown = this.#directories.some(({ id }) => id === named)
      this.#environment.log.warn(
        isKnown
          ? 'Logs are not in the log directory in which the metadata has them; they are begun empty.'
          : 'The metadata has logs in a log directory that is not among log.dirs; they are begun empty in others.',
        {
          metadataDirectoryId: named,
          logs: logs.length,
          partitions: logs.slice(0, partitionsNamed).map(({ partition }) => partitionKey(partition)),
          directories: [...new Set(logs.map(({ begun }) => begun.path))],
        },
      )
    }
  }
}
