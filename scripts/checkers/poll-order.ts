/**
 * What one consumer sees of one partition must go forward without gaps.
 *
 * int-nonmonotonic-poll, int-poll-skip: within one operation a record comes before its predecessor, or leaves out records that are known to
 * be in between. nonmonotonic-poll, poll-skip: the same between two operations of one process. Members of a group may go back and forth when
 * partitions move, so between operations only consumers with an assignment of their own are judged; for the others the count is a figure.
 * A partition that was given or taken meanwhile is not judged in that operation at all.
 *
 * Steps are counted in positions, not offsets, because offsets may have holes; and no record is missed that the reader cannot have got:
 * what retention removed, and transactions that nobody read as committed. After an operation that failed or whose outcome is not known
 * a client may go on behind what it polled, or begin again where it had begun.
 *
 * Source: jepsen.tests.kafka, int-poll-skip+nonmonotonic-cases and poll-skip+nonmonotonic-cases.
 */
import {
  isRecordOperation,
  pollsOf,
  type Offset,
  type Operation,
  type PartitionName,
  type RecordOperation,
  type Value,
} from '../history/operation.ts'
import { positionAtOrAbove, type Analysis, type PartitionFacts } from './analysis.ts'
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
  /** How many records were left out; a step back leaves out none. */
  readonly skipped: number
}

interface Reader {
  subscribed: boolean
  /** Where its last polls ended: the lowest and the highest place from which it may go on. */
  last: Map<PartitionName, { readonly low: Seen; readonly high: Seen }>
}

