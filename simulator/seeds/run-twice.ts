/** One seed, run twice: a run that cannot be repeated cannot be debugged, so a difference is a failure of its own. */
import type { World } from '../world/world.ts'
import { runSeed, type SeedOptions, type SeedResult } from './run-seed.ts'

export type SeedReport = Omit<SeedResult, 'history'> & {
  /** Virtual time of both runs, and the real and CPU time that they took. */
  readonly simulatedMs: number
  readonly realMs: number
  readonly cpuMs: number
}

export async function runTwice(options: SeedOptions): Promise<SeedReport> {
  const beganMs = performance.now()
  const beganCpu = process.cpuUsage()
  const first = await runSeed(options)
  const second = await runSeed(options)
  const realMs = Math.round(performance.now() - beganMs)
  const { user, system } = process.cpuUsage(beganCpu)
  const { history: _history, ...rest } = first
  const report = {
    ...rest,
    simulatedMs: first.virtualMs + second.virtualMs,
    realMs,
    cpuMs: Math.round((user + system) / 1000),
  }
  if (first.hash === second.hash || first.failure !== undefined) return report
  return {
    ...report,
    failure: `seed ${options.seed} is not deterministic: ${await firstDifference(options)}`,
    trace: [],
  }
}

interface Step {
  readonly hash: string
  readonly what: string
}

/** Runs the seed twice more and names the first event after which the two differ. */
async function firstDifference(options: SeedOptions): Promise<string> {
  const record = async (): Promise<Step[]> => {
    const steps: Step[] = []
    const onWorld = (world: World): void => {
      options.onWorld?.(world)
      world.onEvent(node =>
        steps.push({ hash: world.hash, what: `${world.nowUs} us, ${node?.name ?? 'world or client'}` }),
      )
    }
    await runSeed({ ...options, onWorld })
    return steps
  }
  const first = await record()
  const second = await record()
  const index = first.findIndex((step, at) => step.hash !== second[at]?.hash)
  if (index < 0) return 'two more runs were equal'
  return `event ${index} differs: ${first[index]?.what}, against ${second[index]?.what ?? 'the end of the run'}`
}
