/**
 * What the full read at the end decides. Before it, a record counts as read when anybody polled it. A record of a transaction that only readers of
 * uncommitted records have polled may be aborted in its partition all the same, so the final read has the last word about it: it must have
 * been read as committed, or, where the final read itself is of uncommitted records, be found there.
 */
import type { RecordOperation } from '../history/operation.ts'
import type { Analysis, ValueFacts } from './analysis.ts'

/** Tells of each value whether it counts as read. */
export function wasReadIn(analysis: Analysis): (value: ValueFacts) => boolean {
  const { finalReadFrom, finalRead } = analysis
  if (finalReadFrom === undefined || finalRead === 'incomplete') return ({ firstRead }) => firstRead !== undefined
  const decidesFrom = isUncommitted(finalReaders(analysis, finalReadFrom)) ? finalReadFrom : Number.POSITIVE_INFINITY
  return ({ write, firstRead, firstCommittedRead, lastRead = -1 }) =>
    write?.transactional === true
      ? firstCommittedRead !== undefined || lastRead >= decidesFrom
      : firstRead !== undefined
}

/** ` as committed` where only who reads uncommitted has read it: for sentences that say it was never read. */
export function asCommitted({ firstRead }: ValueFacts): string {
  return firstRead === undefined ? '' : ' as committed'
}

/** The polls of the full read at the end: of clients that were not there before, if there are such. */
function finalReaders({ completions }: Analysis, from: number): RecordOperation[] {
  const late = completions.filter(({ index, value }) => index > from && value.some(([kind]) => kind === 'poll'))
  const newcomers = new Set(late.map(({ process }) => process))
  for (const { index, process } of completions) if (index < from) newcomers.delete(process)
  const fresh = late.filter(({ process }) => newcomers.has(process))
  return fresh.length > 0 ? fresh : late
}

function isUncommitted(polls: readonly RecordOperation[]): boolean {
  return polls.length > 0 && polls.every(({ isolation }) => isolation === 'read_uncommitted')
}
