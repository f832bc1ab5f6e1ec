/**
 * Faults that begin by themselves: at a time, again and again, by chance, or when something is observed. A trigger is a promise of the next
 * occasion, so whoever observes a cluster can be one. What a schedule began it also ends, also when it is cut off.
 */
import type { Parameters } from '#broker/environment/faulty/parameters.ts'
import type { Random } from '#broker/environment/environment.ts'
import type { Cluster, LabClock } from '../cluster/cluster.ts'
import { messageOf, usageError } from '../errors.ts'
import { unlessAborted } from '../labs/interruptible.ts'
import type { Observation, Watch } from '../observe/model.ts'
import { not, type Predicate } from '../observe/predicates.ts'
import { when } from '../observe/when.ts'
import { endFaults } from './take-back.ts'
import { faultKind } from './catalogue.ts'
import type { AppliedFault, LinkChoice } from './kind.ts'
import { requirePossible } from './possible.ts'

/** Why a fault begins now. */
export interface Occasion {
  /** Reads behind "because". */
  readonly because: string
  /** What was observed at that moment; who the fault hits is looked up in it. */
  readonly seen?: Observation
}

/** Resolves at the next occasion; called again for the one after. Rejects when the signal is aborted. */
export type Trigger = (signal: AbortSignal) => Promise<Occasion | void>

export interface ScheduledFault {
  readonly kind: string
  /** At each occasion, so that "one by chance" can be another one. */
  readonly nodes?: (cluster: Cluster, seen?: Observation) => Promise<readonly number[]>
  readonly links?: LinkChoice
  readonly parameters?: Parameters
  readonly trigger: Trigger
  /** How long it lasts, ms; Infinity: until the schedule is cut off; left out: until all of the schedule ends. */
  readonly forMs?: number
  /** Occasions; left out: one. */
  readonly times?: number
  readonly proof?: boolean
}

/** Told of everything that a schedule does. */
export interface ScheduleEvent {
  readonly what: 'began' | 'healed' | 'refused'
  readonly kind: string
  readonly text: string
  /** Of a fault that began because of what was observed. */
  readonly because?: string
  readonly applied?: readonly AppliedFault[]
}

/** Once, so many ms from now. */
export function after(clock: LabClock, ms: number): Trigger {
  const dueMs = clock.nowMs() + ms
  return signal => sleep(clock, Math.max(0, dueMs - clock.nowMs()), signal)
}

/** Every so many ms, from now on; an occasion that passed while the fault before lasted is left out. */
export function every(clock: LabClock, ms: number): Trigger {
  if (!(ms > 0)) throw usageError(`A fault every ${ms} ms: expected a time above 0.`, 'For example 10s.')
  const beganMs = clock.nowMs()
  return signal => sleep(clock, ms - ((clock.nowMs() - beganMs) % ms), signal)
}

/** After a while by chance, from the moment it is asked. */
export function byChance(clock: LabClock, random: Random, leastMs: number, mostMs: number): Trigger {
  return signal => sleep(clock, leastMs + random.below(mostMs - leastMs + 1), signal)
}

export interface WhenObserved {
  /** How long each occasion is waited for, ms; left out: until the schedule is cut off. */
  readonly withinMs?: number
  /** What else has to be observed at that moment: who the fault hits. */
  readonly watch?: Watch
}

/**
 * When a condition holds that is observed over the wire; the next time, when it holds again after it did not.
 *
 * @throws ToolkitError when an occasion did not come in time: with what was seen last
 */
export function whenObserved(
  cluster: Cluster,
  condition: Predicate,
  { withinMs = Infinity, watch = {} }: WhenObserved = {},
): Trigger {
  let isFirst = true
  return async signal => {
    const options = { ...watch, timeoutMs: withinMs, signal }
    if (!isFirst) await when(cluster, not(condition), options)
    const seen = await when(cluster, condition, options)
    isFirst = false
    return { because: condition.name, seen }
  }
}

