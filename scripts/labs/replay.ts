/**
 * A recorded history once more: judged from the file alone, or what it is of is run again. A history says what it is of: a lab of this installation
 * by its name, one of somebody's own by its file, one that was drawn from a seed by itself.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { allChecks, check } from '../checkers/check.ts'
import type { Engine, Progress, Runtime, RuntimeName } from '../cluster/cluster.ts'
import { failure, messageOf, usageError } from '../errors.ts'
import { readHistory, type RunDescription } from '../history/file.ts'
import { isRecordOperation, sendsOf, type History } from '../history/operation.ts'
import { writeReport } from '../report/report.ts'
import type { Lab, Variant } from './lab.ts'
import { isLabFile, labNames, loadLab } from './load.ts'
import { checkRandomLab, variantOf, type RandomLab } from './random/random-lab.ts'
import { judgeRandom, resultOf, runRandomLab, type RandomOutcome } from './random/run-random.ts'
import { judgeAgain, type LabResult } from './result.ts'
import { finished, runLab } from './run.ts'
import { engineOf, variantResult } from './variant-run.ts'

export interface ReplayOptions {
  /** Directory for the report; undefined: none is written. */
  readonly out?: string | undefined
  /** The file of the lab that it is of, where that is not where it was. */
  readonly lab?: string | undefined
  readonly progress?: Progress | undefined
}

/** Judges a recorded history again, from that file alone whatever it was recorded on, and renders its report. */
export async function replay(file: string, options: ReplayOptions = {}): Promise<LabResult> {
  const { run, history } = await readHistory(file)
  const origin = await originOf(file, run, options)
  if ('random' in origin) return await judgedRandom(origin.random, { file, run, history }, options.out)
  const { lab, variant } = origin
  const engine = engineOfRun(run)
  const result = variantResult(variant, engine, check(history, variant.checks).results, factsOf(file, history))
  const outcome = {
    startedAt: run.startedAt,
    durationMs: result.durationMs,
    variants: [result],
    histories: [history],
    ...judgeAgain(lab, result, 'Judged'),
  }
  return await finished(
    lab,
    {
      runtime: { name: run.runtime } as Runtime,
      ...engine,
      seed: Number(run.seed),
      scale: run.scale,
      variants: [variant.name],
      recorded: true,
      out: options.out,
    },
    outcome,
  )
}

export interface RerunOptions extends ReplayOptions {
  readonly simulated: Runtime
  readonly signal?: AbortSignal | undefined
}

/** Runs what a history of the simulator is of once more, from its seed: the same events come. Of the file only the header is read for it. */
export async function rerun(file: string, options: RerunOptions): Promise<LabResult> {
  const { out, progress, signal, simulated: runtime } = options
  const { run } = await readHistory(file)
  const origin = await originOf(file, run, options)
  if (run.runtime !== 'simulated')
    throw usageError(
      `${file} was recorded on the runtime ${run.runtime}: only a simulated run comes out the same from its seed.`,
      'Without --rerun the history is judged again.',
    )
  progress?.(`${run.lab}, variant ${run.variant}, is run again from the seed ${run.seed}.`)
  if ('random' in origin) {
    const startedAt = new Date().toISOString()
    const outcome = await runRandomLab(origin.random, { runtime, out, progress, signal })
    return randomResult(outcome, run, { startedAt, how: 'Run' })
  }
  return await runLab(origin.lab, {
    out,
    progress,
    signal,
    runtime,
    ...engineOfRun(run),
    seed: Number(run.seed),
    variants: [origin.variant.name],
    again: true,
    scale: run.scale,
  })
}

function engineOfRun({ engine, engineVersion }: RunDescription) {
  return engineOf({ engine: engine as Engine, engineVersion })
}

function factsOf(historyFile: string, history: History) {
  const acknowledged = history.filter(isRecordOperation).filter(({ f, type }) => f !== 'poll' && type === 'ok')
  return {
    durationMs: history.at(-1)?.timeMs ?? 0,
    operations: history.length,
    acknowledged: acknowledged.reduce((sum, operation) => sum + sendsOf(operation).length, 0),
    historyFile,
  }
}

