/**
 * Runs labs: `listLabs`, `runLab`, `replay`. A lab's variants share one cluster and differ in topic, clients and faults; each gets a
 * history of its own, is healed at its end, and is judged from that history alone.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { check } from '../checkers/check.ts'
import type { CheckResult } from '../checkers/result.ts'
import { realClock } from '../cluster/clock.ts'
import { capabilitiesOf } from '../cluster/cluster.ts'
import type { EngineChoice } from '../cluster/engine-name.ts'
import type { Capability, Cluster, ClusterSpec, Engine, Progress, Runtime } from '../cluster/cluster.ts'
import { failure, messageOf, usageError } from '../errors.ts'
import { installation } from '../installation/here.ts'
import type { SecurityKind } from '../cluster/security/kinds.ts'
import { readHistory, writeHistory, type RunDescription } from '../history/file.ts'
import { isRecordOperation, sendsOf, type History } from '../history/operation.ts'
import { HistoryRecorder } from '../history/recorder.ts'
import { writeReport } from '../report/report.ts'
import { appendDefaults, AppendWorkload } from '../workload/append.ts'
import { Observer } from '../workload/observer.ts'
import type { Workload, WorkloadParts } from '../workload/workload.ts'
import { readReplicaLogs } from '../workload/replica-logs.ts'
import { interruptible, unlessAborted } from './interruptible.ts'
import { expectationOn, type Lab, type Variant } from './lab.ts'
import { judge, judgeAgain, matches, type LabResult, type VariantResult } from './result.ts'
import { LabRun } from './script.ts'

const { folder: labsFolder, extension: labExtension } = installation.labs

export interface LabListing {
  readonly name: string
  readonly summary: string
  readonly question: string
  readonly needs: readonly Capability[]
  readonly variants: readonly string[]
}

/** All labs in the order of their numbers. */
export async function listLabs(): Promise<LabListing[]> {
  const labs = await Promise.all((await labNames()).map(loadLab))
  return labs.map(({ name, summary, question, needs, variants }) => ({
    name,
    summary,
    question,
    needs,
    variants: variants.map(v => v.name),
  }))
}

/** The lab of that name, its number, or an unambiguous beginning: `00-durability`, `00`, `06-isr`. */
export async function loadLab(name: string): Promise<Lab> {
  const names = await labNames()
  const found = names.filter(
    candidate => candidate === name || candidate.startsWith(name) || candidate.slice(3) === name,
  )
  const exact = found.find(candidate => candidate === name) ?? (found.length === 1 ? found[0] : undefined)
  if (!exact) {
    const which = found.length > 1 ? `it may mean ${found.join(' or ')}` : 'there is no such lab'
    throw usageError(`Lab ${JSON.stringify(name)}: ${which}.`, `The labs are: ${names.join(', ')}.`)
  }
  const module = (await import(new URL(`${exact}${labExtension}`, labsFolder).href)) as { default: Lab }
  return module.default
}

async function labNames(): Promise<string[]> {
  const files = await readdir(labsFolder)
  return files
    .filter(file => /^\d\d-/.test(file) && file.endsWith(labExtension))
    .map(file => file.slice(0, -labExtension.length))
    .sort()
}

export interface RunLabOptions {
  readonly runtime: Runtime
  readonly engine: Engine
  /** Release of Apache Kafka; default: the one that Faultline is compared with. */
  readonly engineVersion?: string | undefined
  readonly seed: number
  /** Directory for report, histories and verdict; made when missing. Undefined: nothing is written. */
  readonly out?: string | undefined
  /** Only these variants; the lab's verdict is then `unknown` at best. */
  readonly variants?: readonly string[] | undefined
  readonly scale?: 'quick' | 'full' | undefined
  /** The one variant is run a second time: the question is whether it comes out the same, not what the lab says. */
  readonly again?: boolean
  /** Asks for a prediction before the run; answers the index of the choice, or undefined. */
  readonly predict?: ((lab: Lab) => Promise<number | undefined>) | undefined
  readonly progress?: Progress | undefined
  readonly signal?: AbortSignal | undefined
  /** Of the cluster; default: none. */
  readonly security?: SecurityKind | undefined
  /** Name of the cluster; default: made from the lab. */
  readonly name?: string | undefined
}

