/**
 * availability: how long writers had to wait. A figure, not a promise: it is never invalid by itself, and unknown when nothing was
 * acknowledged. The report draws the gaps; benchmarks compare them.
 *
 * progress: writers go on while a fault lasts. Not every fault leaves a cluster able to, so a lab asks for it.
 *
 * Source: Redpanda's chaos tests, availability and progress_during_fault.
 */
import { isRecordOperation, type History, type Operation } from '../history/operation.ts'
import type { Analysis } from './analysis.ts'
import { Anomalies, countOf, unknown, verdict, type CheckResult, type OwnCheck } from './result.ts'

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
  /** What was acknowledged while something was broken, in the order of time. */
  readonly duringFaults: readonly FaultWindow[]
}

/** From a fault until the next fault or repair. */
export interface FaultWindow {
  readonly fault: string
  readonly fromMs: number
  readonly toMs: number
  readonly acknowledgedSends: number
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
    if (!isRecordOperation(operation) || operation.f === 'poll') continue
    if (operation.type === 'invoke') {
      invoked.set(operation.process, operation.timeMs)
      continue
    }
    // A transaction that only reads is no send.
    if (operation.f === 'txn' && operation.value.every(micro => micro[0] !== 'send')) continue
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
    duringFaults: faultWindows(history, ackedAtMs),
  }
}

/** What mends: after it nothing is broken by the fault before. */
function isRepair(f: string): boolean {
  return f === 'start' || f === 'resume' || f === 'restart' || f.startsWith('heal')
}

function faultWindows(history: History, ackedAtMs: readonly number[]): FaultWindow[] {
  const windows: { fault: string; fromMs: number; toMs: number }[] = []
  let open: { fault: string; fromMs: number } | undefined
  const close = (toMs: number) => {
    if (open && toMs > open.fromMs) windows.push({ ...open, toMs })
    open = undefined
  }
  for (const operation of history) {
    if (operation.process === 'lab' && operation.f === 'phase' && endings.has(operation.value)) close(operation.timeMs)
    if (operation.process !== 'nemesis') continue
    if (operation.type === 'invoke') close(operation.timeMs)
    else if (!isRepair(operation.f)) open = { fault: describeFault(operation), fromMs: operation.timeMs }
  }
  close(history.at(-1)?.timeMs ?? 0)
  // Acknowledgements are in the order of time, and so are the windows.
  let next = 0
  return windows.map(window => {
    while ((ackedAtMs[next] ?? Number.POSITIVE_INFINITY) < window.fromMs) next += 1
    const first = next
    while ((ackedAtMs[next] ?? Number.POSITIVE_INFINITY) <= window.toMs) next += 1
    return { ...window, acknowledgedSends: next - first }
  })
}

const endings: ReadonlySet<string> = new Set(['heal', 'final-read'])

/** How much must be acknowledged while something is broken. */
export interface ProgressPromise {
  /** Of the check; default: `progress`. */
  readonly name?: string
  /** Acknowledged sends; default: 1. */
  readonly minimum?: number
  /** Faults that were followed by the next one sooner prove nothing, as failing over takes time; default: 10,000 ms. */
  readonly shortestMs?: number
}

/** progress: while a fault lasts, writers go on. */
export function progress(promise: ProgressPromise = {}): (analysis: Analysis) => CheckResult {
  const { name = 'progress', minimum = 1, shortestMs = 10_000 } = promise
  return ({ history }) => {
    const { duringFaults } = measureAvailability(history)
    const judged = duringFaults.filter(({ fromMs, toMs }) => toMs - fromMs >= shortestMs)
    if (judged.length === 0) return unknown(name, `No fault lasted ${shortestMs} ms or longer.`)
    const anomalies = new Anomalies()
    for (const { fault, fromMs, toMs, acknowledgedSends } of judged) {
      if (acknowledgedSends >= minimum) continue
      anomalies.add(() => ({
        explanation: `In the ${Math.round(toMs - fromMs)} ms after ${fault} (from ${(fromMs / 1000).toFixed(2)} s on) ${countOf(acknowledgedSends, 'send')} ${acknowledgedSends === 1 ? 'was' : 'were'} acknowledged, and at least ${minimum} had to be.`,
        slice: history.filter(
          ({ process, timeMs }) => process === 'nemesis' && timeMs >= fromMs - 1 && timeMs <= toMs + 1,
        ),
      }))
    }
    return verdict(
      name,
      {
        good: `Writers went on through each of ${countOf(judged.length, 'fault')}.`,
        bad: `Writers stood still through ${countOf(anomalies.count, 'fault')} of ${judged.length}.`,
      },
      anomalies,
      { 'fewest acknowledged during a fault': Math.min(...judged.map(({ acknowledgedSends }) => acknowledgedSends)) },
    )
  }
}

/** The same for a lab that knows better how much must go on. */
export function progressCheck(promise: ProgressPromise): OwnCheck {
  return { name: promise.name ?? 'progress', judge: progress(promise) }
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
    ...(measured.duringFaults.length === 0
      ? {}
      : {
          'fewest acknowledged during a fault': Math.min(
            ...measured.duringFaults.map(({ acknowledgedSends }) => acknowledgedSends),
          ),
        }),
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
