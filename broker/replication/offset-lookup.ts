/**
 * Answers ListOffsets and OffsetForLeaderEpoch for one replica. Right after an election a leader does not know yet how far its log is committed;
 * then a client gets OFFSET_NOT_AVAILABLE rather than an offset that could go back later (KIP-207).
 * Sources: KIP-79, KIP-207, KIP-320, KIP-405, KIP-734, KIP-1005.
 */
import { DiskError } from '../environment/environment.ts'
import type { EpochEndOffset, OffsetAndTimestamp, PartitionLog } from '../log/log.ts'
import { CorruptRecordsError } from '../log/replicated-batches.ts'
import type { ErrorName } from '../protocol/errors.ts'
import type { Isolation, LocalReplica } from './local-replica.ts'

/** Special values of the timestamp in ListOffsets. */
export const offsetTimestamps = {
  latest: -1,
  earliest: -2,
  maximum: -3,
  earliestLocal: -4,
  latestTiered: -5,
  earliestPendingUpload: -6,
} as const

export interface OffsetQuery {
  readonly timestamp: number
  readonly currentLeaderEpoch: number
  readonly onlyLeader: boolean
  /** How far the asker may see. */
  readonly isolation: Isolation
}

const unknown: OffsetAndTimestamp = { offset: -1, timestamp: -1, leaderEpoch: -1 }

/** -1 in all fields: there is no such offset. */
export function findOffset(replica: LocalReplica, query: OffsetQuery): OffsetAndTimestamp | { error: ErrorName } {
  if (replica.gone !== undefined) return { error: replica.gone }
  const { machine, log } = replica
  const refusal = machine.refusal(query.currentLeaderEpoch, query.onlyLeader)
  if (refusal !== undefined) return { error: refusal }
  const untilOffset = replica.endOffset(query.isolation)
  const isUncertain = query.isolation !== 'log-end' && (machine.leaderEpochStartOffset ?? -1) > machine.highWatermark
  switch (query.timestamp) {
    case offsetTimestamps.latest:
      if (isUncertain) return { error: 'OFFSET_NOT_AVAILABLE' }
      return { offset: untilOffset, timestamp: -1, leaderEpoch: machine.leaderEpoch }
    case offsetTimestamps.earliest:
    case offsetTimestamps.earliestLocal:
      return { offset: log.logStartOffset, timestamp: -1, leaderEpoch: earliestEpoch(log) }
    // Without tiered storage nothing was tiered and nothing waits to be.
    case offsetTimestamps.latestTiered:
    case offsetTimestamps.earliestPendingUpload:
      return unknown
    default:
      return search(replica, query.timestamp, { untilOffset, isUncertain })
  }
}

/** The epoch of the first record; of an empty log the one in which its first record would be written. */
function earliestEpoch(log: PartitionLog): number {
  const isEmpty = log.logStartOffset === log.logEndOffset
  return log.epochAt(log.logStartOffset) ?? (isEmpty ? log.latestEpoch : undefined) ?? -1
}

function search(
  replica: LocalReplica,
  timestamp: number,
  bound: { untilOffset: number; isUncertain: boolean },
): OffsetAndTimestamp | { error: ErrorName } {
  const { log } = replica
  return onDisk<OffsetAndTimestamp | { error: ErrorName }>(replica, () => {
    const found =
      timestamp === offsetTimestamps.maximum
        ? log.findMaxTimestamp()
        : log.findByTimestamp(timestamp, bound.isUncertain ? log.logEndOffset : bound.untilOffset)
    if (found !== undefined && found.offset < bound.untilOffset) return found
    return bound.isUncertain ? { error: 'OFFSET_NOT_AVAILABLE' } : unknown
  })
}

/** The end of the largest epoch that is not above `leaderEpoch`. */
export function findEpochEnd(
  replica: LocalReplica,
  query: { leaderEpoch: number; currentLeaderEpoch: number; onlyLeader: boolean },
): EpochEndOffset | { error: ErrorName } {
  if (replica.gone !== undefined) return { error: replica.gone }
  const refusal = replica.machine.refusal(query.currentLeaderEpoch, query.onlyLeader)
  if (refusal !== undefined) return { error: refusal }
  return onDisk(replica, () => replica.log.endOffsetForEpoch(query.leaderEpoch))
}

function onDisk<T>(replica: LocalReplica, run: () => T): T | { error: ErrorName } {
  try {
    return run()
  } catch (error) {
    if (error instanceof CorruptRecordsError) return { error: 'CORRUPT_MESSAGE' }
    if (!(error instanceof DiskError)) throw error
    replica.failDisk(error)
    return { error: 'KAFKA_STORAGE_ERROR' }
  }
}
