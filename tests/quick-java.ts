/** How Java is started here: what matters is the start, not the speed that comes later. */

import { quickOptions } from '#scripts/cluster/apache-kafka/java-options.ts'

export const quickJava: readonly string[] = quickOptions.split(' ')

/** The same for the nodes of Apache Kafka, three of which share a machine with their clients; what a machine sets itself, stays. */
export function startKafkaQuickly(): void {
  process.env['KAFKA_HEAP_OPTS'] ??= '-Xmx384m'
  process.env['KAFKA_JVM_PERFORMANCE_OPTS'] ??= quickOptions
}
