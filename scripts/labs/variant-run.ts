/** One variant of a lab on a cluster that is up: its clients, its script, its healing, its final read, and the verdict of its checks. */
import { join, resolve } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { check } from '../checkers/check.ts'
import type { CheckResult } from '../checkers/result.ts'
import { realClock } from '../cluster/clock.ts'
import type { Cluster, Engine, Progress, Runtime } from '../cluster/cluster.ts'
import type { EngineChoice } from '../cluster/engine-name.ts'
import { messageOf } from '../errors.ts'
import { writeHistory, type RunDescription } from '../history/file.ts'
import type { History, Operation } from '../history/operation.ts'
import { HistoryRecorder } from '../history/recorder.ts'
import { appendDefaults, AppendWorkload } from '../workload/append.ts'
import { Observer } from '../workload/observer.ts'
import { readReplicaLogs } from '../workload/replica-logs.ts'
import type { Workload, WorkloadParts } from '../workload/workload.ts'
import { interruptible, unlessAborted } from './interruptible.ts'
import { expectationOn, type Lab, type Variant } from './lab.ts'
import { fileOfLab } from './load.ts'
import { hiddenFault } from './narrator.ts'
import { matches, type VariantResult } from './result.ts'
import { LabRun } from './script.ts'
import { scriptLimits, Strays, type ScriptBounds, type ScriptLimits } from './strays.ts'
import type { LabWatcher } from './watcher.ts'

export interface VariantOptions {
  readonly runtime: Runtime
  readonly engine: Engine
  readonly engineVersion?: string | undefined
  readonly seed: number
  readonly out?: string | undefined
  readonly scale?: 'quick' | 'full' | undefined
  readonly progress?: Progress | undefined
  readonly signal?: AbortSignal | undefined
  readonly watcher?: LabWatcher | undefined
  /** Left out: those that docs/labs.md names. */
  readonly limits?: ScriptLimits | undefined
  /** Takes what goes wrong beside the script; left out: one of its own. */
  readonly strays?: Strays | undefined
  /** Of all topics of the run; default: `lab-`. */
  readonly topicPrefix?: string | undefined
  /** What was drawn, of a lab that was drawn from a seed: its history says so. */
  readonly random?: unknown
}

export async function runVariant(
  lab: Pick<Lab, 'name'>,
  variant: Variant,
  cluster: Cluster,
  options: VariantOptions,
): Promise<{ result: VariantResult; history: History }> {
  const progress = options.progress ?? (() => undefined)
  const startMs = cluster.clock.nowMs()
  const startedAt = new Date().toISOString()
  progress(`${lab.name}, variant ${variant.name}: ${variant.summary}`)
  const recorder = new HistoryRecorder(cluster.clock)
  const workload = workloadOf(variant, { cluster, recorder, topic: `${options.topicPrefix ?? 'lab-'}${variant.name}` })
  const observer = new Observer(cluster, recorder, workload.topic)
  const scale = options.scale === 'full' ? 5 : 1
  // In virtual time nobody waits, and an extra turn of the event loop would be another run.
  const signal = cluster.capabilities.has('virtual-time') ? undefined : options.signal
  const guard = signal && interruptible(cluster, signal)
  const moment = options.watcher?.moment?.bind(options.watcher)
  const ask = options.watcher?.ask?.bind(options.watcher)
  const run = new LabRun({
    cluster: guard?.cluster ?? cluster,
    workload,
    observer,
    recorder,
    scale,
    signal,
    ...(moment && { moment: async what => await moment(what, { cluster, topic: workload.topic }) }),
    ...(ask && { ask: async question => await ask(question, { cluster }) }),
  })
  const { watcher } = options
  watcher?.begins?.(lab, variant)
  if (variant.removesRecords !== undefined) recorder.removal({ by: variant.removesRecords })
  recorder.listen(operation => {
    if (watcher?.entry !== undefined) return watcher.entry(operation)
    const line = progressLine(operation)
    if (line !== undefined) progress(line)
  })
  const strays = options.strays ?? new Strays({ hasNodes: cluster.capabilities.has('virtual-time') })
  let trouble: string | undefined
  try {
    trouble = await perform(run, variant, observer, recorder, signal, { strays, bounds: boundsOf(cluster, options) })
  } finally {
    if (options.strays === undefined) strays.close()
  }
  await guard?.settled()
  options.signal?.throwIfAborted()
  const history = recorder.history
  const checked = check(history, variant.checks)
  const description = descriptionOf(lab, variant, options, startedAt)
  const historyFile = options.out === undefined ? undefined : await saveHistory(options.out, description, history)
  const result = variantResult(variant, engineOf(options), checked.results, {
    durationMs: Math.round(cluster.clock.nowMs() - startMs),
    operations: history.length,
    acknowledged: workload.acknowledged,
    ...(trouble === undefined ? {} : { trouble }),
    ...(historyFile === undefined ? {} : { historyFile }),
  })
  // What one that was drawn from a seed may find is said by its settings, and judged by them afterwards.
  const expected = options.random === undefined ? `, ${result.asExpected ? '' : 'NOT '}as expected` : ''
  progress(`  ${variant.name}: ${result.verdict}${expected}${trouble ? ` (${trouble})` : ''}`)
  return { result, history }
}

