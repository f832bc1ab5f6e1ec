/**
 * replica-divergence: below the high watermark, two replicas hold different records at one offset, or one holds a record twice as often.
 * Needs the logs of the replicas, which the lab reads over the wire after the run.
 *
 * Source: the log matching property of KIP-101 and of Vanlightly's Kafka replication model (LogMatching).
 */
import type { Offset, PartitionName, ReplicaLog } from '../history/operation.ts'
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
      const actual = contents(log)
      for (const offset of unionOf(expected, actual)) {
        if (offset < start || offset >= end) continue
        compared += 1
        const [ours, theirs] = [expected.get(offset), actual.get(offset)]
        if (ours === theirs) continue
        anomalies.add(() => ({
          partition,
          explanation: `At offset ${offset} of ${partition}, broker ${reference.broker} holds ${ours ?? 'nothing'} and broker ${log.broker} holds ${theirs ?? 'nothing'}, though both say that everything below ${end} is committed. (value @ leader epoch)`,
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

function contents(log: ReplicaLog): Map<Offset, string> {
  const records = new Map<Offset, string>()
  for (const batch of log.batches) {
    for (const [offset, value] of batch.records) records.set(offset, `${value}@${batch.leaderEpoch}`)
  }
  return records
}

function* unionOf(a: ReadonlyMap<Offset, string>, b: ReadonlyMap<Offset, string>): Iterable<Offset> {
  yield* a.keys()
  for (const offset of b.keys()) if (!a.has(offset)) yield offset
}
