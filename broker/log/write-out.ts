/**
 * Gets a log ready to be closed, off the event loop: everything that a clean stop must make durable is written, and fsynced while other logs do
 * the same. A stop with ten thousand logs would otherwise fsync some ten files of each, one after the other. The names of the logs are all in
 * one directory, which is fsynced once when the logs are done (log-manager.ts).
 */
import type { Disk, DiskError } from '../environment/environment.ts'
import { leaderEpochFile, writeEpochCheckpoint } from './checkpoints.ts'
import type { Durability } from './durability.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import { isShortage } from './log-failure.ts'
import { partitionMetadataFile } from './partition-metadata.ts'
import type { ProducerSnapshots } from './producer-snapshots.ts'
import type { ProducerStates } from './producer-state.ts'
import type { Segment } from './segment.ts'
import type { SegmentContext } from './segment-context.ts'
import type { SegmentTally } from './segment-tally.ts'
import { syncFileLater } from './small-files.ts'

export interface LogToWriteOut {
  readonly directory: string
  readonly segmentContext: SegmentContext
  readonly active: Segment
  readonly logEndOffset: number
  readonly producerStates: ProducerStates
  readonly snapshots: ProducerSnapshots
  readonly epochs: LeaderEpochs
  readonly durability: Durability
  fail(error: unknown): DiskError
}

export interface LogToSettle extends LogToWriteOut {
  readonly tally: SegmentTally
  flush(): void
  prepareCheckpoint(): void
}

/** A log that was not written to since it was opened is as it should be, unless its files may be the ones of a process that was killed. */
export function needsWriteOut(log: LogToWriteOut): boolean {
  return hasNewState(log) || log.durability.directoryDirty || log.durability.hasNewMetadata
}

function hasNewState({ active, snapshots, logEndOffset }: LogToWriteOut): boolean {
  return active.unsynced || snapshots.latest !== logEndOffset
}

/** Throws DiskError; `finished` is called once when it does not, also when an fsync fails: then the log has failed. */
export function writeOut(log: LogToWriteOut, finished: () => void): void {
  const { directory, active, durability } = log
  const { disk, openFiles } = log.segmentContext
  const done = (error: DiskError | undefined): void => {
    if (error !== undefined) log.fail(error)
    finished()
  }
  const hasNews = hasNewState(log)
  const files = hasNews ? writeState(log) : []
  if (durability.hasNewMetadata) files.push(`${directory}/${partitionMetadataFile}`)
  const syncFiles = (error: DiskError | undefined): void => {
    if (error !== undefined) return done(error)
    openFiles.whenSyncMayStart(ended => {
      const over = (failed: DiskError | undefined): void => {
        ended()
        done(failed)
      }
      syncEach(disk, files, failed => {
        if (failed !== undefined) return over(failed)
        if (hasNews) log.epochs.saved()
        durability.metadataIsDurable()
        durability.syncNamesLater(over)
      })
    })
  }
  if (hasNews) active.syncAllLater(syncFiles)
  else syncFiles(undefined)
}

/** Writes what is only in memory; returns the files that have to be fsynced. */
function writeState(log: LogToWriteOut): string[] {
  const { directory, snapshots, epochs, logEndOffset } = log
  log.active.becomeInactive()
  log.durability.directoryDirty = true
  snapshots.write(logEndOffset, log.producerStates.all(), { sync: false })
  const files = [snapshots.path(logEndOffset)]
  if (epochs.unsavedFrom < Infinity) {
    const path = `${directory}/${leaderEpochFile}`
    writeEpochCheckpoint(log.segmentContext.disk, path, epochs.all, { durable: false })
    files.push(path)
  }
  return files
}

/** What a clean stop must make durable, blocking; little when the log was written out. Throws DiskError. */
export function settle(log: LogToSettle): void {
  try {
    settleAll(log)
  } catch (error) {
    // The next start makes anew what there was no space for; the records themselves need none.
    if (isShortage(error)) for (const segment of log.tally.unsyncedSegments) segment.syncLog()
    throw error
  }
}

function settleAll(log: LogToSettle): void {
  const { active, snapshots } = log
  if (hasNewState(log)) {
    active.becomeInactive()
    log.durability.directoryDirty = true
    snapshots.write(log.logEndOffset, log.producerStates.all(), { sync: true })
    for (const segment of log.tally.unsyncedSegments) if (segment !== active) segment.sync()
    active.sync()
  }
  log.flush()
  log.prepareCheckpoint()
}

function syncEach(
  disk: Disk,
  [path, ...others]: readonly string[],
  done: (error: DiskError | undefined) => void,
): void {
  if (path === undefined) return done(undefined)
  syncFileLater(disk, path, error => {
    if (error !== undefined) done(error)
    else syncEach(disk, others, done)
  })
}
