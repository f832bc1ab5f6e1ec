/** What a checker answers, and the tools to say it so that a person can follow: condensed cases, and the slice of history behind each. */
import {
  isRecordOperation,
  type History,
  type MicroOp,
  type Offset,
  type Operation,
  type PartitionName,
  type RecordOperation,
  type Value,
} from '../history/operation.ts'
import type { Analysis, PartitionFacts } from './analysis.ts'

/** `unknown`: the run does not tell, or the checker itself failed. Never to be read as "good". */
export type Validity = true | false | 'unknown'

export interface CheckResult {
  readonly name: string
  readonly valid: Validity
  /** One or two sentences in plain English: what was checked, and what came out. */
  readonly explanation: string
  /** How many anomalies there were; `cases` shows at most a few of them. */
  readonly count: number
  readonly cases: readonly AnomalyCase[]
  /** Figures worth showing. */
  readonly figures?: Readonly<Record<string, number | string>>
}

export interface AnomalyCase {
  readonly explanation: string
  readonly partition?: PartitionName
  /** The entries that show the anomaly, with records that do not matter cut out, in order. */
  readonly slice: readonly Operation[]
  /** What the log holds around the place, where there is one. */
  readonly log?: readonly LogLine[]
}

/** One offset of a log as clients saw it. */
export interface LogLine {
  readonly offset: Offset
  readonly values: readonly Value[]
  /** The place that the anomaly is about. */
  readonly here: boolean
  /** False: only an acknowledgement says so. */
  readonly read: boolean
}

/** A check that a lab brings along. `judge` must be a function of the history alone. */
export interface OwnCheck {
  /** None of the names that `check.ts` lists. */
  readonly name: string
  judge(analysis: Analysis): CheckResult
}

export type Checker = (analysis: Analysis) => CheckResult

/** Most cases shown in full per checker. */
const casesMax = 8
const contextMax = 8

/**
 * The smallest slice of history around an anomaly: the named entries reduced to the named values, and between them the faults and the
 * changes of leader that a reader needs to understand it.
 */
export function sliceOf(
  analysis: Analysis,
  partition: PartitionName,
  indexes: readonly (number | undefined)[],
  values: readonly Value[],
): Operation[] {
  return sliceAcross(analysis, indexes, new Map([[partition, new Set(values)]]))
}

/** The same for an anomaly over several partitions. */
export function sliceAcross(
  analysis: Analysis,
  indexes: readonly (number | undefined)[],
  shown: ReadonlyMap<PartitionName, ReadonlySet<Value>>,
): Operation[] {
  const wanted = [...new Set(indexes.filter(index => index !== undefined))].sort((a, b) => a - b)
  const first = wanted[0] ?? 0
  const last = wanted.at(-1) ?? 0
  const entries = wanted.map(index => reduce(analysis.history[index] as Operation, shown))
  const context = [...shown.keys()].flatMap(partition => contextBetween(analysis.history, partition, first, last))
  // A fault is in the context of every partition.
  const once = new Map(context.map(operation => [`${operation.index} ${operation.process}`, operation]))
  return [...entries, ...once.values()].sort((a, b) => a.index - b.index)
}

function reduce(operation: Operation, shown: ReadonlyMap<PartitionName, ReadonlySet<Value>>): Operation {
  if (!isRecordOperation(operation)) return operation
  return { ...operation, value: operation.value.flatMap(micro => reduceMicroOp(micro, operation, shown)) }
}

function reduceMicroOp(
  micro: MicroOp,
  operation: RecordOperation,
  shown: ReadonlyMap<PartitionName, ReadonlySet<Value>>,
): MicroOp[] {
  if (micro[0] === 'send') {
    const value = typeof micro[2] === 'string' ? micro[2] : micro[2][1]
    return shown.get(micro[1])?.has(value) === true ? [micro] : []
  }
  if (operation.type === 'invoke' || micro[1] === undefined) return [micro]
  const polled: Record<PartitionName, (readonly [Offset, Value])[]> = {}
  for (const [partition, values] of shown) {
    const records = (micro[1][partition] ?? []).filter(([, value]) => values.has(value))
    if (records.length > 0) polled[partition] = records
  }
  return Object.keys(polled).length > 0 ? [['poll', polled]] : []
}

