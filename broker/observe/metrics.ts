/**
 * What a broker counts and holds, under the names of Kafka's MBeans in the form that Prometheus exporters give them
 * (kafka.server:type=ReplicaManager,name=PartitionCount → kafka_server_replicamanager_partitioncount), and what clients pushed.
 */
import type { Node } from '../node.ts'
import { apiByKey } from '../protocol/apis.ts'
import { brokerStateIds } from '../controller/broker-lifecycle-machine.ts'
import type { MetadataImage } from '../controller/image.ts'
import type { Metric } from './inspector.ts'

type Values = Metric['values']

const gauge = (name: string, help: string, values: Values): Metric => ({ name, help, type: 'gauge', values })
const counter = (name: string, help: string, values: Values): Metric => ({ name, help, type: 'counter', values })
const one = (value: number): Values => [{ value }]

export function brokerMetrics(node: Node): Metric[] {
  const { publisher, broker, controller } = node
  const image = publisher?.image
  return [
    ...requestMetrics(node),
    ...(image === undefined || broker === undefined ? [] : replicaMetrics(node, image)),
    ...cleanerMetrics(node),
    ...(image === undefined || controller?.isActive !== true ? [] : controllerMetrics(image)),
    ...(broker?.telemetry.metrics() ?? []),
  ]
}

function requestMetrics(node: Node): Metric[] {
  const entries = node.requests.entries()
  const labelsOf = (each: (typeof entries)[number]) => ({
    request: apiByKey(each.apiKey)?.name ?? String(each.apiKey),
    version: String(each.apiVersion),
    software: each.software,
  })
  const requests = entries.map(each => ({ labels: labelsOf(each), value: each.requests }))
  const failures = entries
    .filter(each => each.failures > 0)
    .map(each => ({ labels: labelsOf(each), value: each.failures }))
  const name = 'kafka_network_requestmetrics'
  return [
    counter(`${name}_requests_total`, 'Requests served, by API, version and client software.', requests),
    counter(`${name}_unexpected_errors_total`, 'Requests that met a bug or an unforeseen fault.', failures),
    gauge('kafka_server_socket_server_connection_count', 'Open connections.', one(node.connectionCount)),
  ]
}

/** A partition counts as Kafka counts it: under-replicated by the broker that leads it. */
function replicaMetrics(node: Node, image: MetadataImage): Metric[] {
  const self = node.config['node.id']
  const { broker } = node
  let [partitions, leaders, underReplicated, underMinIsr] = [0, 0, 0, 0]
  const sizes: { labels: Record<string, string>; value: number }[] = []
  const ends: typeof sizes = []
  const starts: typeof sizes = []
  const damaged: typeof sizes = []
  for (const topic of image.topicsByName.values()) {
    for (const [partition, { leader, isr, replicas }] of topic.partitions) {
      if (!replicas.includes(self)) continue
      const key = { topic: topic.name, partition }
      const labels = { topic: topic.name, partition: String(partition) }
      partitions++
      if (leader === self) {
        leaders++
        if (isr.length < replicas.length) underReplicated++
        if (isr.length < node.minInSyncReplicas(topic.name)) underMinIsr++
      }
      const log = broker?.replicas.log(key)
      if (log === undefined) continue
      sizes.push({ labels, value: log.sizeBytes })
      ends.push({ labels, value: log.logEndOffset })
      starts.push({ labels, value: log.logStartOffset })
      if ((log.damage?.length ?? 0) > 0) damaged.push({ labels, value: log.damage!.length })
    }
  }
  const manager = 'kafka_server_replicamanager'
  return [
    gauge('kafka_server_kafkaserver_brokerstate', 'State of the broker, as Kafka numbers it.', [
      { value: broker === undefined ? 0 : brokerStateIds[broker.lifecycle.state] },
    ]),
    gauge(`${manager}_partitioncount`, 'Partitions with a replica here.', one(partitions)),
    gauge(`${manager}_leadercount`, 'Partitions led here.', one(leaders)),
    gauge(`${manager}_underreplicatedpartitions`, 'Led here and short of in-sync replicas.', one(underReplicated)),
    gauge(`${manager}_underminisrpartitioncount`, 'Led here and below min.insync.replicas.', one(underMinIsr)),
    gauge('kafka_log_log_size', 'Bytes of the log of a partition.', sizes),
    gauge('kafka_log_log_logendoffset', 'End offset of the log of a partition.', ends),
    gauge('kafka_log_log_logstartoffset', 'Start offset of the log of a partition.', starts),
    gauge('faultline_log_damaged_batches', 'Batches that reads found damaged on disk, of logs that have any.', damaged),
  ]
}

