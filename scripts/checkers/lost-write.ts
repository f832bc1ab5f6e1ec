/**
 * lost-write: a record was acknowledged (or somebody saw another record of the same send), a consumer read past its place, and nobody
 * ever read it.
 *
 * Soundness: only what lies at or below the highest offset that anyone read can be called lost, since what is above may still come. The
 * bound is the *first* place of what was read and it is compared with the *last* place of what was not, so duplicates and offsets that
 * hold two values (both are anomalies of their own) do not make a false alarm. What retention removed is not lost.
 *
 * Source: jepsen.tests.kafka, lost-write-cases; Kafka's tests/kafkatest, validate_delivery.
 */
import type { Analysis, PartitionFacts, ValueFacts } from './analysis.ts'
import { expired, firstPosition, lastPosition, mustHaveCommitted } from './analysis.ts'
import { asCommitted, wasReadIn } from './final-read.ts'
import {
  Anomalies,
  countOf,
  entryName,
  logAround,
  logAroundInWords,
  sliceOf,
  unknown,
  verdict,
  type AnomalyCase,
  type CheckResult,
} from './result.ts'
import { Whereabouts } from './whereabouts.ts'

export function lostWrite(analysis: Analysis): CheckResult {
  const name = 'lost-write'
  if (analysis.acknowledged === 0) return unknown(name, 'No write was acknowledged, so none can have been lost.')
  if (analysis.read === 0) return unknown(name, 'Nothing was read, so nothing can be said about losses.')
  const where = new Whereabouts(analysis)
  const wasRead = wasReadIn(analysis)
  const lost = new Anomalies()
  const fates = { inLog: 0, onTheWay: 0 }
  for (const facts of analysis.partitions.values()) {
    const bound = highestRead(facts, wasRead)
    if (!bound) continue
    for (const write of facts.writes) {
      const value = write.seen
      if (wasRead(value)) continue
      const last = lastPosition(facts, value)
      if (last === undefined || last > bound.position || !mustHaveCommitted(write)) continue
      if (expired(analysis, facts.name, value.offsets.at(-1) as number)) continue
      const { fate, sentence } = where.fate(facts.name, write.value)
      if (fate === 'lost in the log') fates.inLog += 1
      if (fate === 'lost on the way to the consumer') fates.onTheWay += 1
      lost.add(() => describe(analysis, facts, value, bound.value, sentence))
    }
  }
  const judged = countOf(analysis.acknowledged, 'acknowledged record')
  return verdict(
    name,
    {
      good: `Of ${judged}, every one that a consumer read past was read.`,
      bad: `${countOf(lost.count, 'acknowledged record')} of ${analysis.acknowledged} can never be read again although records after it were: ${fates.inLog} lost in the log, ${fates.onTheWay} on the way to the consumer.`,
    },
    lost,
    { 'lost in the log': fates.inLog, 'lost on the way': fates.onTheWay },
  )
}

/** The value whose first place is highest among those that were read. */
function highestRead(
  facts: PartitionFacts,
  wasRead: (value: ValueFacts) => boolean,
): { position: number; value: ValueFacts } | undefined {
  let highest: { position: number; value: ValueFacts } | undefined
  for (const value of facts.values.values()) {
    if (!wasRead(value)) continue
    const position = firstPosition(facts, value)
    if (position !== undefined && position > (highest?.position ?? -1)) highest = { position, value }
  }
  return highest
}

function describe(
  analysis: Analysis,
  facts: PartitionFacts,
  lost: ValueFacts,
  beyond: ValueFacts,
  fate: string,
): AnomalyCase {
  const { write } = lost
  const offset = lost.offsets.at(-1) as number
  // A value at the very offset is the best witness: it shows what took the lost record's place.
  const usurper = facts.valuesAt
    .get(offset)
    ?.map(value => facts.values.get(value))
    .find(value => value !== lost && value?.firstRead !== undefined)
  const witness = usurper ?? beyond
  const completed = write?.completed ?? write?.invoked ?? 0
  const acked =
    write?.outcome === 'ok'
      ? 'was acknowledged'
      : 'must have been written (another record of the same operation was read)'
  const then = usurper
    ? `offset ${offset} was read as ${usurper.value}`
    : `${witness.value} was read at the higher offset ${witness.offsets[0]}`
  return {
    partition: facts.name,
    explanation: `${lost.value} ${acked} at offset ${offset} of ${facts.name} by ${entryName(analysis, completed)}. Later ${then}, but ${lost.value} was never read${asCommitted(lost)}. ${fate}${logAroundInWords(facts, offset)}`,
    slice: sliceOf(analysis, facts.name, [write?.invoked, completed, witness.firstRead], [lost.value, witness.value]),
    log: logAround(facts, offset),
  }
}
