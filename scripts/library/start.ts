/** From the options of a test to a cluster of processes that ends with it. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cluster, ClusterSpec } from '../cluster/cluster.ts'
import { processRuntime } from '../cluster/process/runtime.ts'
import { clusterSpec } from '../cluster/spec.ts'
import { keepStateIn } from '../cluster/state.ts'
import { messageOf } from '../errors.ts'
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
  const home = makeHome(options)
  keepStateIn(home, spec.name)
  const warden = new Warden(home)
  const leave = (): void => {
    rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
    warden.dismiss()
  }
  try {
    const { signal, timeoutMs } = options
    const abort = signal === undefined ? {} : { signal }
    const cluster = await processRuntime.up(spec, { ...abort, skipReadyCheck: true })
    try {
      await cluster.waitReady({ ...abort, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
      const running = new RunningCluster(cluster, leave)
      await Promise.all(Object.entries(options.topics ?? {}).map(([name, topic]) => running.createTopic(name, topic)))
      return running
    } catch (error) {
      const logs = await newestLines(cluster)
      await cluster.down()
      throw signal?.aborted === true ? error : asFaultlineError(error, logs)
    }
  } catch (error) {
    leave()
    throw options.signal?.aborted === true ? error : asFaultlineError(error)
  }
}

function specOf(options: StartOptions): ClusterSpec {
  const { name = 'test', settings } = options
  return {
    ...clusterSpec({
      // Unique on this machine, whoever starts how many: the folders of clusters of other processes may lie beside.
      name: `${name}-${process.pid}-${randomBytes(4).toString('hex')}`,
      runtime: 'process',
      ...(options.engine === undefined ? {} : { engine: options.engine }),
      ...(options.brokers === undefined ? {} : { brokers: options.brokers }),
      ...(options.controllers === undefined ? {} : { controllers: options.controllers }),
      security: options.security,
      proxy: options.proxy,
      port: 0,
      settings: Object.fromEntries(Object.entries(settings ?? {}).map(([key, value]) => [key, String(value)])),
    }),
    tied: true,
  }
}

function makeHome({ directory = tmpdir() }: StartOptions): string {
  if (!existsSync(directory)) mkdirSync(directory, { recursive: true })
  return mkdtempSync(join(directory, 'faultline-'))
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
