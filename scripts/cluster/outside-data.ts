/** What a cluster has outside of its state directory: data where --data says, metadata logs where metadata.log.dir says. `down` takes it away. */
import { existsSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, parse } from 'node:path'
import type { ClusterSpec } from './cluster.ts'
import { metadataFiles } from './metadata-directory.ts'
import type { ClusterRecord } from './state.ts'

export interface OutsideData {
  /** Files, and folders with all that is in them. */
  readonly whole: readonly string[]
  /** Folders that may hold more, or lie in folders that were made for them. */
  readonly folders: readonly string[]
}

export const noOutsideData: OutsideData = { whole: [], folders: [] }

/**
 * @param data  directories with data of the nodes, which are outside only where --data says so
 * @param metadata  directories of their metadata logs apart from these
 */
export function outsideData(
  { dataDir }: Pick<ClusterSpec, 'dataDir'>,
  data: readonly string[],
  metadata: readonly string[] = [],
): OutsideData {
  return {
    whole: [...(dataDir === undefined ? [] : data), ...metadata.flatMap(metadataFiles)],
    folders: [...metadata, ...(dataDir === undefined ? [] : [dataDir])],
  }
}

/** With all that they lie in, up to the root. */
function pathsOf({ whole, folders }: OutsideData): Set<string> {
  const upwards = (folder: string): string[] =>
    dirname(folder) === folder ? [folder] : [folder, ...upwards(dirname(folder))]
  return new Set([...whole, ...folders.flatMap(upwards)])
}

/**
 * Which paths are there already and therefore stay when the cluster goes.
 *
 * @param known  those that are known to be somebody's
 * @param had  what the cluster has had until now: of that, all that is not known to be somebody's is its own
 */
export function foreignPaths(has: OutsideData, known: readonly string[] = [], had = noOutsideData): string[] {
  const own = pathsOf(had)
  const found = [...pathsOf(has)].filter(path => !own.has(path) && existsSync(path))
  return [...new Set([...known, ...found])]
}

/** The same of a cluster that is to be as `spec` says; `before`: what it was, where it was one. */
export function foreignData(
  outsideOf: (spec: ClusterSpec) => OutsideData,
  spec: ClusterSpec,
  before: Pick<ClusterRecord, 'spec' | 'foreignData'> | undefined,
): string[] {
  return foreignPaths(outsideOf(spec), before?.foreignData, before && outsideOf(before.spec))
}

/** @param foreign  what was there before: it stays */
export function removeOutsideData({ whole, folders }: OutsideData, foreign: readonly string[]): void {
  for (const path of whole) if (!foreign.includes(path)) rmSync(path, { recursive: true, force: true })
  for (const folder of folders) removeEmpty(folder, foreign)
}

/** From a folder upwards, each as long as it is empty. Records of older toolkits say nothing of what is above it: then nothing there is touched. */
function removeEmpty(folder: string, foreign: readonly string[]): void {
  const isKnown = foreign.includes(parse(folder).root)
  for (let at = folder; !foreign.includes(at); at = dirname(at)) {
    try {
      rmdirSync(at)
    } catch {
      // It holds something, or cannot be removed: an empty folder that stays is no harm, and what is above it stays, too.
      return
    }
    if (!isKnown) return
  }
}
