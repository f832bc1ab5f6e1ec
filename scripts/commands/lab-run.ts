/** Runs labs for the command line: chooses runtime and report directory, asks for the prediction, turns verdicts into an exit code. */
import { join, relative } from 'node:path'
import type { Runtime, RuntimeName } from '../cluster/cluster.ts'
import { runtimeNames } from '../cluster/cluster.ts'
import { engineText, parseEngine, type EngineChoice } from '../cluster/engine-name.ts'
import { runtimeByName } from '../cluster/runtimes.ts'
import { securityKinds, type SecurityKind } from '../cluster/security/kinds.ts'
import { checkedName } from '../cluster/spec.ts'
import { installation } from '../installation/here.ts'
import { exitCodes, lacking, messageOf, usageError } from '../errors.ts'
import type { Lab } from '../labs/lab.ts'
import { listLabs, loadLab } from '../labs/load.ts'
import { runMatrix, type MatrixCell } from '../labs/matrix.ts'
import { rememberRun } from '../labs/progress.ts'
import { verdictWord, alsoFound, type LabResult, type LabVerdict, type VariantResult } from '../labs/result.ts'
import { inReportFolder } from '../labs/report-folder.ts'
import { requireVariants, runLab, type RunLabOptions } from '../labs/run.ts'
import { paint } from '../output.ts'
import { matrixMarkdown, writeMatrix } from '../report/matrix.ts'
import { NotTakenBack } from '../settle.ts'
import type { Foreign } from './lab-bootstrap.ts'
import { askKnob, askPrediction, InteractiveWatcher, LabStopped, type Person } from './lab-interactive.ts'
import type { Session } from './session.ts'

export interface RunOptions {
  readonly runtime?: string
  readonly engine?: string
  readonly security: string
  readonly seed: number
  readonly variant: readonly string[]
  readonly scale: string
  readonly out?: string
  readonly predict: boolean
  readonly yes?: boolean
  readonly step?: boolean
  readonly all?: boolean
  readonly watch?: boolean
  readonly bootstrap?: string
  readonly commandConfig?: string
  readonly allowClusterChanges?: boolean
  readonly name?: string
  readonly json?: boolean
}

/** What is the same for every run of one command. */
interface Setting {
  readonly options: RunOptions
  readonly session: Session
  readonly runtime: Runtime
  readonly security: SecurityKind
  readonly scale: 'quick' | 'full'
  /** Undefined: nobody is asked anything, and nothing is narrated. */
  readonly person: Person | undefined
  /** Of a cluster that is not ours. */
  readonly external?: Foreign
}

export async function runLabs(names: readonly string[], options: RunOptions, session: Session): Promise<void> {
  // What a foreign cluster is cannot be asked; it is expected to do what Apache Kafka does.
  const engineNames = options.engine ?? (options.bootstrap === undefined ? 'faultline' : 'apache-kafka')
  const engines = engineNames.split(',').map(text => parseEngine('--engine', text))
  const double = engines.map(engineText).find((text, index, all) => all.indexOf(text) !== index)
  if (double !== undefined)
    throw usageError(`--engine ${engineNames} names ${double} more than once.`, 'Name each engine once.')
  const labs = await namedLabs(names, options)
  for (const lab of labs) requireVariants(lab, options.variant)
  const setting = await settingOf(options, session, labs)
  const [first] = labs
  const [engine] = engines
  if (labs.length > 1 || engines.length > 1 || first === undefined || engine === undefined) {
    await runAll(labs, engines, setting)
    return
  }
  if (options.watch === true) {
    const { watchLab } = await import('./lab-watch.ts')
    await watchLab(names[0] ?? '', session, async (lab, signal) => {
      const { result, out } = await runOne(lab, engine, setting, { signal })
      session.output.line(verdictText(result, out))
    })
    return
  }
  await requireAvailable(setting.runtime, engine)
  const outcome =
    setting.person === undefined ? await runOne(first, engine, setting) : await runWith(first, engine, setting)
  if (outcome === undefined) return
  const { result, out } = outcome
  session.exitCode = exitCodeOf(decided([result]))
  session.output.result({ ...result, out }, () => (setting.person === undefined ? verdictText(result, out) : ''))
}

