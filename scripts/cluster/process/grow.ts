/**
 * More brokers for a cluster of processes that runs: with nothing but their configuration they find the quorum and register. What they need on this
 * machine, and its end when they do not come to serve.
 */
import { existsSync, rmSync } from 'node:fs'
import { planGrowth } from '../growth.ts'
import type { ClusterRecord } from '../state.ts'
import { logDirectories, nodeDirectory, readRecord, removeIfEmpty, writeRecord } from '../state.ts'
import type { ProcessEngine } from './engine.ts'
import { writeNodeFiles } from './node-files.ts'

export interface ProcessGrowth {
  readonly record: ClusterRecord
  /** Ids of the brokers that come. */
  readonly fresh: readonly number[]
  /** All that is theirs but their processes, and that they are there. */
  write(): void
  /** As it was before. */
  restore(): void
}

/** Refuses what cannot be, before anything is changed. */
export async function prepareGrowth(before: ClusterRecord, engine: ProcessEngine, by: number): Promise<ProcessGrowth> {
  const { spec, fresh } = await planGrowth(before, by)
  const { name } = spec
  const directories = spec.dataDir === undefined ? [] : fresh.flatMap(id => logDirectories(spec, id))
  const outside = directories.filter(existsSync)
  const record = { ...before, spec, foreignData: [...before.foreignData, ...outside] }
  return {
    record,
    fresh,
    write() {
      // First what `down` has to take away, then what there is to take away.
      writeRecord(record)
      writeNodeFiles(record, engine, fresh)
    },
    restore() {
      const now = readRecord(name)
      // Somebody has taken the cluster away meanwhile.
      if (now === undefined) return
      for (const id of fresh) rmSync(nodeDirectory(name, id), { recursive: true, force: true })
      for (const directory of directories)
        if (!outside.includes(directory)) rmSync(directory, { recursive: true, force: true })
      if (spec.dataDir !== undefined) removeIfEmpty(spec.dataDir)
      writeRecord({ ...now, spec: before.spec, foreignData: before.foreignData })
    },
  }
}
