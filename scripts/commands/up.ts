/** `up`: from options to a cluster that serves. */
import type { Cluster, ClusterSpec } from '../cluster/cluster.ts'
import { engineText, parseEngine } from '../cluster/engine-name.ts'
import { attachCluster, chooseRuntime, runtimeByName } from '../cluster/runtimes.ts'
import {
  brokersAsked,
  clusterSpec,
  defaultName,
  differences,
  parseSettings,
  type SpecRequest,
} from '../cluster/spec.ts'
import { requireKnownSettings } from '../cluster/known-settings.ts'
import { hostHasEnded } from '../cluster/simulated/hosted-cluster.ts'
import { readRecord } from '../cluster/state.ts'
import { loadTopology, requestOf, requireFit } from '../cluster/topology/load.ts'
import { failure } from '../errors.ts'
import { describeCluster, metricsLines, nodeTable, proxyLines, securityLines } from './describe.ts'
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
  readonly faults?: boolean
  readonly topology?: string
}

export async function up(given: UpCommandOptions, session: Session): Promise<void> {
  const wanted = await wantedSpec(given, session)
  const running = await runningAlready(wanted)
  if (running !== undefined) return await report(running, 'Is up already, as it was asked for.', session)
  const { output } = session
  const start = performance.now()
  const runtime = await runtimeByName(wanted.runtime)
  const starting = { progress: output.progress, signal: session.signal }
  const cluster = await (runtime.upAndStay?.(wanted, starting) ?? runtime.up(wanted, starting))
  const seconds = (performance.now() - start) / 1000
  await report(cluster, `Up in ${seconds.toFixed(1)} s.`, session)
}

/** From options and topology file to a complete spec. What cannot be meant is refused before anything is looked for or said. */
async function wantedSpec(given: UpCommandOptions, session: Session): Promise<ClusterSpec> {
  const file = given.topology === undefined ? undefined : await loadTopology(given.topology)
  const topology = file && requestOf(file)
  const name = given.name === defaultName ? (topology?.name ?? given.name) : given.name
  // A file says all of it; without one, what is not said again holds as it was.
  const kept = keptRequest(name)
  const { settings: before = {}, ...rest } = topology === undefined ? kept : { ...topology, added: kept.added }
  const { data, set, ...said } = given
  const request = {
    ...rest,
    ...said,
    name,
    settings: { ...before, ...parseSettings(set) },
    ...(data === undefined ? {} : { dataDir: data }),
    ...(given.brokers === undefined ? {} : brokersAsked(given.brokers, kept)),
  }
  const complete = (runtime: string): ClusterSpec => clusterSpec({ ...request, runtime })
  const assumed = parseEngine('--engine', request.engine ?? 'faultline').engine === 'redpanda' ? 'compose' : 'process'
  const first = complete(request.runtime ?? assumed)
  if (given.topology !== undefined && file !== undefined) await requireFit(given.topology, file, first)
  await requireKnownSettings(first, '--set')
  return complete(request.runtime ?? (await chosenRuntime(request, session)))
}

/** Of a cluster that is up, or down with its data kept: what it was started with. */
function keptRequest(name: string): Partial<SpecRequest> {
  const record = readRecord(name)
  if (record === undefined || record.phase === 'starting') return {}
  return { ...record.spec, engine: engineText(record.spec) }
}

/** The cluster of that name, when it is up as `wanted`. Refuses when it is up otherwise, or no longer whole. */
async function runningAlready(wanted: ClusterSpec): Promise<Cluster | undefined> {
  const record = readRecord(wanted.name)
  if (record?.phase !== 'up') return undefined
  const { name } = wanted
  const different = differences(record.spec, wanted)
  if (different.length > 0)
    throw failure(
      `A cluster named ${name} is up already, and is another one: ${different.join('; ')}.`,
      `./faultline down --name ${name} takes it away; another name starts a second one: --name ${name}-2 --port ${record.spec.port + 1_000}`,
    )
  const cluster = await attachCluster(name)
  const down = (await cluster.nodes()).filter(({ state }) => state !== 'running')
  if (down.length === 0) return cluster
  const list = down.map(({ id, state }) => `node ${id} is ${state}`).join(', ')
  const paused = down.filter(({ state }) => state === 'paused').map(({ id }) => id)
  const others = down.filter(({ state }) => state !== 'paused').map(({ id }) => id)
  if (wanted.runtime === 'simulated' && (await hostHasEnded(name)))
    throw failure(
      `The cluster ${name} was up, but the process that simulates it has ended, and its disks with it.`,
      `./faultline down --name ${name}, then up again.`,
    )
  const ways = [
    ...(others.length === 0 ? [] : [`./faultline start ${others.join(' ')} --name ${name}`]),
    ...(paused.length === 0 ? [] : [`./faultline resume ${paused.join(' ')} --name ${name}`]),
  ]
  throw failure(`The cluster ${name} is up already, but ${list}.`, ways.join('; '))
}

async function chosenRuntime(
  { engine, proxy, faults, nodes }: Pick<SpecRequest, 'engine' | 'proxy' | 'faults' | 'nodes'>,
  session: Session,
): Promise<string> {
  const several = Object.values(nodes ?? {}).some(node => node.engine !== undefined)
  if (proxy === true || faults === true || several) return 'process'
  const choice = await chooseRuntime(parseEngine('--engine', engine ?? 'faultline').engine)
  session.output.note(`Runtime: ${choice.name} (${choice.why}; --runtime chooses another)`)
  return choice.name
}

async function report(cluster: Cluster, summary: string, session: Session): Promise<void> {
  const document = await describeCluster(cluster)
  const text = session.output.json ? '' : await nodeTable(document, await cluster.quorum())
  session.output.result(document, () =>
    [
      text,
      '',
      summary,
      ...securityLines(document),
      ...proxyLines(document),
      ...metricsLines(document),
      `bootstrap: ${document.bootstrap}`,
    ].join('\n'),
  )
}