/** Completed faults and changes of the partition's leader, between two entries. */
function contextBetween(history: History, partition: PartitionName, first: number, last: number): Operation[] {
  const context: Operation[] = []
  let known: string | undefined
  for (let index = first; index <= last && context.length < contextMax; index += 1) {
    const operation = history[index]
    if (!operation) break
    if (operation.process === 'nemesis' && operation.type !== 'invoke') context.push(operation)
    if (operation.process !== 'observer' || operation.f !== 'observe') continue
    const observation = operation.value
    const observed = observation.partitions[partition]
    if (!observed) continue
    const state = `${observed.leader} ${observed.leaderEpoch} ${observed.isr.join()}`
    if (known !== undefined && state !== known) {
      context.push({ ...operation, value: { ...observation, partitions: { [partition]: observed } } })
    }
    known = state
  }
  return context
}

const neighbours = 2

/** The offsets around one, as far as anything was seen there. */
export function logAround(facts: PartitionFacts, offset: Offset): LogLine[] {
  const position = facts.positionOf.get(offset)
  if (position === undefined) return []
  const offsets = facts.offsets.slice(Math.max(0, position - neighbours), position + neighbours + 1)
  return offsets.map(each => {
    const values = facts.valuesAt.get(each) ?? []
    const read = values.some(value => facts.values.get(value)?.firstRead !== undefined)
    return { offset: each, values, here: each === offset, read }
  })
}

/** `Around it: 41 a:3, [42 a:4, never read], 43 b:7.`, with a space in front; empty without neighbours. */
export function logAroundInWords(facts: PartitionFacts, offset: Offset): string {
  const lines = logAround(facts, offset)
  if (lines.length < 2) return ''
  const words = lines.map(({ offset: at, values, here, read }) => {
    const line = `${at} ${values.join(' and ')}${read ? '' : ', never read'}`
    return here ? `[${line}]` : line
  })
  return ` Around it in the log: ${words.join(', ')}.`
}

/** `1 record`, `2 records`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** `entry 12 (producer-0, 3.41 s)`. */
export function entryName(analysis: Analysis, index: number): string {
  const operation = analysis.history[index] as Operation
  const who = 'client' in operation ? operation.client : operation.process
  return `entry ${index} (${who}, ${(operation.timeMs / 1000).toFixed(2)} s)`
}

/** Counts anomalies and keeps the first few in full; the rest would only repeat them. */
export class Anomalies {
  count = 0
  readonly cases: AnomalyCase[] = []

  /** `describe` runs only for the anomalies that are shown. */
  add(describe: () => AnomalyCase): void {
    this.count += 1
    if (this.cases.length < casesMax) this.cases.push(describe())
  }
}

/** Valid without anomalies, invalid with any. */
export function verdict(
  name: string,
  explanation: { readonly good: string; readonly bad: string },
  anomalies: Anomalies,
  figures?: CheckResult['figures'],
): CheckResult {
  return {
    name,
    valid: anomalies.count === 0,
    explanation: anomalies.count === 0 ? explanation.good : explanation.bad,
    count: anomalies.count,
    cases: anomalies.cases,
    ...(figures ? { figures } : {}),
  }
}

/** Counted and shown, and no fault: what Kafka allows. */
export function allowed(name: string, explanation: string, anomalies: Anomalies): CheckResult {
  return { name, valid: true, explanation, count: anomalies.count, cases: anomalies.cases }
}

export function unknown(name: string, explanation: string, figures?: CheckResult['figures']): CheckResult {
  return { name, valid: 'unknown', explanation, count: 0, cases: [], ...(figures ? { figures } : {}) }
}
