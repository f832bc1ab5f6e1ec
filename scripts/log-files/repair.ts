/**
 * Repairs what `verify` found: cuts a torn tail, makes indexes, snapshots, transaction indexes, epochs and checkpoints anew, and, only when
 * asked to, takes damaged batches out of the middle of a log. What it removes or replaces is copied into a backup directory first, and every
 * change is durable before the next begins. What is derived from the batches is judged again after these are repaired.
 */
import type { Disk, DiskFile, Logger } from '#broker/environment/environment.ts'
import {
  DamagedFileError,
  leaderEpochFile,
  readOffsetCheckpoint,
  writeEpochCheckpoint,
} from '#broker/log/checkpoints.ts'
import { partitionKey, transactionIndexSuffix, logSuffix, indexSuffix, timeIndexSuffix } from '#broker/log/log-files.ts'
import { OpenFiles } from '#broker/log/open-files.ts'
import { encodeProducerSnapshot } from '#broker/log/producer-snapshots.ts'
import { Segment } from '#broker/log/segment.ts'
import { makeDurableDirectory, replaceFile } from '#broker/log/small-files.ts'
import { abortedBytesOf } from './index-entries.ts'
import { parentOf } from './places.ts'
import type { Problem, Remedy } from './problems.ts'
import type { VerifiedData } from './verify-data.ts'

export interface RepairOptions {
  /** Take damaged batches out of the middle of logs: their records are lost. */
  readonly setAsideDamagedBatches: boolean
  /** Where copies of what goes are kept; not inside the data directory, where Apache Kafka would stumble over it. */
  readonly backup: string
  /** What paths in the backup are relative to. */
  readonly root: string
}

export interface Plan {
  readonly remedies: readonly Remedy[]
  /** Problems that nothing is done about, with the reason. */
  readonly left: readonly { readonly problem: Problem; readonly why: string }[]
}

export function planRepair(problems: readonly Problem[], options: Pick<RepairOptions, 'setAsideDamagedBatches'>): Plan {
  const remedies = new Map<string, Remedy>()
  const left: { problem: Problem; why: string }[] = []
  for (const problem of problems) {
    if (problem.severity === 'note') continue
    const { remedy } = problem
    if (remedy === undefined) left.push({ problem, why: 'there is no way to tell what should be there' })
    else if (remedy.kind === 'set-aside' && !options.setAsideDamagedBatches)
      left.push({ problem, why: `--set-aside-damaged-batches takes them out, and loses ${remedy.lostOffsets}` })
    else remedies.set(JSON.stringify(remedy), remedy)
  }
  return { remedies: [...remedies.values()], left }
}

/** What a remedy does, in a line. */
export function remedyText(remedy: Remedy): string {
  switch (remedy.kind) {
    case 'cut':
      return `cut ${remedy.path} at byte ${remedy.position}: ${remedy.bytes} bytes go`
    case 'set-aside':
      return `take bytes ${remedy.position} to ${remedy.position + remedy.bytes - 1} out of ${remedy.path}: ${remedy.lostOffsets} are LOST here`
    case 'rebuild-indexes':
      return `rebuild the offset and time index of ${remedy.segment}`
    case 'rebuild-transaction-index':
      return `rebuild the transaction index of ${remedy.segment}`
    case 'rebuild-snapshot':
      return `rebuild ${remedy.path} from the batches`
    case 'rebuild-epochs':
      return `rebuild ${remedy.directory}/${leaderEpochFile} from the batches`
    case 'correct-checkpoint':
      return `correct ${remedy.path} by what the logs hold`
  }
}

/**
 * Repairs until nothing is left that can be. `verify` is run between the steps; throws DiskError when the disk fails. Returns what was done.
 */
