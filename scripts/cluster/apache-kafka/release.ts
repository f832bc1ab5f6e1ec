/** Which release of Apache Kafka is meant where none is named. */
import type { EngineChoice } from '../engine-name.ts'

/** FAULTLINE_KAFKA_VERSION picks another one. */
export const kafkaVersion = process.env['FAULTLINE_KAFKA_VERSION'] ?? '4.3.1'

/** What a cluster of an older release can be upgraded to; undefined: it is no cluster of Apache Kafka, or not older. */
export function newerRelease({ engine, engineVersion }: EngineChoice): string | undefined {
  if (engine !== 'apache-kafka' || engineVersion === undefined) return undefined
  return compareReleases(engineVersion, kafkaVersion) < 0 ? kafkaVersion : undefined
}

function compareReleases(one: string, other: string): number {
  const [left, right] = [one.split('.').map(Number), other.split('.').map(Number)]
  const differing = left.findIndex((part, index) => part !== right[index])
  return differing < 0 ? 0 : (left[differing] ?? 0) - (right[differing] ?? 0)
}
