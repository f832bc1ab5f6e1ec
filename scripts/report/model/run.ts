/** The columns of a run, unfolded into arrays that are quick to walk, and the questions a picture asks of them. */
import {
  actions,
  outcomes,
  ticksPerMs,
  type Action,
  type Outcome,
  type PartitionData,
  type RunData,
} from './run-data.ts'

/** One touch of an operation: a run of records in a partition. `offset` is -1 where nobody knows it. */
export interface Touch {
  readonly action: Action
  readonly partition: number
  readonly offset: number
  readonly values: readonly string[]
}

export class Run {
  readonly data: RunData
  /** Number of operations. */
  readonly length: number
  /** Milliseconds; ascending. */
  readonly start: Float64Array
  readonly end: Float64Array
  readonly client: Uint16Array
  readonly kind: Uint8Array
  readonly outcome: Uint8Array
  /** Entries of the history; equal where there is only one. */
  readonly invoked: Uint32Array
  readonly completed: Uint32Array
  /** Touches of operation `i` are `touchFrom[i]` up to `touchFrom[i + 1]`. */
  readonly touchFrom: Uint32Array
  readonly touchPartition: Uint16Array
  readonly touchOffset: Float64Array
  readonly touchCount: Uint32Array
  readonly touchAction: Uint8Array
  /** Operations of each client, in order. */
  readonly byClient: readonly Uint32Array[]
  readonly #explicit: ReadonlyMap<number, readonly string[]>
  readonly #notes: ReadonlyMap<number, string>
  #values: readonly ValuesAt[] | undefined
  #entries: Map<number, number> | undefined

  constructor(data: RunData) {
    this.data = data
    const columns = data.operations
    const count = columns.client.length
    this.length = count
    this.start = new Float64Array(count)
    this.end = new Float64Array(count)
    this.invoked = new Uint32Array(count)
    this.completed = new Uint32Array(count)
    this.client = Uint16Array.from(columns.client)
    this.kind = Uint8Array.from(columns.kind)
    this.outcome = Uint8Array.from(columns.outcome)
    this.touchFrom = new Uint32Array(count + 1)
    this.touchPartition = Uint16Array.from(columns.partition)
    this.touchOffset = Float64Array.from(columns.offset)
    this.touchCount = Uint32Array.from(columns.count)
    this.touchAction = Uint8Array.from(columns.action)
    this.#explicit = new Map(columns.explicit)
    this.#notes = new Map(columns.notes)
    let [ticks, entry] = [0, 0]
    for (let i = 0; i < count; i += 1) {
      ticks += at(columns.start, i)
      entry += at(columns.invoked, i)
      this.start[i] = ticks / ticksPerMs
      this.end[i] = (ticks + at(columns.duration, i)) / ticksPerMs
      this.invoked[i] = entry
      this.completed[i] = entry + at(columns.completed, i)
      this.touchFrom[i + 1] = at(this.touchFrom, i) + at(columns.touches, i)
    }
    this.byClient = this.#split()
  }