/** Runs a lab from an empty machine to a report. The cluster is taken away again, also after a failure. */
export async function runLab(name: string, options: RunLabOptions): Promise<LabResult> {
  const lab = await loadLab(name)
  requireVariants(lab, options.variants)
  const progress = options.progress ?? (() => undefined)
  const startedAt = new Date().toISOString()
  const able = capabilitiesOf(options.runtime, options.engine)
  const missing = lab.needs.filter(capability => !able.has(capability))
  if (missing.length > 0) {
    progress(`SKIPPED ${lab.name}: the runtime ${options.runtime.name} cannot do: ${missing.join(', ')}`)
    const reason = `The runtime ${options.runtime.name} lacks: ${missing.join(', ')}. Nothing was tested.`
    return await finished(lab, options, {
      startedAt,
      durationMs: 0,
      variants: [],
      histories: [],
      verdict: 'skipped',
      reason,
    })
  }
  const chosen = await options.predict?.(lab)
  const startMs = performance.now()
  progress(`${lab.name}: ${lab.question}`)
  const cluster = await options.runtime.up(clusterSpec(lab, options), {
    progress,
    ...(options.signal ? { signal: options.signal } : {}),
  })
  const runs: { result: VariantResult; history: History }[] = []
  try {
    for (const variant of selected(lab, options)) {
      options.signal?.throwIfAborted()
      runs.push(await runVariant(lab, variant, cluster, options))
    }
  } finally {
    await cluster.down()
  }
  const variants = runs.map(run => run.result)
  const durationMs = Math.round(performance.now() - startMs)
  const [only] = variants
  const judged =
    options.again === true && only !== undefined
      ? judgeAgain(lab, only)
      : judge(lab, variants, options.variants !== undefined)
  return await finished(lab, options, {
    startedAt,
    durationMs,
    variants,
    histories: runs.map(run => run.history),
    ...judged,
    chosen,
  })
}

/** Refuses a variant that the lab does not have. */
export function requireVariants(lab: Lab, names: readonly string[] | undefined): void {
  const unknown = names?.find(name => !lab.variants.some(variant => variant.name === name))
  if (unknown) {
    throw usageError(
      `${lab.name} has no variant ${unknown}.`,
      `Its variants are: ${lab.variants.map(v => v.name).join(', ')}.`,
    )
  }
}

function engineOf({ engine, engineVersion }: Pick<RunLabOptions, 'engine' | 'engineVersion'>): EngineChoice {
  return { engine, ...(engineVersion === undefined ? {} : { engineVersion }) }
}

function selected(lab: Lab, { variants: names, runtime, engine, progress }: RunLabOptions): readonly Variant[] {
  const able = capabilitiesOf(runtime, engine)
  return lab.variants.filter(variant => {
    const missing = (variant.needs ?? []).filter(capability => !able.has(capability))
    if (missing.length > 0)
      progress?.(
        `SKIPPED ${lab.name}, variant ${variant.name}: the runtime ${runtime.name} cannot do: ${missing.join(', ')}`,
      )
    return missing.length === 0 && (names?.includes(variant.name) ?? true)
  })
}

function clusterSpec(lab: Lab, options: RunLabOptions): ClusterSpec {
  const { brokers, controllers, settings, nodes, logDirs } = lab.topology
  const name = options.name ?? `lab-${lab.name}`
  // Nodes that are processes have no network of their own: what breaks links stands in front of them, and only where a lab asks for it.
  const needs = [...lab.needs, ...lab.variants.flatMap(variant => variant.needs ?? [])]
  const proxy = options.runtime.name === 'process' && needs.includes('partition')
  const faults = options.engine === 'faultline' && needs.includes('node-faults')
  return {
    name,
    runtime: options.runtime.name,
    ...engineOf(options),
    brokers,
    controllers,
    port: 0,
    settings,
    ...(nodes === undefined ? {} : { nodes }),
    ...(logDirs === undefined ? {} : { logDirs }),
    ...(options.security === undefined || options.security === 'none' ? {} : { security: options.security }),
    lab: lab.name,
    ...(proxy ? { proxy } : {}),
    ...(faults ? { faults } : {}),
    seed: options.seed,
  }
}

