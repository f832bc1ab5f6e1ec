/** The loads of the throughput cases: 100 B and 1 KiB records, as many as a steady state needs. */
import type { Cluster } from '#scripts/cluster/cluster.ts'
import type { ProduceOptions } from '../measure/java-tools.ts'
import { produceWithKafkaTool } from '../measure/java-tools.ts'
import type { CaseContext } from './context.ts'

export interface Load {
  readonly title: string
  readonly recordBytes: number
  readonly records: number
}

/** Batches of 64 KiB, with the little time that a client needs to fill them. */
export const batchBytes = 65_536
export const lingerMs = 5

export function loads(context: CaseContext, scale = 1): Load[] {
  const factor = scale * (context.options.quick ? 0.08 : 1)
  return [
    { title: '100 B', recordBytes: 100, records: Math.round(5_000_000 * factor) },
    { title: '1 KiB', recordBytes: 1_024, records: Math.round(1_000_000 * factor) },
  ]
}

/** Part of a load that warms up broker and page cache. */
export function warmUp(load: Load): Load {
  return { ...load, records: Math.ceil(load.records / 5) }
}

/** @returns records per second */
export async function produceLoad(
  context: CaseContext,
  cluster: Cluster,
  load: Load,
  how: Pick<ProduceOptions, 'topic' | 'acks'>,
): Promise<number> {
  return await produceWithKafkaTool({
    bootstrap: cluster.bootstrap.join(','),
    records: load.records,
    recordBytes: load.recordBytes,
    batchBytes,
    lingerMs,
    signal: context.signal,
    ...how,
  })
}

export function microsecondsPerRecord(cpuSeconds: number, records: number): number {
  return (cpuSeconds * 1e6) / records
}
