/** Checks a whole data directory: every log in it, what identifies it, and the checkpoints against the logs. Changes nothing. */
import type { Disk } from '#broker/environment/environment.ts'
import {
  cleanerOffsetFile,
  DamagedFileError,
  highWatermarkFile,
  logStartOffsetFile,
  readOffsetCheckpoint,
  recoveryPointFile,
} from '#broker/log/checkpoints.ts'
import { partitionKey } from '#broker/log/log-files.ts'
import { LogDirectoryError, readMetaProperties } from '#broker/log/meta-properties.ts'
import type { DataDirectory, PartitionDirectory } from './places.ts'
import type { Problem } from './problems.ts'
import { verifyLog } from './verify-log.ts'
import type { VerifiedLog, VerifyOptions } from './verify-log.ts'

export interface VerifiedPartition {
  readonly directory: PartitionDirectory
  readonly log: VerifiedLog
}

export interface VerifiedData {
  readonly partitions: readonly VerifiedPartition[]
  /** Of the directory itself: what is wrong with a log is said there. */
  readonly problems: readonly Problem[]
}

export function verifyData(
  disk: Disk,
  data: DataDirectory,
  options: Pick<VerifyOptions, 'records'> & { progress(message: string): void },
): VerifiedData {
  const problems: Problem[] = []
  checkMeta(disk, data, problems)
  const recoveryPoints = read(disk, `${data.path}/${recoveryPointFile}`, problems)
  const logStarts = read(disk, `${data.path}/${logStartOffsetFile}`, problems)
  const highWatermarks = read(disk, `${data.path}/${highWatermarkFile}`, problems)
  const cleanerOffsets = read(disk, `${data.path}/${cleanerOffsetFile}`, problems)
  const isClean = data.files.some(({ path }) => path.endsWith('/.kafka_cleanshutdown'))
  const partitions = data.partitions.map(directory => {
    options.progress(`Reading ${directory.path}`)
    const key = partitionKey(directory.partition)
    const recoveryPoint = isClean ? Infinity : (recoveryPoints.get(key) ?? 0)
    const cleanedUntil = cleanerOffsets.get(key) ?? 0
    const logStartOffset = logStarts.get(key) ?? 0
    const { records } = options
    return { directory, log: verifyLog(disk, directory, { records, recoveryPoint, cleanedUntil, logStartOffset }) }
  })
  const ends = new Map(partitions.map(({ directory, log }) => [partitionKey(directory.partition), log]))
  for (const [file, offsets, what] of [
    [recoveryPointFile, recoveryPoints, 'recovery point'],
    [logStartOffsetFile, logStarts, 'log start offset'],
    [highWatermarkFile, highWatermarks, 'high watermark'],
  ] as const) {
    const path = `${data.path}/${file}`
    for (const [key, offset] of offsets) {
      const log = ends.get(key)
      if (log === undefined)
        problems.push({ severity: 'note', path, offset, message: `names ${key}, which has no log here` })
      else if (offset > log.logEndOffset) {
        const message = `says the ${what} of ${key} is ${offset}, beyond the end of its log, ${log.logEndOffset}`
        problems.push({ severity: 'damage', path, offset, message, remedy: { kind: 'correct-checkpoint', path } })
      }
    }
  }
  for (const name of data.others)
    problems.push({ severity: 'note', path: `${data.path}/${name}`, message: otherDirectory(name) })
  return { partitions, problems }
}

function otherDirectory(name: string): string {
  if (/\.[0-9a-f]{32}-delete$/.test(name)) return 'a deleted partition: the broker removes it'
  if (/\.[0-9a-f]{32}-stray$/.test(name)) return 'a log that the metadata did not know, set aside'
  return 'no log of a partition; Apache Kafka does not start with a directory like that in its data directory'
}

function checkMeta(disk: Disk, data: DataDirectory, problems: Problem[]): void {
  const path = `${data.path}/meta.properties`
  try {
    if (readMetaProperties(disk, data.path) === undefined)
      problems.push({ severity: 'damage', path, message: 'is missing: no broker knows that the directory is its own' })
  } catch (error) {
    if (!(error instanceof LogDirectoryError)) throw error
    problems.push({ severity: 'damage', path, message: error.message.replace(`${path}: `, '') })
  }
}

function read(disk: Disk, path: string, problems: Problem[]): Map<string, number> {
  try {
    return readOffsetCheckpoint(disk, path)
  } catch (error) {
    if (!(error instanceof DamagedFileError)) throw error
    const message = error.message.replace(`${path} is damaged: `, '')
    problems.push({ severity: 'damage', path, message, remedy: { kind: 'correct-checkpoint', path } })
    return new Map()
  }
}
