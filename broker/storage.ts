/**
 * The node's directories before anything else starts: to which cluster they belong, whether they may be used, the metadata log opened.
 * A directory of another cluster or node stops the start; nothing is ever formatted over.
 */
import type { BrokerConfig } from './config/broker-config.ts'
import { resolveTopicConfig, logConfig } from './config/topic-config.ts'
import { DiskError, type DiskLock, type Environment } from './environment/environment.ts'
import { isDiskFull, isOutOfFiles, isShortage } from './log/log-failure.ts'
import type { LogConfig, PartitionLog, TopicPartition } from './log/log.ts'
import { randomUuid } from './controller/uuid.ts'
import { DirectoryLogManager } from './log/log-manager.ts'
import { claimDirectory, lockDirectory, LogDirectoryError, readMetaProperties } from './log/meta-properties.ts'
import { OpenFiles, openFilesLimit } from './log/open-files.ts'
import { makeDurableDirectory } from './log/small-files.ts'
import { openMetadataLog } from './raft/metadata-log.ts'
import { checkDirectoryKraftVersion } from './raft/snapshot-store.ts'
import { StartupError } from './startup-error.ts'

export const metadataTopic = '__cluster_metadata'
export const metadataTopicId = 'AAAAAAAAAAAAAAAAAAAAAQ'

export interface Storage {
  /** That of the node; segments give descriptors back to whoever finds none left on its disk. */
  readonly environment: Environment
  readonly clusterId: string
  /** Undefined on a node without the role broker. */
  readonly logs: DirectoryLogManager | undefined
  readonly metadataLog: PartitionLog
  /** Of a metadata directory that is no log directory; released last. */
  readonly metadataLock: DiskLock | undefined
  readonly metadataDirectory: string
  /** Directory id of the metadata log's directory. */
  readonly metadataDirectoryId: string
}

/** 16 bytes, as Kafka's storage tool wants them. An id that is on a disk already is not judged. */
const clusterIdForm = /^[\w-]{22}$/

/**
 * 22 characters of base64url have four bits more than the 16 bytes they stand for: a tool that decodes an id and writes it again may change its last
 * character. It is the same cluster, under the name that is on the disk. Kafka compares the characters and does not start.
 */
function isSameCluster(one: string, other: string): boolean {
  if (one === other) return true
  const bytes = (id: string): Buffer => Buffer.from(id, 'base64url')
  return clusterIdForm.test(one) && clusterIdForm.test(other) && bytes(one).equals(bytes(other))
}

/** The cluster id of the directories, or the configured one for directories that are all new. */
function clusterIdOf(environment: Environment, config: BrokerConfig): string {
  const paths = new Set([config['metadata.log.dir'], ...config['log.dirs']])
  const found = new Map<string, string>()
  for (const path of paths) {
    try {
      const properties = readMetaProperties(environment.disk, path)
      if (properties !== undefined) found.set(properties.clusterId, path)
    } catch (error) {
      // A log directory that cannot be read is offline, and the others serve (Kafka too); whoever opens it says so.
      if (!(error instanceof DiskError) || path === config['metadata.log.dir']) throw error
    }
  }
  const [first, second] = [...found]
  if (first !== undefined && second !== undefined)
    throw new StartupError(
      `${first[1]} belongs to cluster ${first[0]} and ${second[1]} to ${second[0]}: take one of them out of log.dirs`,
    )
  const configured = config['cluster.id']
  if (first === undefined && !clusterIdForm.test(configured)) {
    const what = configured === '' ? 'there is no cluster.id' : `cluster.id is "${configured}", which is no such id`
    throw new StartupError(
      `${[...paths].join(', ')} is not formatted, and ${what}: set cluster.id (CLUSTER_ID in a container) to a UUID of 22 characters in base64url, ` +
        `the same on every node, for instance ${randomUuid(environment.random)}, which is new; or run kafka-storage format`,
    )
  }
  if (first !== undefined && configured !== '' && !isSameCluster(configured, first[0]))
    throw new StartupError(
      `${first[1]} belongs to cluster ${first[0]}, but cluster.id says ${configured}: use another directory or the right cluster.id`,
    )
  return first?.[0] ?? configured
}

