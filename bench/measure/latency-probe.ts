/** Sends one small record after the other, with a pause in between, and notes how long each took to be acknowledged (acks=all). */
import { performance } from 'node:perf_hooks'
import type { Cluster } from '#scripts/cluster/cluster.ts'
import { realClock } from '#scripts/cluster/clock.ts'
import { errorCodes, produceOne } from '#scripts/cluster/wire-requests.ts'
import { failure } from '#scripts/errors.ts'
import { withWire } from './bench-cluster.ts'

const pauseMs = 2
const timeoutMs = 30_000

export interface Latencies {
  readonly count: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly longest: number
}

/** Goes on until `done` says so, asked after each record. */
export async function probeUntil(cluster: Cluster, topic: string, done: () => boolean): Promise<Latencies> {
  const tookMs: number[] = []
  await withWire(cluster, async client => {
    while (!done()) {
      const startedMs = performance.now()
      const { errorCode } = await produceOne(client, { topic, partition: 0 }, Buffer.from('probe'), timeoutMs)
      if (errorCode !== errorCodes.none) throw failure(`A record of the probe was refused: error ${errorCode}.`)
      tookMs.push(performance.now() - startedMs)
      await realClock.sleep(pauseMs)
    }
  })
  return summary(tookMs)
}

/** @throws when there is nothing to sum up */
export function summary(tookMs: readonly number[]): Latencies {
  const sorted = tookMs.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
  if (sorted.length === 0) throw failure('Nothing was measured: it was over before the first record.')
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), longest: sorted.at(-1)! }
}
