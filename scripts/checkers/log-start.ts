/**
 * log-start: a log begins above 0 although nothing in the history says that records may be removed from it (retention of its topic, a request).
 * What is gone was then lost, at the end of the log where nobody looks.
 *
 * The other checks excuse what lies below a log start offset only where such a removal was wanted.
 */
import type { Removal } from '../history/operation.ts'
import { removableBelow, type Analysis } from './analysis.ts'
import { Anomalies, countOf, unknown, verdict, type CheckResult } from './result.ts'

export function logStart(analysis: Analysis): CheckResult {
  const name = 'log-start'
  const { seenLogStarts, history } = analysis
  if (seenLogStarts.size === 0) return unknown(name, 'Nobody looked where the logs begin.')
  const removals = history.flatMap(({ f, value }) => (f === 'removal' ? [value as Removal] : []))
  const anomalies = new Anomalies()
  for (const [partition, { offset, entry }] of seenLogStarts) {
    const wanted = removableBelow(removals, partition)
    if (offset <= wanted) continue
    const why =
      wanted === 0 ? 'nothing was to be removed from it' : `only what lies below offset ${wanted} was to be removed`
    anomalies.add(() => ({
      partition,
      explanation: `The log of ${partition} begins at offset ${offset} (entry ${entry}), and ${why}.`,
      slice: history.slice(entry, entry + 1),
    }))
  }
  return verdict(
    name,
    {
      good: `${countOf(seenLogStarts.size, 'log')} began at offset 0, or where records were to be removed.`,
      bad: `${countOf(anomalies.count, 'log')} of ${seenLogStarts.size} lost ${anomalies.count === 1 ? 'its' : 'their'} beginning.`,
    },
    anomalies,
  )
}