async function namedLabs(names: readonly string[], { all, watch, variant }: RunOptions): Promise<Lab[]> {
  const isAll = all === true || names.includes('all')
  const [one] = names.filter(name => name !== 'all')
  if (isAll && one !== undefined)
    throw usageError(
      `All labs, or only ${JSON.stringify(one)}? --all does not go with names.`,
      'Leave away one or the other.',
    )
  if (!isAll && names.length === 0)
    throw usageError('Which lab? Give a name, a file, or --all.', `${installation.command} lab list shows the labs.`)
  const labs = await Promise.all(
    isAll ? (await listLabs()).map(({ name }) => loadLab(name)) : names.map(name => loadLab(name)),
  )
  if (watch === true && labs.length !== 1) throw usageError('--watch takes one file.', 'lab run --watch ./my-lab.ts')
  if (variant.length > 0 && labs.length > 1)
    throw usageError('--variant goes with one lab: variants are named by their labs.', 'Run the labs one by one.')
  return labs
}

async function settingOf(options: RunOptions, session: Session, labs: readonly Lab[]): Promise<Setting> {
  const person = personOf(options, session)
  const step = options.step === true
  if (step && person === undefined)
    throw usageError('--step needs somebody at a terminal who says when to go on.', 'Leave it away.')
  if (step && labs.length !== 1) throw usageError('--step goes with one lab.', 'Run the labs one by one.')
  if (options.bootstrap !== undefined) return await foreignSetting(options, options.bootstrap, session, person)
  for (const [given, name] of [
    [options.commandConfig !== undefined, '--command-config'],
    [options.allowClusterChanges === true, '--allow-cluster-changes'],
  ] as const)
    if (given) throw usageError(`${name} goes with --bootstrap.`, 'A cluster of ours is secured with --security.')
  // In virtual time nothing happens while somebody looks; in real time the timeouts of the cluster go on.
  const runtimeName = chosen<RuntimeName>(
    '--runtime',
    options.runtime ?? (step ? 'simulated' : 'process'),
    runtimeNames,
  )
  if (step && runtimeName !== 'simulated')
    session.output.note(
      'Time goes on at a pause on this runtime, so what depends on timeouts may come out differently. On --runtime simulated it stands still.',
    )
  return {
    options,
    session,
    runtime: await runtimeByName(runtimeName),
    security: chosen<SecurityKind>('--security', options.security, securityKinds),
    scale: chosen('--scale', options.scale, ['quick', 'full'] as const),
    person,
  }
}

async function foreignSetting(
  options: RunOptions,
  bootstrap: string,
  session: Session,
  person: Person | undefined,
): Promise<Setting> {
  for (const name of ['runtime', 'name'] as const)
    if (options[name] !== undefined)
      throw usageError(`--${name} does not go with --bootstrap: that cluster is there already.`, 'Leave it away.')
  if (options.security !== 'none')
    throw usageError('--security does not go with --bootstrap.', 'How to connect is in the file of --command-config.')
  const { foreignCluster } = await import('./lab-bootstrap.ts')
  const external = foreignCluster({ ...options, bootstrap })
  const { runtime } = external
  const scale = chosen('--scale', options.scale, ['quick', 'full'] as const)
  return { options, session, runtime, security: 'none', scale, person, external }
}

async function requireAvailable(runtime: Runtime, { engine, engineVersion }: EngineChoice): Promise<void> {
  const available = await runtime.available(engine, engineVersion)
  if (!available.available) throw lacking(available.missing, available.remedy)
}

/** Default: `out/labs/LAB`; of some variants only `out/labs/LAB-VARIANT`, so that the report of all of them stays. */
export function reportFolder(
  { out, variant }: Pick<RunOptions, 'out' | 'variant'>,
  name: string,
  among?: EngineChoice,
): string {
  const lab = out === undefined ? [name, ...variant].join('-') : name
  const base = out ?? join(installation.workplace, 'out', 'labs')
  if (among === undefined) return out ?? join(base, lab)
  return join(base, [among.engine, among.engineVersion].filter(part => part !== undefined).join('-'), lab)
}

