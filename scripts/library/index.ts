/**
 * The library: a Kafka cluster for the tests of other programs. `import { startCluster } from 'faultline'`. This file, what it exports and what
 * that needs become the package's types (scripts/package/build.ts names the files).
 */
import type { StartOptions, TestCluster } from './api.ts'
import { start } from './start.ts'

export * from './api.ts'
export * from './fault-api.ts'
export type * from '../cluster/topology/topology.ts'
export type * from '../observe/model.ts'
export { isUnknown, known, partitionOf } from '../observe/model.ts'
export type { Change } from '../observe/changes.ts'
/** For `cluster.when`. */
export * as conditions from '../observe/predicates.ts'

/**
 * Starts a cluster and resolves when a record can be produced to every broker and read again.
 *
 * Any number may run at a time, in one process or many. Nothing stays when this process ends, whether it calls `down`, forgets it or is killed.
 */
export function startCluster(options: StartOptions = {}): Promise<TestCluster> {
  return start(options)
}
