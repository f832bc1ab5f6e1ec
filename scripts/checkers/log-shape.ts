/**
 * Two anomalies of the log itself.
 *
 * duplicate: one value at two offsets. inconsistent-offsets: two values at one offset, i.e. a reader or a writer was told something
 * about an offset that later was no longer true.
 *
 * Source: jepsen.tests.kafka, duplicate-cases and inconsistent-offset-cases.
 */
import type { Value } from '../history/operation.ts'
import type { Analysis, PartitionFacts, ValueFacts } from './analysis.ts'
import { Anomalies, countOf, sliceOf, verdict, type CheckResult } from './result.ts'
import { Whereabouts, type Copy } from './whereabouts.ts'

export function duplicate(analysis: Analysis): CheckResult {
  const where = new Whereabouts(analysis)
  const anomalies = new Anomalies()
  let checked = 0
  for (const facts of analysis.partitions.values()) {
    checked += facts.values.size
    for (const value of facts.values.values()) {
      if (value.offsets.length < 2) continue
      anomalies.add(() => ({
        partition: facts.name,
        explanation: `${value.value} is at offsets ${value.offsets.join(' and ')} of ${facts.name}. ${blame(where.copies(facts.name, value.value))}`,
        slice: sliceOf(
          analysis,
          facts.name,
          [value.write?.invoked, value.write?.completed, ...readersOf(analysis, facts, value)],
          [value.value],
        ),
      }))
    }
  }
  return verdict(
    'duplicate',
    {
      good: `Each of ${countOf(checked, 'value')} was seen at one offset only.`,
      bad: `${countOf(anomalies.count, 'value')} of ${checked} ${anomalies.count === 1 ? 'is' : 'are'} in a log more than once.`,
    },
    anomalies,
  )
}

/**
 * Who wrote it twice. A broker must drop a batch whose producer id, epoch and sequence it has already; a client that sends its retry under
 * another sequence number, or without any, makes the duplicate itself.
 */
function blame(copies: readonly Copy[]): string {
  const [first, second] = copies
  if (!first || !second) return 'The logs of the replicas do not tell who wrote it twice.'
  const describe = ({ batch, sequence }: Copy) =>
    `producer ${batch.producerId} epoch ${batch.producerEpoch} sequence ${sequence}`
  if (first.sequence < 0 || second.sequence < 0) {
    return 'The producer was not idempotent: the record has no sequence number, so the broker could not recognise the retry.'
  }
  const same =
    first.batch.producerId === second.batch.producerId &&
    first.batch.producerEpoch === second.batch.producerEpoch &&
    first.sequence === second.sequence
  return same
    ? `Both copies carry ${describe(first)}: the broker accepted a batch that it already had.`
    : `The copies carry ${describe(first)} and ${describe(second)}: the client sent it as two different batches, so the broker could not recognise the retry.`
}

export function inconsistentOffsets(analysis: Analysis): CheckResult {
  const anomalies = new Anomalies()
  let checked = 0
  for (const facts of analysis.partitions.values()) {
    checked += facts.valuesAt.size
    for (const offset of facts.offsets) {
      const values = facts.valuesAt.get(offset) as Value[]
      if (values.length < 2) continue
      anomalies.add(() => {
        const seen = values.map(value => facts.values.get(value) as ValueFacts)
        const entries = seen.flatMap(value => [value.write?.invoked, value.write?.completed, value.firstRead])
        return {
          partition: facts.name,
          explanation: `Offset ${offset} of ${facts.name} holds ${values.join(' and ')}: ${seen.map(source).join('; ')}. An offset must never change what it holds.`,
          slice: sliceOf(analysis, facts.name, entries, values),
        }
      })
    }
  }
  return verdict(
    'inconsistent-offsets',
    {
      good: `Each of ${countOf(checked, 'offset')} held one value only.`,
      bad: `${countOf(anomalies.count, 'offset')} of ${checked} held different values at different times or for different clients.`,
    },
    anomalies,
  )
}

function source(value: ValueFacts): string {
  const acknowledged = value.write?.outcome === 'ok' && value.write.acknowledgedOffset !== null
  const read = value.firstRead !== undefined
  const how = [acknowledged && 'acknowledged', read && 'read'].filter(Boolean).join(' and ')
  return `${value.value} was ${how || 'seen'}`
}

/** Entries of at most two `ok` polls that returned the value at different offsets. */
function readersOf(analysis: Analysis, facts: PartitionFacts, value: ValueFacts): number[] {
  const readers: number[] = []
  const offsets = new Set<number>()
  for (const operation of analysis.completions) {
    for (const micro of operation.value) {
      if (micro[0] !== 'poll') continue
      for (const [offset, polled] of micro[1]?.[facts.name] ?? []) {
        if (polled !== value.value || offsets.has(offset)) continue
        offsets.add(offset)
        readers.push(operation.index)
      }
    }
    if (readers.length >= 2) break
  }
  return readers
}
