/**
 * Runs labs: `listLabs`, `runLab`. A lab's variants share one cluster and differ in topic, clients and faults; each gets a
 * history of its own, is healed at its end, and is judged from that history alone.
 */
import type { ClusterSpec, Engine, Progress, Runtime } from '../cluster/cluster.ts'
import { messageOf, usageError } from '../errors.ts'
import { requireKnownSettings } from '../cluster/known-settings.ts'
import type { SecurityKind } from '../cluster/security/kinds.ts'
import type { History } from '../history/operation.ts'
import { environmentOf } from '../report/environment.ts'
import { writeReport } from '../report/report.ts'
import { quickFailover, type Lab, type Variant } from './lab.ts'
import { abilityFor, lackInContainers, type AbilityOptions } from './ability.ts'
import { fileOfLab, loadLab } from './load.ts'
import { judge, judgeAgain, type LabResult, type LeftOut, type VariantResult } from './result.ts'
import { Strays, type ScriptLimits } from './strays.ts'
import { engineOf, runVariant } from './variant-run.ts'
import type { LabWatcher } from './watcher.ts'

export { listLabs, loadLab, type LabListing } from './load.ts'

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
  /** How long a script may take. */
  readonly limits?: ScriptLimits | undefined
  /** Of the cluster; default: none. */
  readonly security?: SecurityKind | undefined
  /** Name of the cluster; default: made from the lab. */
  readonly name?: string | undefined
  /** Of all topics of the run; default: `lab-`. */
  readonly topicPrefix?: string | undefined
  /** Is told what happens while it happens, and may hold the run at its moments. */
  readonly watcher?: LabWatcher | undefined
}

/**
 * Runs a lab from an empty machine to a report. The cluster is taken away again, also after a failure.
 *
 * @param which  a name, a file, or the lab itself
 */
export async function runLab(which: string | Lab, given: RunLabOptions): Promise<LabResult> {
  const lab = typeof which === 'string' ? await loadLab(which) : which
  const options = { ...given, lackHere: await given.runtime.lacksHere?.(given.engine) }
  requireVariants(lab, options.variants)
  const progress = options.progress ?? (() => undefined)
  const startedAt = new Date().toISOString()
  const skipped = async (reason: string, leftOut: readonly LeftOut[] = []) => {
    progress(`SKIPPED ${lab.name}: ${reason}`)
    const nothing = { startedAt, durationMs: 0, variants: [], histories: [], leftOut }
    return await finished(lab, options, { ...nothing, verdict: 'skipped', reason })
  }
  const lack = lackOf(lab, options)
  if (lack !== undefined) return await skipped(`${lack}. Nothing was tested.`)
  const { variants: chosenVariants, leftOut } = selected(lab, options)
  for (const { name, reason } of leftOut) progress(`SKIPPED ${lab.name}, variant ${name}: ${reason}`)
  // Controls alone prove nothing: they show that a test can fail which did not take place.
  const isPartial = options.variants !== undefined
  if (!chosenVariants.some(({ role }) => role === 'main' || isPartial))
    return await skipped(judge(lab, [], isPartial, leftOut).reason, leftOut)
  const spec = clusterSpec(lab, options)
  await requireKnownSettings(
    spec,
    `topology.settings of lab ${lab.name}`,
    id => `topology.nodes[${id}] of lab ${lab.name}`,
  )
  const chosen = await options.predict?.(lab)
  const startMs = performance.now()
  progress(`${lab.name}: ${lab.question}`)
  const strays = new Strays({ hasNodes: options.runtime.name === 'simulated' })
  const cluster = await options.runtime.up(spec, {
    progress,
    stray: strays.take,
    ...(options.signal ? { signal: options.signal } : {}),
  })
  const runs: { result: VariantResult; history: History }[] = []
  try {
    for (const variant of chosenVariants) {
      options.signal?.throwIfAborted()
      runs.push(await runVariant(lab, variant, cluster, { ...options, strays }))
    }
  } finally {
    try {
      await cluster.down()
    } finally {
      strays.close()
    }
  }
  // The histories are judged: it counts no more, and is not kept quiet.
  for (const error of strays.leftBehind()) progress(`What a script had left went wrong: ${messageOf(error)}`)
  const variants = runs.map(run => run.result)
  const durationMs = Math.round(performance.now() - startMs)
  const [only] = variants
  const judged =
    options.again === true && only !== undefined
      ? judgeAgain(lab, only, 'Run')
      : judge(lab, variants, isPartial, leftOut)
  return await finished(lab, options, {
    startedAt,
    durationMs,
    variants,
    histories: runs.map(run => run.history),
    leftOut,
    ...judged,
    chosen,
  })
}

