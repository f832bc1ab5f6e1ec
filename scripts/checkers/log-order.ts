/**
 * What a single log promises, in time proportional to the history.
 *
 * log-order: a record lies above every offset that anybody knew of (by an acknowledgement or a poll) before its send began. With
 * inconsistent-offsets, duplicate and lost-write beside it, that makes the log linearizable: every append took effect at one moment between its
 * beginning and its end.
 *
 * garbage-read: a poll returned a record that nobody wrote.
 *
 * Source: Redpanda's chaos tests, consistency check of reads_writes; Elle, garbage read.
 */
import { isRecordOperation, type Offset, type PartitionName } from '../history/operation.ts'
import type { Analysis } from './analysis.ts'
import {
  Anomalies,
  countOf,
  entryName,
  logAround,
  logAroundInWords,
  sliceOf,
  unknown,
  verdict,
  type CheckResult,
} from './result.ts'

export function logOrder(analysis: Analysis): CheckResult {
  const name = 'log-order'
  const known = knownOffsets(analysis)
  const anomalies = new Anomalies()
  let judged = 0
  for (const facts of analysis.partitions.values()) {
    const highest = known.get(facts.name)
    for (const write of facts.writes) {
      const offset = write.seen.offsets[0]
      if (offset === undefined) continue
      judged += 1
      const before = highest?.before(write.invoked)
      if (before === undefined || offset > before.offset) continue
      const value = write.seen
      anomalies.add(() => ({
        partition: facts.name,
        explanation: `${write.value} is at offset ${offset} of ${facts.name}; but offset ${before.offset} was known there (${entryName(analysis, before.entry)}) before its send began (${entryName(analysis, write.invoked)}), so it had to come above that.${logAroundInWords(facts, offset)}`,
        slice: sliceOf(
          analysis,
          facts.name,
          [before.entry, write.invoked, write.completed, value.firstRead],
          [write.value, ...(facts.valuesAt.get(before.offset) ?? [])],
        ),
        log: logAround(facts, offset),
      }))
    }
  }
  if (judged === 0) return unknown(name, 'The place of no record is known.')
  return verdict(
    name,
    {
      good: `Each of ${countOf(judged, 'record')} lies above every offset that was known when its send began.`,
      bad: `${countOf(anomalies.count, 'record')} of ${judged} lie at or below an offset that was known before their send began.`,
    },
    anomalies,
  )
}

/** The highest offset of a partition that was known, as it grew. */
class Highest {
  readonly #entries: number[] = []
  readonly #offsets: Offset[] = []

  learn(offset: Offset, entry: number): void {
    if (offset <= (this.#offsets.at(-1) ?? -1)) return
    this.#offsets.push(offset)
    this.#entries.push(entry)
  }

  /** What was known before an entry. */
  before(entry: number): { readonly offset: Offset; readonly entry: number } | undefined {
    let [low, high] = [0, this.#entries.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#entries[middle] as number) < entry) low = middle + 1
      else high = middle
    }
    if (low === 0) return undefined
    return { offset: this.#offsets[low - 1] as Offset, entry: this.#entries[low - 1] as number }
  }
}

function knownOffsets(analysis: Analysis): Map<PartitionName, Highest> {
  const known = new Map<PartitionName, Highest>()
  const learn = (partition: PartitionName, offset: Offset, entry: number) => {
    let highest = known.get(partition)
    if (!highest) {
      highest = new Highest()
      known.set(partition, highest)
    }
    highest.learn(offset, entry)
  }
  for (const { value, type, index, f } of analysis.completions) {
    for (const micro of value) {
      if (micro[0] === 'send') {
        if (type === 'ok' && typeof micro[2] !== 'string' && micro[2][0] !== null) learn(micro[1], micro[2][0], index)
      } else if (f !== 'send') {
        for (const partition in micro[1] ?? {}) {
          const last = micro[1]?.[partition]?.at(-1)
          if (last) learn(partition, last[0], index)
        }
      }
    }
  }
  return known
}

export function garbageRead(analysis: Analysis): CheckResult {
  const name = 'garbage-read'
  if (analysis.read === 0) return unknown(name, 'Nothing was read.')
  const anomalies = new Anomalies()
  for (const facts of analysis.partitions.values()) {
    for (const value of facts.values.values()) {
      const reader = value.firstRead
      if (value.write !== undefined || reader === undefined) continue
      const offset = value.offsets[0] as Offset
      anomalies.add(() => ({
        partition: facts.name,
        explanation: `${entryName(analysis, reader)} read ${JSON.stringify(value.value)} at offset ${offset} of ${facts.name}, and nobody wrote that.${logAroundInWords(facts, offset)}`,
        slice: sliceOf(analysis, facts.name, [reader], [value.value]),
        log: logAround(facts, offset),
      }))
    }
  }
  if (anomalies.count > 0 && hasUnnamedWrites(analysis)) {
    return unknown(
      name,
      `${countOf(anomalies.count, 'record')} that were read are named by no writer, but a transaction that never ended may have written them.`,
    )
  }
  return verdict(
    name,
    {
      good: `Somebody wrote each of ${countOf(analysis.read, 'record')} that were read.`,
      bad: `${countOf(anomalies.count, 'record')} that were read had been written by nobody.`,
    },
    anomalies,
  )
}

/** Whether a transaction that learned from its polls what to write left open what that was. */
function hasUnnamedWrites({ history }: Analysis): boolean {
  const open = new Set<number>()
  for (const operation of history) {
    if (!isRecordOperation(operation) || operation.f !== 'txn') continue
    if (operation.type === 'invoke') {
      if (operation.value.some(micro => micro[0] === 'poll')) open.add(operation.process)
      // A completion of unknown outcome that names its polls names its sends as well.
    } else if (
      operation.type !== 'info' ||
      operation.value.some(micro => micro[0] === 'poll' && micro[1] !== undefined)
    )
      open.delete(operation.process)
  }
  return open.size > 0
}
