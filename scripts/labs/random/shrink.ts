/**
 * Makes a lab that fails as small as it can be while it still fails by the same check: first the faults (delta debugging), then what is left
 * of the clients, partitions and controllers, then the time. It only decides what to try; whoever calls it runs the candidates.
 *
 * Source of the method: Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input (ddmin), 2002.
 */
import type { RandomLab } from './random-lab.ts'
import type { ScheduledFault } from './schedule.ts'

export interface ShrinkOptions {
  /** Whether a candidate still fails by the check in question. The same candidate is never asked twice. */
  readonly fails: (candidate: RandomLab) => Promise<boolean>
  /** Candidates that are run at most; default: 200. */
  readonly runsMax?: number
  /** Told when a smaller one was found. */
  readonly smaller?: (lab: RandomLab, what: string) => void
}

export interface Shrunk {
  readonly lab: RandomLab
  /** Candidates that were run. */
  readonly runs: number
  /** False: there was more to try when the runs were used up. */
  readonly complete: boolean
}

class RunsUsedUp extends Error {}

/** @param lab  fails; that is not asked again */
export async function shrink(lab: RandomLab, options: ShrinkOptions): Promise<Shrunk> {
  const shrinker = new Shrinker(lab, options)
  const complete = await shrinker.run()
  return { lab: shrinker.best, runs: shrinker.runs, complete }
}

class Shrinker {
  best: RandomLab
  runs = 0
  readonly #options: ShrinkOptions
  readonly #asked = new Map<string, boolean>()

  constructor(lab: RandomLab, options: ShrinkOptions) {
    this.best = lab
    this.#options = options
  }

  /** False: the runs were used up. */
  async run(): Promise<boolean> {
    try {
      for (let before; before !== this.best;) {
        before = this.best
        await this.#fewerFaults()
        await this.#fewerEverything()
        await this.#lessTime()
      }
      return true
    } catch (error) {
      if (error instanceof RunsUsedUp) return false
      throw error
    }
  }

  async #accept(candidate: RandomLab, what: string): Promise<boolean> {
    const text = JSON.stringify(candidate)
    if (text === JSON.stringify(this.best)) return false
    let fails = this.#asked.get(text)
    if (fails === undefined) {
      if (this.runs >= (this.#options.runsMax ?? 200)) throw new RunsUsedUp()
      this.runs++
      fails = await this.#options.fails(candidate)
      this.#asked.set(text, fails)
    }
    if (!fails) return false
    this.best = candidate
    this.#options.smaller?.(candidate, what)
    return true
  }

  /** Without pieces of the schedule, in ever smaller pieces; at the end no single fault can be left out. */
  async #fewerFaults(): Promise<void> {
    for (let pieces = 2; this.best.faults.length > 1;) {
      const { faults } = this.best
      const count = Math.min(pieces, faults.length)
      const size = Math.ceil(faults.length / count)
      let isSmaller = false
      for (let from = 0; from < faults.length && !isSmaller; from += size) {
        const rest = faults.filter((_, index) => index < from || index >= from + size)
        isSmaller = await this.#accept(withFaults(this.best, rest), `${rest.length} of ${faults.length} faults`)
      }
      if (isSmaller) pieces = Math.max(2, pieces - 1)
      else if (count === faults.length) return
      else pieces = Math.min(faults.length, pieces * 2)
    }
    if (this.best.faults.length === 1) await this.#accept(withFaults(this.best, []), 'no fault at all')
  }

  async #fewerEverything(): Promise<void> {
    for (const [name, least] of [
      ['consumers', 0],
      ['producers', 1],
      ['controllers', 0],
    ] as const)
      await this.#lower(name, least)
    for (let partitions = 1; partitions < this.best.partitions; partitions++)
      if (await this.#accept(withPartitions(this.best, partitions), `${partitions} partitions`)) break
    if (this.best.brokers > 3) await this.#accept({ ...this.best, brokers: 3 }, '3 brokers')
  }

  async #lower(name: 'consumers' | 'producers' | 'controllers', least: number): Promise<void> {
    for (let value = least; value < this.best[name]; value++)
      if (await this.#accept({ ...this.best, [name]: value }, `${value} ${name}`)) return
  }

  /** Sooner, and for a shorter time; in steps that halve what is there, rounded to a tenth of a second. */
  async #lessTime(): Promise<void> {
    const endMs = Math.max(0, ...this.best.faults.map(({ atMs, forMs }) => atMs + forMs))
    await this.#accept({ ...this.best, lengthMs: Math.min(this.best.lengthMs, endMs + 500) }, 'a shorter schedule')
    const firstMs = this.best.faults[0]?.atMs ?? 0
    const sooner = withFaults(
      this.best,
      this.best.faults.map(fault => ({ ...fault, atMs: fault.atMs - firstMs + Math.min(firstMs, earliestMs) })),
    )
    await this.#accept({ ...sooner, lengthMs: this.best.lengthMs - Math.max(0, firstMs - earliestMs) }, 'sooner')
    for (const [index] of this.best.faults.entries()) {
      for (;;) {
        const fault = this.best.faults[index] as ScheduledFault
        const forMs = halved(fault.forMs)
        if (forMs === fault.forMs) break
        const faults = this.best.faults.with(index, { ...fault, forMs })
        if (!(await this.#accept(withFaults(this.best, faults), `fault ${index} for ${forMs} ms`))) break
      }
    }
  }
}

/** The clients are at work by then. */
const earliestMs = 300

function halved(ms: number): number {
  return Math.max(100, Math.round(ms / 200) * 100)
}

function withFaults(lab: RandomLab, faults: readonly ScheduledFault[]): RandomLab {
  return { ...lab, faults }
}

/** Fewer partitions: faults that hit a role in one that is gone hit it in one that is there. */
function withPartitions(lab: RandomLab, partitions: number): RandomLab {
  const moved = (target: string) =>
    target.replace(/ of (\d+)$/, (_, index: string) => ` of ${Number(index) % partitions}`)
  return { ...lab, partitions, faults: lab.faults.map(fault => ({ ...fault, target: moved(fault.target) })) }
}
