/** Runs a random lab and judges it by what its settings promise. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import type { CheckResult } from '../../checkers/result.ts'
import type { Progress, Runtime } from '../../cluster/cluster.ts'
import { writeReport } from '../../report/report.ts'
import type { LabResult, VariantResult } from '../result.ts'
import { clusterSpec } from '../run.ts'
import { runVariant } from '../variant-run.ts'
import { documentedFindings, settingsInWords, shellOf, variantOf, type RandomLab } from './random-lab.ts'

export interface RandomOutcome {
  readonly lab: RandomLab
  /** `invalid`: a promise that these settings give was broken. */
  readonly verdict: 'valid' | 'invalid' | 'unknown'
  readonly reason: string
  /** Checks that found what the settings do not promise against. */
  readonly documented: readonly string[]
  /** Checks that found a promise broken. */
  readonly undocumented: readonly string[]
  readonly variant: VariantResult
}

export interface RandomRunOptions {
  readonly runtime: Runtime
  /** For the report, the history and the lab as `random.json`. */
  readonly out?: string | undefined
  readonly progress?: Progress | undefined
  readonly signal?: AbortSignal | undefined
}

export async function runRandomLab(lab: RandomLab, options: RandomRunOptions): Promise<RandomOutcome> {
  const { runtime, out, signal } = options
  const shell = shellOf(lab)
  const run = { runtime, engine: 'faultline', seed: lab.seed, out, signal, progress: options.progress } as const
  const startedAt = new Date().toISOString()
  const startMs = performance.now()
  const cluster = await runtime.up(clusterSpec(shell, run), signal ? { signal } : {})
  const { result: variant, history } = await (async () => {
    try {
      return await runVariant(shell, variantOf(lab), cluster, { ...run, random: lab })
    } finally {
      await cluster.down()
    }
  })()
  const outcome = { lab, variant, ...judgeRandom(lab, variant) }
  if (out !== undefined) {
    makeFolder(out)
    await writeFile(join(out, 'random.json'), `${JSON.stringify(lab, undefined, 2)}\n`)
    const durationMs = Math.round(performance.now() - startMs)
    await writeReport(out, resultOf(outcome, runtime, startedAt, durationMs), [history])
  }
  return outcome
}

export function judgeRandom(
  lab: RandomLab,
  variant: Pick<VariantResult, 'results' | 'trouble' | 'verdict'>,
): Pick<RandomOutcome, 'verdict' | 'reason' | 'documented' | 'undocumented'> {
  const mayFind: readonly string[] = documentedFindings(lab)
  const found = variant.results.filter(({ valid }) => valid === false)
  const names = (results: readonly CheckResult[]) => results.map(({ name }) => name)
  const documented = names(found.filter(({ name }) => mayFind.includes(name)))
  const broken = found.filter(({ name }) => !mayFind.includes(name))
  const undocumented = names(broken)
  const rest = { documented, undocumented }
  const [first] = broken
  if (first !== undefined)
    return { ...rest, verdict: 'invalid', reason: `${settingsInWords(lab)}: ${first.name}: ${first.explanation}` }
  const open = variant.trouble ?? variant.results.find(({ valid }) => valid === 'unknown')?.explanation
  if (open !== undefined) return { ...rest, verdict: 'unknown', reason: `It could not be judged: ${open}` }
  const reason =
    documented.length === 0
      ? `${settingsInWords(lab)}: nothing was found.`
      : `${settingsInWords(lab)}: ${documented.join(', ')}, which these settings do not promise against.`
  return { ...rest, verdict: 'valid', reason }
}

/** As the result of a lab with one variant. */
export function resultOf(
  { lab, variant, verdict, reason, undocumented }: RandomOutcome,
  runtime: Pick<Runtime, 'name'>,
  startedAt: string,
  durationMs: number,
): LabResult {
  return {
    lab: `random-${lab.seed}`,
    summary: `A lab drawn from the seed ${lab.seed}.`,
    question: `With ${settingsInWords(lab)}, does this schedule of faults break a promise?`,
    prediction: { choices: ['No', 'Yes'], answer: undocumented.length === 0 ? 0 : 1 },
    watch: lab.faults.map(({ atMs, kind, target, forMs }) => `${atMs} ms: ${kind} ${target}, for ${forMs} ms`),
    explanation: 'What the settings promise, a lab drawn from a seed must keep; what they do not promise, it may lose.',
    reading: [],
    runtime: runtime.name,
    engine: 'faultline',
    seed: lab.seed,
    startedAt,
    durationMs,
    verdict,
    reason,
    variants: [{ ...variant, asExpected: verdict === 'valid' }],
  }
}