/** All four checks, from one walk over the polls. */
export function pollOrder(analysis: Analysis): CheckResult[] {
  if (analysis.read === 0) {
    return ['int-nonmonotonic-poll', 'int-poll-skip', 'nonmonotonic-poll', 'poll-skip'].map(name =>
      unknown(name, 'Nothing was read.'),
    )
  }
  const steps = new Walk(analysis)
  steps.run()
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

class Walk {
  readonly insideSkips = new Anomalies()
  readonly insideBack = new Anomalies()
  readonly betweenSkips = new Anomalies()
  readonly betweenBack = new Anomalies()
  allowedSkips = 0
  allowedBack = 0
  judged = 0
  readonly #analysis: Analysis
  readonly #readers = new Map<number, Reader>()
  readonly #visible = new Map<PartitionName, Int32Array>()

  constructor(analysis: Analysis) {
    this.#analysis = analysis
  }

  run(): void {
    for (const operation of this.#analysis.history) {
      if (isRecordOperation(operation)) {
        if (operation.type !== 'invoke' && operation.f !== 'send') this.#operation(operation)
      } else this.#partitions(operation)
    }
  }

  #reader(process: number): Reader {
    let reader = this.#readers.get(process)
    if (!reader) {
      reader = { subscribed: false, last: new Map() }
      this.#readers.set(process, reader)
    }
    return reader
  }

  /** What a client reads changes: it goes on only where it keeps a partition. */
  #partitions(operation: Operation): void {
    if (typeof operation.process !== 'number') return
    const reader = this.#reader(operation.process)
    if (operation.f === 'revoked' || operation.f === 'lost')
      for (const partition of operation.value.partitions) reader.last.delete(partition)
    let kept: readonly PartitionName[]
    if (operation.f === 'joined') kept = operation.value.partitions
    else if (operation.f === 'assign' || operation.f === 'subscribe') kept = operation.value
    else return
    reader.subscribed = operation.f !== 'assign'
    for (const partition of reader.last.keys()) if (!kept.includes(partition)) reader.last.delete(partition)
  }

  #operation(operation: RecordOperation): void {
    const reader = this.#reader(operation.process)
    const ends = new Map<PartitionName, Seen>()
    for (const partition of operation.rebalanced ?? []) reader.last.delete(partition)
    const exempt = new Set(operation.rebalanced)
    for (const { partition, records } of pollsOf(operation)) {
      const facts = this.#analysis.partitions.get(partition) as PartitionFacts
      const isExempt = exempt.has(partition)
      let previous = ends.get(partition)
      for (const [offset, value] of records) {
        const here = { offset, value, entry: operation.index }
        // Between two offsets that follow each other there is nothing to look for.
        if (!isExempt && previous && offset === previous.offset + 1) this.judged += 1
        else if (!isExempt) this.#step(facts, operation, reader, previous, here)
        previous = here
      }
      if (previous) ends.set(partition, previous)
    }
    for (const [partition, end] of ends) {
      if (operation.type === 'ok') reader.last.set(partition, { low: end, high: end })
      else this.#uncertain(reader, partition, end)
    }
  }

  /** After a failed transaction its client may have gone back to where it was, or not. */
  #uncertain(reader: Reader, partition: PartitionName, end: Seen): void {
    const known = reader.last.get(partition)
    if (known) reader.last.set(partition, { low: known.low, high: end.offset > known.high.offset ? end : known.high })
  }

  #step(facts: PartitionFacts, operation: RecordOperation, reader: Reader, previous: Seen | undefined, to: Seen): void {
    const last = reader.last.get(facts.name)
    if (!previous && !last) return
    this.judged += 1
    const { low, high } = previous ? { low: previous, high: previous } : (last as { low: Seen; high: Seen })
    if (to.offset <= low.offset) {
      this.#note({ facts, from: low, to, skipped: 0 }, previous !== undefined, reader.subscribed)
      return
    }
    if (to.offset <= high.offset) return
    const skipped = this.#missed(facts, high.offset, to.offset, operation.isolation === 'read_uncommitted')
    if (skipped > 0) this.#note({ facts, from: high, to, skipped }, previous !== undefined, reader.subscribed)
  }

  #note(step: Step, inside: boolean, subscribed: boolean): void {
    const back = step.skipped === 0
    if (!inside && subscribed) {
      if (back) this.allowedBack += 1
      else this.allowedSkips += 1
      return
    }
    const anomalies = inside ? (back ? this.insideBack : this.insideSkips) : back ? this.betweenBack : this.betweenSkips
    anomalies.add(() => this.#describe(step))
  }

  /** How many records between two offsets a reader had to get. */
  #missed(facts: PartitionFacts, from: Offset, to: Offset, uncommitted: boolean): number {
    const first = (facts.positionOf.get(from) as number) + 1
    const end = facts.positionOf.get(to) as number
    if (end <= first) return 0
    const logStart = this.#analysis.logStarts.get(facts.name)
    const start = logStart === undefined ? first : Math.max(first, positionAtOrAbove(facts, logStart))
    if (end <= start) return 0
    // Whoever reads uncommitted gets everything that is in the log.
    if (uncommitted) return end - start
    const counts = this.#counts(facts)
    return (counts[end] as number) - (counts[start] as number)
  }

  /** How many positions below each one hold what every reader may see. */
  #counts(facts: PartitionFacts): Int32Array {
    let counts = this.#visible.get(facts.name)
    if (!counts) {
      counts = new Int32Array(facts.offsets.length + 1)
      for (const [position, offset] of facts.offsets.entries())
        counts[position + 1] = (counts[position] as number) + (isVisible(facts, offset) ? 1 : 0)
      this.#visible.set(facts.name, counts)
    }
    return counts
  }

  #describe({ facts, from, to, skipped }: Step) {
    const values: Value[] = []
    const end = facts.positionOf.get(to.offset) as number
    for (let next = (facts.positionOf.get(from.offset) as number) + 1; next < end && values.length < 3; next += 1) {
      const offset = facts.offsets[next] as Offset
      if (isVisible(facts, offset)) values.push(...(facts.valuesAt.get(offset) as Value[]))
    }
    const what =
      skipped === 0
        ? `went back from offset ${from.offset} (${from.value}) to ${to.offset} (${to.value})`
        : `went from offset ${from.offset} (${from.value}) to ${to.offset} (${to.value}) and left out ${countOf(skipped, 'record')}, e.g. ${values.join(', ')}`
    const writes = values.map(value => facts.values.get(value)?.write?.completed)
    return {
      partition: facts.name,
      explanation: `In ${facts.name}, ${entryName(this.#analysis, to.entry)} ${what}.`,
      slice: sliceOf(this.#analysis, facts.name, [from.entry, to.entry, ...writes], [from.value, to.value, ...values]),
    }
  }
}

/** Whether an offset holds a record that is not part of a transaction that may have been aborted. */
function isVisible(facts: PartitionFacts, offset: Offset): boolean {
  return (facts.valuesAt.get(offset) as Value[]).some(value => {
    const seen = facts.values.get(value)
    const { write, firstCommittedRead } = seen ?? {}
    return write?.transactional !== true || write.outcome === 'ok' || firstCommittedRead !== undefined
  })
}
