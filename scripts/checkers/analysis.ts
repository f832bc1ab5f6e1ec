/**
 * What every checker needs to know about a history, worked out once in one pass over its entries: who wrote and who read each value,
 * which values were seen at which offset, and in which order the log holds them. It decides nothing.
 *
 * Two words matter. A *position* is the index of an offset among the offsets where something was seen: offsets may have holes (control
 * records, compaction), positions have none. A value may have several positions (duplicates), an offset several values (divergence);
 * checkers stay sound by comparing the last position of one with the first of the other.
 *
 * Source: jepsen.tests.kafka (analysis: must-have-committed?, version-orders, writer-of, readers-of).
 */
import {
  isRecordOperation,
  pollsOf,
  sendsOf,
  type History,
  type Offset,
  type PartitionName,
  type RecordOperation,
  type ReplicaLog,
  type Value,
} from '../history/operation.ts'

export interface Write {
  readonly partition: PartitionName
  readonly value: Value
  /** Index of the invocation in the history. */
  readonly invoked: number
  readonly process: number
  /** Index of the completion; undefined when the client never came back. */
  completed: number | undefined
  /** A missing completion counts as `info`. */
  outcome: 'ok' | 'fail' | 'info'
  /** What the acknowledgement said; null when it named no offset. */
  acknowledgedOffset: Offset | null
}

export interface ValueFacts {
  readonly value: Value
  /** Undefined when nobody in this history wrote it. */
  write: Write | undefined
  /** Where it was seen, ascending, without repetition. */
  offsets: Offset[]
  /** First entry of an `ok` poll that returned it. */
  firstRead: number | undefined
  /** Last entry of an `ok` poll that returned it. */
  lastRead: number | undefined
}

export interface PartitionFacts {
  readonly name: PartitionName
  readonly values: Map<Value, ValueFacts>
  /** Which values were seen at an offset: one, unless something is wrong. */
  readonly valuesAt: Map<Offset, Value[]>
  /** Offsets at which something was seen, ascending: position → offset. */
  offsets: Offset[]
  positionOf: Map<Offset, number>
  /** Writes in the order of their invocation. */
  readonly writes: Write[]
}

export interface Analysis {
  readonly history: History
  readonly partitions: ReadonlyMap<PartitionName, PartitionFacts>
  /** Completed polls with their sends, in the order of the history. */
  readonly completions: readonly RecordOperation[]
  readonly replicaLogs: readonly ReplicaLog[]
  readonly acknowledged: number
  readonly read: number
  /** `complete` when the last read reached the end of every partition, or the history does not say anything about it. */
  readonly finalRead: 'complete' | 'incomplete'
  /** Index of the entry that began the final read; undefined when the history does not mark it. */
  readonly finalReadFrom: number | undefined
}

export function analyse(history: History): Analysis {
  const builder = new Builder()
  for (const operation of history) {
    if (isRecordOperation(operation)) builder.recordOperation(operation)
    else if (operation.f === 'read-replica') builder.replicaLogs.push(operation.value as ReplicaLog)
    else if (operation.process === 'lab' && operation.f === 'phase') builder.phase(operation.value, operation.index)
  }
  builder.finish()
  return {
    history,
    partitions: builder.partitions,
    completions: builder.completions,
    replicaLogs: builder.replicaLogs,
    acknowledged: builder.acknowledged,
    read: builder.read,
    finalRead: builder.finalReadFrom === undefined || builder.finalReadComplete ? 'complete' : 'incomplete',
    finalReadFrom: builder.finalReadFrom,
  }
}

/** True when the write certainly took effect: it was acknowledged, or somebody read something of the same operation. */
export function mustHaveCommitted(write: Write, analysis: Analysis): boolean {
  if (write.outcome === 'ok') return true
  if (write.outcome === 'fail') return false
  const invocation = analysis.history[write.invoked] as RecordOperation
  return sendsOf(invocation).some(
    ({ partition, value }) => analysis.partitions.get(partition)?.values.get(value)?.firstRead !== undefined,
  )
}

/** Position of the first place where a value was seen; undefined when its place is unknown. */
export function firstPosition(facts: PartitionFacts, value: ValueFacts): number | undefined {
  const offset = value.offsets[0]
  return offset === undefined ? undefined : facts.positionOf.get(offset)
}

