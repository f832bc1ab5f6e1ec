/** What a cluster of containers has on this machine beside its containers: images that must be there, the Compose file, folders of its nodes. */
import { chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import type { ClusterSpec, Progress } from '../cluster.ts'
import { nodeIds } from '../cluster.ts'
import { outsideData, type OutsideData } from '../outside-data.ts'
import { HOST } from '../ports.ts'
import { type ClusterSecurity, replaceSecret } from '../security/material.ts'
import type { ClusterRecord } from '../state.ts'
import { dataDirectory, makeDataDirectory, nodeDirectory, stateEntry } from '../state.ts'
import { proxyService } from './container-addresses.ts'
import { forgetCpuLimit } from './cpu-limit.ts'
import { docker, ensureImage } from './docker.ts'
import { composeFile, serviceName } from './generator.ts'
import { ensureKafkaImage } from './kafka-image.ts'
import { ensurePublicImage } from './public-image.ts'
import { redpandaComposeFile, redpandaImage } from './redpanda.ts'

/** The user of the image. */
const IMAGE_UID = 1000

export function projectName(spec: Pick<ClusterSpec, 'name'>): string {
  return `faultline-${spec.name}`
}

export function composePath(cluster: string): string {
  return stateEntry(cluster, 'compose.yaml')
}

/** @returns the one of Apache Kafka, where the nodes are of it */
export async function ensureImages(
  spec: ClusterSpec,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (spec.engine === 'redpanda') await ensurePublicImage(await docker(), redpandaImage(spec), progress)
  if (spec.engine === 'faultline' || spec.proxy === true) await ensureImage(progress, signal)
  return spec.engine === 'apache-kafka' ? await ensureKafkaImage(spec, progress, signal) : undefined
}

/** Names and addresses that a certificate of the nodes has to be good for. */
export function certifiedHosts(spec: ClusterSpec): string[] {
  return [HOST, 'localhost', proxyService, ...nodeIds(spec).map(id => serviceName(spec, id))]
}

/** Of nodes that begin. */
export function makeNodeFolders(spec: ClusterSpec, ids: readonly number[]): void {
  for (const id of ids) {
    makeFolder(nodeDirectory(spec.name, id))
    writeFileSync(join(nodeDirectory(spec.name, id), 'intent.json'), '{ "down": false }\n')
    forgetCpuLimit(spec.name, id)
  }
}

/** Of data that is not in volumes. Directories of the user are used as the user, so that no file in them belongs to somebody else. */
export function makeDataDirectories(spec: ClusterSpec, ids: readonly number[]): void {
  if (spec.dataDir === undefined) return
  for (const id of ids) {
    const directory = makeDataDirectory(spec, id)
    // Root hands them to the image's user.
    if (process.getuid?.() === 0) chownSync(directory, IMAGE_UID, 0)
  }
}

export function outsideOfContainers(spec: ClusterSpec): OutsideData {
  return outsideData(
    spec,
    nodeIds(spec).map(id => dataDirectory(spec, id)),
  )
}

function userOfData(): string {
  const uid = process.getuid?.() ?? IMAGE_UID
  return `${uid === 0 ? IMAGE_UID : uid}:0`
}

/** Replaced as a whole. */
export function writeComposeFile(
  { spec, clusterId }: Pick<ClusterRecord, 'spec' | 'clusterId'>,
  kafkaImage: string | undefined,
  security: ClusterSecurity | undefined,
): void {
  const about = {
    title: [`Written by ./faultline up --name ${spec.name} --runtime compose`],
    project: projectName(spec),
  }
  const text =
    spec.engine === 'redpanda'
      ? redpandaComposeFile(spec, about)
      : composeFile(spec, {
          ...about,
          clusterId,
          ...(kafkaImage === undefined ? {} : { kafkaImage }),
          inspectors: spec.engine === 'faultline',
          security,
          ...(spec.dataDir === undefined
            ? {}
            : { dataDirectory: (id: number) => dataDirectory(spec, id), user: userOfData() }),
        })
  // May hold keys and passwords.
  replaceSecret(composePath(spec.name), text)
}
