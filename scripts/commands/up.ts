/** `up`: from options to a cluster that serves. */
import { readFileSync } from 'node:fs'
import type { Cluster, Engine } from '../cluster/cluster.ts'
import { engines } from '../cluster/cluster.ts'
import { chooseRuntime, runtimeByName } from '../cluster/runtimes.ts'
import { clusterSpec, parseSettings } from '../cluster/spec.ts'
import { codeOf, messageOf, usageError } from '../errors.ts'
import { describeCluster, nodeTable } from './describe.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export interface UpCommandOptions extends CommonOptions {
  readonly runtime?: string
  readonly engine?: string
  readonly brokers?: number
  readonly controllers?: number
  readonly port?: number
  readonly data?: string
  readonly set: readonly string[]
  readonly security: string
  readonly topology?: string
}

export async function up(given: UpCommandOptions, session: Session): Promise<void> {
  if (given.security !== 'none') {
    throw usageError(`--security ${given.security} is not there yet: expected none.`, 'Leave the option away.')
  }
  const fromFile = given.topology === undefined ? {} : readTopology(given.topology)
  const options = { ...fromFile, ...given, set: [...(fromFile.set ?? []), ...given.set] }
  const { output } = session
  const runtime = options.runtime ?? (await chosenRuntime(options.engine, session))
  const spec = clusterSpec({ ...options, runtime, dataDir: options.data, settings: parseSettings(options.set) })
  if (spec.runtime === 'simulated') {
    throw usageError(
      'A simulated cluster lives in one process, in virtual time: it ends with the command that started it.',
      './faultline lab run 00-durability --runtime simulated runs a lab in it; make sim runs many seeds.',
    )
  }
  const start = performance.now()
  const cluster = await (
    await runtimeByName(spec.runtime)
  ).up(spec, { progress: output.progress, signal: session.signal })
  const seconds = (performance.now() - start) / 1000
  await report(cluster, seconds, session)
}

async function chosenRuntime(engine: string | undefined, session: Session): Promise<string> {
  const known = engines.find(candidate => candidate === (engine ?? 'faultline'))
  // An engine that does not exist is refused with the other options.
  if (known === undefined) return 'process'
  const choice = await chooseRuntime(known satisfies Engine)
  session.output.note(`Runtime: ${choice.name} (${choice.why}; --runtime chooses another)`)
  return choice.name
}

async function report(cluster: Cluster, seconds: number, session: Session): Promise<void> {
  const document = await describeCluster(cluster)
  const text = session.output.json ? '' : await nodeTable(document, await cluster.quorum())
  session.output.result(document, () => `${text}\n\nUp in ${seconds.toFixed(1)} s.\nbootstrap: ${document.bootstrap}`)
}

const topologyKeys = new Set(['name', 'runtime', 'engine', 'brokers', 'controllers', 'port', 'data', 'settings'])

type Topology = Partial<Omit<UpCommandOptions, 'set'>> & { readonly set?: readonly string[] }

/** A JSON object with the long options of `up` as keys, and `settings` for broker settings. */
function readTopology(file: string): Topology {
  const example = 'For example: {"brokers": 3, "controllers": 3, "settings": {"log.retention.ms": "60000"}}'
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error)
    throw usageError(`--topology ${file} cannot be read: ${why}.`, example)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw usageError(`--topology ${file} should hold a JSON object.`, example)
  const unknown = Object.keys(value).find(key => !topologyKeys.has(key))
  if (unknown !== undefined)
    throw usageError(`--topology ${file}: ${unknown} is not known; expected ${[...topologyKeys].join(', ')}.`, example)
  const { settings, ...rest } = value as Topology & { settings?: Record<string, unknown> }
  return { ...rest, set: Object.entries(settings ?? {}).map(([key, setting]) => `${key}=${String(setting)}`) }
}
