/** The metadata log of a stopped node, and its snapshots, as Apache Kafka's own tools read them. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import type { Life } from './life.ts'

export interface DumpedMetadata {
  /** Records in the log, by type. */
  readonly log: Readonly<Record<string, number>>
  /** Records in the snapshots, by type. */
  readonly snapshots: Readonly<Record<string, number>>
  readonly snapshotFiles: number
  /** Lines in which the tool complains. */
  readonly complaints: readonly string[]
}

const complaint = /could not|isvalid: false|invalid|mismatch|exception|error:/i

/** `kafka-dump-log --cluster-metadata-decoder` over every segment and snapshot in some log directories. */
export async function dumpMetadata(life: Life, directories: readonly string[]): Promise<DumpedMetadata> {
  const files = directories
    .map(directory => path.join(directory, '__cluster_metadata-0'))
    .flatMap(folder => readdirSync(folder).map(name => path.join(folder, name)))
  const complaints: string[] = []
  const dump = async (suffix: string): Promise<Record<string, number>> => {
    const types: Record<string, number> = {}
    const chosen = files.filter(name => name.endsWith(suffix))
    if (chosen.length === 0) return types
    const output = await life.run('DumpLogSegments', '--cluster-metadata-decoder', '--files', chosen.join(','))
    complaints.push(...output.split('\n').filter(line => complaint.test(line)))
    for (const [, type] of output.matchAll(/payload: \{"type":"(\w+)"/g)) types[type!] = (types[type!] ?? 0) + 1
    return types
  }
  return {
    log: await dump('.log'),
    snapshots: await dump('.checkpoint'),
    snapshotFiles: files.filter(name => name.endsWith('.checkpoint')).length,
    complaints,
  }
}
