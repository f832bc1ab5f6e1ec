/** The command line of the simulator. */
import { parseArgs } from 'node:util'

export interface SimulatorOptions {
  /** Seeds to run, in this order. */
  readonly seeds: readonly number[]
  /** One seed was asked for: show its log. */
  readonly single: boolean
  /** Length of the phase with faults, ms; undefined: each seed draws its own. */
  readonly safetyMs: number | undefined
  /** No new seed is begun after so much real time, but at least `least` are run. */
  readonly budgetMs: number | undefined
  readonly least: number
  readonly workers: number
  readonly verbose: boolean
}

export const usage = `Usage: node simulator/main.ts [--seeds N] [--first N] [--seed N] [--minutes M] [--budget-ms MS] [--least N] [--workers N] [--verbose]

  --seeds N       run N seeds, each twice (default 200)
  --first N       the first seed (default 1)
  --seed N        run this one, and show what its nodes logged when it fails
  --minutes M     simulated minutes with faults per seed (default: each seed draws its own)
  --budget-ms MS  begin no new seed after so much time
  --least N       seeds to run whatever the budget says (default 40)
  --workers N     processes at work at a time (default: 2)
  --verbose       with --seed: every log line as it comes`

/** Throws an Error with a text for people when the options make no sense. */
export function parseOptions(argv: readonly string[]): SimulatorOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seeds: { type: 'string', default: '200' },
      first: { type: 'string', default: '1' },
      seed: { type: 'string' },
      minutes: { type: 'string' },
      'budget-ms': { type: 'string' },
      least: { type: 'string', default: '40' },
      workers: { type: 'string', default: '2' },
      verbose: { type: 'boolean', default: false },
    },
  })
  const first = integer('--first', values.first, 0)
  const count = integer('--seeds', values.seeds, 1)
  const single = values.seed === undefined ? undefined : integer('--seed', values.seed, 0)
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes)
  if (minutes !== undefined && !(minutes > 0))
    throw new Error(`--minutes: expected a number above 0, got ${values.minutes}`)
  return {
    seeds: single === undefined ? Array.from({ length: count }, (_, index) => first + index) : [single],
    single: single !== undefined,
    safetyMs: minutes === undefined ? undefined : Math.round(minutes * 60_000),
    budgetMs: values['budget-ms'] === undefined ? undefined : integer('--budget-ms', values['budget-ms'], 1),
    least: integer('--least', values.least, 1),
    workers: integer('--workers', values.workers, 1),
    verbose: values.verbose,
  }
}

function integer(name: string, text: string, least: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new Error(`${name}: expected a whole number from ${least}, got ${text}`)
}
