/** Which value lies at which offset of a partition, and where the sources contradict each other: what was acknowledged, read, and is in the logs. */
import type { History } from '../../history/operation.ts'
import type { ContestedOffset } from './run-data.ts'
import { clientEntry, isReplicaLog, recordsOf } from './entries.ts'

export class RecordPlaces {
  readonly #first = new Map<number, string>()
  readonly #more = new Map<number, Set<string>>()
  readonly #offsetsOf = new Map<string, number>()
  readonly #repeated = new Set<number>()

  add(offset: number, value: string): void {
    const known = this.#first.get(offset)
    if (known === undefined) {
      this.#first.set(offset, value)
    } else if (known !== value) {
      const values = this.#more.get(offset) ?? new Set([known])
      this.#more.set(offset, values.add(value))
    }
    const elsewhere = this.#offsetsOf.get(value)
    if (elsewhere === undefined) this.#offsetsOf.set(value, offset)
    else if (elsewhere !== offset) this.#repeated.add(elsewhere).add(offset)
  }

  /** The value that was seen first. */
  at(offset: number): string | undefined {
    return this.#first.get(offset)
  }

  get contested(): ContestedOffset[] {
    return [...this.#more]
      .map(([offset, values]) => ({ offset, values: [...values] }))
      .sort((a, b) => a.offset - b.offset)
  }

  get repeated(): number[] {
    return [...this.#repeated].sort((a, b) => a - b)
  }

  get columns(): { runs: [first: number, count: number][]; values: string[] } {
    const offsets = [...this.#first.keys()].sort((a, b) => a - b)
    const runs: [number, number][] = []
    let next = -1
    for (const offset of offsets) {
      const last = runs.at(-1)
      if (last && offset === next) last[1] += 1
      else runs.push([offset, 1])
      next = offset + 1
    }
    return { runs, values: offsets.map(offset => this.#first.get(offset) ?? '') }
  }
}

/** What all entries say, partition by partition: acknowledgements and reads first, then the logs of the replicas. */
export function placesOf(history: History): ReadonlyMap<string, RecordPlaces> {
  const partitions = new Map<string, RecordPlaces>()
  const of = (name: string) => {
    const places = partitions.get(name) ?? new RecordPlaces()
    partitions.set(name, places)
    return places
  }
  for (const operation of history) {
    const entry = clientEntry(operation)
    if (entry === undefined || entry.type === 'invoke') continue
    for (const { partition, records } of recordsOf(entry.value)) {
      const places = of(partition)
      for (const [offset, value] of records) if (offset !== null) places.add(offset, value)
    }
  }
  for (const operation of history) {
    if (!isReplicaLog(operation)) continue
    const places = of(operation.value.partition)
    for (const { records } of operation.value.batches) for (const [offset, value] of records) places.add(offset, value)
  }
  return partitions
}
