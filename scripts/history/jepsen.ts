/**
 * Histories in the notation of Jepsen, for its own checkers and for Elle: one EDN map a line, `{:index 0, :time 12000000, :type :invoke, :process 0,
 * :f :send, :value [[:send "t-0" "k:0"]]}`, times in nanoseconds, indexes without gaps. `:entry` is the index in our own file.
 *
 * `kafka` is the form of jepsen.tests.kafka: micro-operations `[:send key value]`, completed as `[:send key [offset value]]` (the offset nil when it is
 * unknown), and `[:poll]`, completed as `[:poll {key [[offset value] …]}]`. Keys are names of partitions and values are strings, where Jepsen's own
 * workload has integers; its analysis only compares them. Faults are `:info` entries of `:nemesis`, before and after. What the observer and the lab wrote
 * has no counterpart and is left out, and so is what members of groups were told, but for `:rebalance-log`.
 *
 * Source: jepsen.tests.kafka, "Operations"; jepsen.history; elle-cli, README.
 */
import { ednMap, formatEdn, keyword, type Edn, type EdnMap } from './edn.ts'
import {
  isRecordOperation,
  type ClientOperation,
  type History,
  type MicroOp,
  type Operation,
  type RecordOperation,
} from './operation.ts'
import { faultEntry, type JepsenEntry } from './jepsen-entry.ts'
import { listAppend } from './list-append.ts'

export const jepsenFormats = ['kafka', 'list-append'] as const

export type JepsenFormat = (typeof jepsenFormats)[number]

/** @throws Error when the format cannot hold the history */
export function formatJepsen(history: History, format: JepsenFormat): string {
  const entries = format === 'kafka' ? history.flatMap(kafkaEntries) : listAppend(history)
  return entries.map((entry, index) => `${formatEdn(numbered(entry, index))}\n`).join('')
}

function numbered({ operation, type, f, value }: JepsenEntry, index: number): EdnMap {
  const { process, timeMs, error } = operation
  const rebalanced = isRecordOperation(operation) && type !== 'invoke' ? operation.rebalanced : undefined
  return ednMap({
    index,
    // Tenths of a millisecond, so there is nothing to round away but the error of the fraction.
    time: Math.round(timeMs * 10) * 100_000,
    type: keyword(type),
    process: typeof process === 'number' ? process : keyword(process),
    f: keyword(f),
    value,
    error: error && type !== 'invoke' ? [keyword(errorName(error.code)), error.message] : undefined,
    'rebalance-log': rebalanced ? [ednMap({ keys: [...rebalanced] })] : undefined,
    entry: operation.index,
  })
}

/** `REQUEST_TIMED_OUT` → `request-timed-out`. */
function errorName(code: string): string {
  const name = code.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  return /^[a-z]/.test(name) ? name : `error-${name}`
}

function kafkaEntries(operation: Operation): JepsenEntry[] {
  if (isRecordOperation(operation)) {
    const value = operation.value.map(micro => kafkaMicroOp(micro, operation))
    return [{ operation, type: operation.type, f: operation.f, value }]
  }
  if (operation.process === 'nemesis') return [faultEntry(operation)]
  if (isClientOperation(operation)) return clientEntries(operation)
  return []
}

function isClientOperation(operation: Operation): operation is ClientOperation {
  return operation.f === 'assign' || operation.f === 'subscribe' || operation.f === 'crash'
}

function kafkaMicroOp(micro: MicroOp, { type }: RecordOperation): Edn {
  if (micro[0] === 'send') {
    const [, partition, sent] = micro
    if (typeof sent !== 'string') return [keyword('send'), partition, [...sent]]
    return [keyword('send'), partition, type === 'ok' ? [null, sent] : sent]
  }
  if (type === 'invoke' || micro[1] === undefined) return [keyword('poll')]
  const entries = Object.entries(micro[1]).map(
    ([partition, records]) => [partition, records.map(record => [...record])] as const,
  )
  return [keyword('poll'), { entries }]
}

/** Ours are told when they are done; Jepsen wants every completion to have an invocation. A crash ends its process, as `:info` does. */
function clientEntries(operation: ClientOperation): JepsenEntry[] {
  const { f, value } = operation
  const entry = { operation, f, value: [...value] }
  return [
    { ...entry, type: 'invoke' },
    { ...entry, type: f === 'crash' ? 'info' : operation.type },
  ]
}
