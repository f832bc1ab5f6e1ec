/** What a run of a lab gives, for people (the report), for scripts (JSON) and for CI (JUnit). */
import type { CheckResult } from '../checkers/result.ts'
import type { Engine, RuntimeName } from '../cluster/cluster.ts'
import type { RunEnvironment } from '../report/environment.ts'
import type { Expectation, Lab, Variant } from './lab.ts'

/** `skipped`: the runtime cannot do what the lab needs. Never counted as a pass. */
export type LabVerdict = 'valid' | 'invalid' | 'unknown' | 'skipped'

export interface VariantResult {
  readonly name: string
  readonly role: Variant['role']
  readonly summary: string
  readonly expected: Expectation
  readonly verdict: 'valid' | 'invalid' | 'unknown'
  /** Whether the verdict is the expected one. */
  readonly asExpected: boolean
  /** Checks that must be valid where findings of others are expected. */
  readonly mustHold?: readonly string[]
  /** Why the run could not be judged, when the script or the heal failed. */
  readonly trouble?: string
  readonly results: readonly CheckResult[]
  readonly durationMs: number
  readonly operations: number
  readonly acknowledged: number
  readonly historyFile?: string
}

/** A variant that was not run, as the runtime cannot do what it needs. */
export interface LeftOut {
  readonly name: string
  readonly role: Variant['role']
  readonly summary: string
  /** In words, e.g. `the runtime process cannot do: node-faults`. */
  readonly reason: string
}

export interface LabResult {
  readonly lab: string
  readonly summary: string
  readonly question: string
  readonly prediction: { readonly choices: readonly string[]; readonly answer: number; readonly chosen?: number }
  readonly watch: readonly string[]
  readonly explanation: string
  readonly reading: readonly string[]
  readonly runtime: RuntimeName
  readonly engine: Engine
  /** Release of Apache Kafka, where one was named. */
  readonly engineVersion?: string
  readonly seed: number
  readonly startedAt: string
  readonly durationMs: number
  readonly verdict: LabVerdict
  /** Only some variants were asked for, and they came out as expected: `unknown` for the lab, and nothing that failed. */
  readonly partial?: true
  /** One sentence: why this verdict. */
  readonly reason: string
  readonly variants: readonly VariantResult[]
  /** Absent: none. */
  readonly leftOut?: readonly LeftOut[]
  /** Where it ran and how it is run again. */
  readonly environment?: RunEnvironment
}

export type Judgement = Pick<LabResult, 'verdict' | 'reason' | 'partial'>

/** As people read it. */
export function verdictWord({ verdict, partial }: Pick<LabResult, 'verdict' | 'partial'>): string {
  return partial === true ? 'PARTIAL' : verdict.toUpperCase()
}

/**
 * The lab's verdict from its variants: a promise that was broken, then a finding that should be there and is not, then what could not be judged.
 * Without a single main nothing was tested, whatever its controls found.
 *
 * @param partial  only some variants were asked for, so the lab as a whole cannot pass
 */
export function judge(
  lab: Lab,
  variants: readonly VariantResult[],
  partial = false,
  leftOut: readonly LeftOut[] = [],
): Judgement {
  const open = variants.filter(variant => !variant.asExpected)
  const broken = open.find(variant => variant.role === 'main' && isSettled(variant))
  if (broken) return { verdict: 'invalid', reason: `Variant ${broken.name}: ${whyNot(broken)}` }
  const tame = open.find(isSettled)
  if (tame) {
    const what = `the control ${tame.name} (${tame.summary}) must be caught`
    return { verdict: 'invalid', reason: `The test is not valid: ${what}; ${whyNot(tame)}` }
  }
  const [unclear] = open
  if (unclear) {
    const why = unclear.trouble ?? whyNot(unclear)
    return { verdict: 'unknown', reason: `Variant ${unclear.name} could not be judged: ${why}` }
  }
  const missing = leftOut.map(({ name, reason }) => `${name} (${reason})`).join('; ')
  if (variants.length === 0 || (!partial && variants.every(({ role }) => role === 'control')))
    return { verdict: 'skipped', reason: `Nothing was tested. Left out: ${missing}.` }
  const notes = [
    ...variants.flatMap(({ name, trouble }) =>
      trouble === undefined ? [] : [` The run of ${name} had trouble: ${trouble}.`],
    ),
    ...(missing === '' ? [] : [` Left out: ${missing}.`]),
  ].join('')
  if (partial && variants.length < lab.variants.length) {
    const names = variants.map(variant => variant.name).join(', ')
    const reason = `Only ${names} was run, and came out as expected.${notes}`
    // What was asked for and could not be run is more than a part that nobody wanted.
    return { verdict: 'unknown', ...(leftOut.length === 0 ? { partial: true } : {}), reason }
  }
  const controls = variants.filter(({ role }) => role === 'control')
  const caught = controls.map(control => `${control.name} (${findingsInWords(control)})`).join('; ')
  return { verdict: 'valid', reason: `All promises held, and the control was caught: ${caught}.${notes}` }
}

