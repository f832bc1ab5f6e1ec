/** Checks whatever a path names: a data directory, a partition (with what the checkpoints beside it say), or a single file. */
import type { Disk } from '#broker/environment/environment.ts'
import { failure, usageError } from '../errors.ts'
import { dataAt, parentOf, partitionAt, placeAt } from './places.ts'
import type { DataDirectory, LogFile, Place } from './places.ts'
import type { Problem } from './problems.ts'
import { allProblems } from './repair.ts'
import { verifyData } from './verify-data.ts'
import type { VerifiedData, VerifiedPartition } from './verify-data.ts'
import { allocatedInAdvance } from './verify-log.ts'

export interface Verification {
  readonly partitions: readonly VerifiedPartition[]
  readonly problems: readonly Problem[]
  readonly isDamaged: boolean
}

interface Options {
  readonly records: boolean
  progress(message: string): void
}

/** Of a file, the problems of that file alone; what they are judged by is the whole partition. */
export function verifyPlace(disk: Disk, path: string, options: Options): Verification {
  const place = placeAt(disk, path)
  const file = place.kind === 'file' ? place.file : undefined
  const only = file?.path
  const verified = verifyIn(disk, dataOf(disk, place), options)
  const all = allProblems(verified)
  const problems = only === undefined ? withoutRepetition(all, path) : all.filter(problem => problem.path === only)
  if (file !== undefined && !isOfData(file) && verified.partitions[0]?.directory.baseOffsets.length === 0)
    throw failure(`${file.path} lies in no directory of a log; there is nothing to judge it by.`)
  return {
    partitions: verified.partitions,
    problems,
    isDamaged: problems.some(({ severity }) => severity === 'damage'),
  }
}

/** One note for all indexes that end in allocated space. */
function withoutRepetition(problems: readonly Problem[], directory: string): readonly Problem[] {
  const files = problems.filter(({ kind }) => kind === 'allocated').length
  if (files < 2) return problems
  const message = `${files} indexes end in entries of zeros: ${allocatedInAdvance}`
  return [...problems.filter(({ kind }) => kind !== 'allocated'), { severity: 'note', path: directory, message }]
}

export function verifyIn(disk: Disk, { data, isPart }: Scope, options: Options): VerifiedData {
  const verified = verifyData(disk, data, options)
  if (!isPart) return verified
  // Of the directory around it only what names this log counts.
  const problems = verified.problems.filter(
    ({ severity, path }) => severity === 'damage' && !path.endsWith('/meta.properties'),
  )
  return { ...verified, problems }
}

/** What is looked at: a data directory, or the part of one that a single log is. */
export interface Scope {
  readonly data: DataDirectory
  readonly isPart: boolean
}

export function dataOf(disk: Disk, place: Place): Scope {
  if (place.kind === 'data') return { data: place.data, isPart: false }
  if (place.kind === 'file' && isOfData(place.file))
    return { data: dataAt(disk, parentOf(place.file.path)), isPart: false }
  const partition = place.kind === 'partition' ? place.partition : partitionAt(disk, parentOf(place.file.path))
  const parent = parentOf(partition.path)
  const around = disk.stat(`${parent}/meta.properties`) === undefined ? undefined : dataAt(disk, parent)
  return {
    data: { path: parent, partitions: [partition], files: around?.files ?? [], others: [] },
    isPart: true,
  }
}

function isOfData({ kind, path }: LogFile): boolean {
  return kind === 'checkpoint' || ['meta.properties', '.kafka_cleanshutdown'].some(name => path.endsWith(`/${name}`))
}

/** Repairs need a directory. */
export function repairScope(disk: Disk, path: string): Scope {
  const place = placeAt(disk, path)
  if (place.kind === 'file')
    throw usageError(
      `${path} is a file: a repair needs the directory of its partition.`,
      `./faultline log repair ${parentOf(path)}`,
    )
  return dataOf(disk, place)
}