/** Settings of the metadata log: flushed by its driver, retired by snapshots, never by time. */
function metadataLogConfig(config: BrokerConfig): LogConfig {
  return {
    ...logConfig(resolveTopicConfig(undefined, config)),
    segmentBytes: config['metadata.log.segment.bytes'],
    segmentMs: config['metadata.log.segment.ms'],
    segmentJitterMs: 0,
    retentionMs: -1,
    retentionBytes: -1,
    maxMessageBytes: 2 ** 31 - 1,
    compressionType: 'producer',
    messageTimestampType: 'CreateTime',
    messageTimestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
    messageTimestampAfterMaxMs: Number.MAX_SAFE_INTEGER,
    flushMessages: Number.MAX_SAFE_INTEGER,
    flushMs: Number.MAX_SAFE_INTEGER,
    cleanupPolicy: ['delete'],
  }
}

export function openStorage(
  machine: Environment,
  config: BrokerConfig,
  options: {
    configOf: (partition: TopicPartition) => LogConfig
    brokerEpoch: () => number
    producerIdExpirationMs: () => number
  },
): Storage {
  const openFiles = new OpenFiles(openFilesLimit(config['log.open.files.max'], machine.disk))
  const disk = openFiles.sparing(machine.disk)
  const { clock, timers, random, network, log } = machine
  const environment = { clock, timers, random, disk, network, log, halt: (reason: string) => machine.halt(reason) }
  try {
    const clusterId = clusterIdOf(environment, config)
    const nodeId = config['node.id']
    const isBroker = config['process.roles'].includes('broker')
    const metadataDirectory = config['metadata.log.dir']
    checkDirectoryKraftVersion(disk, metadataDirectory)
    const logs = isBroker
      ? new DirectoryLogManager({
          environment,
          logDirs: config['log.dirs'],
          clusterId,
          nodeId,
          configOf: options.configOf,
          openFiles,
          brokerEpoch: options.brokerEpoch,
          producerIdExpirationMs: options.producerIdExpirationMs,
        })
      : undefined
    logs?.start()
    makeDurableDirectory(disk, metadataDirectory)
    // Log directories are locked by their manager.
    const isShared = logs?.directories.some(({ path }) => path === metadataDirectory) === true
    const metadataLock = isShared ? undefined : lockDirectory(disk, metadataDirectory)
    const metadataDirectoryId = claimDirectory(disk, metadataDirectory, {
      clusterId,
      nodeId,
      random: environment.random,
    })
    const metadataLog = openMetadataLog({
      environment,
      directory: `${metadataDirectory}/${metadataTopic}-0`,
      topicPartition: { topic: metadataTopic, partition: 0 },
      topicId: metadataTopicId,
      config: metadataLogConfig(config),
      openFiles,
    })
    return { environment, clusterId, logs, metadataLog, metadataLock, metadataDirectory, metadataDirectoryId }
  } catch (error) {
    if (error instanceof LogDirectoryError) throw new StartupError(error.message, error)
    if (isDiskFull(error))
      throw new StartupError(
        `no space for the metadata log (${(error as DiskError).message}): free some, and start again`,
        error,
      )
    if (isOutOfFiles(error))
      throw new StartupError(
        `not enough file descriptors to open the metadata log (${(error as DiskError).message}): raise the limit of open files (ulimit -n)`,
        error,
      )
    throw error
  }
}

/** Without space, or descriptors, the log stays as it is: a start checks what is above the recovery point. */
export function closeMetadataLog(environment: Pick<Environment, 'log'>, log: PartitionLog): void {
  try {
    log.close()
  } catch (error) {
    if (!isShortage(error)) throw error
    environment.log.warn('Stopped without a last flush of the metadata log.', { error: String(error) })
  }
}
