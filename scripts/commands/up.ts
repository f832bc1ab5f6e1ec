/** `up`: from options to a cluster that serves. */
import { readFileSync } from 'node:fs'
import type { Cluster, ClusterSpec } from '../cluster/cluster.ts'
import { engineText, parseEngine } from '../cluster/engine-name.ts'
import { chooseRuntime, runtimeByName } from '../cluster/runtimes.ts'
import { clusterSpec, parseSettings } from '../cluster/spec.ts'
import { readRecord } from '../cluster/state.ts'
import { codeOf, messageOf, usageError } from '../errors.ts'
import { describeCluster, nodeTable, proxyLines, securityLines } from './describe.ts'
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
  readonly security?: string
  readonly proxy?: boolean
  readonly topology?: string
}

export async function up(given: UpCommandOptions, session: Session): Promise<void> {
  const fromFile = given.topology === undefined ? {} : readTopology(given.topology)
  const kept = keptOptions(given.name)
  const options = { ...kept, ...fromFile, ...given, set: [...(fromFile.set ?? []), ...given.set] }
  const { output } = session
  const settings = { ...kept.settings, ...parseSettings(options.set) }
  const complete = (runtime: string) => clusterSpec({ ...options, runtime, dataDir: options.data, settings })
  // What cannot be meant is refused before anything is looked for or said.
  await requireKnownSettings(complete(options.runtime ?? 'process'))
  const spec = complete(options.runtime ?? (await chosenRuntime(options, session)))
  const start = performance.now()
  const runtime = await runtimeByName(spec.runtime)
  const starting = { progress: output.progress, signal: session.signal }
  const cluster = await (runtime.upAndStay?.(spec, starting) ?? runtime.up(spec, starting))
  const seconds = (performance.now() - start) / 1000
  await report(cluster, seconds, session)
}

/** Of a cluster that is down with its data kept: what it was started with holds for whatever is not said again. */
function keptOptions(name: string): Partial<UpCommandOptions> & {
  readonly settings?: ClusterSpec['settings']
  readonly seed?: number
  readonly added?: number | undefined
} {
  const record = readRecord(name)
  if (record?.phase !== 'down') return {}
  const { runtime, brokers, added, controllers, port, dataDir, settings, security = 'none', proxy, seed } = record.spec
  const data = { ...(dataDir === undefined ? {} : { data: dataDir }), ...(proxy === true ? { proxy } : {}) }
  return {
    runtime,
    engine: engineText(record.spec),
    brokers,
    added,
    controllers,
    port,
    settings,
    security,
    seed,
    ...data,
  }
}

/** A broker ignores a name that it does not know, as Kafka's does; whoever types one here has mistyped it. */
async function requireKnownSettings(spec: ClusterSpec): Promise<void> {
  if (spec.engine !== 'faultline' || Object.keys(spec.settings).length === 0) return
  const [{ parseBrokerConfig }, { ConfigError }, { processNodeProperties }] = await Promise.all([
    import('#broker/config/parse.ts'),
    import('#broker/config/table.ts'),
    import('../cluster/process/node-files.ts'),
  ])
  const properties = processNodeProperties({ ...spec, port: spec.port === 0 ? 9092 : spec.port }, 1)
  const refuse = (reason: string): never => {
    throw usageError(
      `--set is not understood: ${reason}.`,
      'Settings have the names of Kafka’s broker configs: https://kafka.apache.org/documentation/#brokerconfigs',
    )
  }
  try {
    const [unknown] = parseBrokerConfig(new Map(Object.entries(properties))).unknown
    if (unknown !== undefined) refuse(unknown)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    refuse(error.message)
  }
}

async function chosenRuntime({ engine, proxy }: Partial<UpCommandOptions>, session: Session): Promise<string> {
  if (proxy === true) return 'process'
  const choice = await chooseRuntime(parseEngine('--engine', engine ?? 'faultline').engine)
  session.output.note(`Runtime: ${choice.name} (${choice.why}; --runtime chooses another)`)
  return choice.name
}

async function report(cluster: Cluster, seconds: number, session: Session): Promise<void> {
  const document = await describeCluster(cluster)
  const text = session.output.json ? '' : await nodeTable(document, await cluster.quorum())
  session.output.result(document, () =>
    [
      text,
      '',
      `Up in ${seconds.toFixed(1)} s.`,
      ...securityLines(document),
      ...proxyLines(document),
      `bootstrap: ${document.bootstrap}`,
    ].join('\n'),
  )
}

const topologyKeys = new Set([
  'name',
  'runtime',
  'engine',
  'brokers',
  'controllers',
  'port',
  'data',
  'security',
  'proxy',
  'settings',
])

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
