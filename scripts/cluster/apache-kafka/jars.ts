/**
 * The jars of Apache Kafka in a cache folder of the user, fetched through Maven the first time they are needed.
 * KAFKA_CACHE moves the folder; FAULTLINE_KAFKA_VERSION picks another release.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { failure, lacking } from '../../errors.ts'
import { installation } from '../../installation/here.ts'
import { sh } from '../../shell.ts'
import type { PrepareOptions } from '../process/engine.ts'
import { mavenAvailable } from './java.ts'

export const kafkaVersion = process.env['FAULTLINE_KAFKA_VERSION'] ?? '4.3.1'
const ATTEMPTS = 4

export function jarsDirectory(): string {
  const base =
    process.env['KAFKA_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'apache-kafka')
  return join(base, kafkaVersion)
}

/** A file that is written last: a folder without it is a download that was cut off. */
export function jarsAreComplete(): boolean {
  return existsSync(join(jarsDirectory(), '.complete'))
}

export async function fetchJars({ progress, signal }: PrepareOptions): Promise<void> {
  if (jarsAreComplete()) return
  const maven = await mavenAvailable()
  if (!maven.available) throw lacking(maven.missing, maven.remedy)
  progress(`Fetching Apache Kafka ${kafkaVersion} through Maven into ${jarsDirectory()} (about 130 MB, once)`)
  // Maven wants to write beside its pom, which may be in a read-only place.
  const work = mkdtempSync(join(tmpdir(), 'faultline-kafka-'))
  try {
    cpSync(join(installation.kafkaFiles, 'pom.xml'), join(work, 'pom.xml'))
    for (let attempt = 1; ; attempt++) {
      const result = await runMaven(work, signal)
      if (result === undefined) break
      if (attempt === ATTEMPTS)
        throw failure(
          `Maven could not fetch Apache Kafka ${kafkaVersion}:\n${result}`,
          'Is Maven Central (or your mirror in ~/.m2/settings.xml) in reach?',
        )
      progress(`Maven failed, trying again in ${attempt * 5} s (${attempt} of ${ATTEMPTS - 1})`)
      await delay(attempt * 5_000, undefined, signal === undefined ? {} : { signal })
    }
    publish(join(work, 'jars'))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Undefined when it worked, else the end of what Maven said. */
async function runMaven(work: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  const shell = sh({ cwd: work, timeoutMs: 600_000, signal })
  const settings = [
    `-Dkafka.version=${kafkaVersion}`,
    `-DoutputDirectory=${join(work, 'jars')}`,
    '-DincludeScope=runtime',
  ]
  const { ok, exitCode, stdall } = await shell`mvn -B -q ${settings} dependency:copy-dependencies`
  if (ok) return undefined
  signal?.throwIfAborted()
  return `${stdall.trimEnd().slice(-1_500)} (exit code ${exitCode ?? 'none: it took too long'})`
}

/** Moves the finished download to its place; when somebody else was faster, theirs stays. */
function publish(downloaded: string): void {
  writeFileSync(join(downloaded, '.complete'), '')
  if (jarsAreComplete()) return
  const target = jarsDirectory()
  rmSync(target, { recursive: true, force: true })
  mkdirSync(join(target, '..'), { recursive: true })
  const staged = `${target}.${process.pid}.new`
  cpSync(downloaded, staged, { recursive: true })
  renameSync(staged, target)
}