/** What the history says of itself, so that it can be judged again and the run repeated. */
function descriptionOf(
  lab: Pick<Lab, 'name'>,
  variant: Variant,
  options: VariantOptions,
  startedAt: string,
): RunDescription {
  const labFile = fileOfLab(lab)
  return {
    lab: lab.name,
    variant: variant.name,
    runtime: options.runtime.name,
    engine: options.engine,
    seed: String(options.seed),
    scale: options.scale ?? 'quick',
    startedAt,
    engineVersion: options.engineVersion,
    labFile: labFile === undefined ? undefined : resolve(labFile),
    random: options.random,
  }
}

/** What ends the script, if it does not end by itself. */
function boundsOf(
  { clock, capabilities }: Cluster,
  { limits = scriptLimits, watcher, signal }: VariantOptions,
): ScriptBounds {
  return {
    // Somebody who looks on may hold it for as long as they like.
    ...(watcher === undefined ? { realMs: limits.realMs } : {}),
    ...(capabilities.has('virtual-time') ? { virtual: { clock, ms: limits.virtualMs } } : {}),
    signal,
  }
}

function workloadOf({ workload }: Variant, parts: WorkloadParts): Workload {
  if (typeof workload === 'function') return workload(parts)
  return new AppendWorkload(parts.cluster, parts.recorder, parts.topic, { ...appendDefaults, ...workload })
}

function progressLine(operation: Operation): string | undefined {
  const { process, type, f, value, timeMs } = operation
  if (process === 'lab' && f === 'phase') return `  ${seconds(timeMs)} ${value}`
  if (process !== 'nemesis' || type !== 'ok' || !('target' in value)) return undefined
  if (value.hidden === true) return `  ${seconds(timeMs)} ${hiddenFault}`
  return `  ${seconds(timeMs)} ${f} ${value.brokers.join(', ')} (${value.target})`
}

/** With what else the line has before it: ` 12.3 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(5)} s`
}

/** Prepare, break, heal, read: answers what went wrong with the run itself, if anything did. */
async function perform(
  run: LabRun,
  variant: Variant,
  observer: Observer,
  recorder: HistoryRecorder,
  signal: AbortSignal | undefined,
  { strays, bounds }: { readonly strays: Strays; readonly bounds: ScriptBounds },
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
  if (!(await attempt('creating the topic', () => workload.prepare()))) {
    missFinalRead(recorder)
    return troubles.join('; ')
  }
  observer.start()
  workload.start()
  recorder.phase('workload')
  await attempt('the script', async () => {
    await observer.until('the cluster was observed for the first time', () => true, 10_000)
    try {
      await strays.during(async () => await variant.script(run), bounds)
    } catch (error) {
      run.leaveScript(error)
      throw error
    }
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
  if (troubles.length > 0) missFinalRead(recorder)
  if (!read) await attempt('ending the clients', () => workload.abandon())
  if (read) await attempt('reading the logs of the replicas', () => readReplicaLogs(cluster, recorder, workload.topic))
  await observer.stop()
  for (const error of strays.leftBehind()) troubles.push(`what a script had left: ${messageOf(error)}`)
  return troubles.length === 0 ? undefined : troubles.join('; ')
}

const endsOfFinalRead: ReadonlySet<string> = new Set(['final-read-complete', 'final-read-incomplete'])

/** After trouble: what nobody has read may only be late, unless a read of everything came to its end. */
function missFinalRead(recorder: HistoryRecorder): void {
  const hasEnded = recorder.history.some(
    ({ process, f, value }) => process === 'lab' && f === 'phase' && endsOfFinalRead.has(value),
  )
  if (!hasEnded) recorder.phase('final-read-incomplete')
}

const goodbyeMs = 500

/** After an interruption: the clients may say goodbye, but a broker that does not answer holds up nobody. */
async function givenUp({ workload, observer }: LabRun): Promise<void> {
  const goodbye = Promise.allSettled([workload.abandon(), observer.stop()])
  await Promise.race([goodbye, realClock.sleep(goodbyeMs)])
}

/** A verdict from checks; trouble with the run makes a pass `unknown`, because the faults may not have happened. */
export function variantResult(
  variant: Variant,
  { engine, engineVersion }: EngineChoice,
  results: readonly CheckResult[],
  rest: Pick<VariantResult, 'durationMs' | 'operations' | 'acknowledged' | 'trouble' | 'historyFile'>,
): VariantResult {
  const expected = expectationOn(variant, engine, engineVersion?.split('.').slice(0, 2).join('.'))
  const invalid = results.some(result => result.valid === false)
  const open = rest.trouble !== undefined || results.some(result => result.valid === 'unknown')
  const verdict = invalid ? 'invalid' : open ? 'unknown' : 'valid'
  const { name, role, summary, mustHold } = variant
  const asExpected = matches(expected, verdict, results, mustHold)
  const held = mustHold === undefined || expected === 'valid' ? {} : { mustHold }
  return { name, role, summary, expected, ...held, verdict, asExpected, results, ...rest }
}

async function saveHistory(out: string, description: RunDescription, history: History): Promise<string> {
  makeFolder(out)
  const file = join(out, `${description.variant}.history.jsonl`)
  await writeHistory(file, description, history)
  return file
}

export function engineOf({ engine, engineVersion }: Pick<VariantOptions, 'engine' | 'engineVersion'>): EngineChoice {
  return { engine, ...(engineVersion === undefined ? {} : { engineVersion }) }
}
