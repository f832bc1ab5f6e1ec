/**
 * What every checker needs to know about a history, worked out once in one pass over its entries: who wrote and who read each value,
 * which values were seen at which offset, and in which order the log holds them. It decides nothing.
 *
 * Two words matter. A *position* is the index of an offset among the offsets where something was seen: offsets may have holes (control
 * records, compaction), positions have none. A value may have several positions (duplicates), an offset several values (divergence);
 * checkers stay sound by comparing the last position of one with the first of the other.
 *
 * Who reads uncommitted sees what is in the log, and proves nothing about commits: such reads have a place, and count as reads, but they are no
 * evidence that a transaction was committed.
 *
 * Source: jepsen.tests.kafka (analysis: must-have-committed?, version-orders, writer-of, readers-of).
 */
import {
  isRecordOperation,
  pollsOf,
  sendsOf,
  type History,
  type Observation,
  type Offset,
  type PartitionName,
  topicOf,
  type RecordOperation,
  type Removal,
  type ReplicaLog,
  type Value,
} from '../history/operation.ts'

export interface Write {
  readonly partition: PartitionName
  readonly value: Value
  /** Index of the invocation in the history. */
  readonly invoked: number
  readonly process: number
  /** Part of a transaction: it counts when the whole does. */
  readonly transactional: boolean
  /** All writes of the operation, this one among them. */
  readonly siblings: readonly Write[]
  /** What was seen of its value. */
  readonly seen: ValueFacts
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
  /** First entry of an `ok` poll that returned it as committed (not `read_uncommitted`). */
  firstCommittedRead: number | undefined
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
  /**
   * Highest log start offset that was seen of each partition, as far as the history says that records may be removed: what lies below was removed
   * by retention, or on request, and is missed by nobody.
   */
  readonly logStarts: ReadonlyMap<PartitionName, Offset>
  /** Highest log start offset that was seen of each partition, on any replica, whether that was wanted or not. */
  readonly seenLogStarts: ReadonlyMap<PartitionName, { readonly offset: Offset; readonly entry: number }>
  readonly acknowledged: number
  readonly read: number
  /** `complete` when the last read reached the end of every partition, or the history does not say anything about one. */
  readonly finalRead: 'complete' | 'incomplete'
  /** Index of the entry that began the final read; undefined when the history does not mark it. */
  readonly finalReadFrom: number | undefined
}

export function analyse(history: History): Analysis {
  const builder = new Builder()
  for (const operation of history) {
    if (isRecordOperation(operation)) builder.recordOperation(operation)
    else if (operation.f === 'read-replica') builder.replicaLog(operation.value as ReplicaLog, operation.index)
    else if (operation.f === 'removal') builder.removals.push(operation.value as Removal)
    else if (operation.process === 'observer' && operation.f === 'observe')
      builder.observation(operation.value, operation.index)
    else if (operation.process === 'lab' && operation.f === 'phase') builder.phase(operation.value, operation.index)
  }
  builder.finish()
  return {
    history,
    partitions: builder.partitions,
    completions: builder.completions,
    replicaLogs: builder.replicaLogs,
    logStarts: builder.logStarts(),
    seenLogStarts: builder.seenLogStarts,
    acknowledged: builder.acknowledged,
    read: builder.read,
    finalRead: builder.finalRead,
    finalReadFrom: builder.finalReadFrom,
  }
}

/**
 * True when the write certainly took effect: it was acknowledged, or somebody read something that stands and falls with it. That is the whole
 * transaction, and without one what the operation sent to the same partition.
 */
export function mustHaveCommitted(write: Write): boolean {
  if (write.outcome !== 'info') return write.outcome === 'ok'
  return write.siblings.some(({ partition, seen }) => {
    if (write.transactional) return seen.firstCommittedRead !== undefined
    return partition === write.partition && seen.firstRead !== undefined
  })
}

/** True when the offset was removed because somebody wanted it so (retention, a request), not by a fault. */
export function expired({ logStarts }: Pick<Analysis, 'logStarts'>, partition: PartitionName, offset: Offset): boolean {
  return offset < (logStarts.get(partition) ?? 0)
}

