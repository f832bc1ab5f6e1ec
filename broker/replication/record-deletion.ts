/**
 * DeleteRecords behind the handler: raises log start offsets as the leader, then waits until every replica that is alive has raised its own
 * (the low watermark). Replicas learn of the new start in a fetch response and tell theirs in the request that follows.
 * Source: KIP-107.
 */
import { DiskError } from '../environment/environment.ts'
import type { ErrorName } from '../protocol/errors.ts'
import type { LocalReplica } from './local-replica.ts'
import type { ParkedOperation, Parker, Purgatory } from './purgatory.ts'

export interface DeletionEntry {
  /** Where, or why that is not possible. */
  readonly target: LocalReplica | ErrorName
  /** The new log start; -1 for the high watermark. */
  readonly offset: number
}

export interface DeletionOutcome {
  readonly error: ErrorName | 'NONE'
  /** -1 with an error. */
  readonly lowWatermark: number
}

export interface DeletionOptions {
  readonly timeoutMs: number
  readonly connection: Parker
  readonly isAlive: (brokerId: number) => boolean
}

const highWatermarkAsked = -1

interface Wait {
  readonly replica: LocalReplica
  readonly requiredOffset: number
}

/** Raises the log start, or tells why not. */
function deleteBefore({ target, offset }: DeletionEntry): Wait | ErrorName {
  if (typeof target === 'string') return target
  if (target.gone !== undefined) return target.gone
  if (target.machine.role !== 'leader') return 'NOT_LEADER_OR_FOLLOWER'
  if (!target.log.deletesRecords) return 'POLICY_VIOLATION'
  const start = offset === highWatermarkAsked ? target.highWatermark : offset
  if (start < 0 || start > target.highWatermark) return 'OFFSET_OUT_OF_RANGE'
  try {
    target.raiseLogStart(start)
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    target.failDisk(error)
    return 'KAFKA_STORAGE_ERROR'
  }
  return { replica: target, requiredOffset: start }
}

/** The outcome of a deletion; undefined while a replica that is alive is behind. */
function outcomeOf(wait: Wait, isAlive: DeletionOptions['isAlive']): DeletionOutcome | undefined {
  const { replica, requiredOffset } = wait
  if (replica.gone !== undefined) return failed(replica.gone)
  if (replica.machine.role !== 'leader') return failed('NOT_LEADER_OR_FOLLOWER')
  const lowWatermark = lowWatermarkOf(replica, isAlive)
  return lowWatermark < requiredOffset ? undefined : { error: 'NONE', lowWatermark }
}

function lowWatermarkOf({ log, machine }: LocalReplica, isAlive: DeletionOptions['isAlive']): number {
  let lowest = log.logStartOffset
  for (const { brokerId, logStartOffset } of machine.followerStates())
    if (logStartOffset < lowest && isAlive(brokerId)) lowest = logStartOffset
  return lowest
}

function failed(error: ErrorName): DeletionOutcome {
  return { error, lowWatermark: -1 }
}

/** Outcomes in the order of the entries; a promise only when a replica has to be waited for. */
export function deleteRecords(
  entries: readonly DeletionEntry[],
  options: DeletionOptions,
  purgatory: Purgatory<LocalReplica>,
): DeletionOutcome[] | Promise<DeletionOutcome[]> {
  const begun = entries.map(deleteBefore)
  const outcomes = () => begun.map(wait => (typeof wait === 'string' ? failed(wait) : outcomeOf(wait, options.isAlive)))
  const known = outcomes()
  const waiting = begun.filter((wait, index): wait is Wait => typeof wait !== 'string' && known[index] === undefined)
  if (waiting.length === 0) return known.map(orTimedOut)
  return new Promise(resolve => {
    const parked: ParkedOperation<LocalReplica> = {
      keys: waiting.map(({ replica }) => replica),
      isReady: () => waiting.every(wait => outcomeOf(wait, options.isAlive) !== undefined),
      complete: () => resolve(outcomes().map(orTimedOut)),
    }
    purgatory.park(parked, options.timeoutMs, options.connection)
  })
}

function orTimedOut(outcome: DeletionOutcome | undefined): DeletionOutcome {
  return outcome ?? failed('REQUEST_TIMED_OUT')
}
