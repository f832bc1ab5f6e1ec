/**
 * More brokers for a cluster of containers that runs: what they need on this machine, and its end when they do not come to serve. The Compose file is
 * written anew with all nodes; who starts the new ones by name leaves the containers of the others as they are.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { Progress } from '../cluster.ts'
import { planGrowth, recordGrowth, type Growth } from '../growth.ts'
import { nodeCertificateFile, readSecurity, replaceSecret, signNodesAnew } from '../security/material.ts'
import type { ClusterRecord } from '../state.ts'
import { readRecord, writeRecord } from '../state.ts'
import { docker } from './docker.ts'
import {
  certifiedHosts,
  composePath,
  ensureImages,
  makeDataDirectories,
  makeNodeFolders,
  outsideOfContainers,
  writeComposeFile,
} from './project.ts'
import { isThere } from './public-image.ts'

/** Refuses what cannot be, before anything is changed. */
export async function prepareGrowth(
  before: ClusterRecord,
  by: number,
  {
    progress = () => {},
    signal,
    imageIsThere = imageOfEngine,
  }: {
    readonly progress?: Progress
    readonly signal?: AbortSignal
    readonly imageIsThere?: typeof imageOfEngine
  },
): Promise<Growth> {
  const plan = await planGrowth(before, by)
  const { spec, fresh } = plan
  const { name } = spec
  const oldText = readFileSync(composePath(name), 'utf8')
  const kafkaImage = await imageIsThere(spec, oldText, progress, signal)
  const oldCertificate = existsSync(nodeCertificateFile(name))
    ? readFileSync(nodeCertificateFile(name), 'utf8')
    : undefined
  const certificate = await signNodesAnew(spec, certifiedHosts(spec))
  signal?.throwIfAborted()
  const { record, forget } = recordGrowth(before, plan, outsideOfContainers)
  return {
    record,
    fresh,
    write() {
      // Folders and texts are no harm where nobody knows of them; what `down` has to take away is written down before it is there.
      makeNodeFolders(spec, fresh)
      if (certificate !== undefined) replaceSecret(nodeCertificateFile(name), certificate)
      writeComposeFile(record, kafkaImage, readSecurity(spec))
      writeRecord(record)
      makeDataDirectories(spec, fresh)
    },
    restore() {
      const now = readRecord(name)
      // Somebody has taken the cluster away meanwhile.
      if (now === undefined) return
      replaceSecret(composePath(name), oldText)
      if (oldCertificate !== undefined) replaceSecret(nodeCertificateFile(name), oldCertificate)
      forget(now)
    },
  }
}

/** Of Apache Kafka the one that the nodes have: another one may have come in its place since. */
async function imageOfEngine(
  spec: ClusterRecord['spec'],
  composeText: string,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const theirs = spec.engine === 'apache-kafka' ? /^ {4}image: (\S+)$/m.exec(composeText)?.[1] : undefined
  if (theirs !== undefined && (await isThere(await docker(), theirs))) return theirs
  return await ensureImages(spec, progress, signal)
}
