/** What clients did, as columns: each operation is its invocation and its completion, with the records it touched as runs of offsets. */
import type { History } from '../../history/operation.ts'
import { brief, clientEntry, recordsOf, type ClientEntry, type Records } from './entries.ts'
import type { RecordPlaces } from './record-places.ts'
import { actions, outcomes, ticksPerMs, type MarkData, type OperationColumns, type Outcome } from './run-data.ts'

/** Numbers names in the order in which they come up. */
export class Names {
  readonly list: string[] = []
  readonly #numbers = new Map<string, number>()

  numberOf(name: string): number {
    let number = this.#numbers.get(name)
    if (number === undefined) {
      number = this.list.push(name) - 1
      this.#numbers.set(name, number)
    }
    return number
  }
}

interface Draft {
  readonly first: ClientEntry
  last?: ClientEntry
}

export interface EncodedOperations {
  readonly operations: OperationColumns
  readonly clients: readonly { readonly name: string; readonly retiredAtMs: readonly number[] }[]
  readonly marks: readonly MarkData[]
}

export function encodeOperations(
  history: History,
  endMs: number,
  partitions: Names,
  places: ReadonlyMap<string, RecordPlaces>,
): EncodedOperations {
  const clients = new Names()
  const retired = new Map<number, number[]>()
  const marks: MarkData[] = []
  const drafts: Draft[] = []
  const open = new Map<number, Draft>()
  const retire = (client: number, atMs: number) => retired.set(client, [...(retired.get(client) ?? []), atMs])
  for (const operation of history) {
    const entry = clientEntry(operation)
    if (entry === undefined) {
      const { index, timeMs, f } = operation
      if (!('client' in operation)) continue
      const client = clients.numberOf(operation.client)
      if (f === 'crash') retire(client, timeMs)
      marks.push({ atMs: timeMs, index, client, text: `${f} ${brief(operation.value)}`.replace(/ \[\]$/, '') })
      continue
    }
    if (entry.type === 'invoke') {
      const draft = { first: entry }
      drafts.push(draft)
      open.set(entry.process, draft)
      continue
    }
    const draft = open.get(entry.process)
    open.delete(entry.process)
    if (draft) draft.last = entry
    else drafts.push({ first: entry, last: entry })
    if (entry.type === 'info') retire(clients.numberOf(entry.client), entry.timeMs)
  }
  const columns = new Columns(endMs, clients, partitions, places)
  for (const draft of drafts) columns.add(draft)
  return {
    operations: columns.done(),
    clients: clients.list.map((name, client) => ({ name, retiredAtMs: retired.get(client) ?? [] })),
    marks,
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer Item)[] ? Item[] : T[K] }

class Columns {
  readonly #columns: Mutable<Omit<OperationColumns, 'kinds' | 'errors'>> = {
    client: [],
    process: [],
    kind: [],
    outcome: [],
    start: [],
    duration: [],
    invoked: [],
    completed: [],
    error: [],
    touches: [],
    action: [],
    partition: [],
    offset: [],
    count: [],
    explicit: [],
    notes: [],
  }
  readonly #kinds = new Names()
  readonly #errors = new Names()
  readonly #endMs: number
  readonly #clients: Names
  readonly #partitions: Names
  readonly #places: ReadonlyMap<string, RecordPlaces>
  #ticks = 0
  #index = 0

  constructor(endMs: number, clients: Names, partitions: Names, places: ReadonlyMap<string, RecordPlaces>) {
    this.#endMs = endMs
    this.#clients = clients
    this.#partitions = partitions
    this.#places = places
  }

  add({ first, last }: Draft): void {
    const columns = this.#columns
    const ticks = Math.round(first.timeMs * ticksPerMs)
    const outcome: Outcome = last === undefined || last.type === 'invoke' ? 'open' : last.type
    const number = columns.client.push(this.#clients.numberOf(first.client)) - 1
    columns.process.push(first.process)
    columns.kind.push(this.#kinds.numberOf(first.f))
    columns.outcome.push(outcomes.indexOf(outcome))
    columns.start.push(ticks - this.#ticks)
    columns.duration.push(Math.max(0, Math.round((last?.timeMs ?? this.#endMs) * ticksPerMs) - ticks))
    columns.invoked.push(first.index - this.#index)
    columns.completed.push(last === undefined ? 0 : last.index - first.index)
    columns.error.push(last?.error ? this.#errors.numberOf(`${last.error.code}: ${last.error.message}`) + 1 : 0)
    this.#ticks = ticks
    this.#index = first.index
    const value = (last ?? first).value
    const records = recordsOf(value)
    const touched = records.reduce((sum, each) => sum + this.#touch(each), 0)
    columns.touches.push(touched)
    const note = noteOf(first, last, touched === 0 && !isPlain(first.f))
    if (note !== '') columns.notes.push([number, note])
  }

  /** Cuts records into runs of offsets that follow each other, and answers how many there are. */
  #touch({ action, partition, records }: Records): number {
    const places = this.#places.get(partition)
    const { action: actionColumn, partition: partitionColumn, offset: offsets, count: counts, explicit } = this.#columns
    let runs = 0
    for (let from = 0; from < records.length;) {
      const [first] = records[from] as Records['records'][number]
      let to = from + 1
      while (
        to < records.length &&
        (first === null ? records[to]?.[0] === null : records[to]?.[0] === first + to - from)
      )
        to += 1
      const run = records.slice(from, to)
      const touch = actionColumn.push(actions.indexOf(action)) - 1
      partitionColumn.push(this.#partitions.numberOf(partition))
      offsets.push(first ?? -1)
      counts.push(run.length)
      if (run.some(([offset, value]) => offset === null || places?.at(offset) !== value))
        explicit.push([touch, run.map(([, value]) => value)])
      runs += 1
      from = to
    }
    return runs
  }

  done(): OperationColumns {
    return { kinds: this.#kinds.list, errors: this.#errors.list, ...this.#columns }
  }
}

/** What has no records when it failed or found none. */
function isPlain(f: string): boolean {
  return f === 'send' || f === 'poll' || f === 'txn'
}

/** What an operation is about apart from records: its transaction, the offsets it commits; its whole value where that is of an unknown form. */
function noteOf(first: ClientEntry, last: ClientEntry | undefined, withValue: boolean): string {
  const { value, transactionalId, commits, isolation } = { ...first, ...last }
  return [
    ...(transactionalId === undefined ? [] : [`transactional id ${transactionalId}`]),
    ...(commits === undefined ? [] : [`commits ${brief(commits)}`]),
    ...(isolation === undefined ? [] : [isolation]),
    ...(withValue ? [brief(value)] : []),
  ].join(', ')
}