  #split(): Uint32Array[] {
    const counts = new Uint32Array(this.data.clients.length)
    for (const client of this.client) counts[client] = at(counts, client) + 1
    const lists = [...counts].map(count => new Uint32Array(count))
    counts.fill(0)
    this.client.forEach((client, operation) => {
      const list = lists[client] as Uint32Array
      list[at(counts, client)] = operation
      counts[client] = at(counts, client) + 1
    })
    return lists
  }

  kindOf(operation: number): string {
    return this.data.operations.kinds[at(this.kind, operation)] ?? 'operation'
  }

  outcomeOf(operation: number): Outcome {
    return outcomes[at(this.outcome, operation)] ?? 'open'
  }

  clientOf(operation: number): string {
    return this.data.clients[at(this.client, operation)]?.name ?? ''
  }

  processOf(operation: number): number {
    return at(this.data.operations.process, operation)
  }

  errorOf(operation: number): string | undefined {
    return this.data.operations.errors[at(this.data.operations.error, operation) - 1]
  }

  noteOf(operation: number): string | undefined {
    return this.#notes.get(operation)
  }

  partition(number: number): PartitionData | undefined {
    return this.data.partitions[number]
  }

  touches(operation: number, partition: number): boolean {
    const to = at(this.touchFrom, operation + 1)
    for (let touch = at(this.touchFrom, operation); touch < to; touch += 1)
      if (this.touchPartition[touch] === partition) return true
    return false
  }

  touchesOf(operation: number): Touch[] {
    const touches: Touch[] = []
    const to = at(this.touchFrom, operation + 1)
    for (let touch = at(this.touchFrom, operation); touch < to; touch += 1) touches.push(this.touch(touch))
    return touches
  }

  touch(touch: number): Touch {
    const partition = at(this.touchPartition, touch)
    const offset = at(this.touchOffset, touch)
    const count = at(this.touchCount, touch)
    const values =
      this.#explicit.get(touch) ??
      Array.from({ length: count }, (_, index) => this.#valuesAt[partition]?.at(offset + index) ?? '')
    return { action: actions[at(this.touchAction, touch)] ?? 'send', partition, offset, values }
  }

  /** The value that was seen first at an offset. */
  valueAt(partition: number, offset: number): string | undefined {
    return this.#valuesAt[partition]?.at(offset)
  }

  get #valuesAt(): readonly ValuesAt[] {
    this.#values ??= this.data.partitions.map(partition => new ValuesAt(partition))
    return this.#values
  }

  /** How many records an operation has, of one partition or of all. */
  recordsOf(operation: number, partition?: number): number {
    let records = 0
    const to = at(this.touchFrom, operation + 1)
    for (let touch = at(this.touchFrom, operation); touch < to; touch += 1)
      if (partition === undefined || this.touchPartition[touch] === partition) records += at(this.touchCount, touch)
    return records
  }

  /** The operation to which an entry of the history belongs. */
  operationOfEntry(index: number): number | undefined {
    if (this.#entries === undefined) {
      this.#entries = new Map()
      for (let i = 0; i < this.length; i += 1) {
        this.#entries.set(at(this.invoked, i), i)
        this.#entries.set(at(this.completed, i), i)
      }
    }
    return this.#entries.get(index)
  }

  /** Operations that sent or read an offset, in order; at most `most`. */
  operationsAt(partition: number, offset: number, most: number): number[] {
    const found: number[] = []
    for (let i = 0; i < this.length && found.length < most; i += 1) {
      const to = at(this.touchFrom, i + 1)
      for (let touch = at(this.touchFrom, i); touch < to; touch += 1) {
        const first = at(this.touchOffset, touch)
        if (this.touchPartition[touch] !== partition || first < 0) continue
        if (offset >= first && offset < first + at(this.touchCount, touch)) {
          found.push(i)
          break
        }
      }
    }
    return found
  }

  /** The first operation from `from` on that carries a value, going round at the end. */
  findValue(value: string, from: number): number | undefined {
    for (let step = 0; step < this.length; step += 1) {
      const operation = (from + step) % this.length
      if (this.touchesOf(operation).some(touch => touch.values.includes(value))) return operation
    }
    return undefined
  }
}

/** Looks a value up in the runs of a partition. */
class ValuesAt {
  readonly #runs: PartitionData['runs']
  readonly #values: readonly string[]
  readonly #from: readonly number[]

  constructor({ runs, values }: PartitionData) {
    this.#runs = runs
    this.#values = values
    let from = 0
    this.#from = runs.map(([, count]) => (from += count) - count)
  }

  at(offset: number): string | undefined {
    let [low, high] = [0, this.#runs.length - 1]
    while (low <= high) {
      const middle = (low + high) >> 1
      const [first, count] = this.#runs[middle] ?? [0, 0]
      if (offset < first) high = middle - 1
      else if (offset >= first + count) low = middle + 1
      else return this.#values[(this.#from[middle] ?? 0) + offset - first]
    }
    return undefined
  }
}

/** An element that is there. */
export function at(numbers: ArrayLike<number>, index: number): number {
  return numbers[index] as number
}
