/** Everything that a picture of the timeline depends on. */
import { at, type Run } from '../model/run.ts'
import { countShown, shownBy, type Filter, type Shown } from './filter.ts'
import { layoutOf, type Layout } from './layout.ts'
import { Statistics } from './statistics.ts'
import { scaleOf, type Bounds, type Scale, type Window } from './window.ts'

export interface Scene {
  readonly run: Run
  readonly filter: Filter
  readonly shown: Shown
  readonly statistics: Statistics
  readonly layout: Layout
  readonly scale: Scale
  /** Operations that belong to the chosen finding. */
  readonly marked: ReadonlySet<number>
  readonly selected: number | undefined
}

/** A run as it is looked at: what is shown of it, which part of its time, what is chosen. */
export class Look {
  readonly run: Run
  readonly bounds: Bounds
  window: Window
  marked: ReadonlySet<number> = new Set()
  selected: number | undefined
  #filter: Filter = {}
  #shown: Shown
  #statistics: Statistics
  #layout: Layout

  constructor(run: Run, width: number) {
    this.run = run
    this.bounds = { from: 0, to: run.data.endMs, least: Math.min(1, run.data.endMs) }
    this.window = { from: 0, to: run.data.endMs }
    this.#shown = shownBy(run, {})
    this.#statistics = new Statistics(run, this.#shown)
    this.#layout = layoutOf(run, {}, width)
  }

  get filter(): Filter {
    return this.#filter
  }

  set filter(filter: Filter) {
    this.#filter = filter
    this.#shown = shownBy(this.run, filter)
    this.#statistics = new Statistics(this.run, this.#shown)
    this.#layout = layoutOf(this.run, filter, this.#layout.width)
  }

  resize(width: number): void {
    this.#layout = layoutOf(this.run, this.#filter, width)
  }

  get shownCount(): number {
    return countShown(this.run, this.#shown)
  }

  get scene(): Scene {
    return {
      run: this.run,
      filter: this.#filter,
      shown: this.#shown,
      statistics: this.#statistics,
      layout: this.#layout,
      scale: scaleOf(this.window, this.#layout.left, this.#layout.right),
      marked: this.marked,
      selected: this.selected,
    }
  }

  /** The operation of the same client that comes before or after the chosen one and is shown; the first or last in sight if none is chosen. */
  neighbour(step: 1 | -1): number | undefined {
    const { run } = this
    if (this.selected === undefined) {
      const inSight = (operation: number) =>
        this.#shown(operation) &&
        at(run.end, operation) >= this.window.from &&
        at(run.start, operation) <= this.window.to
      return this.#next(step > 0 ? 0 : run.length - 1, step, inSight)
    }
    const client = at(run.client, this.selected)
    const same = (operation: number) => at(run.client, operation) === client && this.#shown(operation)
    return this.#next(this.selected + step, step, same)
  }

  /** The operation nearest in time of the next or previous client that is shown. */
  aside(step: 1 | -1): number | undefined {
    const { run, selected } = this
    if (selected === undefined) return this.neighbour(1)
    const clients = this.run.data.clients.length
    for (let client = at(run.client, selected) + step; client >= 0 && client < clients; client += step) {
      const found = nearest(run, client, at(run.end, selected), this.#shown)
      if (found !== undefined) return found
    }
    return undefined
  }

  #next(from: number, step: number, suits: Shown): number | undefined {
    for (let operation = from; operation >= 0 && operation < this.run.length; operation += step)
      if (suits(operation)) return operation
    return undefined
  }
}

/** Index in the client's list of the first operation that begins after a time. */
export function firstAfter(run: Run, client: number, ms: number): number {
  const list = run.byClient[client] ?? new Uint32Array()
  let [low, high] = [0, list.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (at(run.start, at(list, middle)) > ms) high = middle
    else low = middle + 1
  }
  return low
}

/** The shown operation of a client that is at work at a time, or else the nearest. */
export function nearest(run: Run, client: number, ms: number, shown: Shown): number | undefined {
  const list = run.byClient[client] ?? new Uint32Array()
  const after = firstAfter(run, client, ms)
  const distance = (operation: number) => Math.max(at(run.start, operation) - ms, ms - at(run.end, operation), 0)
  const seek = (from: number, step: 1 | -1) => {
    for (let index = from; index >= 0 && index < list.length; index += step)
      if (shown(at(list, index))) return at(list, index)
    return undefined
  }
  const [before, next] = [seek(after - 1, -1), seek(after, 1)]
  if (before === undefined || next === undefined) return before ?? next
  return distance(before) <= distance(next) ? before : next
}
