/**
 * A cluster for the script of a lab that can be interrupted: once the signal is aborted, nothing more is done to a node through it, its
 * clock wakes who sleeps, and what waits for the cluster gives up. So an abandoned script cannot start a node behind the back of `down`.
 */
import type { Cluster, LabClock } from '../cluster/cluster.ts'

/** The result of `work`, or a rejection with the signal's reason as soon as it is aborted; `work` itself is not ended. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work
  let give: (reason: unknown) => void = () => undefined
  const aborted = new Promise<never>((_, reject) => (give = reject))
  const onAbort = () => give(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** A view of a cluster, and what must be over before the cluster may be taken away. */
export interface Interruptible {
  readonly cluster: Cluster
  /** Resolves when no node is just being started. */
  readonly settled: () => Promise<void>
}

/** Wraps `cluster` for one script; `down` is not for scripts and stays as it is. */
export function interruptible(cluster: Cluster, signal: AbortSignal): Interruptible {
  const starting = new Set<Promise<unknown>>()
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted()
    return await unlessAborted(work(), signal)
  }
  const starts = async <T>(work: () => Promise<T>): Promise<T> =>
    await guarded(async () => {
      const started = work()
      starting.add(started)
      try {
        return await started
      } finally {
        starting.delete(started)
      }
    })
  const start = async (id: number) => await starts(async () => await cluster.start(id))
  const grow = cluster.grow?.bind(cluster)
  const clock: LabClock = {
    nowMs: () => cluster.clock.nowMs(),
    sleep: async ms => await guarded(async () => await cluster.clock.sleep(ms)),
  }
  const view: Cluster = {
    // Not copied: a cluster can grow.
    get spec() {
      return cluster.spec
    },
    get bootstrap() {
      return cluster.bootstrap
    },
    ...(cluster.brokerAddresses && { brokerAddresses: cluster.brokerAddresses }),
    capabilities: cluster.capabilities,
    clock,
    random: cluster.random,
    nodes: async () => await guarded(async () => await cluster.nodes()),
    kill: async id => await guarded(async () => await cluster.kill(id)),
    stop: async id => await guarded(async () => await cluster.stop(id)),
    start,
    restart: async id => {
      await view.stop(id)
      await view.start(id)
    },
    pause: async id => await guarded(async () => await cluster.pause(id)),
    resume: async id => await guarded(async () => await cluster.resume(id)),
    wipe: async id => await guarded(async () => await cluster.wipe(id)),
    waitReady: async options => await guarded(async () => await cluster.waitReady({ ...options, signal })),
    kafkaOptions: () => cluster.kafkaOptions(),
    quorum: async () => await guarded(async () => await cluster.quorum()),
    logs: async (id, options) => await cluster.logs(id, options),
    down: async options => await cluster.down(options),
    ...(grow && { grow: async (by, options) => await starts(async () => await grow(by, { ...options, signal })) }),
    ...extras(cluster, guarded),
  }
  const settled = async () => void (await Promise.allSettled([...starting]))
  return { cluster: view, settled }
}

/** What only some runtimes can do. */
function extras(
  cluster: Cluster,
  guarded: <T>(work: () => Promise<T>) => Promise<T>,
): Pick<
  Cluster,
  'partition' | 'cutOneWay' | 'healPartition' | 'powerFailure' | 'links' | 'packets' | 'nodeFaults' | 'versions'
> {
  return {
    ...(cluster.partition && {
      partition: async groups => await guarded(async () => await cluster.partition?.(groups)),
    }),
    ...(cluster.cutOneWay && {
      cutOneWay: async (from, to) => await guarded(async () => await cluster.cutOneWay?.(from, to)),
    }),
    ...(cluster.links && { links: cluster.links }),
    ...(cluster.packets && { packets: cluster.packets }),
    ...(cluster.nodeFaults && { nodeFaults: cluster.nodeFaults }),
    ...(cluster.versions && { versions: cluster.versions }),
    ...(cluster.healPartition && {
      healPartition: async () => await guarded(async () => await cluster.healPartition?.()),
    }),
    ...(cluster.powerFailure && {
      powerFailure: async (ids, options) =>
        await guarded(async () => (await cluster.powerFailure?.(ids, options)) ?? []),
    }),
  }
}