/** Position of the last place where a value was seen; undefined when its place is unknown. */
export function lastPosition(facts: PartitionFacts, value: ValueFacts): number | undefined {
  const offset = value.offsets.at(-1)
  return offset === undefined ? undefined : facts.positionOf.get(offset)
}

/** The workload broke its own rule; no verdict about the cluster is possible. */
export class UnusableHistoryError extends Error {}

class Builder {
  readonly partitions = new Map<PartitionName, PartitionFacts>()
  readonly completions: RecordOperation[] = []
  readonly replicaLogs: ReplicaLog[] = []
  acknowledged = 0
  read = 0
  finalReadFrom: number | undefined
  finalReadComplete = false
  readonly #open = new Map<number, Write[]>()

  phase(name: string, index: number): void {
    if (name === 'final-read') this.finalReadFrom = index
    if (name === 'final-read-complete') this.finalReadComplete = true
  }

  recordOperation(operation: RecordOperation): void {
    if (operation.type === 'invoke') {
      this.#open.set(
        operation.process,
        sendsOf(operation).map(({ partition, value }) => this.#write(operation, partition, value)),
      )
      return
    }
    this.completions.push(operation)
    const writes = this.#open.get(operation.process) ?? []
    this.#open.delete(operation.process)
    for (const [position, send] of sendsOf(operation).entries()) {
      const write = writes[position]
      if (write?.value !== send.value || write.partition !== send.partition) {
        throw new UnusableHistoryError(
          `entry ${operation.index} completes ${send.partition} ${send.value}, which its invocation did not send`,
        )
      }
      write.completed = operation.index
      write.outcome = operation.type
      write.acknowledgedOffset = send.offset
      if (operation.type === 'ok') this.acknowledged += 1
    }
    for (const { partition, records } of pollsOf(operation)) {
      const facts = this.#partition(partition)
      for (const [offset, value] of records) {
        const seen = this.#value(facts, value)
        this.#see(facts, seen, offset)
        if (operation.type !== 'ok') continue
        this.read += 1
        seen.firstRead ??= operation.index
        seen.lastRead = operation.index
      }
    }
  }

  /** Adds what acknowledgements said about offsets, then puts everything in order. */
  finish(): void {
    for (const facts of this.partitions.values()) {
      for (const write of facts.writes) {
        // A failed operation names no offset, and one nobody heard of again has none to name.
        if (write.outcome === 'fail' || write.acknowledgedOffset === null) continue
        this.#see(facts, this.#value(facts, write.value), write.acknowledgedOffset)
      }
      facts.offsets = [...facts.valuesAt.keys()].sort((a, b) => a - b)
      facts.positionOf = new Map(facts.offsets.map((offset, position) => [offset, position]))
      for (const value of facts.values.values()) if (value.offsets.length > 1) value.offsets.sort((a, b) => a - b)
    }
  }

  #write(operation: RecordOperation, partition: PartitionName, value: Value): Write {
    const facts = this.#partition(partition)
    const seen = this.#value(facts, value)
    if (seen.write) {
      throw new UnusableHistoryError(
        `${value} was sent to ${partition} by entry ${seen.write.invoked} and again by ${operation.index}: values must be unique per partition`,
      )
    }
    const write: Write = {
      partition,
      value,
      invoked: operation.index,
      process: operation.process,
      completed: undefined,
      outcome: 'info',
      acknowledgedOffset: null,
    }
    seen.write = write
    facts.writes.push(write)
    return write
  }

  #see(facts: PartitionFacts, value: ValueFacts, offset: Offset): void {
    const present = facts.valuesAt.get(offset)
    if (present?.includes(value.value)) return
    if (present) present.push(value.value)
    else facts.valuesAt.set(offset, [value.value])
    value.offsets.push(offset)
  }

  #partition(name: PartitionName): PartitionFacts {
    let facts = this.partitions.get(name)
    if (!facts) {
      facts = { name, values: new Map(), valuesAt: new Map(), offsets: [], positionOf: new Map(), writes: [] }
      this.partitions.set(name, facts)
    }
    return facts
  }

  #value(facts: PartitionFacts, value: Value): ValueFacts {
    let seen = facts.values.get(value)
    if (!seen) {
      seen = { value, write: undefined, offsets: [], firstRead: undefined, lastRead: undefined }
      facts.values.set(value, seen)
    }
    return seen
  }
}
