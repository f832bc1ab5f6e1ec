/** From the options of a test to a cluster of processes that ends with it. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { realClock } from '../cluster/clock.ts'
import type { Cluster, ClusterSpec } from '../cluster/cluster.ts'
import { processRuntime } from '../cluster/process/runtime.ts'
import { clusterSpec } from '../cluster/spec.ts'
import { keepStateIn } from '../cluster/state.ts'
import { checkedTopology } from '../cluster/topology/check.ts'
import { requireLinksFit, requireSettingsFit } from '../cluster/topology/fit.ts'
import { requestOf } from '../cluster/topology/load.ts'
import { ShapeError } from '../cluster/topology/shape.ts'
import type { NodeTopology, Topology } from '../cluster/topology/topology.ts'
import { codeOf, failure, messageOf, usageError } from '../errors.ts'
import { unlessAborted } from '../labs/interruptible.ts'
import { asFaultlineError, explained } from './errors.ts'
import type { StartOptions, TestCluster } from './api.ts'
import { checkedOptions } from './options.ts'
import { RunningCluster } from './running-cluster.ts'
import { Warden } from './warden.ts'

/** Lines of each node's log in the message of a start that failed: the files are gone by then. */
const linesOfLog = 8

export async function start(options: StartOptions): Promise<TestCluster> {
  const spec = explained(() => specOf(checkedOptions(options)))
  options.signal?.throwIfAborted()
  const { home, made } = explained(() => makeHome(options))
  keepStateIn(home, spec.name)
  const warden = new Warden(home)
  const leave = (): void => {
    rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
    if (made !== undefined) removeEmpty(directoryOf(options), made)
    warden.dismiss()
  }
  const limit = limitOf(options)
  try {
    await requireSettingsFit('startCluster, option ', spec)
    const cluster = await processRuntime.up(spec, { ...limit.abort, skipReadyCheck: true })
    try {
      // It says who is missing when the time is over.
      await cluster.waitReady({ ...(options.signal && { signal: options.signal }), ...limit.left() })
      const running = new RunningCluster(cluster, leave)
      const topics = Object.entries(options.topics ?? {}).map(([name, topic]) => running.createTopic(name, topic))
      await unlessAborted(Promise.all(topics), limit.abort.signal)
      return running
    } catch (error) {
      const logs = await newestLines(cluster)
      await cluster.down()
      throw options.signal?.aborted === true ? error : asFaultlineError(limit.inWords(error), logs)
    }
  } catch (error) {
    leave()
    throw options.signal?.aborted === true ? error : asFaultlineError(limit.inWords(error))
  }
}

/** What ends the start: the caller, or the time that it gave, which is for all of it. */
function limitOf({ signal, timeoutMs }: StartOptions) {
  const late = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs)
  const signals = [signal, late].filter(each => each !== undefined)
  const endMs = timeoutMs === undefined ? undefined : realClock.nowMs() + timeoutMs
  return {
    left: () => (endMs === undefined ? {} : { timeoutMs: Math.max(1, endMs - realClock.nowMs()) }),
    abort: signals.length === 0 ? {} : { signal: AbortSignal.any(signals) },
    inWords: (error: unknown): unknown =>
      late?.aborted === true && error === late.reason
        ? failure(`The cluster was not there after ${timeoutMs} ms.`, 'timeoutMs is how long the whole start may take.')
        : error,
  }
}

function specOf(options: StartOptions): ClusterSpec {
  const { name = 'test', brokers, controllers, engine, security, proxy, faults, links, settings } = options
  requireProcesses(engine, 'engine')
  for (const [field, nodes] of Object.entries({ brokers, controllers }))
    if (Array.isArray(nodes))
      nodes.forEach((node: NodeTopology | undefined, index) =>
        requireProcesses(node?.engine, `${field}[${index}].engine`),
      )
  const topology = topologyOf({ brokers, controllers, engine, security, proxy, faults, links, settings })
  const spec = {
    ...clusterSpec({
      ...requestOf(topology),
      // Unique on this machine, whoever starts how many: the folders of clusters of other processes may lie beside.
      name: `${name}-${process.pid}-${randomBytes(4).toString('hex')}`,
      runtime: 'process',
      port: 0,
    }),
    tied: true,
  }
  inOptions(() => requireLinksFit(topology, spec))
  return spec
}

/** Whatever else is wrong with an engine, the check of topologies says. */
function requireProcesses(engine: unknown, option: string): void {
  if (typeof engine === 'string' && engine.startsWith('redpanda'))
    throw usageError(
      `startCluster, option ${option}: redpanda runs in containers only, and the nodes of startCluster are processes.`,
      'Use faultline or apache-kafka.',
    )
}

/** The options that a topology file has, too, under the same checks. */
function topologyOf(given: Readonly<Record<string, unknown>>): Topology {
  return inOptions(() =>
    checkedTopology(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))),
  )
}

function inOptions<T>(check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error
    throw usageError(`startCluster, option ${error.message}.`)
  }
}

const directoryOf = ({ directory = tmpdir() }: StartOptions): string => resolve(directory)

/** @returns made: the outermost folder that was not there before */
function makeHome(options: StartOptions): { readonly home: string; readonly made: string | undefined } {
  const directory = directoryOf(options)
  try {
    const made = makeFolder(directory)
    return { home: mkdtempSync(join(directory, 'faultline-')), made }
  } catch (error) {
    throw usageError(`startCluster, option directory: no folder can be made in ${directory}: ${messageOf(error)}.`)
  }
}

/** From `directory` outwards to `outermost`: each as long as it is empty, since other clusters may lie there by now. */
function removeEmpty(directory: string, outermost: string): void {
  for (let folder = directory; folder.startsWith(outermost); folder = dirname(folder)) {
    try {
      rmdirSync(folder)
    } catch (error) {
      if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'ENOENT') return
      throw error
    }
  }
}

async function newestLines(cluster: Cluster): Promise<string> {
  const nodes = await cluster.nodes()
  const texts = await Promise.all(
    nodes.map(async ({ id, state }) => {
      const lines = await cluster.logs(id, { lines: linesOfLog }).catch(messageOf)
      return `node ${id} (${state}):\n${lines.trimEnd()}`
    }),
  )
  return texts.join('\n')
}
