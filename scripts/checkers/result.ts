/** What a checker answers, and the tools to say it so that a person can follow: condensed cases, and the slice of history behind each. */
import {
  isRecordOperation,
  type History,
  type MicroOp,
  type Operation,
  type PartitionName,
  type RecordOperation,
  type Value,
} from '../history/operation.ts'
import type { Analysis } from './analysis.ts'

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
  const wanted = [...new Set(indexes.filter(index => index !== undefined))].sort((a, b) => a - b)
  const first = wanted[0] ?? 0
  const last = wanted.at(-1) ?? 0
  const shown = new Set(values)
  const entries = wanted.map(index => reduce(analysis.history[index] as Operation, partition, shown))
  return [...entries, ...contextBetween(analysis.history, partition, first, last)].sort((a, b) => a.index - b.index)
}

function reduce(operation: Operation, partition: PartitionName, values: ReadonlySet<Value>): Operation {
  if (!isRecordOperation(operation)) return operation
  return { ...operation, value: operation.value.flatMap(micro => reduceMicroOp(micro, operation, partition, values)) }
}

function reduceMicroOp(
  micro: MicroOp,
  operation: RecordOperation,
  partition: PartitionName,
  values: ReadonlySet<Value>,
): MicroOp[] {
  if (micro[0] === 'send') {
    const value = typeof micro[2] === 'string' ? micro[2] : micro[2][1]
    return micro[1] === partition && values.has(value) ? [micro] : []
  }
  if (operation.type === 'invoke' || micro[1] === undefined) return [micro]
  const records = (micro[1][partition] ?? []).filter(([, value]) => values.has(value))
  return records.length > 0 ? [['poll', { [partition]: records }]] : []
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

export function unknown(name: string, explanation: string, figures?: CheckResult['figures']): CheckResult {
  return { name, valid: 'unknown', explanation, count: 0, cases: [], ...(figures ? { figures } : {}) }
}
