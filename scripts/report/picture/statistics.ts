/** Latency and throughput per moment, for moments as long as the zoom asks for. Each length is computed once per filter. */
import { at, type Run } from '../model/run.ts'
import { outcomes } from '../model/run-data.ts'
import type { Shown } from './filter.ts'

export interface LatencyBucket {
  readonly fromMs: number
  readonly median: number
  readonly p99: number
  readonly count: number
}

export interface Throughput {
  readonly stepMs: number
  /** Records per moment, from the start of the run. */
  readonly acknowledged: Float64Array
  readonly read: Float64Array
}

const ok = outcomes.indexOf('ok')

export class Statistics {
  readonly #run: Run
  readonly #shown: Shown
  /** Operations whose duration says how long a client waited: a poll waits for records, not for an answer. */
  readonly timed: Uint32Array
  readonly least: number
  readonly most: number
  readonly #latency = new Map<number, readonly LatencyBucket[]>()
  readonly #throughput = new Map<number, Throughput>()

  constructor(run: Run, shown: Shown) {
    this.#run = run
    this.#shown = shown
    const timed: number[] = []
    let [least, most] = [Infinity, 0]
    for (let operation = 0; operation < run.length; operation += 1) {
      if (run.kindOf(operation) === 'poll' || !shown(operation)) continue
      const lasted = at(run.end, operation) - at(run.start, operation)
      timed.push(operation)
      if (lasted > 0) least = Math.min(least, lasted)
      most = Math.max(most, lasted)
    }
    this.timed = Uint32Array.from(timed)
    this.least = Number.isFinite(least) ? Math.max(0.1, least) : 0.1
    this.most = Math.max(most, this.least * 10)
  }

  /** Median and 99th percentile of what was answered with `ok`, by the moment of the answer. Empty moments are left out. */
  latency(stepMs: number): readonly LatencyBucket[] {
    return kept(this.#latency, stepMs, () => {
      const run = this.#run
      const buckets: number[][] = []
      for (const operation of this.timed) {
        if (at(run.outcome, operation) !== ok) continue
        const bucket = Math.floor(at(run.end, operation) / stepMs)
        const lasted = at(run.end, operation) - at(run.start, operation)
        const list = buckets[bucket]
        if (list) list.push(lasted)
        else buckets[bucket] = [lasted]
      }
      const found: LatencyBucket[] = []
      buckets.forEach((lasted, bucket) => {
        lasted.sort((a, b) => a - b)
        const share = (part: number) => at(lasted, Math.min(lasted.length - 1, Math.floor(part * lasted.length)))
        found.push({ fromMs: bucket * stepMs, median: share(0.5), p99: share(0.99), count: lasted.length })
      })
      return found
    })
  }

  throughput(stepMs: number): Throughput {
    return kept(this.#throughput, stepMs, () => {
      const run = this.#run
      const moments = Math.floor(run.data.endMs / stepMs) + 1
      const acknowledged = new Float64Array(moments)
      const read = new Float64Array(moments)
      for (let operation = 0; operation < run.length; operation += 1) {
        if (at(run.outcome, operation) !== ok || !this.#shown(operation)) continue
        const moment = Math.min(moments - 1, Math.floor(at(run.end, operation) / stepMs))
        const to = at(run.touchFrom, operation + 1)
        for (let touch = at(run.touchFrom, operation); touch < to; touch += 1) {
          const into = at(run.touchAction, touch) === 0 ? acknowledged : read
          into[moment] = at(into, moment) + at(run.touchCount, touch)
        }
      }
      return { stepMs, acknowledged, read }
    })
  }
}

function kept<T>(made: Map<number, T>, step: number, make: () => T): T {
  let value = made.get(step)
  if (value === undefined) {
    value = make()
    made.set(step, value)
  }
  return value
}