/** Whether it certainly came out otherwise than expected; else something is not known about it. */
function isSettled({ expected, verdict, results, trouble, mustHold = [] }: VariantResult): boolean {
  if (verdict === 'valid') return true
  if (expected === 'valid') return verdict === 'invalid'
  if (results.some(({ name, valid }) => valid === false && mustHold.includes(name))) return true
  const isOpen = results.some(({ name, valid }) => valid === 'unknown' && [...expected, ...mustHold].includes(name))
  return verdict === 'invalid' && !isOpen && trouble === undefined
}

/** What came out otherwise than expected, in words without a full stop at the end where there is one. */
function whyNot(variant: VariantResult): string {
  const { expected, results, mustHold = [] } = variant
  if (expected === 'valid') return firstFinding(variant)
  const broken = results.find(({ name, valid }) => valid !== true && mustHold.includes(name))
  if (isFound(expected, results) && broken)
    return `${broken.name} must hold${broken.valid === false ? ', and found something' : ', and could not be judged'}: ${broken.explanation}`
  const others = alsoFound(variant)
  const came = others.length > 0 ? `only of ${others.join(', ')}` : 'none'
  return `a finding of ${expected.join(' or ')} was expected, and there was ${came}`
}

function isFound(expected: Expectation, results: readonly CheckResult[]): boolean {
  return results.some(({ name, valid }) => valid === false && expected !== 'valid' && expected.includes(name))
}

/** Checks that found something which nobody had asked them to find. */
export function alsoFound({ expected, results }: Pick<VariantResult, 'expected' | 'results'>): readonly string[] {
  const wanted = expected === 'valid' ? [] : expected
  return results.filter(({ name, valid }) => valid === false && !wanted.includes(name)).map(({ name }) => name)
}

/** What was expected of a variant: `everything valid`, or the findings of which one must be there, and what must hold beside them. */
export function expectationInWords({ expected, mustHold = [] }: Pick<VariantResult, 'expected' | 'mustHold'>): string {
  if (expected === 'valid') return 'everything valid'
  const held = mustHold.length === 0 ? '' : `; ${mustHold.join(', ')} must hold`
  return `a finding of ${expected.join(' or ')}${held}`
}

/** What was found of what was expected, and what else: `lost-write; also found: vanished`. */
export function findingsInWords(variant: Pick<VariantResult, 'expected' | 'results' | 'verdict'>): string {
  const { expected, results, verdict } = variant
  const wanted = expected === 'valid' ? [] : expected
  const found = results.filter(({ name, valid }) => valid === false && wanted.includes(name)).map(({ name }) => name)
  const others = alsoFound(variant)
  const more = others.length === 0 ? [] : [found.length === 0 ? others.join(', ') : `also found: ${others.join(', ')}`]
  return [...(found.length === 0 ? [] : [found.join(', ')]), ...more].join('; ') || verdict
}

/**
 * On one variant that is judged again, or run again: good when it came out as expected once more, a control when it was caught.
 *
 * @param how  what was done: a history was judged, or the lab was run
 */
export function judgeAgain(lab: Lab, variant: VariantResult, how: 'Judged' | 'Run'): Judgement {
  if (!variant.asExpected) return judge(lab, [variant], true)
  return { verdict: 'valid', reason: `${how} again: variant ${variant.name} is ${variant.verdict}, as expected.` }
}

/** Whether the checks came out as the expectation says: what is to be found was found, and what must hold holds. */
export function matches(
  expected: Expectation,
  verdict: VariantResult['verdict'],
  results: readonly CheckResult[],
  mustHold: readonly string[] = [],
): boolean {
  if (expected === 'valid') return verdict === 'valid'
  return isFound(expected, results) && results.every(({ name, valid }) => valid === true || !mustHold.includes(name))
}

function firstFinding(variant: VariantResult): string {
  const result =
    variant.results.find(({ valid }) => valid === false) ?? variant.results.find(({ valid }) => valid === 'unknown')
  return result ? `${result.name}: ${result.explanation}` : `the verdict is ${variant.verdict}`
}
