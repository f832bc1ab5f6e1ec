/** Waits until what is observed satisfies a condition: the trigger of schedules of faults, and of labs. */
import { failure } from '../errors.ts'
import { unlessAborted } from '../labs/interruptible.ts'
import type { ObservableCluster } from './lines.ts'
import type { Observation } from './model.ts'
import { watcherOf, type ObserveOptions } from './observe.ts'
import { defaultAnswerMs } from './watcher.ts'
import { mergedWatch, predicate, type Predicate } from './predicates.ts'
import { inWords } from './words.ts'

export interface WhenOptions extends ObserveOptions {
  /** How long to wait, ms on the clock of the cluster. */
  readonly timeoutMs: number
  /** Default 100. */
  readonly intervalMs?: number
  /** In place of a name, for a condition that is a function: "waited until …". */
  readonly what?: string
}

const defaultIntervalMs = 100
/** No look asks one broker more often than that, one question after the other. */
const asksPerLook = 20

/**
 * Resolves with the first observation for which the condition holds.
 *
 * @param condition  a predicate, which knows what it has to watch, or a function, for which the options say it
 * @throws ToolkitError after `timeoutMs`, with the condition's name and what was seen last; the signal's reason when that is aborted
 */
export async function when(
  cluster: ObservableCluster,
  condition: Predicate | ((observation: Observation) => boolean | undefined),
  options: WhenOptions,
): Promise<Observation> {
  const { timeoutMs, intervalMs = defaultIntervalMs, what, answerMs, signal, ...watch } = options
  const { clock } = cluster
  const asked = typeof condition === 'function' ? predicate(what ?? 'the condition holds', watch, condition) : condition
  const endMs = clock.nowMs() + timeoutMs
  const lookMs = asksPerLook * (answerMs ?? defaultAnswerMs)
  const watcher = watcherOf(cluster, mergedWatch([asked, { watch }]), answerMs)
  let last: Observation | undefined
  try {
    for (;;) {
      const dueMs = clock.nowMs() + intervalMs
      const leftMs = Math.max(0, endMs - clock.nowMs())
      const look = watcher.look()
      // Only near the end is there anything to hurry: a timer of the whole time would outlive the answer.
      const late = leftMs > lookMs ? undefined : clock.sleep(leftMs).then(() => undefined)
      const seen = await unlessAborted(late === undefined ? look : Promise.race([look, late]), signal)
      if (seen === undefined) throw inVain(asked, timeoutMs, last)
      if (asked.holds(seen) === true) return seen
      last = seen
      const restMs = Math.min(dueMs, endMs) - clock.nowMs()
      if (restMs > 0) await unlessAborted(clock.sleep(restMs), signal)
      if (clock.nowMs() >= endMs) throw inVain(asked, timeoutMs, last)
    }
  } finally {
    watcher.close()
  }
}

function inVain(asked: Predicate, timeoutMs: number, last: Observation | undefined): Error {
  const seen =
    last === undefined ? 'Nothing was observed.' : `The last of ${last.sequence} observations:\n${inWords(last)}`
  const isUnclear = last !== undefined && asked.holds(last) === undefined
  const unclear = isUnclear ? ' Whether it holds could not be told.' : ''
  return failure(`Waited ${timeoutMs} ms in vain until ${asked.name}.${unclear} ${seen}`)
}
