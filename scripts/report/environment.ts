/** Under which conditions a lab ran, and the command that runs it again: what a reader of a report needs to believe it or to refute it. */
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RuntimeName } from '../cluster/cluster.ts'
import { engineText, type EngineChoice } from '../cluster/engine-name.ts'
import { installation } from '../installation/here.ts'
import type { Lab, Variant } from '../labs/lab.ts'

export interface RunEnvironment {
  /** Of Faultline. */
  readonly version: string
  readonly node: string
  readonly system: string
  readonly processors: string
  readonly memoryGiB: number
  readonly scale: 'quick' | 'full'
  readonly security: string
  readonly topology: { readonly brokers: number; readonly controllers: number }
  /** Kafka's settings that every node was given. */
  readonly settings: Readonly<Record<string, string>>
  /** What each variant asks of clients and topic, apart from the defaults. */
  readonly workloads: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** A recorded history was judged again: version, Node.js and machine are those of the judgement. */
  readonly judgedAgain?: true
  /** Runs the lab again in the same way. */
  readonly command: string
}

export interface RunChoices {
  readonly engine: EngineChoice
  readonly runtime: RuntimeName
  readonly seed: number
  readonly scale?: 'quick' | 'full' | undefined
  readonly security?: string | undefined
  readonly variants?: readonly string[] | undefined
  /** Of a lab that is not one of this installation. */
  readonly file?: string | undefined
  /** The history is judged again: what is said of the machine is not of the one it was recorded on. */
  readonly recorded?: boolean | undefined
}

export function environmentOf(lab: Lab, choices: RunChoices): RunEnvironment {
  const { brokers, controllers, settings } = lab.topology
  const { version } = JSON.parse(readFileSync(join(installation.root, 'package.json'), 'utf8')) as { version: string }
  const [first] = cpus()
  return {
    version,
    node: process.version,
    system: `${platform()} ${release()}, ${arch()}`,
    processors: `${cpus().length} × ${first?.model.trim() ?? 'unknown'}`,
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    scale: choices.scale ?? 'quick',
    security: choices.security ?? 'none',
    topology: { brokers, controllers },
    settings,
    workloads: Object.fromEntries(lab.variants.map(({ name, workload }) => [name, workloadOf(workload)])),
    ...(choices.recorded === true ? { judgedAgain: true } : {}),
    command: commandOf(choices.file ?? lab.name, choices),
  }
}

function workloadOf(workload: Variant['workload']): Readonly<Record<string, unknown>> {
  return typeof workload === 'function' ? { workload: "the lab's own" } : { ...workload }
}

/** The command with every choice that matters, also those that are defaults now and may not be later. */
export function commandOf(lab: string, choices: RunChoices): string {
  const { runtime, engine, seed, scale, security, variants } = choices
  return [
    `${installation.command} lab run ${lab}`,
    `--runtime ${runtime}`,
    `--engine ${engineText(engine)}`,
    `--seed ${seed}`,
    ...(scale === undefined || scale === 'quick' ? [] : [`--scale ${scale}`]),
    ...(security === undefined || security === 'none' ? [] : [`--security ${security}`]),
    ...(variants ?? []).map(variant => `--variant ${variant}`),
  ].join(' ')
}
