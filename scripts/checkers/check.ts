/**
 * All checkers together: history in, verdict out. A pure function, so a recorded history can be judged again at any time.
 *
 * A checker that throws makes its own result `unknown`, never the others', and never a pass.
 */
import type { History } from '../history/operation.ts'
import { analyse, type Analysis } from './analysis.ts'
import { availability } from './availability.ts'
import { duplicate, inconsistentOffsets } from './log-shape.ts'
import { lostWrite } from './lost-write.ts'
import { pollOrder } from './poll-order.ts'
import { replicaDivergence } from './replica-divergence.ts'
import { unknown, type CheckResult, type Validity } from './result.ts'
import { keyOrder, sendOrder } from './send-order.ts'
import { abortedRead, unseen, vanished } from './unseen.ts'

/** Name of each check → the function that answers it (some answer several from one walk). */
const checkers = {
  'lost-write': analysis => [lostWrite(analysis)],
  unseen: analysis => [unseen(analysis)],
  vanished: analysis => [vanished(analysis)],
  duplicate: analysis => [duplicate(analysis)],
  'inconsistent-offsets': analysis => [inconsistentOffsets(analysis)],
  'aborted-read': analysis => [abortedRead(analysis)],
  'int-nonmonotonic-poll': pollOrder,
  'int-poll-skip': pollOrder,
  'nonmonotonic-poll': pollOrder,
  'poll-skip': pollOrder,
  'int-nonmonotonic-send': sendOrder,
  'nonmonotonic-send': sendOrder,
  'key-order': analysis => [keyOrder(analysis)],
  'replica-divergence': analysis => [replicaDivergence(analysis)],
  availability: analysis => [availability(analysis)],
} satisfies Record<string, (analysis: Analysis) => CheckResult[]>

export type CheckName = keyof typeof checkers

/** Every check there is, in the order of the report: what was lost first, figures last. */
export const checkNames = Object.keys(checkers) as CheckName[]

/** What a replicated log promises to every client, whatever happens: the default of a lab. */
export const allChecks: readonly CheckName[] = checkNames

/** A check that a lab brings along. `judge` must be a function of the history alone. */
export interface OwnCheck {
  /** Not one of `checkNames`. */
  readonly name: string
  judge(analysis: Analysis): CheckResult
}

export type Check = CheckName | OwnCheck

export interface Verdict {
  readonly valid: Validity
  readonly results: readonly CheckResult[]
}

/** Judges a history by the given checks. Invalid wins over unknown, unknown over valid. */
export function check(history: History, checks: readonly Check[] = allChecks): Verdict {
  let analysis: Analysis
  try {
    analysis = analyse(history)
  } catch (error) {
    return { valid: 'unknown', results: checks.map(each => failed(nameOf(each), error)) }
  }
  const answers = new Map<(analysis: Analysis) => CheckResult[], CheckResult[] | Error>()
  const results = checks.map(each => {
    const name = nameOf(each)
    const checker: (analysis: Analysis) => CheckResult[] =
      typeof each === 'string' ? checkers[each] : asked => [each.judge(asked)]
    let answer = answers.get(checker)
    if (!answer) {
      answer = guarded(checker, analysis)
      answers.set(checker, answer)
    }
    if (answer instanceof Error) return failed(name, answer)
    return answer.find(result => result.name === name) ?? failed(name, new Error('it gave no answer'))
  })
  return { valid: combine(results.map(result => result.valid)), results }
}

function nameOf(each: Check): string {
  return typeof each === 'string' ? each : each.name
}

/** Runs a checker; an exception becomes a value, because it must not hide what the others found. */
export function guarded(checker: (analysis: Analysis) => CheckResult[], analysis: Analysis): CheckResult[] | Error {
  try {
    return checker(analysis)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

export function combine(verdicts: readonly Validity[]): Validity {
  if (verdicts.includes(false)) return false
  return verdicts.length === 0 || verdicts.includes('unknown') ? 'unknown' : true
}

function failed(name: string, error: unknown): CheckResult {
  return unknown(
    name,
    `The checker could not judge this history: ${error instanceof Error ? error.message : String(error)}`,
  )
}
