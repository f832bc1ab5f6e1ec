/**
 * What writers wrote one after the other must be in the log in that order.
 *
 * int-nonmonotonic-send: inside one operation, a record lies before its predecessor. nonmonotonic-send: the same between two operations of one
 * process. int-send-skip: inside one operation, other records lie between two of its own; that is allowed, and a figure. key-order: for one record key, a write that began after another had been acknowledged lies before it, whoever wrote them.
 * Compared is the last place of the later write with the first place of the earlier one, so that duplicates make no false alarm.
 *
 * Source: jepsen.tests.kafka, int-send-skip+nonmonotonic-cases and nonmonotonic-send-cases. Other writers' records may lie in between.
 */
import { recordKeyOf, sendsOf, type PartitionName, type RecordOperation, type Value } from '../history/operation.ts'
import type { Analysis, PartitionFacts, ValueFacts } from './analysis.ts'
import { firstPosition, lastPosition } from './analysis.ts'
import {
  allowed,
  Anomalies,
  countOf,
  entryName,
  logAround,
  sliceOf,
  unknown,
  verdict,
  type CheckResult,
} from './result.ts'

export function sendOrder(analysis: Analysis): CheckResult[] {
  const inside = new Anomalies()
  const between = new Anomalies()
  const skips = new Anomalies()
  const last = new Map<string, Value>()
  let judged = 0
  for (const operation of analysis.completions) {
    if (operation.type === 'fail') continue
    const previous = new Map<PartitionName, Value>()
    for (const { partition, value } of sendsOf(operation)) {
      const process = `${operation.process} ${partition}`
      const within = previous.get(partition)
      const earlier = within ?? last.get(process)
      previous.set(partition, value)
      last.set(process, value)
      if (earlier === undefined) continue
      judged += 1
      if (inOrder(analysis, partition, earlier, value)) {
        if (within !== undefined && isApart(analysis, partition, within, value))
          skips.add(() => describeSkip(analysis, operation, partition, within, value))
        continue
      }
      const anomalies = within === undefined ? between : inside
      anomalies.add(() => describe(analysis, partition, earlier, value, 'The same client sent'))
    }
  }
  const good = `Each of ${countOf(judged, 'record')} lies after what its client had sent before it.`
  const bad = (count: number) =>
    `${countOf(count, 'record')} of ${judged} lie before what the same client had sent before them.`
  return [
    verdict('int-nonmonotonic-send', { good, bad: bad(inside.count) }, inside),
    verdict('nonmonotonic-send', { good, bad: bad(between.count) }, between),
    allowed(
      'int-send-skip',
      `${countOf(skips.count, 'time')} others' records lie between two of one operation, which Kafka allows: writes are not kept apart.`,
      skips,
    ),
  ]
}

export function keyOrder(analysis: Analysis): CheckResult {
  const anomalies = new Anomalies()
  let judged = 0
  for (const facts of analysis.partitions.values()) {
    const order = acknowledgedBefore(facts)
    for (const [value, earlier] of order) {
      judged += 1
      if (inOrder(analysis, facts.name, earlier, value)) continue
      anomalies.add(() => describe(analysis, facts.name, earlier, value, 'For the same record key somebody sent'))
    }
  }
  if (judged === 0) return unknown('key-order', 'No record key was written twice, so there is no order to keep.')
  return verdict(
    'key-order',
    {
      good: `Each of ${countOf(judged, 'record')} lies after what had been acknowledged for its key before it was sent.`,
      bad: `${countOf(anomalies.count, 'record')} of ${judged} lie before what had been acknowledged for the same key before they were sent.`,
    },
    anomalies,
  )
}

/** For each value, the one of its record key that lies highest among those acknowledged before its send began. */
function acknowledgedBefore(facts: PartitionFacts): Map<Value, Value> {
  const events: { at: number; value: ValueFacts; acknowledged: boolean }[] = []
  for (const write of facts.writes) {
    const value = facts.values.get(write.value) as ValueFacts
    if (write.outcome === 'fail' || value.offsets.length === 0) continue
    events.push({ at: write.invoked, value, acknowledged: false })
    if (write.outcome === 'ok') events.push({ at: write.completed as number, value, acknowledged: true })
  }
  events.sort((a, b) => a.at - b.at)
  const highest = new Map<string, ValueFacts>()
  const before = new Map<Value, Value>()
  for (const { value, acknowledged } of events) {
    const key = recordKeyOf(value.value)
    if (key === undefined) continue
    const known = highest.get(key)
    if (!acknowledged) {
      if (known) before.set(value.value, known.value)
    } else if (!known || (firstPosition(facts, value) as number) > (firstPosition(facts, known) as number))
      highest.set(key, value)
  }
  return before
}

/** False only when it is certain that `later` lies before `earlier`. */
function inOrder(analysis: Analysis, partition: PartitionName, earlier: Value, later: Value): boolean {
  const facts = analysis.partitions.get(partition) as PartitionFacts
  const first = firstPosition(facts, facts.values.get(earlier) as ValueFacts)
  const last = lastPosition(facts, facts.values.get(later) as ValueFacts)
  return first === undefined || last === undefined || last >= first
}

/** True when something certainly lies between two records. */
function isApart(analysis: Analysis, partition: PartitionName, earlier: Value, later: Value): boolean {
  const facts = analysis.partitions.get(partition) as PartitionFacts
  const first = lastPosition(facts, facts.values.get(earlier) as ValueFacts)
  const next = firstPosition(facts, facts.values.get(later) as ValueFacts)
  return first !== undefined && next !== undefined && next > first + 1
}

function describeSkip(
  analysis: Analysis,
  operation: RecordOperation,
  partition: PartitionName,
  earlier: Value,
  later: Value,
) {
  const facts = analysis.partitions.get(partition) as PartitionFacts
  const [from, to] = [earlier, later].map(value => facts.values.get(value)?.offsets[0]) as [number, number]
  return {
    partition,
    explanation: `${entryName(analysis, operation.index)} sent ${earlier} and then ${later}; in ${partition} they are at offsets ${from} and ${to}, with others between them.`,
    slice: sliceOf(analysis, partition, [operation.index], [earlier, later]),
    log: logAround(facts, to),
  }
}

function describe(analysis: Analysis, partition: PartitionName, earlier: Value, later: Value, who: string) {
  const facts = analysis.partitions.get(partition) as PartitionFacts
  const [before, after] = [earlier, later].map(value => facts.values.get(value) as ValueFacts) as [
    ValueFacts,
    ValueFacts,
  ]
  const index = (after.write as { invoked: number }).invoked
  const operation = analysis.history[index] as RecordOperation
  return {
    partition,
    explanation: `${who} ${earlier} and then, in ${entryName(analysis, operation.index)}, ${later}; but ${partition} holds ${later} at offset ${after.offsets.at(-1)}, before ${earlier} at ${before.offsets[0]}.`,
    slice: sliceOf(
      analysis,
      partition,
      [before.write?.invoked, before.write?.completed, after.write?.invoked, after.write?.completed, after.firstRead],
      [earlier, later],
    ),
  }
}
