/** The directory of a node for its metadata log, where its settings ask for one apart from its log directories (metadata.log.dir). */
import { resolve } from 'node:path'
import type { ClusterSpec } from './cluster.ts'

/** What a node keeps there. Nothing else is touched: the folder is somebody's, and may hold more. */
const kept = ['__cluster_metadata-0', 'meta.properties', 'bootstrap.checkpoint', '.lock', '.kafka_cleanshutdown']

/**
 * Undefined: it lies in one of the log directories.
 *
 * @param directories  of the node's logs, as the node sees them
 * @param from  where the node's program runs
 */
export function metadataDirectory(
  { settings, nodes }: Pick<ClusterSpec, 'settings' | 'nodes'>,
  id: number,
  { directories, from }: { readonly directories: readonly string[]; readonly from: string },
): string | undefined {
  const name = 'metadata.log.dir'
  const given = nodes?.[String(id)]?.settings?.[name] ?? settings[name] ?? ''
  if (given.trim() === '') return undefined
  const directory = resolve(from, given.trim())
  return directories.some(each => resolve(from, each) === directory) ? undefined : directory
}

/** Files and folders of a node there. */
export function metadataFiles(directory: string): readonly string[] {
  return kept.map(name => resolve(directory, name))
}
