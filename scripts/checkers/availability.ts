/**
 * availability: how long writers had to wait. A figure, not a promise: it is never invalid by itself, and unknown when nothing was
 * acknowledged. The report draws the gaps; benchmarks compare them.
 */
import { isRecordOperation, type History, type Operation } from '../history/operation.ts'
import type { Analysis } from './analysis.ts'
import { countOf, unknown, type CheckResult } from './result.ts'

export interface AckGap {
  readonly fromMs: number
  readonly toMs: number
  readonly lastedMs: number
  /** Faults that were applied in the gap or in the second before it. */
  readonly faults: readonly string[]
}

export interface Availability {
  readonly acknowledgedSends: number
  readonly failedSends: number
  readonly unknownSends: number
  readonly errors: Readonly<Record<string, number>>
  readonly latencyMs: { readonly median: number; readonly p99: number; readonly worst: number }
  /** Longest first; at most ten. */
  readonly gaps: readonly AckGap[]
}

const gapsMax = 10

/** Measures the sends of a history. */
export function measureAvailability(history: History): Availability {
  const invoked = new Map<number, number>()
  const errors: Record<string, number> = {}
  const outcomes = { ok: 0, fail: 0, info: 0 }
  const latencies: number[] = []
  const ackedAtMs: number[] = []
  for (const operation of history) {
    if (!isRecordOperation(operation) || operation.f !== 'send') continue
    if (operation.type === 'invoke') {
      invoked.set(operation.process, operation.timeMs)
      continue
    }
    outcomes[operation.type] += 1
    if (operation.error) errors[operation.error.code] = (errors[operation.error.code] ?? 0) + 1
    if (operation.type !== 'ok') continue
    latencies.push(operation.timeMs - (invoked.get(operation.process) ?? operation.timeMs))
    ackedAtMs.push(operation.timeMs)
  }
  latencies.sort((a, b) => a - b)
  const at = (share: number) =>
    Math.round((latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))] ?? 0) * 10) / 10
  return {
    acknowledgedSends: outcomes.ok,
    failedSends: outcomes.fail,
    unknownSends: outcomes.info,
    errors,
    latencyMs: { median: at(0.5), p99: at(0.99), worst: at(1) },
    gaps: gapsBetween(ackedAtMs, history),
  }
}

function gapsBetween(ackedAtMs: readonly number[], history: History): AckGap[] {
  const gaps: { fromMs: number; toMs: number }[] = []
  for (let next = 1; next < ackedAtMs.length; next += 1) {
    const gap = { fromMs: ackedAtMs[next - 1] as number, toMs: ackedAtMs[next] as number }
    gaps.push(gap)
    if (gaps.length > 4 * gapsMax) keepLongest(gaps)
  }
  keepLongest(gaps)
  const faults = history.filter(operation => operation.process === 'nemesis' && operation.type !== 'invoke')
  return gaps.map(gap => ({
    ...gap,
    lastedMs: Math.round(gap.toMs - gap.fromMs),
    faults: faults.filter(near(gap)).map(describeFault),
  }))
}

function keepLongest(gaps: { fromMs: number; toMs: number }[]): void {
  gaps.sort((a, b) => b.toMs - b.fromMs - (a.toMs - a.fromMs))
  gaps.length = Math.min(gaps.length, gapsMax)
}

function near(gap: { fromMs: number; toMs: number }) {
  return (fault: Operation) => fault.timeMs >= gap.fromMs - 1_000 && fault.timeMs <= gap.toMs
}

function describeFault(fault: Operation): string {
  const value = fault.value as { brokers?: readonly number[] }
  return `${fault.f} ${value.brokers?.join(', ') ?? ''}`.trim()
}

export function availability(analysis: Analysis): CheckResult {
  const measured = measureAvailability(analysis.history)
  const longest = measured.gaps[0]
  const figures = {
    'acknowledged sends': measured.acknowledgedSends,
    'failed sends': measured.failedSends,
    'sends of unknown outcome': measured.unknownSends,
    'longest gap between acknowledgements, ms': longest?.lastedMs ?? 0,
    'latency median, ms': measured.latencyMs.median,
    'latency p99, ms': measured.latencyMs.p99,
    'latency worst, ms': measured.latencyMs.worst,
  }
  if (measured.acknowledgedSends === 0) return unknown('availability', 'No send was acknowledged.', figures)
  const cause = longest && longest.faults.length > 0 ? `, around ${longest.faults.join(', ')}` : ''
  return {
    name: 'availability',
    valid: true,
    explanation: `${countOf(measured.acknowledgedSends, 'send')} acknowledged, ${measured.failedSends} failed, ${measured.unknownSends} of unknown outcome; the longest time without an acknowledgement was ${longest?.lastedMs ?? 0} ms${cause}.`,
    count: 0,
    cases: [],
    figures,
  }
}