async function runVariant(lab: Lab, variant: Variant, cluster: Cluster, options: RunLabOptions) {
  const progress = options.progress ?? (() => undefined)
  const startMs = cluster.clock.nowMs()
  const startedAt = new Date().toISOString()
  progress(`${lab.name}, variant ${variant.name}: ${variant.summary}`)
  const recorder = new HistoryRecorder(cluster.clock)
  const workload = workloadOf(variant, { cluster, recorder, topic: `lab-${variant.name}` })
  const observer = new Observer(cluster, recorder, workload.topic)
  const scale = options.scale === 'full' ? 5 : 1
  // In virtual time nobody waits, and an extra turn of the event loop would be another run.
  const signal = cluster.capabilities.has('virtual-time') ? undefined : options.signal
  const guard = signal && interruptible(cluster, signal)
  const run = new LabRun({ cluster: guard?.cluster ?? cluster, workload, observer, recorder, scale, signal })
  recorder.listen(operation => {
    if (operation.process === 'lab' && operation.f === 'phase')
      progress(`  ${seconds(operation.timeMs)} ${operation.value}`)
    if (
      operation.process === 'nemesis' &&
      operation.type === 'ok' &&
      typeof operation.value === 'object' &&
      'target' in operation.value
    ) {
      progress(
        `  ${seconds(operation.timeMs)} ${operation.f} ${operation.value.brokers.join(', ')} (${operation.value.target})`,
      )
    }
  })
  const trouble = await perform(run, variant, observer, recorder, signal)
  await guard?.settled()
  options.signal?.throwIfAborted()
  const history = recorder.history
  const checked = check(history, variant.checks)
  const description: RunDescription = {
    lab: lab.name,
    variant: variant.name,
    runtime: options.runtime.name,
    engine: options.engine,
    seed: String(options.seed),
    scale: options.scale ?? 'quick',
    startedAt,
  }
  const historyFile = options.out === undefined ? undefined : await saveHistory(options.out, description, history)
  const result = variantResult(variant, engineOf(options), checked.results, {
    durationMs: Math.round(cluster.clock.nowMs() - startMs),
    operations: history.length,
    acknowledged: workload.acknowledged,
    ...(trouble === undefined ? {} : { trouble }),
    ...(historyFile === undefined ? {} : { historyFile }),
  })
  progress(
    `  ${variant.name}: ${result.verdict}${result.asExpected ? ', as expected' : ', NOT as expected'}${trouble ? ` (${trouble})` : ''}`,
  )
  return { result, history }
}

