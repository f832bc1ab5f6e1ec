/**
 * The image of Apache Kafka: the public one where it is there or can be had; else one that is built from the jars that Maven brings. The public one has
 * no library for faults inside, and stands on another C library, so nodes that are to be broken from inside are always of our own.
 */
import { join } from 'node:path'
import { failure, messageOf } from '../../errors.ts'
import { installation } from '../../installation/here.ts'
import { sh } from '../../shell.ts'
import { fetchJars, jarsDirectory } from '../apache-kafka/jars.ts'
import { kafkaVersion } from '../apache-kafka/release.ts'
import type { ClusterSpec, Progress } from '../cluster.ts'
import { buildImage, layoutOf } from './docker.ts'

const layout = 6
/** A registry that does not answer. */
const pullTimeoutMs = 600_000

export function publicImage(version: string): string {
  return `apache/kafka:${version}`
}

export function ownImage(version: string): string {
  return `faultline/apache-kafka:${version}`
}

/** @returns the name of an image that is there */
export async function ensureKafkaImage(
  { engineVersion: version = kafkaVersion, faults }: Pick<ClusterSpec, 'engineVersion' | 'faults'>,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<string> {
  const [theirs, ours] = [publicImage(version), ownImage(version)]
  const isOursThere = ((await layoutOf(ours)) ?? 0) >= layout
  if (faults !== true) {
    if ((await layoutOf(theirs)) !== undefined) return theirs
    if (isOursThere) return ours
    progress(`Fetching the image ${theirs} (once)`)
    const { ok, stdall } = await sh({ timeoutMs: pullTimeoutMs, signal })`docker pull --quiet ${theirs}`
    if (ok) return theirs
    signal?.throwIfAborted()
    progress(`${theirs} cannot be had (${stdall.trim().split('\n').at(-1)?.slice(0, 200) ?? 'no reason given'})`)
  }
  if (isOursThere) return ours
  await fetchJars({ progress, signal }, version)
  progress(`Building the image ${ours} from the jars of Apache Kafka (once)`)
  try {
    await buildImage({
      name: ours,
      context: installation.kafkaImage,
      dockerfile: 'Dockerfile',
      arguments: { KAFKA_VERSION: version, ...baseArgument() },
      contexts: { jars: jarsDirectory(version), files: installation.kafkaFiles },
      signal,
    })
  } catch (error) {
    signal?.throwIfAborted()
    throw failure(
      `The image of Apache Kafka ${version} cannot be built: ${messageOf(error)}`,
      `It needs packages of Debian; with another base: FAULTLINE_KAFKA_BASE=IMAGE. Look at ${join(installation.kafkaImage, 'Dockerfile')}.`,
      error,
    )
  }
  return ours
}

/** Of a Dockerfile that takes any Debian or Ubuntu. */
export function baseArgument(): Readonly<Record<string, string>> {
  const base = process.env['FAULTLINE_KAFKA_BASE']
  return base === undefined || base === '' ? {} : { BASE: base }
}