/** Of the log cleaner, in Kafka's units: whole percent, seconds. */
function cleanerMetrics(node: Node): Metric[] {
  const logs = node.storage?.logs
  if (logs === undefined) return []
  const { figures, uncleanable } = logs.cleaner
  const percent = (ratio: number): Values => one(Math.floor(100 * ratio))
  const cleaner = 'kafka_log_logcleaner'
  const manager = 'kafka_log_logcleanermanager'
  const countIn = (path: string): number =>
    uncleanable.filter(partition => logs.directoryOf(partition)?.path === path).length
  return [
    gauge(`${manager}_max_dirty_percent`, 'Dirty part of the dirtiest compacted log.', percent(figures.maxDirtyRatio)),
    gauge(
      `${manager}_uncleanable_partitions_count`,
      'Compacted logs that cannot be cleaned, by log directory.',
      logs.directories.map(({ path }) => ({ labels: { logDirectory: path }, value: countIn(path) })),
    ),
    gauge(
      `${cleaner}_max_compaction_delay_secs`,
      'By how much max.compaction.lag.ms is exceeded.',
      one(figures.maxCompactionDelayMs / 1000),
    ),
    gauge(
      `${cleaner}_max_buffer_utilization_percent`,
      'How full the table of keys was in the last cleaning.',
      percent(figures.lastBufferUtilization),
    ),
    gauge(
      `${cleaner}_cleaner_recopy_percent`,
      'What the last cleaning kept of what it read.',
      percent(figures.lastRecopyRatio),
    ),
    gauge(`${cleaner}_max_clean_time_secs`, 'How long the last cleaning took.', one(figures.lastCleaningMs / 1000)),
    counter('faultline_cleanings_total', 'Cleanings of logs that came to their end.', one(figures.cleanings)),
    counter('faultline_cleaner_read_bytes_total', 'Bytes read by the log cleaner.', one(figures.bytesRead)),
    counter('faultline_cleaner_written_bytes_total', 'Bytes written by the log cleaner.', one(figures.bytesWritten)),
  ]
}

function controllerMetrics(image: MetadataImage): Metric[] {
  const brokers = [...image.brokers.values()]
  const fenced = brokers.filter(broker => broker.fenced).length
  const topics = [...image.topicsByName.values()]
  const leaderless = topics.reduce(
    (sum, topic) => sum + [...topic.partitions.values()].filter(({ leader }) => leader < 0).length,
    0,
  )
  const partitions = topics.reduce((sum, topic) => sum + topic.partitions.size, 0)
  const name = 'kafka_controller_kafkacontroller'
  return [
    gauge(`${name}_activecontrollercount`, 'One on the active controller.', one(1)),
    gauge(`${name}_activebrokercount`, 'Registered brokers that are not fenced.', one(brokers.length - fenced)),
    gauge(`${name}_fencedbrokercount`, 'Registered brokers that are fenced.', one(fenced)),
    gauge(`${name}_globaltopiccount`, 'Topics of the cluster.', one(topics.length)),
    gauge(`${name}_globalpartitioncount`, 'Partitions of the cluster.', one(partitions)),
    gauge(`${name}_offlinepartitionscount`, 'Partitions without a leader.', one(leaderless)),
  ]
}
