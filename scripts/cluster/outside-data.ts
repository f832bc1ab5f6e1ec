/** What a cluster has outside of its state directory: data where --data says, metadata logs where metadata.log.dir says. `down` takes it away. */
import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ClusterSpec } from './cluster.ts'
import { metadataFiles } from './metadata-directory.ts'
import { removeIfEmpty } from './state.ts'

export interface OutsideData {
  /** Files, and folders with all that is in them. */
  readonly whole: readonly string[]
  /** Folders that may hold more, each before the one that it is in. */
  readonly folders: readonly string[]
}

/**
 * @param data  directories with data of the nodes, which are outside only where --data says so
 * @param metadata  directories of their metadata logs apart from these
 */
export function outsideData(
  { dataDir }: Pick<ClusterSpec, 'dataDir'>,
  data: readonly string[],
  metadata: readonly string[] = [],
): OutsideData {
  const folders = [...metadata, ...(dataDir === undefined ? [] : [dataDir])]
  return {
    whole: [...(dataDir === undefined ? [] : data), ...metadata.flatMap(metadataFiles)],
    folders: folders.flatMap(withParents),
  }
}

function withParents(folder: string): string[] {
  const parent = dirname(folder)
  return parent === folder ? [folder] : [folder, ...withParents(parent)]
}

export function whatIsThere({ whole, folders }: OutsideData): string[] {
  return [...new Set([...whole, ...folders])].filter(existsSync)
}

/** @param before  what was there before the cluster: it stays */
export function removeOutsideData({ whole, folders }: OutsideData, before: readonly string[]): void {
  for (const path of whole) if (!before.includes(path)) rmSync(path, { recursive: true, force: true })
  for (const folder of folders) if (!before.includes(folder)) removeIfEmpty(folder)
}