/** Why the runtime cannot run the lab; undefined: it can. */
function lackOf(lab: Lab, options: AbilityOptions): string | undefined {
  const { topology } = lab
  const { runtime } = options
  const lack = abilityFor(options).lackOf(lab.needs)
  if (lack !== undefined) return `The runtime ${runtime.name} ${lack}`
  const shape = runtime.name === 'compose' ? lackInContainers(lab) : undefined
  if (shape !== undefined) return `The runtime compose has no ${shape}`
  if (runtime.name !== 'external') return undefined
  // Those of quickFailover change how long things take, not what happens; others are what the lab is about.
  const settings = Object.entries(topology.settings).filter(([name, value]) => quickFailover[name] !== value)
  if (settings.length > 0)
    return `It needs brokers with ${settings.map(([name, value]) => `${name}=${value}`).join(', ')}`
  const own = topology.nodes !== undefined || topology.logDirs !== undefined
  return own ? 'It needs nodes with settings of their own' : undefined
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

/** What of that which is asked for can be run here, and what cannot. */
function selected(
  lab: Lab,
  options: AbilityOptions & Pick<RunLabOptions, 'variants'>,
): { readonly variants: readonly Variant[]; readonly leftOut: readonly LeftOut[] } {
  const { variants: names, runtime } = options
  const ability = abilityFor(options)
  const variants: Variant[] = []
  const leftOut: LeftOut[] = []
  for (const variant of lab.variants) {
    if (names?.includes(variant.name) === false) continue
    const lack = ability.lackOf(variant.needs ?? [])
    if (lack === undefined) variants.push(variant)
    else {
      const { name, role, summary } = variant
      leftOut.push({ name, role, summary, reason: `the runtime ${runtime.name} ${lack}` })
    }
  }
  return { variants, leftOut }
}

export function clusterSpec(
  lab: Pick<Lab, 'name' | 'topology' | 'needs' | 'variants'>,
  options: RunLabOptions & AbilityOptions,
): ClusterSpec {
  const { brokers, controllers, settings, nodes, logDirs } = lab.topology
  const name = options.name ?? `lab-${lab.name}`
  // Nodes outside of the simulator have no network of ours: what breaks links stands in front of them, and only where a lab asks for it.
  const needs = [...lab.needs, ...lab.variants.flatMap(variant => variant.needs ?? [])]
  const { able } = abilityFor(options)
  const isOutside = options.runtime.name === 'process' || options.runtime.name === 'compose'
  const proxy = isOutside && needs.includes('partition') && able.has('partition')
  const faults = (['node-faults', 'power-failure'] as const).some(each => able.has(each) && needs.includes(each))
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

export interface Outcome {
  readonly startedAt: string
  readonly durationMs: number
  readonly variants: readonly VariantResult[]
  readonly histories: readonly History[]
  readonly leftOut?: readonly LeftOut[]
  readonly verdict: LabResult['verdict']
  readonly partial?: true | undefined
  readonly reason: string
  readonly chosen?: number | undefined
}

/** The result of a run or a judgement, and its report where one is asked for. */
export async function finished(
  lab: Lab,
  options: Pick<
    RunLabOptions,
    'runtime' | 'engine' | 'engineVersion' | 'seed' | 'out' | 'scale' | 'security' | 'variants'
  > & { readonly recorded?: boolean },
  outcome: Outcome,
): Promise<LabResult> {
  const { histories, chosen, partial, leftOut = [], ...rest } = outcome
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
    ...(partial === true ? { partial } : {}),
    ...(leftOut.length === 0 ? {} : { leftOut }),
    environment: environmentOf(lab, {
      ...options,
      engine: engineOf(options),
      runtime: options.runtime.name,
      file: fileOfLab(lab),
    }),
  }
  if (options.out !== undefined) await writeReport(options.out, result, histories)
  return result
}
