/**
 * The library: a Kafka cluster for the tests of other programs. `import { startCluster } from 'faultline'`. This file, `api.ts`
 * and `topology.ts` alone become the package's types.
 */
import type { StartOptions, TestCluster } from './api.ts'
import { start } from './start.ts'

export * from './api.ts'
export type * from '../cluster/topology/topology.ts'

/**
 * Starts a cluster and resolves when a record can be produced to every broker and read again.
 *
 * Any number may run at a time, in one process or many. Nothing stays when this process ends, whether it calls `down`, forgets it or is killed.
 */
export function startCluster(options: StartOptions = {}): Promise<TestCluster> {
  return start(options)
}
