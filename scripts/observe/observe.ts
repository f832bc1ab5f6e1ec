/**
 * Observation of a cluster over the wire: `observe` again and again, `observeOnce` one time. The same on every engine and runtime: nothing
 * but public requests of Kafka's protocol, time from the clock of the cluster, connections as the cluster gives them to clients.
 */
import { unlessAborted } from '../labs/interruptible.ts'
import type { ObservableCluster } from './lines.ts'
import type { Observation, Watch } from './model.ts'
import { Watcher } from './watcher.ts'

export interface ObserveOptions extends Watch {
  /** From the beginning of one look to the beginning of the next, ms; default 1000. A look that takes longer is followed at once. */
  readonly intervalMs?: number
  /** How long a broker may take for one answer, ms; default 1000. One that takes longer is unknown, and delays no further look. */
  readonly answerMs?: number
  /** Aborted: the iteration ends with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export const defaultIntervalMs = 1_000

/** Looks until the caller stops iterating, or the signal is aborted; the connections are then closed. */
export async function* observe(
  cluster: ObservableCluster,
  options: ObserveOptions = {},
): AsyncGenerator<Observation, void, undefined> {
  const { intervalMs = defaultIntervalMs, answerMs, signal, ...watch } = options
  requirePositive('intervalMs', intervalMs)
  const { clock } = cluster
  const watcher = watcherOf(cluster, watch, answerMs)
  try {
    for (;;) {
      const dueMs = clock.nowMs() + intervalMs
      yield await unlessAborted(watcher.look(), signal)
      const restMs = dueMs - clock.nowMs()
      if (restMs > 0) await unlessAborted(clock.sleep(restMs), signal)
    }
  } finally {
    watcher.close()
  }
}

export async function observeOnce(
  cluster: ObservableCluster,
  options: Omit<ObserveOptions, 'intervalMs'> = {},
): Promise<Observation> {
  const { answerMs, signal, ...watch } = options
  const watcher = watcherOf(cluster, watch, answerMs)
  try {
    return await unlessAborted(watcher.look(), signal)
  } finally {
    watcher.close()
  }
}

export function watcherOf(cluster: ObservableCluster, watch: Watch, answerMs: number | undefined): Watcher {
  if (answerMs !== undefined) requirePositive('answerMs', answerMs)
  return new Watcher(cluster, watch, answerMs)
}

function requirePositive(name: string, value: number): void {
  if (!(value > 0)) throw new RangeError(`${name}: expected a number of milliseconds above 0, got ${value}`)
}
