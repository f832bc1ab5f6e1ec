/**
 * What writers wrote one after the other must be in the log in that order.
 *
 * int-nonmonotonic-send: inside one operation, a record lies before its predecessor. nonmonotonic-send: the same between two operations of one
 * process. int-send-skip: inside one operation, other records lie between two of its own; that is allowed, and a figure. key-order: for one record key, a write that began after another had been acknowledged lies before it, whoever wrote them.
 * Compared is the last place of the later write with the first place of the earlier one, so that duplicates make no false alarm.
 *
 * Source: jepsen.tests.kafka, int-send-skip+nonmonotonic-cases and nonmonotonic-send-cases. Other writers' records may lie in between.
 */
import { recordKeyOf, sendsOf, type Offset, type PartitionName, type RecordOperation } from '../history/operation.ts'
import type { Analysis, PartitionFacts, ValueFacts, Write } from './analysis.ts'
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
  const last = new Map<number, Map<PartitionName, ValueFacts>>()
  let judged = 0
  for (const operation of analysis.completions) {
    if (operation.type === 'fail' || operation.f === 'poll') continue
    const previous = new Map<PartitionName, ValueFacts>()
    const before = last.get(operation.process) ?? new Map<PartitionName, ValueFacts>()
    last.set(operation.process, before)
    for (const { partition, value } of sendsOf(operation)) {
      const seen = analysis.partitions.get(partition)?.values.get(value) as ValueFacts
      const within = previous.get(partition)
      const earlier = within ?? before.get(partition)
      previous.set(partition, seen)
      before.set(partition, seen)
      if (earlier === undefined) continue
      judged += 1
      if (inOrder(earlier, seen)) {
        if (within !== undefined && isApart(analysis, partition, within, seen))
          skips.add(() => describeSkip(analysis, operation, partition, within, seen))
        continue
      }
      const anomalies = within === undefined ? between : inside
      anomalies.add(() => describe(analysis, partition, earlier, seen, 'The same client sent'))
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
    for (const [later, earlier] of acknowledgedBefore(facts)) {
      judged += 1
      if (inOrder(earlier, later)) continue
      anomalies.add(() => describe(analysis, facts.name, earlier, later, 'For the same record key somebody sent'))
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

/** Values with the one of their record key that lies highest among those acknowledged before their send began. */
function* acknowledgedBefore(facts: PartitionFacts): Iterable<readonly [later: ValueFacts, earlier: ValueFacts]> {
  // Writes are in the order of their invocations; acknowledgements come along in theirs.
  const placed = facts.writes.filter(({ outcome, seen }) => outcome !== 'fail' && seen.offsets.length > 0)
  const acknowledged = placed.filter(({ outcome }) => outcome === 'ok').sort((a, b) => endOf(a) - endOf(b))
  const highest = new Map<string, ValueFacts>()
  let next = 0
  for (const { invoked, seen } of placed) {
    for (; next < acknowledged.length && endOf(acknowledged[next] as Write) < invoked; next += 1) {
      const { value, seen: done } = acknowledged[next] as Write
      const key = recordKeyOf(value)
      if (key === undefined) continue
      const known = highest.get(key)
      if (!known || (done.offsets[0] as Offset) > (known.offsets[0] as Offset)) highest.set(key, done)
    }
    const key = recordKeyOf(seen.value)
    const known = key === undefined ? undefined : highest.get(key)
    if (known) yield [seen, known]
  }
}

function endOf({ completed }: Write): number {
  return completed as number
}

/** False only when it is certain that `later` lies before `earlier`. */
function inOrder(earlier: ValueFacts, later: ValueFacts): boolean {
  const first = earlier.offsets[0]
  const last = later.offsets.at(-1)
  return first === undefined || last === undefined || last >= first
}

/** True when something certainly lies between two records. */
function isApart(analysis: Analysis, partition: PartitionName, earlier: ValueFacts, later: ValueFacts): boolean {
  const facts = analysis.partitions.get(partition) as PartitionFacts
  const first = lastPosition(facts, earlier)
  const next = firstPosition(facts, later)
  return first !== undefined && next !== undefined && next > first + 1
}

function describeSkip(
  analysis: Analysis,
  operation: RecordOperation,
  partition: PartitionName,
  earlier: ValueFacts,
  later: ValueFacts,
) {
  const facts = analysis.partitions.get(partition) as PartitionFacts
  const [from, to] = [earlier.offsets[0] as Offset, later.offsets[0] as Offset]
  return {
    partition,
    explanation: `${entryName(analysis, operation.index)} sent ${earlier.value} and then ${later.value}; in ${partition} they are at offsets ${from} and ${to}, with others between them.`,
    slice: sliceOf(analysis, partition, [operation.index], [earlier.value, later.value]),
    log: logAround(facts, to),
  }
}

function describe(analysis: Analysis, partition: PartitionName, before: ValueFacts, after: ValueFacts, who: string) {
  const index = (after.write as Write).invoked
  return {
    partition,
    explanation: `${who} ${before.value} and then, in ${entryName(analysis, index)}, ${after.value}; but ${partition} holds ${after.value} at offset ${after.offsets.at(-1)}, before ${before.value} at ${before.offsets[0]}.`,
    slice: sliceOf(
      analysis,
      partition,
      [before.write?.invoked, before.write?.completed, after.write?.invoked, after.write?.completed, after.firstRead],
      [before.value, after.value],
    ),
  }
}
