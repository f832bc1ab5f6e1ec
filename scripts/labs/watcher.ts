/** Who looks on while a lab runs: it is told of every entry of the history, and may hold the run where there is something to see. */
import type { Cluster } from '../cluster/cluster.ts'
import type { Operation } from '../history/operation.ts'
import type { Lab, Variant } from './lab.ts'

/** Something that whoever looks on is to find out. */
export interface LabQuestion {
  /** What there is to see, line by line. */
  readonly shown: readonly string[]
  readonly question: string
  readonly choices: readonly string[]
}

export interface LabWatcher {
  begins?(lab: Pick<Lab, 'name'>, variant: Variant): void
  entry?(operation: Operation): void
  /**
   * A step of the script is about to begin, or a fault has taken effect. The script goes on when it resolves, and ends when it rejects. In
   * virtual time nothing happens meanwhile but what it asks the cluster.
   */
  moment?(what: string, at: { readonly cluster: Cluster; readonly topic: string }): Promise<void>
  /** The index of the choice; undefined: no answer. The script goes on when it resolves; in virtual time nothing happens meanwhile. */
  ask?(question: LabQuestion, at: { readonly cluster: Cluster }): Promise<number | undefined>
}
