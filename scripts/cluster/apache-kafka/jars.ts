/**
 * The jars of Apache Kafka in a cache folder of the user, one folder per release, fetched through Maven the first time they are needed.
 * KAFKA_CACHE moves the folder; FAULTLINE_KAFKA_VERSION picks another release where none is named.
 */
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { codeOf, failure, lacking, usageError } from '../../errors.ts'
import { installation } from '../../installation/here.ts'
import { sh } from '../../shell.ts'
import type { PrepareOptions } from '../process/engine.ts'
import { mavenAvailable } from './java.ts'
import { kafkaVersion } from './release.ts'

export { kafkaVersion }
const ATTEMPTS = 4

export function jarsDirectory(version = kafkaVersion): string {
  const base =
    process.env['KAFKA_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'apache-kafka')
  // Nodes have working directories of their own.
  return resolve(base, version)
}

/** By a file that every download has: a folder without it is somebody's. */
export function jarsAreComplete(version = kafkaVersion): boolean {
  return existsSync(join(jarsDirectory(version), '.complete'))
}

/** Until 3.9, Kafka logs through reload4j; from 4.0 on through log4j 2 (KIP-653). */
export function usesLog4j1(version: string): boolean {
  return version.startsWith('3.')
}

export async function fetchJars({ progress, signal }: PrepareOptions, version = kafkaVersion): Promise<void> {
  if (jarsAreComplete(version)) return
  requireFreePlace(version)
  const maven = await mavenAvailable()
  if (!maven.available) throw lacking(maven.missing, maven.remedy)
  progress(`Fetching Apache Kafka ${version} through Maven into ${jarsDirectory(version)} (about 130 MB, once)`)
  // Maven wants to write beside its pom, which may be in a read-only place.
  const work = mkdtempSync(join(tmpdir(), 'faultline-kafka-'))
  try {
    cpSync(join(installation.kafkaFiles, 'pom.xml'), join(work, 'pom.xml'))
    for (let attempt = 1; ; attempt++) {
      const result = await runMaven(work, version, signal)
      if (result === undefined) break
      if (saysNoSuchRelease(result, version))
        throw usageError(
          `There is no Apache Kafka ${version} in Maven's repositories.`,
          'The releases are listed at https://kafka.apache.org/downloads; for example: --engine apache-kafka:3.9.1',
        )
      if (attempt === ATTEMPTS)
        throw failure(
          `Maven could not fetch Apache Kafka ${version}:\n${result.slice(-1_500)}`,
          'Is Maven Central (or your mirror in ~/.m2/settings.xml) in reach?',
        )
      progress(`Maven failed, trying again in ${attempt * 5} s (${attempt} of ${ATTEMPTS - 1})`)
      await delay(attempt * 5_000, undefined, signal === undefined ? {} : { signal })
    }
    publish(join(work, 'jars'), version)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/**
 * Whether Maven says that the release is not there, which no second attempt changes. It has other words for what it found out earlier and
 * keeps in ~/.m2. Of a transfer that failed, also of one that it remembers, it says neither: the next attempt may work.
 */
export function saysNoSuchRelease(output: string, version: string): boolean {
  const artifact = String.raw`org\.apache\.kafka:kafka_2\.13:(?:jar|pom):${version.replaceAll('.', String.raw`\.`)}`
  return new RegExp(`(?:Could not find artifact|Failure to find) ${artifact} in |${artifact} was not found in `).test(
    output,
  )
}

/** Undefined when it worked, else what Maven said. */
async function runMaven(work: string, version: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  const shell = sh({ cwd: work, timeoutMs: 600_000, signal })
  const settings = [
    `-Dkafka.version=${version}`,
    usesLog4j1(version) ? '-Plog4j1' : '-Plog4j2',
    `-DoutputDirectory=${join(work, 'jars')}`,
    '-DincludeScope=runtime',
  ]
  const { ok, exitCode, stdall } = await shell`mvn -B -q ${settings} dependency:copy-dependencies`
  if (ok) return undefined
  signal?.throwIfAborted()
  return `${stdall.trimEnd()} (exit code ${exitCode ?? 'none: it took too long'})`
}

/**
 * Moves the finished download to its place, in one step: no half of one is ever there. When somebody else was faster, theirs stays, which nodes may run
 * from already; what is no download is not ours.
 */
function publish(downloaded: string, version: string): void {
  const target = jarsDirectory(version)
  makeFolder(dirname(target))
  const staged = mkdtempSync(`${target}.`)
  try {
    cpSync(downloaded, staged, { recursive: true })
    writeFileSync(join(staged, '.complete'), '')
    // The folder of the jars may be that of several users.
    chmodSync(staged, 0o755)
    renameSync(staged, target)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(codeOf(error) ?? '')) throw error
    if (!jarsAreComplete(version)) throw strange(target, version, error)
  } finally {
    rmSync(staged, { recursive: true, force: true })
  }
}

function strange(target: string, version: string, cause?: unknown): Error {
  return failure(
    `Apache Kafka ${version} belongs into ${target}, where something else is: a download of it would have a file .complete.`,
    'Move that elsewhere, or choose another folder for the jars: KAFKA_CACHE=DIR',
    cause,
  )
}

/** A download could not take its place: told before there is one. */
function requireFreePlace(version: string): void {
  const target = jarsDirectory(version)
  try {
    if (readdirSync(target).length === 0) return
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    if (codeOf(error) !== 'ENOTDIR') throw error
  }
  // Somebody's download may have come meanwhile.
  if (!jarsAreComplete(version)) throw strange(target, version)
}
