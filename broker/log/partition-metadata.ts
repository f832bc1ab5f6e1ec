/**
 * `partition.metadata`: which topic id the log in this directory belongs to. Without it a log could be taken for that
 * of a topic of the same name that was created later. Source: KIP-516.
 */
import type { Disk, Logger } from '../environment/environment.ts'
import { readFile, replaceFile } from './small-files.ts'

export const partitionMetadataFile = 'partition.metadata'

/** Not durable for a directory that is just created: its first fsync covers the file too. */
export function writePartitionMetadata(
  disk: Disk,
  directory: string,
  topicId: string,
  options: { readonly durable: boolean },
): void {
  replaceFile(disk, `${directory}/${partitionMetadataFile}`, `version: 0\ntopic_id: ${topicId}`, options)
}

/** fsyncs the file, blocking; writes it when it is not there. The name is as durable as the next fsync of the directory makes it. */
export function makeMetadataDurable(disk: Disk, directory: string, topicId: string): void {
  const path = `${directory}/${partitionMetadataFile}`
  if (disk.stat(path) === undefined) return writePartitionMetadata(disk, directory, topicId, { durable: true })
  const file = disk.open(path, 'write')
  try {
    file.sync()
  } finally {
    file.close()
  }
}

/** The topic id, undefined when the file is missing or, which is said, damaged. */
export function readPartitionMetadata(disk: Disk, directory: string, log: Logger): string | undefined {
  const path = `${directory}/${partitionMetadataFile}`
  const content = readFile(disk, path)?.toString('utf8')
  if (content === undefined) return undefined
  const match = /^version: 0\r?\ntopic_id: ([A-Za-z0-9_-]{22})\s*$/.exec(content)
  if (match === null) {
    const problem = `expected "version: 0" and "topic_id: <22 characters>", got ${JSON.stringify(content.slice(0, 100))}`
    log.warn(
      'A file that names the topic of a log is damaged; it will be written anew with the id of the topic of that name.',
      {
        path,
        problem,
      },
    )
  }
  return match?.[1]
}
