/**
 * How far the metadata log is known to be committed and durable on this node, kept across restarts: `recovery-point-offset-checkpoint` in the
 * log's own directory, in the form of Kafka's checkpoint files. Apache Kafka keeps nothing of the kind and takes all of the log for unflushed,
 * so that it cuts committed records at the first damaged batch. Here nothing below the point is ever cut (log-recovery.ts), and a log that lacks
 * any of it is not opened.
 *
 * Only what is both counts: a leader may ask to cut what is durable and not committed, and Apache Kafka may do so while it has the directory,
 * without a word here; nobody ever asks to cut what is committed.
 *
 * The file is written a second after the point rose: a flush need not wait for a second fsync. An older point is a safe one.
 */
import { DiskError, type Disk, type Environment, type Logger, type Timer } from '../environment/environment.ts'
import { DamagedFileError, offsetCheckpointText, readOffsetCheckpoint, recoveryPointFile } from '../log/checkpoints.ts'
import { isShortage } from '../log/log-failure.ts'
import { partitionKey } from '../log/log-files.ts'
import type { TopicPartition } from '../log/log.ts'
import { replaceFile, replaceFileLater } from '../log/small-files.ts'

const writeAfterMs = 1000

/** As a former process noted it; 0 when none did. */
export function readCommittedPoint(disk: Disk, log: Logger, directory: string, partition: TopicPartition): number {
  const path = `${directory}/${recoveryPointFile}`
  try {
    return readOffsetCheckpoint(disk, path).get(partitionKey(partition)) ?? 0
  } catch (error) {
    if (!(error instanceof DamagedFileError)) throw error
    log.warn('How far the metadata log was committed is not known: damage in it cannot be told from a torn end.', {
      problem: error.message,
    })
    return 0
  }
}

export class CommittedPoint {
  private readonly environment: Pick<Environment, 'disk' | 'timers' | 'log'>
  private readonly path: string
  private readonly partition: TopicPartition
  private readonly failed: (error: DiskError) => void
  private offset: number
  /** The highest that the file may hold. */
  private written: number
  private writes = 0
  private timer: Timer | undefined

  constructor(
    environment: Pick<Environment, 'disk' | 'timers' | 'log'>,
    log: { readonly directory: string; readonly topicPartition: TopicPartition },
    failed: (error: DiskError) => void,
  ) {
    this.environment = environment
    this.path = `${log.directory}/${recoveryPointFile}`
    this.partition = log.topicPartition
    this.failed = failed
    this.offset = readCommittedPoint(environment.disk, environment.log, log.directory, log.topicPartition)
    this.written = this.offset
  }

  /** Everything below is committed and durable. */
  get current(): number {
    return this.offset
  }

  /** Everything below `offset` is committed and durable. */
  raise(offset: number): void {
    if (offset <= this.offset) return
    this.offset = offset
    this.timer ??= this.environment.timers.after(writeAfterMs, () => {
      this.timer = undefined
      this.writeLater()
    })
  }

  /** Before the log is cut at `offset`: on disk when this returns. What is committed is never cut by a sound quorum. Throws DiskError. */
  lower(offset: number): void {
    this.offset = Math.min(this.offset, offset)
    if (this.written <= offset) return
    this.writeNow()
  }

  /** Writes what was not written yet. Throws DiskError. */
  stop(): void {
    this.timer?.cancel()
    this.timer = undefined
    if (this.written !== this.offset) this.writeNow()
  }

  private text(): string {
    return offsetCheckpointText([{ partition: this.partition, offset: this.offset }])
  }

  private writeNow(): void {
    this.writes++
    // Until it is written the file may hold either, and who tries again must not take it for done.
    this.written = Math.max(this.written, this.offset)
    replaceFile(this.environment.disk, this.path, this.text(), { durable: true })
    this.written = this.offset
  }

  private writeLater(): void {
    const write = ++this.writes
    const current = (): boolean => this.writes === write
    const done = (error: DiskError | undefined): void => {
      // Without space, or a descriptor, the last point stays, and the next rise tries again.
      if (error !== undefined && current() && !isShortage(error)) this.failed(error)
    }
    this.written = this.offset
    try {
      replaceFileLater(this.environment.disk, this.path, this.text(), { suffix: '.later.tmp', current }, done)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      done(error)
    }
  }
}
