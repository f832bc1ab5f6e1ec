/**
 * Kafka's checkpoint files: text lines "version", "count of entries", one entry a line. Reading is strict: a file that
 * is damaged is reported, and the caller treats it as missing, which only makes recovery start earlier.
 *
 * Files: recovery-point-offset-checkpoint, log-start-offset-checkpoint, replication-offset-checkpoint (`topic partition
 * offset`) in each log directory, leader-epoch-checkpoint (`epoch startOffset`) in each partition's directory.
 */
import type { Disk } from '../environment/environment.ts'
import type { EpochEntry } from './leader-epochs.ts'
import { partitionKey } from './log-files.ts'
import type { TopicPartition } from './log.ts'
import { readFile, replaceFile } from './small-files.ts'

export const recoveryPointFile = 'recovery-point-offset-checkpoint'
export const logStartOffsetFile = 'log-start-offset-checkpoint'
export const highWatermarkFile = 'replication-offset-checkpoint'
export const cleanerOffsetFile = 'cleaner-offset-checkpoint'
export const leaderEpochFile = 'leader-epoch-checkpoint'

/** A checkpoint file does not have the form it should have. */
export class DamagedFileError extends Error {
  constructor(path: string, problem: string) {
    super(`${path} is damaged: ${problem}`)
    this.name = 'DamagedFileError'
  }
}

export interface PartitionOffset {
  readonly partition: TopicPartition
  readonly offset: number
}

/** The text of an offset checkpoint. */
export function offsetCheckpointText(entries: readonly PartitionOffset[]): string {
  return checkpointText(entries.map(({ partition, offset }) => `${partition.topic} ${partition.partition} ${offset}`))
}

/** Offsets by `partitionKey`; empty when the file is missing. Throws DamagedFileError. */
export function readOffsetCheckpoint(disk: Disk, path: string): Map<string, number> {
  const offsets = new Map<string, number>()
  for (const line of checkpointLines(disk, path)) {
    const match = /^(\S+) (\d+) (\d+)$/.exec(line)
    if (match === null)
      throw new DamagedFileError(path, `expected "topic partition offset", got ${JSON.stringify(line)}`)
    offsets.set(partitionKey({ topic: match[1]!, partition: Number(match[2]) }), Number(match[3]))
  }
  return offsets
}

export function writeEpochCheckpoint(
  disk: Disk,
  path: string,
  entries: readonly EpochEntry[],
  options: { readonly durable: boolean },
): void {
  const lines = entries.map(entry => `${entry.epoch} ${entry.startOffset}`)
  replaceFile(disk, path, checkpointText(lines), options)
}

/** Empty when the file is missing. Throws DamagedFileError. */
export function readEpochCheckpoint(disk: Disk, path: string): EpochEntry[] {
  return checkpointLines(disk, path).map(line => {
    const match = /^(\d+) (\d+)$/.exec(line)
    if (match === null) throw new DamagedFileError(path, `expected "epoch startOffset", got ${JSON.stringify(line)}`)
    return { epoch: Number(match[1]), startOffset: Number(match[2]) }
  })
}

function checkpointText(lines: readonly string[]): string {
  return ['0', String(lines.length), ...lines, ''].join('\n')
}

function checkpointLines(disk: Disk, path: string): string[] {
  const content = readFile(disk, path)
  // Kafka itself creates these files empty before it first writes them.
  if (content === undefined || content.length === 0) return []
  const [version, count, ...rest] = content.toString('utf8').split('\n')
  if (version !== '0') throw new DamagedFileError(path, `expected version 0, got ${JSON.stringify(version)}`)
  const lines = rest.filter(line => line !== '')
  if (!/^\d+$/.test(count ?? '') || Number(count) !== lines.length)
    throw new DamagedFileError(path, `expected ${count} entries, got ${lines.length}`)
  return lines
}
