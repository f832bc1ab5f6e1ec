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
  /** Why the run could not be judged, when the script or the heal failed. */
  readonly trouble?: string
  readonly results: readonly CheckResult[]
  readonly durationMs: number
  readonly operations: number
  readonly acknowledged: number
  readonly historyFile?: string
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
  /** One sentence: why this verdict. */
  readonly reason: string
  readonly variants: readonly VariantResult[]
  /** Where it ran and how it is run again. */
  readonly environment?: RunEnvironment
}

/**
 * The lab's verdict from its variants: a promise that was broken, then a control that was not caught, then what could not be judged.
 *
 * @param partial  only some variants were asked for, so the lab as a whole cannot pass
 */
export function judge(
  lab: Lab,
  variants: readonly VariantResult[],
  partial = false,
): { verdict: LabVerdict; reason: string } {
  const of = (role: Variant['role']) => variants.filter(variant => variant.role === role)
  const broken = of('main').find(variant => variant.verdict === 'invalid' && !variant.asExpected)
  if (broken) return { verdict: 'invalid', reason: `Variant ${broken.name}: ${firstFinding(broken)}` }
  const tame = of('control').find(variant => variant.verdict === 'valid')
  if (tame) {
    return {
      verdict: 'invalid',
      reason: `The test is not valid: the control ${tame.name} (${tame.summary}) must be caught, and nothing was found.`,
    }
  }
  const open = variants.find(variant => !variant.asExpected)
  if (open)
    return {
      verdict: 'unknown',
      reason: `Variant ${open.name} could not be judged: ${open.trouble ?? firstFinding(open)}`,
    }
  if (partial && variants.length < lab.variants.length) {
    return {
      verdict: 'unknown',
      reason: `Only ${variants.map(variant => variant.name).join(', ')} was run, and came out as expected.`,
    }
  }
  const controls = of('control').map(variant => `${variant.name} (${firstFailing(variant)})`)
  return { verdict: 'valid', reason: `All promises held, and the control was caught: ${controls.join('; ')}.` }
}

/** On one variant that is judged again: good when it came out as expected once more, a control when it was caught. */
export function judgeAgain(lab: Lab, variant: VariantResult): { verdict: LabVerdict; reason: string } {
  if (!variant.asExpected) return judge(lab, [variant], true)
  return { verdict: 'valid', reason: `Judged again: variant ${variant.name} is ${variant.verdict}, as expected.` }
}

/** Whether the checks came out as the expectation says. */
export function matches(
  expected: Expectation,
  verdict: VariantResult['verdict'],
  results: readonly CheckResult[],
): boolean {
  if (expected === 'valid') return verdict === 'valid'
  return results.some(result => result.valid === false && expected.includes(result.name))
}

function firstFailing(variant: VariantResult): string {
  return variant.results.find(result => result.valid === false)?.name ?? variant.verdict
}

function firstFinding(variant: VariantResult): string {
  const result =
    variant.results.find(({ valid }) => valid === false) ?? variant.results.find(({ valid }) => valid === 'unknown')
  return result ? `${result.name}: ${result.explanation}` : `the verdict is ${variant.verdict}`
}