export function repair(disk: Disk, options: RepairOptions, verify: () => VerifiedData): readonly Remedy[] {
  const done: Remedy[] = []
  const worker = new Worker(disk, options)
  for (let round = 0; round < 4; round++) {
    const verified = verify()
    const { remedies } = planRepair(allProblems(verified), options)
    const fresh = remedies.filter(remedy => !done.some(before => JSON.stringify(before) === JSON.stringify(remedy)))
    if (fresh.length === 0) break
    // What is derived is derived from batches: these first.
    const ofBatches = fresh.filter(({ kind }) => kind === 'cut' || kind === 'set-aside')
    const now = ofBatches.length > 0 ? ofBatches : fresh
    worker.apply(now, verified)
    done.push(...now)
  }
  return done
}

export function allProblems({ problems, partitions }: VerifiedData): Problem[] {
  return [...partitions.flatMap(({ log }) => log.problems), ...problems]
}

/** Nobody asks what a rebuilt index says while it is rebuilt. */
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

/** As index.interval.bytes is by default. */
const indexIntervalBytes = 4096

class Worker {
  private readonly disk: Disk
  private readonly options: RepairOptions

  constructor(disk: Disk, options: RepairOptions) {
    this.disk = disk
    this.options = options
  }

  apply(remedies: readonly Remedy[], verified: VerifiedData): void {
    const byPath = new Map<string, Extract<Remedy, { kind: 'cut' | 'set-aside' }>[]>()
    for (const remedy of remedies)
      if (remedy.kind === 'cut' || remedy.kind === 'set-aside')
        byPath.set(remedy.path, [...(byPath.get(remedy.path) ?? []), remedy])
    for (const [path, ranges] of byPath) this.removeRanges(path, ranges)
    for (const remedy of remedies) this.derive(remedy, verified)
  }

  private derive(remedy: Remedy, verified: VerifiedData): void {
    switch (remedy.kind) {
      case 'cut':
      case 'set-aside':
        return
      case 'rebuild-indexes':
        return this.rebuildIndexes(remedy.segment, remedy.baseOffset)
      case 'rebuild-transaction-index': {
        const path = remedy.segment.replace(new RegExp(`${logSuffix}$`), transactionIndexSuffix)
        const aborted = logOf(verified, parentOf(path)).aborted.get(remedy.baseOffset) ?? []
        this.backUp(path)
        if (aborted.length > 0) replaceFile(this.disk, path, abortedBytesOf(aborted), { durable: true })
        else this.remove(path)
        return
      }
      case 'rebuild-snapshot': {
        const producers = logOf(verified, parentOf(remedy.path)).producersAt.get(remedy.offset)
        this.backUp(remedy.path)
        if (producers === undefined) this.remove(remedy.path)
        else replaceFile(this.disk, remedy.path, encodeProducerSnapshot(producers), { durable: true })
        return
      }
      case 'rebuild-epochs': {
        const path = `${remedy.directory}/${leaderEpochFile}`
        this.backUp(path)
        return writeEpochCheckpoint(this.disk, path, logOf(verified, remedy.directory).epochs, { durable: true })
      }
      case 'correct-checkpoint':
        return this.correctCheckpoint(remedy.path, verified)
    }
  }

  /** Rewrites the file without these bytes, which are kept in the backup; then its indexes, whose positions are others now. */
  private removeRanges(path: string, ranges: readonly { readonly position: number; readonly bytes: number }[]): void {
    const sorted = [...ranges].sort((a, b) => a.position - b.position)
    const source = this.disk.open(path, 'read')
    const temporary = `${path}.tmp`
    try {
      for (const { position, bytes } of sorted)
        this.copyInto(`${this.backupPath(path)}.bytes-${position}-to-${position + bytes - 1}`, source, position, bytes)
      const target = this.disk.open(temporary, 'write')
      try {
        target.truncate(0)
        let written = 0
        let from = 0
        for (const { position, bytes } of [...sorted, { position: source.size(), bytes: 0 }]) {
          written = copyRange(source, from, position - from, target, written)
          from = position + bytes
        }
        target.sync()
      } finally {
        target.close()
      }
    } finally {
      source.close()
    }
    this.disk.rename(temporary, path)
    this.disk.syncDirectory(parentOf(path))
    const baseOffset = Number(path.slice(path.lastIndexOf('/') + 1, -logSuffix.length))
    this.rebuildIndexes(path, baseOffset)
  }

