/** The Java and Maven of this machine, which only the engine `apache-kafka` needs. */
import { commandNotFound, sh } from '../../shell.ts'
import type { Availability } from '../cluster.ts'

const OLDEST_JAVA = 17

/** JAVA_HOME wins over the PATH, as with Kafka's own scripts. */
export function javaCommand(): string {
  const home = process.env['JAVA_HOME']
  return home === undefined || home === '' ? 'java' : `${home}/bin/java`
}

export async function javaAvailable(): Promise<Availability> {
  const remedy = `Install a Java runtime ${OLDEST_JAVA} or newer: apt-get install openjdk-17-jre-headless, brew install openjdk, or https://adoptium.net`
  const { ok, exitCode, stdall } = await sh()`${javaCommand()} -version`
  if (!ok) {
    const missing = exitCode === commandNotFound ? 'Java is missing' : `Java does not start (${javaCommand()})`
    return { available: false, missing: `${missing}; the engine apache-kafka is Apache Kafka itself.`, remedy }
  }
  const version = /version "(?:1\.)?(\d+)/.exec(stdall)?.[1]
  if (version !== undefined && Number(version) >= OLDEST_JAVA) return { available: true }
  return {
    available: false,
    missing: `Apache Kafka needs Java ${OLDEST_JAVA}, found ${version ?? 'an unknown version'}.`,
    remedy,
  }
}

export async function mavenAvailable(): Promise<Availability> {
  if ((await sh()`mvn -version`).ok) return { available: true }
  return {
    available: false,
    missing: 'Maven is missing; it fetches the jars of Apache Kafka.',
    remedy: 'Install it: apt-get install maven, or brew install maven',
  }
}
