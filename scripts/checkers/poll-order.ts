/**
 * What one consumer sees of one partition must go forward without gaps.
 *
 * int-nonmonotonic-poll, int-poll-skip: within one poll a record comes before its predecessor, or leaves out records that are known to be
 * in between. nonmonotonic-poll, poll-skip: the same between two polls of one process. Members of a group may go back and forth when
 * partitions move, so between polls only consumers with an assignment of their own are judged; for the others the count is a figure.
 *
 * Steps are counted in positions, not offsets, because offsets may have holes.
 *
 * Source: jepsen.tests.kafka, int-poll-skip+nonmonotonic-cases and poll-skip+nonmonotonic-cases.
 */
import {
  isRecordOperation,
  pollsOf,
  type Offset,
  type PartitionName,
  type RecordOperation,
  type Value,
} from '../history/operation.ts'
import type { Analysis, PartitionFacts } from './analysis.ts'
import { Anomalies, countOf, entryName, sliceOf, unknown, verdict, type CheckResult } from './result.ts'

interface Seen {
  readonly offset: Offset
  readonly value: Value
  readonly entry: number
}

interface Step {
  readonly facts: PartitionFacts
  readonly from: Seen
  readonly to: Seen
  readonly delta: number
}

interface Steps {
  readonly insideSkips: Anomalies
  readonly insideBack: Anomalies
  readonly betweenSkips: Anomalies
  readonly betweenBack: Anomalies
  allowedSkips: number
  allowedBack: number
  judged: number
}

/** All four checks, from one walk over the polls. */
export function pollOrder(analysis: Analysis): CheckResult[] {
  if (analysis.read === 0) {
    return ['int-nonmonotonic-poll', 'int-poll-skip', 'nonmonotonic-poll', 'poll-skip'].map(name =>
      unknown(name, 'Nothing was read.'),
    )
  }
  const steps = walk(analysis)
  const judged = `in ${countOf(steps.judged, 'step')} from record to record`
  return [
    verdict(
      'int-nonmonotonic-poll',
      {
        good: `No poll went backwards ${judged}.`,
        bad: `${countOf(steps.insideBack.count, 'step')} inside a poll went backwards.`,
      },
      steps.insideBack,
    ),
    verdict(
      'int-poll-skip',
      {
        good: `No poll left out a record ${judged}.`,
        bad: `${countOf(steps.insideSkips.count, 'step')} inside a poll left out records.`,
      },
      steps.insideSkips,
    ),
    verdict(
      'nonmonotonic-poll',
      {
        good: 'No consumer went backwards from one poll to the next.',
        bad: `${countOf(steps.betweenBack.count, 'step')} from one poll to the next went backwards.`,
      },
      steps.betweenBack,
      { 'allowed in groups': steps.allowedBack },
    ),
    verdict(
      'poll-skip',
      {
        good: 'No consumer left out a record from one poll to the next.',
        bad: `${countOf(steps.betweenSkips.count, 'step')} from one poll to the next left out records.`,
      },
      steps.betweenSkips,
      { 'allowed in groups': steps.allowedSkips },
    ),
  ]
}

function walk(analysis: Analysis): Steps {
  const steps: Steps = {
    insideSkips: new Anomalies(),
    insideBack: new Anomalies(),
    betweenSkips: new Anomalies(),
    betweenBack: new Anomalies(),
    allowedSkips: 0,
    allowedBack: 0,
    judged: 0,
  }
  const readers = new Map<number, { subscribed: boolean; last: Map<PartitionName, Seen> }>()
  for (const operation of analysis.history) {
    if (operation.f === 'assign' || operation.f === 'subscribe') {
      const kept = new Set(operation.value as readonly PartitionName[])
      const reader = readers.get(operation.process as number)
      const last = new Map([...(reader?.last ?? [])].filter(([partition]) => kept.has(partition)))
      readers.set(operation.process as number, { subscribed: operation.f === 'subscribe', last })
    }
    if (!isRecordOperation(operation) || operation.type !== 'ok') continue
    const reader = readers.get(operation.process) ?? { subscribed: false, last: new Map<PartitionName, Seen>() }
    readers.set(operation.process, reader)
    walkOperation(analysis, operation, reader, steps)
  }
  return steps
}

function walkOperation(
  analysis: Analysis,
  operation: RecordOperation,
  reader: { subscribed: boolean; last: Map<PartitionName, Seen> },
  steps: Steps,
): void {
  for (const { partition, records } of pollsOf(operation)) {
    const facts = analysis.partitions.get(partition) as PartitionFacts
    let previous = reader.last.get(partition)
    for (const [offset, value] of records) {
      const here = { offset, value, entry: operation.index }
      if (previous) {
        const delta = (facts.positionOf.get(offset) as number) - (facts.positionOf.get(previous.offset) as number)
        const inside = previous.entry === operation.index
        steps.judged += 1
        if (delta !== 1) note(analysis, { facts, from: previous, to: here, delta }, inside, reader.subscribed, steps)
      }
      previous = here
    }
    if (previous) reader.last.set(partition, previous)
  }
}

function note(analysis: Analysis, step: Step, inside: boolean, subscribed: boolean, steps: Steps): void {
  const back = step.delta < 1
  if (!inside && subscribed) {
    if (back) steps.allowedBack += 1
    else steps.allowedSkips += 1
    return
  }
  const anomalies = inside
    ? back
      ? steps.insideBack
      : steps.insideSkips
    : back
      ? steps.betweenBack
      : steps.betweenSkips
  anomalies.add(() => describe(analysis, step))
}

function describe(analysis: Analysis, { facts, from, to, delta }: Step) {
  const skipped: Value[] = []
  const position = facts.positionOf.get(from.offset) as number
  for (let next = position + 1; next < position + delta && skipped.length < 3; next += 1) {
    skipped.push(...(facts.valuesAt.get(facts.offsets[next] as Offset) as Value[]))
  }
  const what =
    delta < 1
      ? `went back from offset ${from.offset} (${from.value}) to ${to.offset} (${to.value})`
      : `went from offset ${from.offset} (${from.value}) to ${to.offset} (${to.value}) and left out ${countOf(delta - 1, 'record')}, e.g. ${skipped.join(', ')}`
  const writes = skipped.map(value => facts.values.get(value)?.write?.completed)
  return {
    partition: facts.name,
    explanation: `In ${facts.name}, ${entryName(analysis, to.entry)} ${what}.`,
    slice: sliceOf(analysis, facts.name, [from.entry, to.entry, ...writes], [from.value, to.value, ...skipped]),
  }
}