/** How soon an aborted schedule ends, ms. */
const lookEveryMs = 200

/** In slices: the clock of a cluster cannot be stopped. */
async function sleep(clock: LabClock, ms: number, signal: AbortSignal): Promise<void> {
  const endMs = clock.nowMs() + ms
  for (let leftMs = ms; leftMs > 0; leftMs = endMs - clock.nowMs()) {
    signal.throwIfAborted()
    await clock.sleep(Math.min(leftMs, lookEveryMs))
  }
  signal.throwIfAborted()
}

export interface ScheduleOptions {
  readonly cluster: Cluster
  readonly faults: readonly ScheduledFault[]
  readonly signal: AbortSignal
  readonly report: (event: ScheduleEvent) => void
}

/**
 * Resolves when every occasion has passed and what began has ended, or, with everything healed that it began, soon after the signal is
 * aborted. A fault that is refused is reported, and the schedule goes on, as it does without a fault whose occasion did not come in time; a schedule that has a fault which can never be applied to this
 * cluster is refused before anything begins.
 *
 * @returns how many faults were refused
 */
export async function runSchedule({ cluster, faults, signal, report: tell }: ScheduleOptions): Promise<number> {
  for (const { kind, parameters = {} } of faults) requirePossible(cluster, faultKind(kind), parameters)
  let refused = 0
  const report = (event: ScheduleEvent): void => {
    if (event.what === 'refused') refused++
    tell(event)
  }
  const began = new Map<string, AppliedFault>()
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const running = faults.map(async fault => {
    try {
      await occasions({ cluster, fault, signal: either, report, began })
    } catch (error) {
      stop.abort(error)
      throw error
    }
  })
  try {
    // What is just being applied begins after the schedule was cut off: it has to be healed as well.
    await Promise.allSettled(running)
    await Promise.all(running)
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    await endAll(cluster, [...began.values()], report)
  }
  return refused
}

interface Occasions {
  readonly cluster: Cluster
  readonly fault: ScheduledFault
  readonly signal: AbortSignal
  readonly report: ScheduleOptions['report']
  readonly began: Map<string, AppliedFault>
}

async function occasions({ cluster, fault, signal, report, began }: Occasions): Promise<void> {
  const { kind, nodes, links, parameters = {}, trigger, forMs, times = 1, proof = true } = fault
  for (let round = 0; round < times; round++) {
    let occasion: Occasion | undefined
    try {
      occasion = (await unlessAborted(trigger(signal), signal)) ?? undefined
    } catch (error) {
      signal.throwIfAborted()
      // It waits no more, and the others go on.
      return report({ what: 'refused', kind, text: messageOf(error) })
    }
    signal.throwIfAborted()
    let applied: readonly AppliedFault[]
    try {
      const chosen = (await nodes?.(cluster, occasion?.seen)) ?? []
      applied = await faultKind(kind).apply({ cluster, nodes: chosen, links, parameters, proof })
    } catch (error) {
      report({ what: 'refused', kind, text: messageOf(error) })
      continue
    }
    const isOver = faultKind(kind).isMomentary === true
    if (!isOver) for (const each of applied) began.set(each.id, each)
    const text = applied.map(({ summary }) => summary).join('; ')
    report({ what: 'began', kind, text, ...(occasion && { because: occasion.because }), applied })
    if (forMs === undefined || isOver) continue
    try {
      await sleep(cluster.clock, forMs, signal)
    } finally {
      await endAll(cluster, applied, report)
      for (const { id } of applied) began.delete(id)
    }
  }
}

/** Heals what is left of these faults: also the node that one of them ended. */
async function endAll(
  cluster: Cluster,
  faults: readonly AppliedFault[],
  report: ScheduleOptions['report'],
): Promise<void> {
  const left = await endFaults(cluster, faults)
  for (const { name, summary } of left) report({ what: 'healed', kind: name, text: summary })
}