async function runOne(
  lab: Lab,
  engine: EngineChoice,
  { options, session, runtime, security, scale, person, external }: Setting,
  more: Partial<RunLabOptions> = {},
): Promise<{ readonly result: LabResult; readonly out: string }> {
  const out = more.out ?? reportFolder(options, lab.name)
  const signal = more.signal ?? session.signal
  const work = async (until: AbortSignal) =>
    await runLab(lab, {
      runtime,
      ...engine,
      security,
      seed: options.seed,
      scale,
      variants: options.variant.length === 0 ? undefined : options.variant,
      name: options.name === undefined ? undefined : checkedName(options.name),
      // A spinner turns by the clock that a simulation takes over, and would swallow what is typed.
      progress:
        person !== undefined || runtime.name === 'simulated'
          ? message => session.output.note(message)
          : session.output.progress,
      ...more,
      signal: until,
      topicPrefix: external?.runtime.prefix,
      out,
    })
  const result = await inReportFolder(out, async () => await (external?.unlessRefused ?? alone)(signal, work))
  session.signal.throwIfAborted()
  if (more.variants === undefined && options.variant.length === 0) remember(result, session)
  return { result, out }
}

async function alone<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return await work(signal)
}

/** A state directory that cannot be written is a pity, and no reason to lose a verdict. */
function remember(result: LabResult, { output }: Session): void {
  if (result.verdict === 'skipped') return
  try {
    rememberRun(result)
  } catch (error) {
    output.note(`This run is not remembered: ${messageOf(error)}`)
  }
}

/** In front of a person: the run, its verdict, and then controls one by one for as long as they like. */
async function runWith(lab: Lab, engine: EngineChoice, setting: Setting) {
  const { options, session, person } = setting
  if (person === undefined) throw new Error('nobody is there')
  const predict = options.predict ? async (shown: Lab) => await askPrediction(shown, person) : undefined
  const outcome = await watched(lab, engine, setting, { step: options.step === true, ...(predict && { predict }) })
  if (outcome === undefined) return undefined
  session.output.line(verdictText(outcome.result, outcome.out))
  const controls = lab.variants.filter(({ role }) => role === 'control')
  while (outcome.result.verdict !== 'skipped') {
    const variant = await askKnob(lab, controls, person)
    if (variant === undefined) break
    const simulated = await runtimeByName('simulated')
    const runtime = engine.engine === 'faultline' ? simulated : setting.runtime
    const out = join(outcome.out, `again-${variant.name}`)
    const again = await watched(
      lab,
      engine,
      { ...setting, runtime },
      { step: true, variants: [variant.name], again: true, out },
    )
    if (again !== undefined) session.output.line(verdictText(again.result, again.out))
  }
  return outcome
}

async function watched(
  lab: Lab,
  engine: EngineChoice,
  setting: Setting,
  { step, ...more }: Partial<RunLabOptions> & { readonly step: boolean },
) {
  const { session, person } = setting
  if (person === undefined) throw new Error('nobody is there')
  const stopping = new AbortController()
  const watcher = new InteractiveWatcher({ person, step, stop: reason => stopping.abort(reason) })
  try {
    return await runOne(lab, engine, setting, {
      ...more,
      watcher,
      signal: AbortSignal.any([session.signal, stopping.signal]),
    })
  } catch (error) {
    const isStopped = stopping.signal.reason instanceof LabStopped && !session.signal.aborted
    if (!isStopped || error instanceof NotTakenBack) throw error
    person.say('Stopped; everything that was started has been taken away. No verdict.')
    return undefined
  }
}

async function runAll(labs: readonly Lab[], engines: readonly EngineChoice[], setting: Setting): Promise<void> {
  const { options, session, runtime } = setting
  const byName = new Map(labs.map(lab => [lab.name, lab]))
  const out = options.out ?? join(installation.workplace, 'out', 'labs')
  let isBegun = false
  const matrix = await inReportFolder(
    out,
    async () =>
      await runMatrix({
        labs: [...byName.keys()],
        engines,
        runtime: runtime.name,
        seed: options.seed,
        signal: session.signal,
        available: async ({ engine, engineVersion }) => await runtime.available(engine, engineVersion),
        run: async (name, engine) => {
          const lab = byName.get(name) as Lab
          const folder = engines.length === 1 ? join(out, name) : reportFolder(options, name, engine)
          return await runOne(lab, engine, setting, { out: folder })
        },
        done: (cell, soFar) => {
          if (!session.output.json) session.output.line(cellLine(cell))
          writeMatrix(out, soFar)
          isBegun = true
        },
      }),
  ).catch((error: unknown) => {
    if (isBegun) session.output.note(`What there is so far: ${shown(join(out, 'matrix.html'))}`)
    throw error
  })
  session.exitCode = exitCodeOf(decided(matrix.cells))
  session.output.result(matrix, () => `\n${matrixMarkdown(matrix)}\nreport: ${shown(join(out, 'matrix.html'))}`)
}

