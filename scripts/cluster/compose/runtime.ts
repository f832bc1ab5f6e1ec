/** The runtime on Docker: a Compose project generated from the spec, clients on 127.0.0.1 at the same ports as with processes. */
import { lacking } from '../../errors.ts'
import { takingBack } from '../../settle.ts'
import { randomUuid } from '../apache-kafka/uuid.ts'
import type { ClusterSpec, Runtime, UpOptions } from '../cluster.ts'
import { nodeIds } from '../cluster.ts'
import { claimUp, findCluster, ownProcess } from '../lifecycle.ts'
import { writePrometheusConfig } from '../metrics.ts'
import { foreignData } from '../outside-data.ts'
import { releasePorts, requireFreePorts } from '../ports.ts'
import { writeClientFiles } from '../security/clients.ts'
import { makeSecurity } from '../security/material.ts'
import type { ClusterRecord } from '../state.ts'
import { removeState, writeRecord } from '../state.ts'
import { ComposeCluster, composeRuntimeCapabilities } from './compose-cluster.ts'
import { dockerAvailable } from './docker.ts'
import {
  certifiedHosts,
  ensureImages,
  makeDataDirectories,
  makeNodeFolders,
  outsideOfContainers,
  writeComposeFile,
} from './project.ts'

export const composeRuntime: Runtime = {
  name: 'compose',
  capabilities: composeRuntimeCapabilities,
  // Whether an image can be had shows when it is needed.
  available: () => dockerAvailable(),
  up,
  attach: name => Promise.resolve(new ComposeCluster(findCluster(name))),
}

async function up(request: ClusterSpec, options: UpOptions = {}): Promise<ComposeCluster> {
  const { progress = () => {}, signal } = options
  const found = await composeRuntime.available(request.engine)
  if (!found.available) throw lacking(found.missing, found.remedy)
  const { spec, existing } = await claimUp(request)
  let cluster: ComposeCluster | undefined
  try {
    let record = await newRecord(spec, existing)
    writeRecord(record)
    if (request.port !== 0) await requireFreePorts(spec)
    const kafkaImage = await ensureImages(spec, progress, signal)
    const security = await makeSecurity(spec, certifiedHosts(spec))
    // That took a while: what has come meanwhile is somebody's.
    record = { ...record, foreignData: foreignData(outsideOfContainers, spec, existing) }
    writeRecord(record)
    cluster = new ComposeCluster(record)
    if (security !== undefined) writeClientFiles(security, cluster.bootstrap)
    makeNodeFolders(spec, nodeIds(spec))
    makeDataDirectories(spec, nodeIds(spec))
    writeComposeFile(record, kafkaImage, security)
    if (existing?.spec.engineVersion === spec.engineVersion) await cluster.versions?.renew(options)
    else cluster.versions?.forget()
    writePrometheusConfig(spec)
    progress(`Starting ${nodeIds(spec).length + (spec.proxy === true ? 1 : 0)} containers`)
    await cluster.compose(['up', '--detach', '--no-build', '--pull', 'never'], signal)
    await cluster.prepareProxy(signal)
    if (options.skipReadyCheck !== true) {
      progress('Waiting until every broker serves')
      await cluster.waitReady({ progress, ...(signal === undefined ? {} : { signal }) })
    }
    signal?.throwIfAborted()
    writeRecord({ ...record, phase: 'up' })
    return cluster
  } catch (error) {
    throw await takingBack(error, async () => {
      await takeAway(cluster, spec, existing)
      if (request.port === 0) releasePorts(spec.port)
    })
  }
}

/** After a failure: containers and state go; data that was there before stays. */
async function takeAway(
  cluster: ComposeCluster | undefined,
  spec: ClusterSpec,
  existing: ClusterRecord | undefined,
): Promise<void> {
  // What of it is still there is found by its files: they stay where it cannot be taken away.
  await cluster?.down({ keepData: existing !== undefined, isCutOff: true })
  if (existing !== undefined) writeRecord(existing)
  else removeState(spec.name)
}

async function newRecord(spec: ClusterSpec, existing: ClusterRecord | undefined): Promise<ClusterRecord> {
  return {
    version: 1,
    spec,
    clusterId: existing?.clusterId ?? randomUuid(),
    phase: 'starting',
    owner: await ownProcess(),
    foreignData: foreignData(outsideOfContainers, spec, existing),
  }
}
