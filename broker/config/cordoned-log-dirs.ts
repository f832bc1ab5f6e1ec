/** cordoned.log.dirs (KIP-1066): log directories that get no new logs; `*` stands for all of them. */
import type { BrokerConfig } from './broker-config.ts'

const every = '*'

/** Paths of the cordoned log directories. */
export function cordonedLogDirs(config: Pick<BrokerConfig, 'cordoned.log.dirs' | 'log.dirs'>): ReadonlySet<string> {
  const cordoned = config['cordoned.log.dirs']
  return new Set(cordoned.includes(every) ? config['log.dirs'] : cordoned)
}

/** What is wrong with a value for a node with these log.dirs; undefined when nothing is. In Kafka's words. */
export function cordonedLogDirsError(cordoned: readonly string[], logDirs: readonly string[]): string | undefined {
  if (cordoned.includes(every)) {
    return cordoned.length === 1 ? undefined : 'When cordoned.log.dirs is set to *, it must not contain other values'
  }
  const missing = cordoned.filter(path => !logDirs.includes(path))
  if (missing.length === 0) return undefined
  return `All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : ${missing.join(', ')}`
}
