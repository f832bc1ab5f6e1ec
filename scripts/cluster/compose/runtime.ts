/** The runtime on Docker: a Compose project generated from the spec, clients on 127.0.0.1 at the same ports as with processes. */
import { existsSync, mkdirSync, chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { lacking, messageOf } from '../../errors.ts'
import { randomUuid } from '../apache-kafka/uuid.ts'
import type { ClusterSpec, Runtime, UpOptions } from '../cluster.ts'
import { nodeIds } from '../cluster.ts'
import { beginUp, findCluster, ownProcess } from '../lifecycle.ts'
import { writePrometheusConfig } from '../metrics.ts'
import { claimBasePort, HOST, requireFreePorts } from '../ports.ts'
import { writeClientFiles } from '../security/clients.ts'
import { makeSecurity, writeSecret, type ClusterSecurity } from '../security/material.ts'
import type { ClusterRecord } from '../state.ts'
import { dataDirectory, makeDataDirectory, nodeDirectory, removeState, stateDirectory, writeRecord } from '../state.ts'
import { ComposeCluster, composeRuntimeCapabilities, projectName } from './compose-cluster.ts'
import { forgetCpuLimit } from './cpu-limit.ts'
import { docker, dockerAvailable, ensureImage } from './docker.ts'
import { proxyService } from './container-addresses.ts'
import { composeFile, serviceName, type ComposeOptions } from './generator.ts'
import { ensureKafkaImage } from './kafka-image.ts'
import { ensurePublicImage } from './public-image.ts'
import { redpandaComposeFile, redpandaImage } from './redpanda.ts'

/** The user of the image. */
const IMAGE_UID = 1000

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
  const spec = request.port === 0 ? { ...request, port: await claimBasePort(request) } : request
  const existing = await beginUp(spec)
  let cluster: ComposeCluster | undefined
  try {
    const record = await newRecord(spec, existing)
    writeRecord(record)
    if (request.port !== 0) await requireFreePorts(spec)
    if (spec.engine === 'redpanda') await ensurePublicImage(await docker(), redpandaImage(spec), progress)
    if (spec.engine === 'faultline' || spec.proxy === true) await ensureImage(progress, signal)
    const kafkaImage = spec.engine === 'apache-kafka' ? await ensureKafkaImage(spec, progress, signal) : undefined
    const hosts = [HOST, 'localhost', proxyService, ...nodeIds(spec).map(id => serviceName(spec, id))]
    const security = await makeSecurity(spec, hosts)
    cluster = new ComposeCluster(record)
    if (security !== undefined) writeClientFiles(security, cluster.bootstrap)
    writeFiles(record, kafkaImage, security)
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
    await takeAway(cluster, spec, existing, progress)
    throw error
  }
}

/** After a failure: containers and state go; data that was there before stays. */
async function takeAway(
  cluster: ComposeCluster | undefined,
  spec: ClusterSpec,
  existing: ClusterRecord | undefined,
  progress: (message: string) => void,
): Promise<void> {
  try {
    await cluster?.down({ keepData: existing !== undefined, isCutOff: true })
  } catch (error) {
    progress(`Cleaning up failed: ${messageOf(error)}`)
    return
  }
  if (existing !== undefined) writeRecord(existing)
  else removeState(spec.name)
}

async function newRecord(spec: ClusterSpec, existing: ClusterRecord | undefined): Promise<ClusterRecord> {
  const outside = spec.dataDir === undefined ? [] : [spec.dataDir, ...nodeIds(spec).map(id => dataDirectory(spec, id))]
  return {
    version: 1,
    spec,
    clusterId: existing?.clusterId ?? randomUuid(),
    phase: 'starting',
    owner: await ownProcess(),
    foreignData: existing?.foreignData ?? outside.filter(directory => existsSync(directory)),
  }
}

function writeFiles(
  record: ClusterRecord,
  kafkaImage: string | undefined,
  security: ClusterSecurity | undefined,
): void {
  const { spec } = record
  for (const id of nodeIds(spec)) {
    mkdirSync(nodeDirectory(spec.name, id), { recursive: true })
    writeFileSync(join(nodeDirectory(spec.name, id), 'intent.json'), '{ "down": false }\n')
    forgetCpuLimit(spec.name, id)
  }
  const about = {
    title: [`Written by ./faultline up --name ${spec.name} --runtime compose`],
    project: projectName(spec),
  }
  const ours = (): ComposeOptions => ({
    ...about,
    clusterId: record.clusterId,
    ...(kafkaImage === undefined ? {} : { kafkaImage }),
    inspectors: spec.engine === 'faultline',
    security,
    ...(spec.dataDir === undefined
      ? {}
      : { dataDirectory: (id: number) => dataDirectory(spec, id), user: prepareDataDirectories(spec) }),
  })
  const text = spec.engine === 'redpanda' ? redpandaComposeFile(spec, about) : composeFile(spec, ours())
  // May hold keys and passwords.
  writeSecret(join(stateDirectory(spec.name), 'compose.yaml'), text)
}

/** Directories of the user are used as the user, so that no file in them belongs to somebody else; root hands them to the image's user. */
function prepareDataDirectories(spec: ClusterSpec): string {
  const uid = process.getuid?.() ?? IMAGE_UID
  for (const id of nodeIds(spec)) {
    const directory = makeDataDirectory(spec, id)
    if (uid === 0) chownSync(directory, IMAGE_UID, 0)
  }
  return `${uid === 0 ? IMAGE_UID : uid}:0`
}
