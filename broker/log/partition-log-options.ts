/** What opening a partition's log needs. */
import type { DiskError, Environment } from '../environment/environment.ts'
import type { DirectoryRoom } from './log-failure.ts'
import type { LogConfig, PartitionLog, TopicPartition } from './log.ts'
import type { OpenFiles } from './open-files.ts'

/** Large enough that short bursts stay in memory, small enough that the kernel's limits stay out of sight. */
export const defaultWritebackBytes = 64 * 1024 * 1024
/** Default of producer.id.expiration.ms. */
export const dayMs = 24 * 60 * 60 * 1000

export interface PartitionLogOptions {
  readonly environment: Pick<Environment, 'clock' | 'timers' | 'random' | 'disk' | 'log'>
  /** Absolute path of `<log dir>/<topic>-<partition>`; created when missing. */
  readonly directory: string
  readonly topicPartition: TopicPartition
  /** Base64url, 22 characters. */
  readonly topicId: string
  readonly config: LogConfig
  /** True only when the node was stopped cleanly: nothing is checked then. */
  readonly cleanShutdown: boolean
  /** As checkpointed; 0 (the default) checks the whole log. */
  readonly recoveryPoint?: number
  readonly logStartOffset?: number
  /** producer.id.expiration.ms; default one day. */
  readonly producerIdExpirationMs?: () => number
  /** Descriptors shared with the other logs of the node; default: own ones. */
  readonly openFiles?: OpenFiles
  /** Bytes appended after which their write-back is started; default 64 MiB, Infinity leaves it to the kernel. */
  readonly writebackBytes?: number
  /** Whether the log's directory has space; default: every append tries. */
  readonly room?: DirectoryRoom
  /** Where the last cleaning of the log ended (cleaner-offset-checkpoint). */
  readonly cleanedBelow?: number
  /** Checks all of the log, and throws DamagedLogError where what is below the recovery point is damaged; default: it stays, and is not served. */
  readonly refusesDamage?: boolean
  /** Offsets are missing between segments up to `offset`, and that is right: must be known to the next start when this returns, as `cleanedBelow`. */
  onGapKept?(offset: number): void
  /** Everything at and above `offset` is about to go. */
  onTruncated?(offset: number): void
  /** The log failed; called once. */
  onFailure?(error: DiskError): void
  /**
   * The recovery point or log start went back below what may be checkpointed: both must be on disk before this returns.
   */
  onOffsetsLowered?(log: PartitionLog): void
}
