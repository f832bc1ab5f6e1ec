/** The command line of the benchmark: which cases, how often, how long. Touches nothing. */
import { parseArgs } from 'node:util'
import type { Engine } from '#scripts/cluster/cluster.ts'
import { messageOf, usageError } from '#scripts/errors.ts'

export const caseNames = [
  'start',
  'memory',
  'connections',
  'produce',
  'consume',
  'replicated',
  'proxy',
  'failover',
  'large-batches',
  'log-size',
  'partitions',
  'recovery',
  'compaction',
] as const
export type CaseName = (typeof caseNames)[number]

/** The two that are compared. */
const engines = ['faultline', 'apache-kafka'] as const satisfies readonly Engine[]

export interface BenchOptions {
  readonly cases: readonly CaseName[]
  /** How often each engine is measured; the rounds of the two interleave and medians are compared. */
  readonly rounds: number
  /** Few records: shows that the benchmark works, its figures mean little. */
  readonly quick: boolean
  readonly engines: readonly Engine[]
  /** What `large-batches` writes, per engine and round. */
  readonly gigabytes: number
  /** Rewrite docs/benchmarks.md from this run. */
  readonly write: boolean
  /** Where brokers keep their data meanwhile; default: the system's folder for temporary files. */
  readonly directory: string | undefined
  readonly help: boolean
}

export const usage = `Usage: node bench/main.ts [CASE...] [options]

Measures Faultline and Apache Kafka side by side on this machine. Needs Java 17+, javac and Kafka's jars.

Cases (default: all): ${caseNames.join(', ')}
  --rounds N        rounds per engine, interleaved; medians are compared (default 3, with --quick 1)
  --quick           small counts: proves that everything runs, says little about speed
  --engine ENGINE   only faultline or only apache-kafka: no ratios
  --gigabytes N     size of the case large-batches (default 2, with --quick 0.25)
  --dir DIR         where the brokers keep their data during the run
  --write           regenerate docs/benchmarks.md from this run
Results: out/bench/results.json and out/bench/results.md
Exit code: 0 measured (also when a target is missed: that is printed), 1 a case failed, 2 usage, 3 something is missing`

/** @throws a usage error that says what was expected */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parsed(args)
  const quick = values.quick
  const unknown = positionals.find(name => !isCase(name))
  if (unknown !== undefined)
    throw usageError(`There is no case ${JSON.stringify(unknown)}: expected some of ${caseNames.join(', ')}.`)
  const engine = values.engine
  const chosen = engines.filter(candidate => engine === undefined || candidate === engine)
  if (chosen.length === 0) throw usageError(`--engine must be one of ${engines.join(', ')}, got ${String(engine)}.`)
  return {
    cases: positionals.length === 0 ? caseNames : caseNames.filter(name => positionals.includes(name)),
    rounds: number('--rounds', values.rounds ?? (quick ? '1' : '3'), { least: 1, whole: true }),
    quick,
    engines: chosen,
    gigabytes: number('--gigabytes', values.gigabytes ?? (quick ? '0.25' : '2'), { least: 0.01, whole: false }),
    write: values.write,
    directory: values.dir,
    help: values.help,
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        engine: { type: 'string' },
        gigabytes: { type: 'string' },
        dir: { type: 'string' },
        write: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw usageError(messageOf(error), 'node bench/main.ts --help')
  }
}

function isCase(name: string): name is CaseName {
  return (caseNames as readonly string[]).includes(name)
}

function number(option: string, text: string, { least, whole }: { least: number; whole: boolean }): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value) && value >= least && (!whole || Number.isInteger(value)))
    return value
  throw usageError(`${option} must be a ${whole ? 'whole ' : ''}number from ${least} on, got ${JSON.stringify(text)}.`)
}
