/**
 * More brokers for a cluster of containers that runs: what they need on this machine, and its end when they do not come to serve. The Compose file is
 * written anew with all nodes; who starts the new ones by name leaves the containers of the others as they are.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import type { Progress } from '../cluster.ts'
import { planGrowth } from '../growth.ts'
import { nodeCertificateFile, readSecurity, replaceSecret, signNodesAnew } from '../security/material.ts'
import type { ClusterRecord } from '../state.ts'
import { dataDirectory, nodeDirectory, readRecord, removeIfEmpty, writeRecord } from '../state.ts'
import { docker } from './docker.ts'
import {
  certifiedHosts,
  composePath,
  ensureImages,
  makeDataDirectories,
  makeNodeFolders,
  writeComposeFile,
} from './project.ts'
import { isThere } from './public-image.ts'

export interface ComposeGrowth {
  readonly record: ClusterRecord
  /** Ids of the brokers that come. */
  readonly fresh: readonly number[]
  /** All that is theirs but their containers, and that they are there. */
  write(): void
  /** As it was before. */
  restore(): void
}

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
): Promise<ComposeGrowth> {
  const { spec, fresh } = await planGrowth(before, by)
  const { name } = spec
  const oldText = readFileSync(composePath(name), 'utf8')
  const kafkaImage = await imageIsThere(spec, oldText, progress, signal)
  const oldCertificate = existsSync(nodeCertificateFile(name))
    ? readFileSync(nodeCertificateFile(name), 'utf8')
    : undefined
  const certificate = await signNodesAnew(spec, certifiedHosts(spec))
  signal?.throwIfAborted()
  const outside = spec.dataDir === undefined ? [] : fresh.map(id => dataDirectory(spec, id)).filter(existsSync)
  const record = { ...before, spec, foreignData: [...before.foreignData, ...outside] }
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
      for (const id of fresh) {
        rmSync(nodeDirectory(name, id), { recursive: true, force: true })
        const data = dataDirectory(spec, id)
        if (spec.dataDir !== undefined && !outside.includes(data)) rmSync(data, { recursive: true, force: true })
      }
      if (spec.dataDir !== undefined) removeIfEmpty(spec.dataDir)
      writeRecord({ ...now, spec: before.spec, foreignData: before.foreignData })
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
