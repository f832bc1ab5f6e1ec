/** Checks of a lab's own: promises about facts that its script left in the history. */
import type { FactValue } from '../history/operation.ts'
import type { Analysis } from './analysis.ts'
import { unknown, type OwnCheck } from './result.ts'

export type Facts = Readonly<Record<string, FactValue>>

export interface FactPromise {
  /** Of the check, e.g. `lag-grows`. */
  readonly name: string
  /** The promise in one sentence: what is shown when it holds. */
  readonly promise: string
  /** Facts it is about; without one of them the check is `unknown`. */
  readonly about: readonly string[]
  /** Undefined when the promise holds, else what is wrong, in one sentence, or why nobody can tell. */
  readonly broken: (facts: Facts) => string | Unclear | undefined
}

/** Why a promise cannot be judged by the facts that there are: the machine was too slow for it. */
export interface Unclear {
  readonly unclear: string
}

/** A check that holds or not by facts alone. */
export function factCheck({ name, promise, about, broken }: FactPromise): OwnCheck {
  return {
    name,
    judge(analysis) {
      const facts = factsOf(analysis)
      const missing = about.filter(fact => facts[fact] === undefined)
      if (missing.length > 0) return unknown(name, `The run never said: ${missing.join(', ')}.`)
      const figures = Object.fromEntries(about.map(fact => [fact, String(facts[fact])]))
      const wrong = broken(facts)
      if (typeof wrong === 'object') return unknown(name, wrong.unclear, figures)
      if (wrong === undefined) return { name, valid: true, explanation: promise, count: 0, cases: [], figures }
      const slice = analysis.history.filter(
        ({ f, value }) => f === 'fact' && about.includes((value as { name: string }).name),
      )
      return { name, valid: false, explanation: wrong, count: 1, cases: [{ explanation: wrong, slice }], figures }
    },
  }
}

/** The last value of each fact. */
export function factsOf({ history }: Pick<Analysis, 'history'>): Facts {
  const facts: Record<string, FactValue> = {}
  for (const operation of history)
    if (operation.process === 'lab' && operation.f === 'fact') facts[operation.value.name] = operation.value.value
  return facts
}
