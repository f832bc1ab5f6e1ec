/**
 * Histories for Elle's list-append checker (`elle-cli --model list-append`): every partition is a list, a send appends to it, and a poll reads the list
 * up to where it came.
 *
 * A poll returns only what is new to its client, a read of a list everything; so a read is what the client has polled so far, and below where it began
 * what the log holds. What a client skipped is missing from its list, and what it saw otherwise than others is in it as it saw it: both are an
 * `incompatible-order` to Elle. Only completed reads of committed records count. Kafka promises less than Elle's default model: ask
 * for `--consistency-models read-committed`, and expect G0, which Kafka allows.
 */
import { analyse, type PartitionFacts } from '../checkers/analysis.ts'
import { keyword, type Edn } from './edn.ts'
import { faultEntry, type JepsenEntry } from './jepsen-entry.ts'
import {
  isRecordOperation,
  type History,
  type MicroOp,
  type Offset,
  type PartitionName,
  type RecordOperation,
  type Value,
} from './operation.ts'

/** Reads repeat what came before, so the size grows with the square of the history. */
const elementsMax = 5_000_000

/** @throws Error when the lists would be too long */
export function listAppend(history: History): JepsenEntry[] {
  const writer = new Writer(history)
  return history.flatMap(operation => {
    if (operation.process === 'nemesis') return [faultEntry(operation)]
    return isRecordOperation(operation) ? [writer.entry(operation)] : []
  })
}

class Writer {
  readonly #partitions: ReadonlyMap<PartitionName, PartitionFacts>
  /** Invocation → its completion. */
  readonly #completions = new Map<RecordOperation, RecordOperation>()
  readonly #polled = new Map<string, Map<Offset, Value>>()
  #elements = 0

  constructor(history: History) {
    this.#partitions = analyse(history).partitions
    const open = new Map<number, RecordOperation>()
    for (const operation of history) {
      if (!isRecordOperation(operation)) continue
      const invocation = open.get(operation.process)
      if (operation.type === 'invoke') open.set(operation.process, operation)
      else if (invocation) this.#completions.set(invocation, operation)
    }
  }

  entry(operation: RecordOperation): JepsenEntry {
    // An invocation names the reads that its completion turned out to be.
    const said = operation.type === 'invoke' ? (this.#completions.get(operation) ?? operation) : operation
    const value = said.value.flatMap(micro => this.#microOp(micro, operation))
    return { operation, type: operation.type, f: 'txn', value }
  }

  #microOp(micro: MicroOp, operation: RecordOperation): Edn[] {
    if (micro[0] === 'send') {
      const [, partition, sent] = micro
      return [[keyword('append'), partition, typeof sent === 'string' ? sent : sent[1]]]
    }
    const counts = operation.type === 'ok' && operation.isolation !== 'read_uncommitted'
    return Object.entries(micro[1] ?? {}).map(([partition, records]) => [
      keyword('r'),
      partition,
      counts ? this.#list(operation.process, partition, records) : null,
    ])
  }

  #list(process: number, partition: PartitionName, records: readonly (readonly [Offset, Value])[]): Value[] {
    const name = `${process} ${partition}`
    const polled = this.#polled.get(name) ?? new Map<Offset, Value>()
    this.#polled.set(name, polled)
    for (const [offset, value] of records) polled.set(offset, value)
    const seen = [...polled].sort(([a], [b]) => a - b)
    const below = this.#below(partition, seen[0]?.[0] ?? 0)
    const own = seen.map(([, value]) => value)
    this.#elements += below.length + own.length
    if (this.#elements > elementsMax) {
      throw new Error(
        `the lists that were read would have more than ${elementsMax} elements: a read of a list repeats all that came before; export a shorter run, or use the format kafka`,
      )
    }
    return [...below, ...own]
  }

  /** What the log holds below where a client began, as far as it counts. */
  #below(partition: PartitionName, first: Offset): Value[] {
    const facts = this.#partitions.get(partition) as PartitionFacts
    const values: Value[] = []
    for (const offset of facts.offsets) {
      if (offset >= first) break
      const value = facts.valuesAt.get(offset)?.find(each => {
        const { write, firstCommittedRead } = facts.values.get(each) ?? {}
        return firstCommittedRead !== undefined || write?.outcome === 'ok'
      })
      if (value !== undefined) values.push(value)
    }
    return values
  }
}
