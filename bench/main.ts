/**
 * The benchmark: Faultline and Apache Kafka 4.3 side by side on this machine, as ratios with the target beside each.
 * `node bench/main.ts --help` lists cases and options. Ends every process it started and removes every file but its results.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { exitCodes, failure, messageOf, ToolkitError, usageError } from '#scripts/errors.ts'
import type { BenchCase } from './cases/context.ts'
import { compaction } from './cases/compaction.ts'
import { connections } from './cases/connections.ts'
import { consume } from './cases/consume.ts'
import { failover } from './cases/failover.ts'
import { largeBatches } from './cases/large-batches.ts'
import { logSize } from './cases/log-size.ts'
import { memory } from './cases/memory.ts'
import { partitions } from './cases/partitions.ts'
import { produce } from './cases/produce.ts'
import { proxy } from './cases/proxy.ts'
import { recovery } from './cases/recovery.ts'
import { replicated } from './cases/replicated.ts'
import { start } from './cases/start.ts'
import { Figures } from './figures.ts'
import { requireMachine } from './measure/machine.ts'
import type { BenchOptions, CaseName } from './options.ts'
import { parseOptions, usage } from './options.ts'
import type { Results } from './report.ts'
import { markdown, shortcomings, textTable } from './report.ts'

const cases: Readonly<Record<CaseName, BenchCase>> = {
  start,
  memory,
  connections,
  produce,
  consume,
  replicated,
  proxy,
  failover,
  'large-batches': largeBatches,
  'log-size': logSize,
  partitions,
  recovery,
  compaction,
}

// kafkajs computes some waits to be a little below zero, which Node.js would comment on.
process.removeAllListeners('warning')
process.on('warning', warning => {
  if (warning.name !== 'TimeoutNegativeWarning') console.error(warning)
})

const interrupt = new AbortController()
// Every time, not once: "timeout" and some shells send a signal twice, and the second would end us in the middle of cleaning up.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => interrupt.abort(failure(`Interrupted (${signal}); what was started has been taken away.`)))

function makeWorkFolder(directory: string): void {
  try {
    makeFolder(directory)
  } catch (error) {
    throw usageError(`--dir ${directory} cannot be made: ${messageOf(error)}.`, 'Choose another, or leave it away.')
  }
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args)
  if (options.help) {
    console.log(usage)
    return exitCodes.good
  }
  if (options.directory !== undefined) makeWorkFolder(options.directory)
  const work = mkdtempSync(join(resolve(options.directory ?? tmpdir()), 'faultline-bench-'))
  try {
    process.env['FAULTLINE_HOME'] = join(work, 'clusters')
    const machine = await requireMachine(work)
    const results = await measure(options, machine, work, args)
    save(results, options)
    console.log(textTable(results.figures))
    const short = shortcomings(results)
    console.log(short.length === 0 ? 'No target was missed.' : short.join('\n'))
    return results.failures.length === 0 ? exitCodes.good : exitCodes.failed
  } finally {
    rmSync(work, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

/** A case that fails is reported and the others go on; an interrupt ends all. */
async function measure(
  options: BenchOptions,
  machine: Results['machine'],
  work: string,
  args: readonly string[],
): Promise<Results> {
  const figures = new Figures()
  const failures: { case: string; why: string }[] = []
  const progress = (message: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${message}`)
  for (const name of options.cases) {
    const bench = cases[name]
    const limitMinutes = bench.minutesPerRound * options.rounds * options.engines.length
    const limit = AbortSignal.timeout(limitMinutes * 60_000)
    const signal = AbortSignal.any([interrupt.signal, limit])
    try {
      await bench.run({ options, figures, progress, signal, work })
    } catch (error) {
      if (interrupt.signal.aborted) throw interrupt.signal.reason
      const why = limit.aborted ? `not done after ${limitMinutes} minutes` : messageOf(error)
      progress(`${name} failed: ${why}`)
      failures.push({ case: name, why: why.split('\n')[0] ?? why })
    }
  }
  return {
    measuredAt: new Date().toISOString(),
    command: ['node bench/main.ts', ...args].join(' '),
    rounds: options.rounds,
    quick: options.quick,
    machine,
    figures: figures.all(),
    failures,
  }
}

function save(results: Results, options: BenchOptions): void {
  const out = join(projectRoot, 'out', 'bench')
  makeFolder(out)
  writeFileSync(join(out, 'results.json'), `${JSON.stringify(results, undefined, 2)}\n`)
  writeFileSync(join(out, 'results.md'), markdown(results))
  if (options.write) writeFileSync(join(projectRoot, 'docs', 'benchmarks.md'), markdown(results))
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(`error: ${messageOf(error)}`)
  if (error instanceof ToolkitError && error.remedy !== undefined) console.error(`  way out: ${error.remedy}`)
  process.exitCode = error instanceof ToolkitError ? error.exitCode : exitCodes.failed
}