/** Below which offset the history says that records of a partition may be removed; 0: nowhere, infinity: wherever retention finds them. */
export function removableBelow(removals: readonly Removal[], partition: PartitionName): Offset {
  const concerned = removals.filter(
    ({ topic, partition: only }) =>
      (topic === undefined || topic === topicOf(partition)) && (only === undefined || only === partition),
  )
  return Math.max(0, ...concerned.map(({ before }) => before ?? Number.POSITIVE_INFINITY))
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

/** Position of the first place at or above an offset; the number of positions when there is none. */
export function positionAtOrAbove({ offsets }: PartitionFacts, offset: Offset): number {
  let [low, high] = [0, offsets.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((offsets[middle] as Offset) < offset) low = middle + 1
    else high = middle
  }
  return low
}

/** The workload broke its own rule; no verdict about the cluster is possible. */
export class UnusableHistoryError extends Error {}

class Builder {
  readonly partitions = new Map<PartitionName, PartitionFacts>()
  readonly completions: RecordOperation[] = []
  readonly replicaLogs: ReplicaLog[] = []
  readonly removals: Removal[] = []
  readonly seenLogStarts = new Map<PartitionName, { readonly offset: Offset; readonly entry: number }>()
  readonly #leaderLogStarts = new Map<PartitionName, Offset>()
  acknowledged = 0
  read = 0
  finalReadFrom: number | undefined
  finalRead: Analysis['finalRead'] = 'complete'
  readonly #open = new Map<number, { readonly invocation: RecordOperation; readonly writes: Write[] }>()

  phase(name: string, index: number): void {
    if (name === 'final-read') this.finalReadFrom = index
    // A run that never came to its final read says `final-read-incomplete` all the same.
    if (name === 'final-read' || name === 'final-read-incomplete') this.finalRead = 'incomplete'
    if (name === 'final-read-complete') this.finalRead = 'complete'
  }

  replicaLog(log: ReplicaLog, entry: number): void {
    this.replicaLogs.push(log)
    this.#logStart(log.partition, log.logStartOffset, entry, log.leader)
  }

  observation({ partitions }: Observation, entry: number): void {
    for (const [name, { highWatermark, logStartOffset }] of Object.entries(partitions)) {
      // Left out it is 0, or unknown: a leader that did not answer tells nothing.
      if (highWatermark === null && logStartOffset === undefined) continue
      this.#logStart(name, logStartOffset ?? 0, entry, true)
    }
  }

  #logStart(partition: PartitionName, offset: Offset, entry: number, isLeader: boolean): void {
    if (offset > (this.seenLogStarts.get(partition)?.offset ?? -1)) this.seenLogStarts.set(partition, { offset, entry })
    if (isLeader && offset > (this.#leaderLogStarts.get(partition) ?? 0)) this.#leaderLogStarts.set(partition, offset)
  }

  /** Where logs begin, no further than records may have been removed. */
  logStarts(): Map<PartitionName, Offset> {
    const starts = new Map<PartitionName, Offset>()
    for (const [partition, seen] of this.#leaderLogStarts) {
      const start = Math.min(seen, removableBelow(this.removals, partition))
      if (start > 0) starts.set(partition, start)
    }
    return starts
  }

  recordOperation(operation: RecordOperation): void {
    if (operation.type === 'invoke') {
      const writes: Write[] = []
      for (const { partition, value } of sendsOf(operation)) this.#write(operation, partition, value, writes)
      this.#open.set(operation.process, { invocation: operation, writes })
      return
    }
    this.completions.push(operation)
    this.#sends(operation)
    if (operation.f !== 'send') this.#polls(operation)
  }

  /** What the operation's own writes came to. A transaction may learn what it sends from what it polls: then only its completion names them. */
  #sends(operation: RecordOperation): void {
    const open = this.#open.get(operation.process)
    this.#open.delete(operation.process)
    const writes = open?.writes ?? []
    const type = operation.type as Write['outcome']
    // A transaction that was committed without a write it had in mind never sent it; of an ordinary send nobody knows.
    const unnamed = type !== 'ok' ? type : operation.f === 'txn' ? 'fail' : 'info'
    for (const write of writes) {
      write.completed = operation.index
      write.outcome = unnamed
    }
    let position = 0
    for (const micro of operation.value) {
      if (micro[0] !== 'send') continue
      const [, partition, sent] = micro
      const value = typeof sent === 'string' ? sent : sent[1]
      const is = (write: Write | undefined) => write?.value === value && write.partition === partition
      let write = is(writes[position]) ? writes[position] : writes.find(is)
      if (!write && open && operation.f === 'txn') write = this.#write(open.invocation, partition, value, writes)
      if (!write) {
        throw new UnusableHistoryError(
          `entry ${operation.index} completes ${partition} ${value}, which its invocation did not send`,
        )
      }
      write.acknowledgedOffset = typeof sent === 'string' ? null : sent[0]
      write.completed = operation.index
      write.outcome = type
      if (type === 'ok') this.acknowledged += 1
      position += 1
    }
  }

  #polls(operation: RecordOperation): void {
    const committed = operation.isolation !== 'read_uncommitted'
    for (const { partition, records } of pollsOf(operation)) {
      const facts = this.#partition(partition)
      for (const [offset, value] of records) {
        const seen = this.#value(facts, value)
        this.#see(facts, seen, offset)
        if (operation.type !== 'ok') continue
        this.read += 1
        seen.firstRead ??= operation.index
        seen.lastRead = operation.index
        if (committed) seen.firstCommittedRead ??= operation.index
      }
    }
  }

  /** Adds what acknowledgements said about offsets, then puts everything in order. */
  finish(): void {
    for (const facts of this.partitions.values()) {
      for (const write of facts.writes) {
        // A failed operation names no offset. One of unknown outcome may have been told one that others were given since, where a leader was
        // lost or a transaction aborted: it counts when somebody read what it wrote.
        if (write.outcome === 'fail' || write.acknowledgedOffset === null) continue
        if (write.outcome === 'info' && !mustHaveCommitted(write)) continue
        this.#see(facts, write.seen, write.acknowledgedOffset)
      }
      facts.offsets = [...facts.valuesAt.keys()].sort((a, b) => a - b)
      facts.positionOf = new Map(facts.offsets.map((offset, position) => [offset, position]))
      for (const value of facts.values.values()) if (value.offsets.length > 1) value.offsets.sort((a, b) => a - b)
    }
  }

  #write(operation: RecordOperation, partition: PartitionName, value: Value, siblings: Write[]): Write {
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
      transactional: operation.f === 'txn',
      siblings,
      seen,
      completed: undefined,
      outcome: 'info',
      acknowledgedOffset: null,
    }
    seen.write = write
    facts.writes.push(write)
    siblings.push(write)
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
      seen = {
        value,
        write: undefined,
        offsets: [],
        firstRead: undefined,
        lastRead: undefined,
        firstCommittedRead: undefined,
      }
      facts.values.set(value, seen)
    }
    return seen
  }
}