function cellLine(cell: MatrixCell): string {
  const { lab, engine, verdict, reason, durationMs } = cell
  const word = verdictColours[verdict](verdictWord(cell))
  return `${word} ${lab} on ${engine} (${(durationMs / 1000).toFixed(0)} s)${verdict === 'valid' ? '' : `: ${reason}`}`
}

/** Verdicts that an exit code tells of. Some variants alone that came out as expected are what was asked for, as in `junit.xml`. */
function decided(results: readonly Pick<LabResult, 'verdict' | 'partial'>[]): readonly LabVerdict[] {
  return results.filter(({ partial }) => partial !== true).map(({ verdict }) => verdict)
}

/** The worst verdict decides: a broken promise, then an open question, then a lab that could not run. */
export function exitCodeOf(verdicts: readonly LabVerdict[]): number {
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

export function verdictText(result: LabResult, out: string | undefined): string {
  const lines = [
    '',
    `${paint.bold(result.lab)} on ${result.engine}, ${result.runtime}, seed ${result.seed}: ${verdictColours[result.verdict](verdictWord(result))}`,
    `  ${result.reason}`,
    ...result.variants.map(
      variant =>
        `  ${variant.asExpected ? paint.green('as expected') : paint.red('NOT as expected')}  ${variant.name}: ${variant.verdict} (${variant.acknowledged} records acknowledged, ${(variant.durationMs / 1000).toFixed(0)} s)${besidesText(variant)}`,
    ),
    ...(result.leftOut ?? []).map(({ name, reason }) => `  ${paint.yellow('left out')}  ${name}: ${reason}`),
  ]
  const { choices, answer, chosen: picked } = result.prediction
  if (picked !== undefined)
    lines.push(
      `  You predicted: ${choices[picked]}. ${picked === answer ? 'So it is.' : `The answer: ${choices[answer]}.`}`,
    )
  lines.push(`  ${result.explanation.trim().split('\n').join('\n  ')}`)
  if (out !== undefined) lines.push(`  report: ${shown(join(out, 'report.html'))}`)
  return lines.join('\n')
}

/** What else there was to a variant, each on a line of its own: findings that nobody had asked for, and trouble with the run. */
function besidesText(variant: VariantResult): string {
  const others = alsoFound(variant)
  const lines = [
    ...(others.length === 0 ? [] : [`also found: ${others.join(', ')}`]),
    ...(variant.trouble === undefined ? [] : [`the run had trouble: ${variant.trouble}`]),
  ]
  return lines.map(line => `\n    ${paint.yellow(line)}`).join('')
}

export function shown(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}

/** Somebody at a terminal who wants to be asked; not in CI, not with --json or --yes. */
function personOf(options: RunOptions, session: Session): Person | undefined {
  const isAsked = options.json !== true && options.yes !== true && !isSet(process.env['CI'])
  if (!isAsked || !process.stdin.isTTY || !process.stderr.isTTY) return undefined
  return {
    // A terminal that somebody reads from gives Ctrl-C to the reader; it means the same as elsewhere.
    keyboard: {
      input: process.stdin,
      output: process.stderr,
      interrupt: () => void process.kill(process.pid, 'SIGINT'),
    },
    say: text => session.output.note(text),
    signal: session.signal,
  }
}

function isSet(variable: string | undefined): boolean {
  return variable !== undefined && variable !== '' && variable !== 'false' && variable !== '0'
}

export function chosen<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find(candidate => candidate === value)
  if (found !== undefined) return found
  throw usageError(`${option} must be one of ${allowed.join(', ')}, got ${JSON.stringify(value)}.`)
}
