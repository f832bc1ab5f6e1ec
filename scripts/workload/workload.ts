/**
 * What the runner of labs wants from clients at work: it prepares topics, starts the clients, lets the script break things meanwhile, then
 * has everything read to the end. The append workload is the usual one; a lab about transactions or pipelines brings its own.
 *
 * A workload writes down what its clients did and saw through the recorder. It touches the cluster only through `Cluster` (clock, random,
 * connections), so that it runs unmodified under virtual time.
 */
import type { Cluster } from '../cluster/cluster.ts'
import type { HistoryRecorder } from '../history/recorder.ts'

export interface Workload {
  /** The topic whose partitions are meant by "the leader of partition 0", and which is observed. */
  readonly topic: string
  /** Records acknowledged so far. */
  readonly acknowledged: number
  /** Creates topics, and waits until they can be written to. */
  prepare(): Promise<void>
  /** Clients begin; it answers at once. */
  start(): void
  /** Waits until this many more records have been acknowledged, or rejects after `timeoutMs`. */
  moreAcknowledged(count: number, timeoutMs?: number): Promise<void>
  /** The cluster is healed: writing stops, and what is there is read to the end. */
  finish(timeoutMs: number): Promise<void>
  /** Ends the clients without a final read, after a failure. */
  abandon(): Promise<void>
}

export interface WorkloadParts {
  readonly cluster: Cluster
  readonly recorder: HistoryRecorder
  /** Of this variant alone: topics, groups and transactional ids should be named after it. */
  readonly topic: string
}
