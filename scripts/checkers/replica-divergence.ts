/**
 * replica-divergence: below the high watermark, two replicas hold different records at one offset, or one holds a record twice as often.
 * Needs the logs of the replicas, which the lab reads over the wire after the run.
 *
 * Source: the log matching property of KIP-101 and of Vanlightly's Kafka replication model (LogMatching).
 */
import type { Offset, PartitionName, ReplicaLog, Value } from '../history/operation.ts'
import type { Analysis } from './analysis.ts'
import { Anomalies, countOf, unknown, verdict, type CheckResult } from './result.ts'

export function replicaDivergence(analysis: Analysis): CheckResult {
  const name = 'replica-divergence'
  const byPartition = new Map<PartitionName, ReplicaLog[]>()
  for (const log of analysis.replicaLogs)
    byPartition.set(log.partition, [...(byPartition.get(log.partition) ?? []), log])
  const comparable = [...byPartition].filter(([, logs]) => logs.length > 1)
  if (comparable.length === 0)
    return unknown(name, 'The logs of at least two replicas of a partition would be needed, and were not read.')
  const anomalies = new Anomalies()
  let compared = 0
  for (const [partition, logs] of comparable) {
    const reference = logs.find(log => log.leader) ?? logs[0]
    if (!reference) continue
    const expected = contents(reference)
    for (const log of logs) {
      if (log === reference) continue
      const end = Math.min(log.highWatermark, reference.highWatermark)
      const start = Math.max(log.logStartOffset, reference.logStartOffset)
      const { seen, differences } = compare(expected, log, start, end)
      compared += seen
      for (const { offset, ours, theirs } of differences) {
        anomalies.add(() => ({
          partition,
          explanation: `At offset ${offset} of ${partition}, broker ${reference.broker} holds ${words(ours)} and broker ${log.broker} holds ${words(theirs)}, though both say that everything below ${end} is committed. (value @ leader epoch)`,
          slice: [],
        }))
      }
    }
  }
  return verdict(
    name,
    {
      good: `All replicas hold the same at ${countOf(compared, 'compared offset')}.`,
      bad: `Replicas differ at ${countOf(anomalies.count, 'offset')} of ${compared} compared.`,
    },
    anomalies,
  )
}

interface Held {
  readonly value: Value
  readonly epoch: number
}

interface Difference {
  readonly offset: Offset
  readonly ours: Held | undefined
  readonly theirs: Held | undefined
}

function words(held: Held | undefined): string {
  return held === undefined ? 'nothing' : `${held.value}@${held.epoch}`
}

function contents(log: ReplicaLog): Map<Offset, Held> {
  const records = new Map<Offset, Held>()
  for (const { leaderEpoch: epoch, records: held } of log.batches)
    for (const [offset, value] of held) records.set(offset, { value, epoch })
  return records
}

/** Walks one log along what the other holds, then what the other holds beside it. */
function compare(expected: ReadonlyMap<Offset, Held>, log: ReplicaLog, start: Offset, end: Offset) {
  const differences: Difference[] = []
  const seen = new Set<Offset>()
  for (const { leaderEpoch: epoch, records } of log.batches) {
    for (const [offset, value] of records) {
      if (offset < start || offset >= end) continue
      seen.add(offset)
      const ours = expected.get(offset)
      if (ours?.value !== value || ours.epoch !== epoch) differences.push({ offset, ours, theirs: { value, epoch } })
    }
  }
  for (const [offset, ours] of expected)
    if (offset >= start && offset < end && !seen.has(offset)) differences.push({ offset, ours, theirs: undefined })
  return { seen: seen.size, differences }
}
