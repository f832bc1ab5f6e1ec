/**
 * How long `./faultline up` takes, from the command to the moment when it returns, which is when every broker is unfenced and a record went
 * through each: a table in Markdown. `make up-times` writes docs/up-times.md, on a machine that has nothing else to do.
 *
 *   node bench/up-times.ts [--runs 3] [--brokers 1,3,5] [--runtimes process,compose,simulated] [--engines faultline,apache-kafka] [--write]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { execa } from 'execa'
import type { Engine, RuntimeName } from '#scripts/cluster/cluster.ts'
import { parseEngine } from '#scripts/cluster/engine-name.ts'
import { runtimeByName } from '#scripts/cluster/runtimes.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { exitCodes, failure, messageOf, usageError } from '#scripts/errors.ts'

export interface UpTimes {
  readonly runtime: string
  readonly engine: string
  /** Seconds of each run, by the number of brokers; or why there are none. */
  readonly seconds: ReadonlyMap<number, readonly number[]> | string
}

/** The medians as a table, a row for each runtime and engine. */
export function upTable(rows: readonly UpTimes[], brokers: readonly number[]): string {
  const median = (samples: readonly number[] = []): string => {
    const sorted = [...samples].sort((one, other) => one - other)
    const middle = sorted[Math.floor((sorted.length - 1) / 2)]
    return middle === undefined ? '–' : `${middle.toFixed(1)} s`
  }
  const cells = ({ seconds }: UpTimes): string[] =>
    typeof seconds === 'string'
      ? [seconds, ...brokers.slice(1).map(() => '')]
      : brokers.map(count => median(seconds.get(count)))
  const lines = [
    ['runtime', 'engine', ...brokers.map(count => `${count} broker${count === 1 ? '' : 's'}`)],
    ['---', '---', ...brokers.map(() => '---:')],
    ...rows.map(row => [row.runtime, row.engine, ...cells(row)]),
  ]
  return lines.map(line => `| ${line.join(' | ')} |`).join('\n')
}

interface Plan {
  readonly runs: number
  readonly brokers: readonly number[]
  readonly runtimes: readonly RuntimeName[]
  readonly engines: readonly Engine[]
  readonly write: boolean
}

function plan(args: readonly string[]): Plan {
  const text = (value: string) => ({ type: 'string', default: value }) as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: text('3'),
      brokers: text('1,3,5'),
      runtimes: text('process,compose,simulated'),
      engines: text('faultline,apache-kafka'),
      write: { type: 'boolean', default: false },
    },
  })
  const numbers = (option: string, list: string): number[] =>
    list.split(',').map(each => {
      const number = Number(each)
      if (Number.isInteger(number) && number > 0) return number
      throw usageError(`--${option} must be whole numbers from 1 on with commas, got ${JSON.stringify(list)}.`)
    })
  const runtimes = ['process', 'compose', 'simulated'] as const
  return {
    runs: numbers('runs', values.runs)[0] ?? 1,
    brokers: numbers('brokers', values.brokers),
    runtimes: values.runtimes.split(',').map(each => {
      const found = runtimes.find(runtime => runtime === each)
      if (found !== undefined) return found
      throw usageError(`--runtimes must be some of ${runtimes.join(', ')}, got ${JSON.stringify(each)}.`)
    }),
    engines: values.engines.split(',').map(each => parseEngine('--engines', each).engine),
    write: values.write,
  }
}

async function measure(runtime: RuntimeName, engine: Engine, { runs, brokers }: Plan, home: string): Promise<UpTimes> {
  const found = await (await runtimeByName(runtime)).available(engine)
  if (!found.available) return { runtime, engine, seconds: found.missing }
  const seconds = new Map<number, number[]>()
  for (const count of brokers) {
    for (let run = 1; run <= runs; run++) {
      const took = await oneUp(runtime, engine, count, home)
      seconds.set(count, [...(seconds.get(count) ?? []), took])
      console.error(`${runtime}, ${engine}, ${count}: ${took.toFixed(2)} s (${run} of ${runs})`)
    }
  }
  return { runtime, engine, seconds }
}

async function oneUp(runtime: RuntimeName, engine: Engine, brokers: number, home: string): Promise<number> {
  const command = join(projectRoot, 'faultline')
  const options = { reject: false, env: { FAULTLINE_HOME: home }, timeout: 300_000 } as const
  const what = ['--runtime', runtime, '--engine', engine, '--brokers', String(brokers), '--port', '0', '--json']
  const begin = performance.now()
  const up = await execa(command, ['up', ...what], options)
  const seconds = (performance.now() - begin) / 1000
  // A start that failed has taken everything away itself.
  if (up.failed) throw failure(`./faultline up ${what.join(' ')} failed:\n${up.stderr.slice(-1_500)}`)
  const down = await execa(command, ['down'], options)
  if (down.failed) throw failure(`./faultline down failed:\n${down.stderr.slice(-1_500)}`)
  return seconds
}

async function main(): Promise<void> {
  const chosen = plan(process.argv.slice(2))
  const home = join(mkdtempSync(join(tmpdir(), 'faultline-up-times-')), 'state')
  const [load = 0] = loadavg()
  if (load > 0.5) console.error(`The machine is busy (load ${load.toFixed(1)}): these times will be too long.`)
  const rows: UpTimes[] = []
  try {
    for (const runtime of chosen.runtimes)
      for (const engine of chosen.engines) rows.push(await measure(runtime, engine, chosen, home))
  } finally {
    rmSync(join(home, '..'), { recursive: true, force: true })
  }
  const text = page(upTable(rows, chosen.brokers), chosen, load)
  if (chosen.write) writeFileSync(join(projectRoot, 'docs', 'up-times.md'), text)
  console.log(text)
}

function page(table: string, { runs }: Plan, load: number): string {
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}`
  return `# How long up takes

From the command \`./faultline up\` on nothing to its return: every broker is unfenced, and a record went through each. Written by
\`make up-times\`; do not edit. Medians of ${runs}, on ${machine}, Node.js ${process.versions.node}; load before: ${load.toFixed(1)}.

${table}
`
}

if (import.meta.main) {
  try {
    await main()
  } catch (error) {
    console.error(messageOf(error))
    process.exitCode = exitCodes.failed
  }
}
