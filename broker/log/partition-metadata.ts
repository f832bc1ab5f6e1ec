/**
 * `partition.metadata`: which topic id the log in this directory belongs to. Without it a log could be taken for that
 * of a topic of the same name that was created later. Source: KIP-516.
 */
import type { Disk } from '../environment/environment.ts'
import { readFile, replaceFile } from './small-files.ts'

const fileName = 'partition.metadata'

/** Not durable for a directory that is just created: its first fsync covers the file too. */
export function writePartitionMetadata(
  disk: Disk,
  directory: string,
  topicId: string,
  options: { readonly durable: boolean },
): void {
  replaceFile(disk, `${directory}/${fileName}`, `version: 0\ntopic_id: ${topicId}`, options)
}

/** The topic id, undefined when the file is missing or damaged. */
export function readPartitionMetadata(disk: Disk, directory: string): string | undefined {
  const content = readFile(disk, `${directory}/${fileName}`)?.toString('utf8')
  const match = content === undefined ? null : /^version: 0\r?\ntopic_id: ([A-Za-z0-9_-]{22})\s*$/.exec(content)
  return match?.[1]
}
