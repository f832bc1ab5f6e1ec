/**
 * Runs seeds: each is one cluster with clients and faults in virtual time, run twice. A failing seed prints the line that replays it.
 *
 * Exit codes: 0 all good, 1 a seed failed, 2 usage.
 */
import { brokerOfSeed } from './seeds/broker.ts'
import { parseOptions, type SimulatorOptions, usage } from './seeds/options.ts'
import { runPool, type SeedOutcome } from './seeds/pool.ts'
import { runTwice } from './seeds/run-twice.ts'
import { Watchdog } from './watchdog/watchdog.ts'

const deeds = new Map<string, number>()
const totals = { seeds: 0, failed: 0, simulatedMs: 0, events: 0, acknowledged: 0, faults: 0, cpuMs: 0 }

function main(argv: readonly string[]): Promise<number> {
  let options: SimulatorOptions
  try {
    options = parseOptions(argv)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return Promise.resolve(2)
  }
  return options.single ? one(options) : many(options)
}

async function one(options: SimulatorOptions): Promise<number> {
  const seed = options.seeds[0]!
  const watchdog = new Watchdog({ reportTo: process.stderr.fd })
  const report = await runTwice({
    seed,
    onWorld: world => watchdog.watch(world),
    ...brokerOfSeed,
    ...(options.safetyMs === undefined ? {} : { safetyMs: options.safetyMs }),
    ...(options.verbose ? { world: { logLevel: 'debug', onLine: (line: string) => console.log(line) } } : {}),
  })
  watchdog.rest()
  for (const line of report.trace ?? []) console.log(line)
  account({ seed, report })
  console.log(summary(report.realMs))
  return totals.failed === 0 ? 0 : 1
}

async function many(options: SimulatorOptions): Promise<number> {
  const beganMs = performance.now()
  const { budgetMs, least, safetyMs, workers } = options
  const passedMs = (): number => performance.now() - beganMs
  let shownMs = 0
  await runPool({
    tasks: options.seeds.map(seed => ({ seed, safetyMs })),
    workers,
    goOn: begun => budgetMs === undefined || begun < least || passedMs() < budgetMs,
    done(outcome) {
      account(outcome)
      if (passedMs() - shownMs < 10_000) return
      shownMs = passedMs()
      console.log(
        `${seedCount(totals.seeds)}, ${totals.failed} failed, ${Math.round(totals.simulatedMs / 60_000)} simulated minutes`,
      )
    },
  })
  console.log(summary(passedMs()))
  return totals.failed === 0 ? 0 : 1
}

function account(outcome: SeedOutcome): void {
  const { seed } = outcome
  totals.seeds++
  const failure = 'broken' in outcome ? `seed ${seed}: ${outcome.broken}` : outcome.report.failure
  if ('report' in outcome) {
    const { report } = outcome
    totals.simulatedMs += report.simulatedMs
    totals.events += report.events * 2
    totals.acknowledged += report.acknowledged
    totals.faults += report.faults
    totals.cpuMs += report.cpuMs
    for (const [actor, count] of Object.entries(report.deeds)) deeds.set(actor, (deeds.get(actor) ?? 0) + count)
  }
  if (failure === undefined) return
  totals.failed++
  const swarm = 'report' in outcome ? `\n  ${outcome.report.swarm}` : ''
  console.log(`FAILED ${failure}${swarm}\n  replay: make sim SEED=${seed}`)
}

function seedCount(count: number): string {
  return `${count} seed${count === 1 ? '' : 's'}`
}

function summary(realMs: number): string {
  const { seeds, failed, simulatedMs, events, acknowledged, faults, cpuMs } = totals
  const perCore = simulatedMs / Math.max(1, cpuMs)
  return [
    `${seeds - failed} passed, ${failed} failed: ${seedCount(seeds)}, each twice, in ${(realMs / 1000).toFixed(1)} s`,
    `${acknowledged} records acknowledged, ${faults} faults, ${events} events`,
    ...[...deeds].map(([actor, count]) => `${actor}: ${count}`).sort(),
    `${(simulatedMs / 60_000).toFixed(1)} simulated minutes: ${(simulatedMs / realMs).toFixed(1)} per wall-clock minute, ${perCore.toFixed(1)} per minute of CPU`,
  ].join('\n')
}

process.exitCode = await main(process.argv.slice(2))