function workloadOf({ workload }: Variant, parts: WorkloadParts): Workload {
  if (typeof workload === 'function') return workload(parts)
  return new AppendWorkload(parts.cluster, parts.recorder, parts.topic, { ...appendDefaults, ...workload })
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(5)} s`
}

/** Prepare, break, heal, read: answers what went wrong with the run itself, if anything did. */
async function perform(
  run: LabRun,
  variant: Variant,
  observer: Observer,
  recorder: HistoryRecorder,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const { workload, cluster } = run
  const troubles: string[] = []
  const interrupted = () => signal?.aborted === true
  const attempt = async (what: string, work: () => Promise<void>) => {
    try {
      if (signal === undefined) await work()
      else await unlessAborted(work(), signal)
      return true
    } catch (error) {
      troubles.push(`${what}: ${messageOf(error)}`)
      return false
    }
  }
  if (!(await attempt('creating the topic', () => workload.prepare()))) return troubles.join('; ')
  observer.start()
  workload.start()
  recorder.phase('workload')
  await attempt('the script', async () => {
    await observer.until('the cluster was observed for the first time', () => true, 10_000)
    await variant.script(run)
  })
  if (interrupted()) {
    await givenUp(run)
    return 'interrupted'
  }
  recorder.phase('heal')
  const healed = await attempt('healing', () => run.heal())
  const read = healed && (await attempt('the final read', () => workload.finish(60_000)))
  if (interrupted()) {
    await givenUp(run)
    return 'interrupted'
  }
  if (!read) await attempt('ending the clients', () => workload.abandon())
  if (read) await attempt('reading the logs of the replicas', () => readReplicaLogs(cluster, recorder, workload.topic))
  await observer.stop()
  return troubles.length === 0 ? undefined : troubles.join('; ')
}

const goodbyeMs = 500

/** After an interruption: the clients may say goodbye, but a broker that does not answer holds up nobody. */
async function givenUp({ workload, observer }: LabRun): Promise<void> {
  const goodbye = Promise.allSettled([workload.abandon(), observer.stop()])
  await Promise.race([goodbye, realClock.sleep(goodbyeMs)])
}

/** A verdict from checks; trouble with the run makes a pass `unknown`, because the faults may not have happened. */
function variantResult(
  variant: Variant,
  { engine, engineVersion }: EngineChoice,
  results: readonly CheckResult[],
  rest: Pick<VariantResult, 'durationMs' | 'operations' | 'acknowledged' | 'trouble' | 'historyFile'>,
): VariantResult {
  const expected = expectationOn(variant, engine, engineVersion?.split('.').slice(0, 2).join('.'))
  const invalid = results.some(result => result.valid === false)
  const open = rest.trouble !== undefined || results.some(result => result.valid === 'unknown')
  const verdict = invalid ? 'invalid' : open ? 'unknown' : 'valid'
  const { name, role, summary } = variant
  return { name, role, summary, expected, verdict, asExpected: matches(expected, verdict, results), results, ...rest }
}

async function saveHistory(out: string, description: RunDescription, history: History): Promise<string> {
  await mkdir(out, { recursive: true })
  const file = join(out, `${description.variant}.history.jsonl`)
  await writeHistory(file, description, history)
  return file
}

function acknowledgedIn(history: History): number {
  const acknowledged = history.filter(isRecordOperation).filter(({ f, type }) => f !== 'poll' && type === 'ok')
  return acknowledged.reduce((sum, operation) => sum + sendsOf(operation).length, 0)
}

interface Outcome {
  readonly startedAt: string
  readonly durationMs: number
  readonly variants: readonly VariantResult[]
  readonly histories: readonly History[]
  readonly verdict: LabResult['verdict']
  readonly reason: string
  readonly chosen?: number | undefined
}

async function finished(
  lab: Lab,
  options: Pick<RunLabOptions, 'runtime' | 'engine' | 'engineVersion' | 'seed' | 'out'>,
  outcome: Outcome,
): Promise<LabResult> {
  const { histories, chosen, ...rest } = outcome
  const result: LabResult = {
    lab: lab.name,
    summary: lab.summary,
    question: lab.question,
    prediction: { ...lab.prediction, ...(chosen === undefined ? {} : { chosen }) },
    watch: lab.watch,
    explanation: lab.explanation,
    reading: lab.reading,
    runtime: options.runtime.name,
    ...engineOf(options),
    seed: options.seed,
    ...rest,
  }
  if (options.out !== undefined) await writeReport(options.out, result, histories)
  return result
}

export interface ReplayOptions {
  readonly out?: string | undefined
  readonly progress?: Progress | undefined
  /** Needed to repeat a simulated run from its seed. */
  readonly simulated?: Runtime | undefined
}

/**
 * Judges a recorded history again and renders its report. A history of the simulator is run again from its seed instead, when a simulated
 * runtime is given: it gives the same events.
 */
export async function replay(file: string, options: ReplayOptions = {}): Promise<LabResult> {
  const { run, history } = await readHistory(file).catch((error: unknown) => {
    throw failure(
      `No history can be read from this file: ${messageOf(error)}`,
      'A lab leaves its histories in its --out directory: VARIANT.history.jsonl',
      error,
    )
  })
  const lab = await loadLab(run.lab)
  const variant = lab.variants.find(candidate => candidate.name === run.variant)
  if (!variant) throw failure(`${file} is of variant ${run.variant}, which ${lab.name} no longer has.`)
  const engine = run.engine as Engine
  const seed = Number(run.seed)
  if (run.runtime === 'simulated' && options.simulated) {
    return await runLab(lab.name, {
      runtime: options.simulated,
      engine,
      seed,
      variants: [variant.name],
      again: true,
      scale: run.scale,
      ...options,
    })
  }
  const result = variantResult(variant, { engine }, check(history, variant.checks).results, {
    durationMs: history.at(-1)?.timeMs ?? 0,
    operations: history.length,
    acknowledged: acknowledgedIn(history),
    historyFile: file,
  })
  const runtime = { name: run.runtime } as Runtime
  const outcome = {
    startedAt: run.startedAt,
    durationMs: result.durationMs,
    variants: [result],
    histories: [history],
    ...judgeAgain(lab, result),
  }
  return await finished(lab, { runtime, engine, seed, out: options.out }, outcome)
}
