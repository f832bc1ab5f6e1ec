/**
 * What transactions promise beside what holds for all records.
 *
 * precommitted-read: a transaction polled what it had itself sent. A reader of committed records must not see them before they are committed.
 *
 * torn-transaction: of one transaction, something was read as committed, and something else is nowhere in a full read at the end, in whatever
 * partition. lost-write and unseen tell it too where the place of the missing record is known, or the commit was acknowledged; here neither is needed.
 *
 * Source: jepsen.tests.kafka, precommitted-read-cases; Kafka documentation, "Transactions": all or nothing across partitions.
 */
import { pollsOf, sendsOf, type PartitionName, type RecordOperation, type Value } from '../history/operation.ts'
import { expired, type Analysis, type Write } from './analysis.ts'
import { asCommitted, wasReadIn } from './final-read.ts'
import {
  Anomalies,
  countOf,
  entryName,
  sliceAcross,
  sliceOf,
  unknown,
  verdict,
  type AnomalyCase,
  type CheckResult,
} from './result.ts'
import { Whereabouts } from './whereabouts.ts'

export function precommittedRead(analysis: Analysis): CheckResult {
  const name = 'precommitted-read'
  const anomalies = new Anomalies()
  let judged = 0
  for (const operation of analysis.completions) {
    if (operation.f !== 'txn' || operation.isolation === 'read_uncommitted') continue
    judged += 1
    const own = ownRecords(operation)
    if (own === undefined) continue
    anomalies.add(() => ({
      partition: own.partition,
      explanation: `${entryName(analysis, operation.index)} sent ${own.value} to ${own.partition} and polled it at offset ${own.offset} in the same transaction, before that was committed.`,
      slice: sliceOf(analysis, own.partition, [operation.index], [own.value]),
    }))
  }
  if (judged === 0) return unknown(name, 'There was no transaction that reads committed records only.')
  return verdict(
    name,
    {
      good: `None of ${countOf(judged, 'transaction')} polled what it had sent itself.`,
      bad: `${countOf(anomalies.count, 'transaction')} of ${judged} polled what ${anomalies.count === 1 ? 'it' : 'they'} had sent, before it was committed.`,
    },
    anomalies,
  )
}

function ownRecords(
  operation: RecordOperation,
): { partition: PartitionName; offset: number; value: Value } | undefined {
  const sent = new Map<PartitionName, Set<Value>>()
  for (const { partition, value } of sendsOf(operation))
    sent.set(partition, (sent.get(partition) ?? new Set()).add(value))
  if (sent.size === 0) return undefined
  for (const { partition, records } of pollsOf(operation)) {
    const own = records.find(([, value]) => sent.get(partition)?.has(value) === true)
    if (own) return { partition, offset: own[0], value: own[1] }
  }
  return undefined
}

export function tornTransaction(analysis: Analysis): CheckResult {
  const name = 'torn-transaction'
  if (analysis.finalReadFrom === undefined || analysis.finalRead === 'incomplete')
    return unknown(
      name,
      'There was no complete read of everything at the end, so a record that nobody read may only be late.',
    )
  const where = new Whereabouts(analysis)
  const wasRead = wasReadIn(analysis)
  const anomalies = new Anomalies()
  let judged = 0
  for (const facts of analysis.partitions.values()) {
    for (const write of facts.writes) {
      // Each transaction once, at its first write.
      if (!write.transactional || write.siblings[0] !== write || write.siblings.length < 2) continue
      judged += 1
      if (write.outcome === 'fail') continue
      const read = write.siblings.find(({ seen }) => seen.firstCommittedRead !== undefined)
      const missing = write.siblings.find(part => !wasRead(part.seen) && isMissed(analysis, part))
      if (read && missing) anomalies.add(() => tell(analysis, where, read, missing))
    }
  }
  if (judged === 0) return unknown(name, 'No transaction wrote more than one record.')
  return verdict(
    name,
    {
      good: `Each of ${countOf(judged, 'transaction')} was there as a whole or not at all.`,
      bad: `${countOf(anomalies.count, 'transaction')} of ${judged} ${anomalies.count === 1 ? 'is' : 'are'} there in part only.`,
    },
    anomalies,
  )
}

/** False for a record that was never there, or may have been removed because somebody wanted it so. */
function isMissed(analysis: Analysis, { partition, outcome, seen }: Write): boolean {
  if (outcome === 'fail') return false
  const offset = seen.offsets.at(-1)
  // Where retention was at work, a record whose place nobody knows may have been among what it removed.
  if (offset === undefined) return !analysis.logStarts.has(partition)
  return !expired(analysis, partition, offset)
}

function tell(analysis: Analysis, where: Whereabouts, read: Write, missing: Write): AnomalyCase {
  const { seen } = read
  const shown = new Map<PartitionName, Set<Value>>([[read.partition, new Set([read.value])]])
  shown.set(missing.partition, (shown.get(missing.partition) ?? new Set<Value>()).add(missing.value))
  return {
    partition: missing.partition,
    explanation: `One transaction (${entryName(analysis, read.completed ?? read.invoked)}) sent ${read.value} to ${read.partition} and ${missing.value} to ${missing.partition}. The first was read as committed by ${entryName(analysis, seen.firstCommittedRead as number)}; the other is not there${asCommitted(missing.seen)}. ${where.fate(missing.partition, missing.value).sentence}`,
    slice: sliceAcross(
      analysis,
      [read.invoked, read.completed, seen.firstCommittedRead, analysis.finalReadFrom],
      shown,
    ),
  }
}
