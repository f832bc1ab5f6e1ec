/**
 * More brokers for a cluster of processes that runs: with nothing but their configuration they find the quorum and register. What they need on this
 * machine, and its end when they do not come to serve.
 */
import { planGrowth, recordGrowth, type Growth } from '../growth.ts'
import type { ClusterRecord } from '../state.ts'
import { readRecord, writeRecord } from '../state.ts'
import type { ProcessEngine } from './engine.ts'
import { outsideOfProcesses, writeNodeFiles } from './node-files.ts'

/** Refuses what cannot be, before anything is changed. */
export async function prepareGrowth(before: ClusterRecord, engine: ProcessEngine, by: number): Promise<Growth> {
  const plan = await planGrowth(before, by)
  const { spec, fresh } = plan
  const { record, forget } = recordGrowth(before, plan, outsideOfProcesses)
  return {
    record,
    fresh,
    write() {
      // First what `down` has to take away, then what there is to take away.
      writeRecord(record)
      writeNodeFiles(record, engine, fresh)
    },
    restore() {
      const now = readRecord(spec.name)
      // Otherwise somebody has taken the cluster away meanwhile.
      if (now !== undefined) forget(now)
    },
  }
}
