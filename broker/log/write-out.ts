/**
 * Gets a log ready to be closed, off the event loop: everything that a clean stop must make durable is written, and fsynced while other logs do
 * the same. A stop with ten thousand logs would otherwise fsync some ten files of each, one after the other.
 */
import type { Disk, DiskError } from '../environment/environment.ts'
import { leaderEpochFile, writeEpochCheckpoint } from './checkpoints.ts'
import type { Durability } from './durability.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
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

/** A log that was not written to since it was opened is as it should be. */
export function needsWriteOut({ active, snapshots, logEndOffset }: LogToWriteOut): boolean {
  return active.unsynced || snapshots.latest !== logEndOffset
}

/** Throws DiskError; `finished` is called once when it does not, also when an fsync fails: then the log has failed. */
export function writeOut(log: LogToWriteOut, finished: () => void): void {
  const { directory, active, snapshots, epochs, durability, logEndOffset } = log
  const { disk, openFiles } = log.segmentContext
  const done = (error: DiskError | undefined): void => {
    if (error !== undefined) log.fail(error)
    finished()
  }
  active.becomeInactive()
  durability.directoryDirty = true
  snapshots.write(logEndOffset, log.producerStates.all(), { sync: false })
  const files = [snapshots.path(logEndOffset)]
  if (epochs.unsavedFrom < Infinity) {
    const path = `${directory}/${leaderEpochFile}`
    writeEpochCheckpoint(disk, path, epochs.all, { durable: false })
    files.push(path)
  }
  if (durability.hasNewMetadata) files.push(`${directory}/${partitionMetadataFile}`)
  active.syncAllLater(error => {
    if (error !== undefined) return done(error)
    openFiles.whenSyncMayStart(ended => {
      syncEach(disk, files, failed => {
        ended()
        if (failed === undefined) {
          epochs.saved()
          durability.metadataIsDurable()
        }
        done(failed)
      })
    })
  })
}

/** What a clean stop must make durable, blocking; little when the log was written out. Throws DiskError. */
export function settle(
  log: LogToWriteOut & { readonly tally: SegmentTally; flush(): void; prepareCheckpoint(): void },
): void {
  const { active, snapshots } = log
  if (needsWriteOut(log)) {
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