/** By what its settings promise, as it was judged when it ran. */
async function judgedRandom(
  lab: RandomLab,
  { file, run, history }: { readonly file: string; readonly run: RunDescription; readonly history: History },
  out: string | undefined,
): Promise<LabResult> {
  const results = check(history, allChecks).results
  const variant = variantResult(variantOf(lab), engineOfRun(run), results, factsOf(file, history))
  const outcome = { lab, variant, ...judgeRandom(lab, variant) }
  const result = randomResult(outcome, run, { startedAt: run.startedAt, how: 'Judged' })
  if (out !== undefined) await writeReport(out, result, [history])
  return result
}

function randomResult(
  outcome: RandomOutcome,
  { runtime }: RunDescription,
  { startedAt, how }: { readonly startedAt: string; readonly how: 'Judged' | 'Run' },
): LabResult {
  const { durationMs } = outcome.variant
  const result = resultOf(outcome, { name: runtime as RuntimeName }, startedAt, durationMs)
  return { ...result, reason: `${how} again: ${result.reason}` }
}

/** What a history is of, so that it is judged with the checks that it was recorded for. */
async function originOf(
  file: string,
  run: RunDescription,
  { lab: given, progress }: ReplayOptions,
): Promise<{ readonly random: RandomLab } | { readonly lab: Lab; readonly variant: Variant }> {
  if (run.random !== undefined) {
    if (given !== undefined)
      throw usageError(
        `${file} is of a lab that was drawn from a seed, and holds that lab itself.`,
        'Leave --lab away.',
      )
    return { random: randomOf(file, run) }
  }
  const lab = await labOf(file, run, given, progress)
  if (lab.name !== run.lab)
    throw usageError(
      `${file} is of the lab ${run.lab}, and ${given ?? run.labFile} is the lab ${lab.name}.`,
      'Give the file of the lab that it is of: --lab FILE',
    )
  const variant = lab.variants.find(candidate => candidate.name === run.variant)
  if (!variant) throw failure(`${file} is of variant ${run.variant}, which ${lab.name} no longer has.`)
  return { lab, variant }
}

function randomOf(file: string, run: RunDescription): RandomLab {
  try {
    return checkRandomLab(run.random)
  } catch (error) {
    throw failure(`${file} says of which lab it is in a way that cannot be read: ${messageOf(error)}`, undefined, error)
  }
}

async function labOf(
  file: string,
  { lab: name, labFile: recordedFile }: RunDescription,
  given: string | undefined,
  progress: Progress = () => undefined,
): Promise<Lab> {
  const labFile = given ?? recordedFile
  if (labFile !== undefined) {
    if (given !== undefined && !isLabFile(given))
      throw usageError(
        `--lab ${given}: expected the file of a lab.`,
        'A file is named with its folder: --lab ./my-lab.ts',
      )
    if (!existsSync(labFile))
      throw usageError(
        `${file} is of the lab ${name}, and there is no file ${resolve(labFile)} any more.`,
        'Give the file of that lab: --lab FILE',
      )
    // It may have changed since: whoever reads the verdict is to know by what it was judged.
    progress(`${file} is of the lab in ${resolve(labFile)}, which is taken as it is now.`)
    return await loadLab(labFile)
  }
  // In full: a lab of somebody's own may have a name that is the beginning of one of ours.
  if ((await labNames()).includes(name)) return await loadLab(name)
  if (/^random-\d+$/.test(name))
    throw failure(
      `${file} is of a lab that was drawn from a seed, and does not say what was drawn.`,
      'lab replay takes the random.json that lies beside it.',
    )
  throw usageError(
    `${file} is of the lab ${name}, which is none of this installation, and does not say in which file that is.`,
    'Give the file of that lab: --lab FILE',
  )
}
