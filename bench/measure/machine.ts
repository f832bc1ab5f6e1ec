/**
 * What the benchmark needs of this machine, and what it is. Linux only: memory and CPU of a broker are read from /proc.
 *
 * The jars are those of KAFKA_JARS when it is set, else the toolkit's cache.
 */
import { existsSync, mkdtempSync, symlinkSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { jarsDirectory, kafkaVersion } from '#scripts/cluster/apache-kafka/jars.ts'
import { javaAvailable, javaCommand } from '#scripts/cluster/apache-kafka/java.ts'
import { lacking } from '#scripts/errors.ts'
import { sh } from '#scripts/shell.ts'

export interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  readonly java: string
  readonly kafka: string
  readonly loadBefore: readonly string[]
}

/**
 * Checks that everything is there and leads the toolkit to the jars of KAFKA_JARS.
 *
 * @param work a folder of this run
 * @throws with exit code 3 and the way out
 */
export async function requireMachine(work: string): Promise<Machine> {
  if (process.platform !== 'linux')
    throw lacking('The benchmark reads /proc and runs on Linux only.', 'Run it in a Linux machine or container.')
  const java = await javaAvailable()
  if (!java.available) throw lacking(java.missing, java.remedy)
  if (!(await sh()`${javacCommand()} -version`).ok)
    throw lacking(
      'javac is missing; it compiles the small producer of the case failover.',
      'Install a JDK 17 or newer: apt-get install openjdk-17-jdk-headless, or https://adoptium.net',
    )
  requireJars(work)
  const { stderr } = await sh()`${javaCommand()} -version`
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `Linux ${release()}`,
    node: process.versions.node,
    java: /version "([^"]+)"/.exec(stderr)?.[1] ?? 'unknown',
    kafka: kafkaVersion,
    loadBefore: loadavg().map(load => load.toFixed(1)),
  }
}

export function javacCommand(): string {
  const home = process.env['JAVA_HOME']
  return home === undefined || home === '' ? 'javac' : `${home}/bin/javac`
}

function requireJars(work: string): void {
  const given = process.env['KAFKA_JARS']
  if (given !== undefined && given !== '') {
    // The toolkit looks for CACHE/VERSION, whatever the folder's own name is.
    const cache = mkdtempSync(join(work, 'jars-'))
    symlinkSync(resolve(given), join(cache, kafkaVersion))
    process.env['KAFKA_CACHE'] = cache
  }
  const jars = jarsDirectory()
  const needed = [`kafka-clients-${kafkaVersion}.jar`, `kafka-tools-${kafkaVersion}.jar`, '.complete']
  const missing = needed.filter(file => !existsSync(join(jars, file)))
  if (missing.length > 0)
    throw lacking(
      `Apache Kafka ${kafkaVersion} is not in ${given ?? jars}: ${missing.join(', ')} not found.`,
      './faultline doctor --fetch-kafka fetches it through Maven; or set KAFKA_JARS to a folder with its jars and an empty file named .complete.',
    )
}
