/**
 * compaction: what a compacted topic keeps. Superseded records may go at any time; but who reads it from the beginning must end with the last
 * value of every key, and a key whose last record is a tombstone must not come back.
 *
 * The last record of a key is the one with the highest place among those that were certainly written. A full read at the end must find it or
 * something later; where it is a tombstone, it may be gone with everything of its key, and so it may where a tombstone of unknown outcome
 * may lie behind it. A tombstone is written `recordKey:-sequence`.
 *
 * Source: Kafka documentation, "Log Compaction", guarantees; Kafka's system tests, log_compaction_test.
 */
import { isTombstone, recordKeyOf, type Offset, type PartitionName } from '../history/operation.ts'
import { expired, mustHaveCommitted, type Analysis, type PartitionFacts, type ValueFacts } from './analysis.ts'
import {
  Anomalies,
  countOf,
  entryName,
  logAround,
  sliceOf,
  unknown,
  verdict,
  type AnomalyCase,
  type CheckResult,
} from './result.ts'
import { Whereabouts } from './whereabouts.ts'

interface Place {
  readonly offset: Offset
  readonly value: ValueFacts
}

export function compaction(analysis: Analysis): CheckResult {
  const name = 'compaction'
  const { finalReadFrom } = analysis
  if (finalReadFrom === undefined || analysis.finalRead === 'incomplete')
    return unknown(name, 'There was no complete read of everything at the end, so nobody knows what is left.')
  const where = new Whereabouts(analysis)
  const anomalies = new Anomalies()
  let keys = 0
  let superseded = 0
  for (const facts of analysis.partitions.values()) {
    const written = lastOfEachKey(facts, isWritten)
    const deletions = possibleDeletions(facts)
    const left = lastOfEachKey(facts, ({ lastRead }) => lastRead !== undefined && lastRead >= finalReadFrom)
    for (const value of facts.values.values())
      if (isWritten(value) && (value.lastRead ?? -1) < finalReadFrom) superseded += 1
    for (const [key, last] of written) {
      keys += 1
      const found = left.get(key)
      if (found && found.offset >= last.offset) continue
      const deleted = isTombstone(last.value.value)
      const mayBeGone =
        deleted || (deletions.get(key) ?? -1) > last.offset || expired(analysis, facts.name, last.offset)
      if (!found && mayBeGone) continue
      anomalies.add(() => tell(analysis, where, facts, key, { last, found, deleted }))
    }
  }
  if (keys === 0) return unknown(name, 'No record with a key (`recordKey:sequence`) was written for certain.')
  return verdict(
    name,
    {
      good: `Whoever reads everything ends with the last value of each of ${countOf(keys, 'key')}.`,
      bad: `${countOf(anomalies.count, 'key')} of ${keys} ${anomalies.count === 1 ? 'does' : 'do'} not have the last value that was written.`,
    },
    anomalies,
    { 'records gone': superseded },
  )
}

function isWritten({ write, firstRead }: ValueFacts): boolean {
  return write === undefined ? firstRead !== undefined : mustHaveCommitted(write)
}

/**
 * Keys with a tombstone of unknown outcome, which may have been written, and cleaned away since, and the highest place where one may have been:
 * anywhere, unless somebody saw it.
 */
function possibleDeletions({ writes }: PartitionFacts): Map<string, Offset> {
  const deletions = new Map<string, Offset>()
  for (const { outcome, value, seen } of writes) {
    if (outcome !== 'info' || !isTombstone(value)) continue
    const key = recordKeyOf(value) as string
    deletions.set(key, Math.max(seen.offsets.at(-1) ?? Number.POSITIVE_INFINITY, deletions.get(key) ?? -1))
  }
  return deletions
}

function lastOfEachKey(facts: PartitionFacts, counts: (value: ValueFacts) => boolean): Map<string, Place> {
  const last = new Map<string, Place>()
  for (const value of facts.values.values()) {
    const key = recordKeyOf(value.value)
    // The first place: where a value is there twice, no other that lies between is blamed.
    const offset = value.offsets[0]
    if (key === undefined || offset === undefined || !counts(value)) continue
    if (offset > (last.get(key)?.offset ?? -1)) last.set(key, { offset, value })
  }
  return last
}

function tell(
  analysis: Analysis,
  where: Whereabouts,
  facts: PartitionFacts,
  key: string,
  { last, found, deleted }: { readonly last: Place; readonly found: Place | undefined; readonly deleted: boolean },
): AnomalyCase {
  const { value, offset } = last
  const partition: PartitionName = facts.name
  const wrote = value.write?.completed ?? value.write?.invoked ?? value.firstRead ?? 0
  const whatWas = deleted
    ? `Key ${key} of ${partition} was deleted by ${value.value} at offset ${offset} (${entryName(analysis, wrote)})`
    : `The last value of key ${key} of ${partition} is ${value.value} at offset ${offset} (${entryName(analysis, wrote)})`
  const whatIs = found
    ? `but the full read at the end finds ${found.value.value} at offset ${found.offset} as its last${deleted ? ': it came back' : ''}`
    : 'but the full read at the end finds nothing of that key'
  return {
    partition,
    explanation: `${whatWas}, ${whatIs}. ${where.fate(partition, value.value).sentence}`,
    slice: sliceOf(
      analysis,
      partition,
      [value.write?.invoked, wrote, found?.value.write?.completed, found?.value.lastRead, analysis.finalReadFrom],
      [value.value, ...(found ? [found.value.value] : [])],
    ),
    log: logAround(facts, offset),
  }
}
