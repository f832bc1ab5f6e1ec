/** The runtime without any container: every node is a process on the loopback address. Needs nothing but Node.js (and Java for Kafka). */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseProperties } from '#broker/config/properties.ts'
import { lacking, usageError } from '../../errors.ts'
import { takingBack } from '../../settle.ts'
import type { ClusterSpec, Engine, LackHere, Runtime, UpOptions } from '../cluster.ts'
import { nodeIds } from '../cluster.ts'
import { enginesOf } from '../engine-name.ts'
import { randomUuid } from '../apache-kafka/uuid.ts'
import { claimUp, findCluster, ownProcess } from '../lifecycle.ts'
import { writePrometheusConfig } from '../metrics.ts'
import { foreignData } from '../outside-data.ts'
import { HOST, releasePorts, requireFreePorts } from '../ports.ts'
import { writeClientFiles } from '../security/clients.ts'
import { makeSecurity } from '../security/material.ts'
import type { ClusterRecord } from '../state.ts'
import { logDirectories, removeState, writeRecord } from '../state.ts'
import type { ProcessEngine } from './engine.ts'
import { processEngine, processEngineOf } from './engines.ts'
import type { ProcessHandle } from './liveness.ts'
import { outsideOfProcesses, writeNodeFiles } from './node-files.ts'
import { removeNodeVersion } from '../node-version.ts'
import { faultCapabilities, processRuntimeCapabilities, ProcessCluster } from './process-cluster.ts'

export const processRuntime: Runtime = {
  name: 'process',
  capabilities: processRuntimeCapabilities,
  available: async (engine, engineVersion) =>
    engine === 'redpanda'
      ? { available: false, missing: 'the engine redpanda runs in containers only', remedy: 'Use --runtime compose.' }
      : await (await processEngine({ engine, ...(engineVersion === undefined ? {} : { engineVersion }) })).available(),
  lacksHere,
  up,
  async attach(name) {
    const record = findCluster(name)
    return new ProcessCluster(record, await processEngineOf(record.spec))
  },
}

async function lacksHere(engine: Engine): Promise<LackHere | undefined> {
  if (engine !== 'apache-kafka') return undefined
  const found = await (await import('../apache-kafka/fault-library.ts')).libraryAvailable()
  if (found.available) return undefined
  return { capabilities: faultCapabilities, missing: found.missing, remedy: found.remedy }
}

async function up(request: ClusterSpec, options: UpOptions = {}): Promise<ProcessCluster> {
  const { progress = () => {}, signal } = options
  const engine = await processEngineOf(request)
  const found = await engine.available()
  if (!found.available) throw lacking(found.missing, found.remedy)
  const lack = request.faults === true ? await lacksHere(request.engine) : undefined
  if (lack !== undefined) throw lacking(`--faults: ${lack.missing}.`, lack.remedy)
  requireMemory(request, engine)
  const { spec, existing } = await claimUp(request)
  let cluster: ProcessCluster | undefined
  try {
    let record = newRecord(spec, existing, await ownProcess())
    writeRecord(record)
    if (request.port !== 0) await requireFreePorts(spec)
    await engine.prepare({ progress, signal })
    const security = await makeSecurity(spec, [HOST, 'localhost'])
    if (existing?.spec.engineVersion !== spec.engineVersion)
      for (const id of nodeIds(spec)) removeNodeVersion(spec.name, id)
    // That took a while: what has come meanwhile is somebody's.
    record = { ...record, foreignData: foreignData(outsideOfProcesses, spec, existing) }
    writeRecord(record)
    cluster = new ProcessCluster(record, engine)
    if (security !== undefined) writeClientFiles(security, cluster.bootstrap)
    writeNodeFiles(record, engine, nodeIds(spec))
    writePrometheusConfig(spec)
    progress(`Starting ${describe(spec)}`)
    await cluster.startAll({ progress, signal })
    if (options.skipReadyCheck !== true) {
      progress('Waiting until every broker serves')
      await cluster.waitReady({ progress, ...(signal === undefined ? {} : { signal }) })
    }
    signal?.throwIfAborted()
    writeRecord({ ...record, phase: 'up' })
    return cluster
  } catch (error) {
    throw await takingBack(error, async () => {
      // What of it still runs is found by its files: they stay where one cannot be ended.
      await cluster?.endAll()
      if (existing === undefined) {
        cluster?.removeData()
        removeState(spec.name)
      } else {
        writeRecord(existing)
      }
      if (request.port === 0) releasePorts(spec.port)
    })
  }
}

function describe(spec: ClusterSpec): string {
  const nodes = [`${spec.brokers} broker${spec.brokers === 1 ? '' : 's'}`]
  if (spec.controllers > 0) nodes.push(`${spec.controllers} controller${spec.controllers === 1 ? '' : 's'}`)
  return `${nodes.join(' and ')} (${enginesOf(spec).join(', ')}; processes${spec.proxy === true ? ', behind a fault proxy' : ''})`
}

function newRecord(spec: ClusterSpec, existing: ClusterRecord | undefined, owner: ProcessHandle): ClusterRecord {
  const directories = nodeIds(spec).flatMap(id => logDirectories(spec, id))
  return {
    version: 1,
    spec,
    clusterId: clusterIdOnDisk(directories) ?? randomUuid(),
    phase: 'starting',
    owner,
    foreignData: foreignData(outsideOfProcesses, spec, existing),
  }
}

/** The cluster whose data is there already; its directories must agree. */
function clusterIdOnDisk(directories: readonly string[]): string | undefined {
  const ids = new Map<string, string>()
  for (const directory of directories) {
    const file = join(directory, 'meta.properties')
    if (!existsSync(file)) continue
    const id = parseProperties(readFileSync(file, 'utf8')).get('cluster.id')
    if (id !== undefined) ids.set(id, file)
  }
  if (ids.size > 1) {
    throw usageError(
      `The data directories belong to different clusters: ${[...ids].map(([id, file]) => `${file} to ${id}`).join(', ')}.`,
    )
  }
  return [...ids.keys()][0]
}

function requireMemory(spec: ClusterSpec, engine: ProcessEngine): void {
  const nodes = nodeIds(spec).length
  const needed = nodes * engine.nodeMemoryBytes
  const usable = process.availableMemory()
  if (needed <= usable) return
  const MiB = 1 << 20
  const fit = Math.floor(usable / engine.nodeMemoryBytes)
  throw lacking(
    `Too little memory: ${nodes} nodes of ${enginesOf(spec).join(' and ')} need about ${Math.ceil(needed / MiB)} MiB, ${Math.floor(usable / MiB)} MiB are free.`,
    fit > 0 ? `Start fewer nodes (--brokers ${Math.min(fit, spec.brokers)}) or close something.` : 'Close something.',
  )
}
