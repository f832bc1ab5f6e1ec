/** More brokers for a cluster of processes that runs: with nothing but their configuration they find the quorum and register. */
import { existsSync } from 'node:fs'
import { planGrowth } from '../growth.ts'
import type { ClusterRecord } from '../state.ts'
import { logDirectories, writeRecord } from '../state.ts'
import type { ProcessEngine } from './engine.ts'
import { writeNodeFiles } from './node-files.ts'

/** Writes down `by` more brokers, and what each needs to be started. They stay when they do not come to serve; `down` takes them away. */
export async function growRecord(
  record: ClusterRecord,
  engine: ProcessEngine,
  by: number,
): Promise<{ readonly record: ClusterRecord; readonly fresh: readonly number[] }> {
  const { spec, fresh } = await planGrowth(record, by)
  const outside = spec.dataDir === undefined ? [] : fresh.flatMap(id => logDirectories(spec, id)).filter(existsSync)
  const next = { ...record, spec, foreignData: [...record.foreignData, ...outside] }
  // First what `down` has to take away, then what there is to take away.
  writeRecord(next)
  writeNodeFiles(next, engine, fresh)
  return { record: next, fresh }
}
