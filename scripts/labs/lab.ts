/**
 * What a lab is: one question about Kafka, a prediction asked before the run, a cluster, a workload, a script of faults, checks and the
 * verdict to expect. Every lab carries at least one negative control: a variant that must be caught losing what the main variant keeps.
 * A control that passes means that the lab proves nothing.
 */
import type { Check } from '../checkers/check.ts'
import type { Capability, Engine, NodeSpec } from '../cluster/cluster.ts'
import type { AppendOptions } from '../workload/append.ts'
import type { Workload, WorkloadParts } from '../workload/workload.ts'
import type { Chapter } from './chapters.ts'
import { problemOfFields } from './lab-fields.ts'
import type { LabRun, Script } from './script.ts'

export interface Prediction {
  readonly choices: readonly string[]
  /** Index of the right choice. */
  readonly answer: number
}

export interface Topology {
  readonly brokers: number
  /** 0: brokers are controllers as well. */
  readonly controllers: number
  /** Kafka's settings for every node. */
  readonly settings: Readonly<Record<string, string>>
  /** What single nodes have of their own (racks, settings, log directories), by their ids. */
  readonly nodes?: Readonly<Record<string, NodeSpec>>
  /** Of each node; left out: one. */
  readonly logDirs?: number
}

/** `valid`, or the names of checks of which at least one must find something. */
export type Expectation = 'valid' | readonly string[]

export interface Variant {
  /** `main`, or what is different, e.g. `acks-1`. */
  readonly name: string
  readonly summary: string
  /** A control must be found invalid, by one of the checks it names. */
  readonly role: 'main' | 'control'
  /** What only this variant needs; without it the variant is left out, loudly. */
  readonly needs?: readonly Capability[]
  /** Options of the append workload, or how to make another one. */
  readonly workload: Partial<AppendOptions> | MakeWorkload
  readonly script: Script
  /** Names of checks that every lab may use, and checks of its own. */
  readonly checks: readonly Check[]
  readonly expect: Expectation
  /** Where findings are expected: checks that must be valid all the same, e.g. those of what has nothing to do with the loss. */
  readonly mustHold?: readonly string[]
  /** In words, why records leave the beginning of logs here, where neither settings of the topic nor requests through a `HandWorkload` say so. */
  readonly removesRecords?: string
  /** Where an engine or a version of it differs on purpose: `apache-kafka` or `apache-kafka@4.3`. */
  readonly expectOn?: Readonly<Record<string, Expectation>>
}

export type MakeWorkload = (parts: WorkloadParts) => Workload

/** A workload of the lab's own with the script that drives it, to be spread into a variant. */
export function driving<W extends Workload>(
  make: (parts: WorkloadParts) => W,
  script: (run: LabRun, workload: W) => Promise<void>,
): Pick<Variant, 'workload' | 'script'> {
  // The runner gives the script what `make` made.
  return { workload: make, script: async run => await script(run, run.workload as W) }
}

export interface Lab {
  /** `NN-name`, as the file. Labs outside of `labs/` need no number. */
  readonly name: string
  /** Where it is taught; left out: by its number. */
  readonly chapter?: Chapter
  /** 1 is easy, 3 is hard; left out: 2. */
  readonly difficulty?: 1 | 2 | 3
  /** What to know before the run, for `lab show`. Without the answer. */
  readonly lesson?: string
  /** What to try next, each a sentence. */
  readonly exercises?: readonly string[]
  /** One line for reports, and for lists once the lab was run: it may give the answer away. */
  readonly summary: string
  readonly question: string
  readonly prediction: Prediction
  readonly topology: Topology
  /** Without one of these a runtime cannot run the lab. */
  readonly needs: readonly Capability[]
  readonly variants: readonly Variant[]
  /** What to look at in the report. */
  readonly watch: readonly string[]
  readonly explanation: string
  readonly reading: readonly string[]
}

/** Checks a definition, so that a lab without a control or with an answer that is no choice never runs. */
export function lab(definition: Lab): Lab {
  const problem = problemOf(definition)
  if (problem) throw new Error(`lab ${definition.name}: ${problem}`)
  return definition
}

/** The cluster of a lab is named `lab-NAME`, and names of clusters have 40 characters at most. */
const nameLengthMax = 36

function problemOf(definition: Lab): string | undefined {
  const { name, prediction, variants } = definition
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name) || name.length > nameLengthMax)
    return `expected a name like 00-durability: at most ${nameLengthMax} lower-case letters, digits and dashes`
  const wrong = problemOfFields(definition)
  if (wrong !== undefined) return wrong
  if (!prediction.choices[prediction.answer])
    return `answer ${prediction.answer} is none of the ${prediction.choices.length} choices`
  if (!variants.some(({ role }) => role === 'main')) return 'it has no main variant'
  const controls = variants.filter(({ role }) => role === 'control')
  if (controls.length === 0) return 'it has no negative control, so it could not tell a pass from a blind test'
  if (controls.every(({ needs }) => needs !== undefined && needs.length > 0))
    return 'every control needs something that runtimes may lack'
  const tame = controls.find(({ expect }) => expect === 'valid')
  if (tame) return `the control ${tame.name} expects no failure`
  if (new Set(variants.map(variant => variant.name)).size < variants.length) return 'two variants have the same name'
  for (const { name: variant, checks, expect, expectOn, mustHold = [] } of variants) {
    const names: readonly string[] = checks.map(check => (typeof check === 'string' ? check : check.name))
    if (new Set(names).size < names.length) return `variant ${variant} has two checks of the same name`
    const wanted = [expect, ...Object.values(expectOn ?? {})].flatMap(each => (each === 'valid' ? [] : each))
    const absent = wanted.find(each => !names.includes(each))
    if (absent !== undefined)
      return `variant ${variant} expects ${absent} to find something, which is none of its checks`
    const unchecked = mustHold.find(each => !names.includes(each))
    if (unchecked !== undefined) return `in variant ${variant} ${unchecked} must hold, which is none of its checks`
    const both = mustHold.find(each => wanted.includes(each))
    if (both !== undefined) return `in variant ${variant} ${both} must hold, and is expected to find something`
  }
  return undefined
}

/** What a variant must give on an engine. */
export function expectationOn(variant: Variant, engine: Engine, version?: string): Expectation {
  return variant.expectOn?.[`${engine}@${version}`] ?? variant.expectOn?.[engine] ?? variant.expect
}

/**
 * Settings that make failures visible in seconds: Kafka's defaults wait 9 s for a silent broker and 30 s for a slow follower. They change
 * how long things take, not what happens.
 */
export const quickFailover: Readonly<Record<string, string>> = {
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'controller.quorum.election.timeout.ms': '500',
  'controller.quorum.fetch.timeout.ms': '1500',
  'replica.lag.time.max.ms': '4000',
  'group.initial.rebalance.delay.ms': '0',
  'offsets.topic.num.partitions': '4',
}
