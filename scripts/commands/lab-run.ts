/** Runs labs for the command line: chooses runtime and report directory, asks for the prediction, turns verdicts into an exit code. */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline/promises'
import type { RuntimeName } from '../cluster/cluster.ts'
import { runtimeNames } from '../cluster/cluster.ts'
import { parseEngine } from '../cluster/engine-name.ts'
import { runtimeByName } from '../cluster/runtimes.ts'
import { securityKinds, type SecurityKind } from '../cluster/security/kinds.ts'
import { checkedName } from '../cluster/spec.ts'
import { installation } from '../installation/here.ts'
import { exitCodes, lacking, usageError } from '../errors.ts'
import type { Lab } from '../labs/lab.ts'
import type { LabResult, LabVerdict } from '../labs/result.ts'
import { listLabs, loadLab, replay, requireVariants, runLab } from '../labs/run.ts'
import { paint } from '../output.ts'
import { table } from './describe.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

interface RunOptions {
  readonly runtime: string
  readonly engine: string
  readonly security: string
  readonly seed: number
  readonly variant: readonly string[]
  readonly scale: string
  readonly out?: string
  readonly predict: boolean
  readonly name?: string
  readonly json?: boolean
}

export async function listAllLabs(_: CommonOptions, session: Session): Promise<void> {
  const labs = await listLabs()
  const text = await table(
    ['lab', 'question'],
    labs.map(({ name, question }) => [name, question]),
  )
  session.output.result(labs, () => text)
}

export async function runLabs(names: readonly string[], options: RunOptions, session: Session): Promise<void> {
  const runtimeName = chosen<RuntimeName>('--runtime', options.runtime, runtimeNames)
  const choice = parseEngine('--engine', options.engine)
  const security = chosen<SecurityKind>('--security', options.security, securityKinds)
  const scale = chosen('--scale', options.scale, ['quick', 'full'] as const)
  const labs = names.includes('all')
    ? (await listLabs()).map(lab => lab.name)
    : await Promise.all(names.map(async name => (await loadLab(name)).name))
  for (const lab of labs) requireVariants(await loadLab(lab), options.variant)
  const runtime = await runtimeByName(runtimeName)
  const available = await runtime.available(choice.engine, choice.engineVersion)
  if (!available.available) throw lacking(available.missing, available.remedy)
  const results: { result: LabResult; out: string }[] = []
  for (const lab of labs) {
    const out =
      options.out === undefined
        ? join(installation.workplace, 'out', 'labs', lab)
        : labs.length === 1
          ? options.out
          : join(options.out, lab)
    const result = await runLab(lab, {
      runtime,
      ...choice,
      security,
      seed: options.seed,
      scale,
      out,
      variants: options.variant.length === 0 ? undefined : options.variant,
      name: options.name === undefined ? undefined : checkedName(options.name),
      progress: session.output.progress,
      signal: session.signal,
      predict: askable(options) ? async shown => await askPrediction(shown, session) : undefined,
    })
    session.signal.throwIfAborted()
    results.push({ result, out })
    if (!session.output.json) session.output.line(verdictText(result, out))
  }
  session.exitCode = exitCodeOf(results.map(({ result }) => result.verdict))
  const documents = results.map(({ result, out }) => ({ ...result, out }))
  session.output.result(documents.length === 1 ? documents[0] : documents, () => '')
}

export async function replayLab(
  file: string,
  options: CommonOptions & { readonly out?: string },
  session: Session,
): Promise<void> {
  if (!existsSync(file))
    throw usageError(
      `There is no file ${file}.`,
      'A lab leaves its histories in its --out directory: VARIANT.history.jsonl',
    )
  const simulated = await runtimeByName('simulated')
  const result = await replay(file, { out: options.out, progress: session.output.progress, simulated })
  session.exitCode = exitCodeOf([result.verdict])
  session.output.result(result, () => verdictText(result, options.out))
}

/** The worst verdict decides: a broken promise, then an open question, then a lab that could not run. */
function exitCodeOf(verdicts: readonly LabVerdict[]): number {
  if (verdicts.includes('invalid')) return exitCodes.failed
  if (verdicts.includes('unknown')) return exitCodes.unknown
  return verdicts.includes('skipped') ? exitCodes.lacking : exitCodes.good
}

const verdictColours: Readonly<Record<LabVerdict, (text: string) => string>> = {
  valid: paint.green,
  invalid: paint.red,
  unknown: paint.yellow,
  skipped: paint.yellow,
}

function verdictText(result: LabResult, out: string | undefined): string {
  const lines = [
    '',
    `${paint.bold(result.lab)} on ${result.engine}, ${result.runtime}, seed ${result.seed}: ${verdictColours[result.verdict](result.verdict.toUpperCase())}`,
    `  ${result.reason}`,
    ...result.variants.map(
      variant =>
        `  ${variant.asExpected ? paint.green('as expected') : paint.red('NOT as expected')}  ${variant.name}: ${variant.verdict} (${variant.acknowledged} records acknowledged, ${(variant.durationMs / 1000).toFixed(0)} s)`,
    ),
  ]
  const { choices, answer, chosen } = result.prediction
  if (chosen !== undefined)
    lines.push(
      `  You predicted: ${choices[chosen]}. ${chosen === answer ? 'So it is.' : `The answer: ${choices[answer]}.`}`,
    )
  lines.push(`  ${result.explanation.trim().split('\n').join('\n  ')}`)
  if (out !== undefined) lines.push(`  report: ${shown(join(out, 'report.html'))}`)
  return lines.join('\n')
}

function shown(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}

function askable(options: RunOptions): boolean {
  return options.predict && options.json !== true && process.stdin.isTTY && process.stderr.isTTY
}

/** A prediction made before the run is what makes people learn from it; an empty answer skips. */
async function askPrediction(lab: Lab, session: Session): Promise<number | undefined> {
  session.output.note(
    `\n${paint.bold(lab.question)}\n${lab.prediction.choices.map((choice, index) => `  ${index + 1}. ${choice}`).join('\n')}`,
  )
  const reader = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = Number(
      await reader.question('Your prediction (number, empty to skip): ', { signal: session.signal }),
    )
    return Number.isInteger(answer) && answer >= 1 && answer <= lab.prediction.choices.length ? answer - 1 : undefined
  } finally {
    reader.close()
  }
}

function chosen<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find(candidate => candidate === value)
  if (found !== undefined) return found
  throw usageError(`${option} must be one of ${allowed.join(', ')}, got ${JSON.stringify(value)}.`)
}