  private rebuildIndexes(segmentPath: string, baseOffset: number): void {
    const directory = parentOf(segmentPath)
    for (const suffix of [indexSuffix, timeIndexSuffix]) this.backUp(segmentPath.slice(0, -logSuffix.length) + suffix)
    const context = {
      disk: this.disk,
      directory,
      openFiles: new OpenFiles(),
      log: silent,
      indexIntervalBytes: () => indexIntervalBytes,
      failed: (error: Error) => {
        throw error
      },
    }
    const segment = Segment.open({ context, baseOffset, createdWallMs: 0, rollJitterMs: 0 })
    segment.leaveIndexesUnchecked()
    segment.rebuildIndexes(indexIntervalBytes)
    segment.becomeInactive()
    segment.sync()
    segment.closeHandle()
    this.disk.syncDirectory(directory)
  }

  private correctCheckpoint(path: string, verified: VerifiedData): void {
    this.backUp(path)
    let offsets: Map<string, number>
    try {
      offsets = readOffsetCheckpoint(this.disk, path)
    } catch (error) {
      if (!(error instanceof DamagedFileError)) throw error
      // A broker without it checks more than it had to, and loses nothing.
      return this.remove(path)
    }
    const ends = new Map(
      verified.partitions.map(({ directory, log }) => [partitionKey(directory.partition), log.logEndOffset]),
    )
    const lines = [...offsets].map(([key, offset]) => {
      const at = key.lastIndexOf('-')
      return `${key.slice(0, at)} ${key.slice(at + 1)} ${Math.min(offset, ends.get(key) ?? offset)}`
    })
    replaceFile(this.disk, path, ['0', String(lines.length), ...lines, ''].join('\n'), { durable: true })
  }

  private remove(path: string): void {
    this.disk.remove(path)
    this.disk.syncDirectory(parentOf(path))
  }

  // -------------------------------------------------------------------------------------------------------- backup

  private backupPath(path: string): string {
    return `${this.options.backup}${path.slice(this.options.root.length)}`
  }

  /** A copy of the file as it is, unless there is one already: the first is the one that was found. */
  private backUp(path: string): void {
    const target = this.backupPath(path)
    if (this.disk.stat(path) === undefined || this.disk.stat(target) !== undefined) return
    const source = this.disk.open(path, 'read')
    try {
      this.copyInto(target, source, 0, source.size())
    } finally {
      source.close()
    }
  }

  private copyInto(path: string, source: DiskFile, position: number, bytes: number): void {
    makeDurableDirectory(this.disk, parentOf(path))
    const target = this.disk.open(path, 'write')
    try {
      target.truncate(0)
      copyRange(source, position, bytes, target, 0)
      target.sync()
    } finally {
      target.close()
    }
    this.disk.syncDirectory(parentOf(path))
  }
}

function logOf({ partitions }: VerifiedData, directory: string) {
  const found = partitions.find(partition => partition.directory.path === directory)
  if (found === undefined) throw new Error(`Bug: ${directory} was not verified.`)
  return found.log
}

/** Returns where the copy ends in the target. */
function copyRange(source: DiskFile, from: number, bytes: number, target: DiskFile, at: number): number {
  const chunk = Buffer.allocUnsafe(Math.max(1, Math.min(bytes, 1024 * 1024)))
  for (let copied = 0; copied < bytes;) {
    const read = source.read(chunk.subarray(0, Math.min(chunk.length, bytes - copied)), from + copied)
    if (read === 0) throw new Error(`Bug: ${source.path} is shorter than it was.`)
    target.write([chunk.subarray(0, read)], at + copied)
    copied += read
  }
  return at + bytes
}
