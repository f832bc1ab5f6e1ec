/**
 * The explained anomalies of a variant, ready for the page: the sentence, the slice of history, the log around the offsets that matter (what was
 * acknowledged, read, and is in each replica's log), where the record was lost, and what to choose in the timeline.
 */
import type { AnomalyCase, CheckResult } from '../checkers/result.ts'
import type { History, Operation } from '../history/operation.ts'
import { clientEntry, isReplicaLog, recordsOf } from './model/entries.ts'

export interface LogExcerpt {
  readonly partition: string
  /** `acknowledged`, `read`, `log of broker 1`, … */
  readonly columns: readonly string[]
  readonly rows: readonly {
    readonly offset: number
    /** Of the anomaly itself; the others are its neighbours. */
    readonly concerned: boolean
    /** Per column the values; several where sources of one kind contradict each other. */
    readonly cells: readonly (readonly string[])[]
    /** The cells do not agree. */
    readonly differs: boolean
  }[]
}

export interface Finding {
  readonly check: string
  readonly explanation: string
  readonly slice: readonly Operation[]
  readonly fate?: 'lost in the log' | 'lost on the way to the consumer'
  readonly partition?: string
  readonly offsets: readonly number[]
  /** Indexes of the entries to choose in the timeline. */
  readonly entries: readonly number[]
  readonly excerpt?: LogExcerpt
}

/** Three cases per check are enough to understand; the rest is in the JSON. */
const casesMax = 3
const neighbours = 2
const rowsMax = 12

export function findingsOf(results: readonly CheckResult[], history: History): Finding[] {
  let sources: LogSources | undefined
  return results
    .filter(({ valid }) => valid !== true)
    .flatMap(({ name, cases }) =>
      cases.slice(0, casesMax).map(each => findingOf(name, each, () => (sources ??= new LogSources(history)))),
    )
}

function findingOf(check: string, anomaly: AnomalyCase, sources: () => LogSources): Finding {
  const { explanation, partition, slice, log = [] } = anomaly
  const named = log.filter(({ here }) => here).map(({ offset }) => offset)
  const offsets = named.length > 0 ? named : offsetsIn(slice, partition)
  const entries = slice.flatMap(operation => (clientEntry(operation) ? [operation.index] : []))
  const fate = (['lost in the log', 'lost on the way to the consumer'] as const).find(words =>
    explanation.includes(words),
  )
  const excerpt = partition === undefined || offsets.length === 0 ? undefined : sources().excerpt(partition, offsets)
  return {
    check,
    explanation,
    slice,
    offsets,
    entries,
    ...(fate ? { fate } : {}),
    ...(partition === undefined ? {} : { partition }),
    ...(excerpt ? { excerpt } : {}),
  }
}

/** The offsets that the entries of a slice name: slices hold only the records that matter. */
function offsetsIn(slice: readonly Operation[], partition: string | undefined): number[] {
  const offsets = new Set<number>()
  for (const operation of slice) {
    const entry = clientEntry(operation)
    for (const each of entry ? recordsOf(entry.value) : []) {
      if (partition !== undefined && each.partition !== partition) continue
      for (const [offset] of each.records) if (offset !== null) offsets.add(offset)
    }
  }
  return [...offsets].sort((a, b) => a - b)
}

/** Per partition and source: which values are said to be at which offset. */
class LogSources {
  readonly #values = new Map<string, Map<string, Map<number, Set<string>>>>()

  constructor(history: History) {
    for (const operation of history) {
      const entry = clientEntry(operation)
      if (entry !== undefined && entry.type === 'ok') {
        for (const { action, partition, records } of recordsOf(entry.value))
          for (const [offset, value] of records)
            if (offset !== null) this.#add(partition, action === 'send' ? 'acknowledged' : 'read', offset, value)
      }
      if (!isReplicaLog(operation)) continue
      const { partition, broker, leader, batches } = operation.value
      const source = `log of broker ${broker}${leader ? ' (leader)' : ''}`
      this.#of(partition, source)
      for (const { records } of batches)
        for (const [offset, value] of records) this.#add(partition, source, offset, value)
    }
  }

  #of(partition: string, source: string): Map<number, Set<string>> {
    const sources = this.#values.get(partition) ?? new Map<string, Map<number, Set<string>>>()
    this.#values.set(partition, sources)
    const values = sources.get(source) ?? new Map<number, Set<string>>()
    sources.set(source, values)
    return values
  }

  #add(partition: string, source: string, offset: number, value: string): void {
    const values = this.#of(partition, source)
    const known = values.get(offset)
    if (known) known.add(value)
    else values.set(offset, new Set([value]))
  }

  excerpt(partition: string, concerned: readonly number[]): LogExcerpt | undefined {
    const sources = this.#values.get(partition)
    if (!sources) return undefined
    const columns = [...sources.keys()].sort(bySource)
    const wanted = new Set<number>(concerned.slice(0, rowsMax))
    for (const offset of concerned) {
      for (let beside = offset - neighbours; beside <= offset + neighbours && wanted.size < rowsMax; beside += 1)
        if (beside >= 0) wanted.add(beside)
    }
    const rows = [...wanted]
      .sort((a, b) => a - b)
      .map(offset => {
        const cells = columns.map(source => [...(sources.get(source)?.get(offset) ?? [])])
        return { offset, cells, concerned: concerned.includes(offset), differs: new Set(cells.flat()).size > 1 }
      })
    return { partition, columns, rows }
  }
}

const firstSources = ['acknowledged', 'read']

function bySource(a: string, b: string): number {
  const place = (source: string) => (firstSources.includes(source) ? firstSources.indexOf(source) : firstSources.length)
  return place(a) - place(b) || a.localeCompare(b)
}
