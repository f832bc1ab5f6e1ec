/** What of a run is shown: everything, or one client, one partition, one kind of operation, one outcome. */
import { at, type Run } from '../model/run.ts'

export interface Filter {
  readonly client?: number | undefined
  readonly partition?: number | undefined
  readonly kind?: number | undefined
  readonly outcome?: number | undefined
}

export type Shown = (operation: number) => boolean

const everything: Shown = () => true

export function shownBy(run: Run, { client, partition, kind, outcome }: Filter): Shown {
  if (client === undefined && partition === undefined && kind === undefined && outcome === undefined) return everything
  return operation =>
    (client === undefined || at(run.client, operation) === client) &&
    (kind === undefined || at(run.kind, operation) === kind) &&
    (outcome === undefined || at(run.outcome, operation) === outcome) &&
    (partition === undefined || run.touches(operation, partition))
}

export function countShown(run: Run, shown: Shown): number {
  if (shown === everything) return run.length
  let count = 0
  for (let operation = 0; operation < run.length; operation += 1) if (shown(operation)) count += 1
  return count
}
