/**
 * What was measured: named figures with one sample per round and engine, compared as the ratio of medians (ours / Kafka's). A figure
 * without a target is reported and judged by nobody. Pure.
 */
import type { Engine } from '#scripts/cluster/cluster.ts'
import type { CaseName } from './options.ts'

export interface FigureKind {
  readonly case: CaseName
  readonly name: string
  readonly unit: string
  /** Which direction is good. */
  readonly better: 'lower' | 'higher'
  /** Ratio to reach: at most this when lower is better, else at least this. */
  readonly target?: number
  /** What our own value has to reach, whatever Kafka's is. */
  readonly least?: number
}

export interface Figure extends FigureKind {
  readonly samples: Readonly<Record<Engine, readonly number[]>>
  /** Medians; undefined when the engine was not measured. */
  readonly ours: number | undefined
  readonly kafka: number | undefined
  readonly ratio: number | undefined
  /** 'report': there is no target, or nothing to compare with. */
  readonly verdict: 'met' | 'missed' | 'report'
}

export class Figures {
  readonly #entries = new Map<string, { kind: FigureKind; samples: Record<Engine, number[]> }>()

  add(kind: FigureKind, engine: Engine, value: number): void {
    if (!Number.isFinite(value)) throw new RangeError(`${kind.case}, ${kind.name}: expected a number, got ${value}`)
    const key = `${kind.case}/${kind.name}`
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      entry = { kind, samples: { faultline: [], 'apache-kafka': [], redpanda: [] } }
      this.#entries.set(key, entry)
    }
    entry.samples[engine].push(value)
  }

  /** In the order in which they were first seen. */
  all(): Figure[] {
    return [...this.#entries.values()].map(({ kind, samples }) => {
      const ours = median(samples.faultline)
      const kafka = median(samples['apache-kafka'])
      const ratio = ours === undefined || kafka === undefined || kafka === 0 ? undefined : ours / kafka
      return { ...kind, samples, ours, kafka, ratio, verdict: verdictOf(kind, ratio, ours) }
    })
  }
}

/** A ratio that is the target but for the rounding of a division meets it. */
const ROUNDING = 1e-9

function verdictOf(kind: FigureKind, ratio: number | undefined, ours: number | undefined): Figure['verdict'] {
  if (kind.least !== undefined && ours !== undefined) return ours >= kind.least - ROUNDING ? 'met' : 'missed'
  if (kind.target === undefined || ratio === undefined) return 'report'
  const met = kind.better === 'lower' ? ratio <= kind.target + ROUNDING : ratio >= kind.target - ROUNDING
  return met ? 'met' : 'missed'
}

/** The middle sample, or the mean of the middle two; undefined of none. */
export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2
}
