/** What every case gets, and the order in which it measures. */
import type { Engine } from '#scripts/cluster/cluster.ts'
import type { Figures } from '../figures.ts'
import type { BenchOptions } from '../options.ts'

export interface CaseContext {
  readonly options: BenchOptions
  readonly figures: Figures
  readonly progress: (message: string) => void
  /** Given when the time of the case is over or the user interrupts. */
  readonly signal: AbortSignal
  /** A folder of this run for files. */
  readonly work: string
}

export interface BenchCase {
  /** Time for one engine in one round; a case that takes longer is cut off. */
  readonly minutesPerRound: number
  run(context: CaseContext): Promise<void>
}

/** Every round measures each engine once; the one that goes first alternates. */
export async function eachRound(
  { options, progress }: CaseContext,
  title: string,
  measure: (engine: Engine) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < options.rounds; round++) {
    const order = round % 2 === 0 ? options.engines : options.engines.toReversed()
    for (const engine of order) {
      progress(`${title}: round ${round + 1} of ${options.rounds}, ${engine}`)
      await measure(engine)
    }
  }
}
