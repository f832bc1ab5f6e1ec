/** Topic settings of Kafka 4.3 (TopicConfig). The default of each comes from the broker setting named in `brokerName`. */
import type { LogConfig } from '../log/log.ts'
import type { BrokerConfig } from './broker-config.ts'
import { boolean, double, int, list, long, oneOf, parseSetting, type Setting, type Values } from './table.ts'

const forever = Number.MAX_SAFE_INTEGER

export const topicConfig = {
  'cleanup.policy': list({
    default: ['delete'],
    values: ['delete', 'compact'],
    brokerName: 'log.cleanup.policy',
    doc: 'What happens to old segments: deleted, or compacted to the last record of each key.',
  }),
  'compression.gzip.level': int({
    default: -1,
    min: 1,
    max: 9,
    or: -1,
    brokerName: 'compression.gzip.level',
    doc: 'Level used when compression.type asks the broker to compress with gzip.',
  }),
  'compression.lz4.level': int({
    default: 9,
    min: 1,
    max: 17,
    brokerName: 'compression.lz4.level',
    doc: 'Level used when compression.type asks the broker to compress with lz4.',
  }),
  'compression.type': oneOf(['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'], {
    default: 'producer',
    brokerName: 'compression.type',
    doc: 'Codec of stored batches; "producer" keeps what was sent.',
  }),
  'compression.zstd.level': int({
    default: 3,
    min: -131072,
    max: 22,
    brokerName: 'compression.zstd.level',
    doc: 'Level used when compression.type asks the broker to compress with zstd.',
  }),
  'delete.retention.ms': long({
    default: 86_400_000,
    min: 0,
    brokerName: 'log.cleaner.delete.retention.ms',
    doc: 'How long tombstones of compacted topics are kept.',
  }),
  'file.delete.delay.ms': long({
    default: 60_000,
    min: 0,
    brokerName: 'log.segment.delete.delay.ms',
    doc: 'Wait between renaming a dropped segment and removing its files.',
  }),
  'flush.messages': long({
    default: forever,
    min: 1,
    brokerName: 'log.flush.interval.messages',
    doc: 'fsync after so many records.',
  }),
  'flush.ms': long({ default: forever, min: 0, brokerName: 'log.flush.interval.ms', doc: 'fsync after so much time.' }),
  'follower.replication.throttled.replicas': list({
    default: [],
    doc: 'Replicas whose following is throttled: partition:broker, or *.',
    check: throttledReplicasError,
  }),
  'index.interval.bytes': int({
    default: 4096,
    min: 0,
    brokerName: 'log.index.interval.bytes',
    doc: 'Bytes of log between two index entries.',
  }),
  'leader.replication.throttled.replicas': list({
    default: [],
    doc: 'Replicas whose leading is throttled: partition:broker, or *.',
    check: throttledReplicasError,
  }),
  'local.retention.bytes': long({
    default: -2,
    min: -2,
    brokerName: 'log.local.retention.bytes',
    doc: 'Local size limit of tiered logs; -2 means retention.bytes.',
  }),
  'local.retention.ms': long({
    default: -2,
    min: -2,
    brokerName: 'log.local.retention.ms',
    doc: 'Local time limit of tiered logs; -2 means retention.ms.',
  }),
  'max.compaction.lag.ms': long({
    default: forever,
    min: 1,
    brokerName: 'log.cleaner.max.compaction.lag.ms',
    doc: 'Longest time a record may stay uncompacted.',
  }),
  'max.message.bytes': int({
    default: 1_048_588,
    min: 0,
    brokerName: 'message.max.bytes',
    doc: 'Largest record batch accepted, bytes after compression.',
  }),
  'message.timestamp.after.max.ms': long({
    default: 3_600_000,
    min: 0,
    brokerName: 'log.message.timestamp.after.max.ms',
    doc: 'How far a record may be dated after the broker’s clock (KIP-937).',
  }),
  'message.timestamp.before.max.ms': long({
    default: forever,
    min: 0,
    brokerName: 'log.message.timestamp.before.max.ms',
    doc: 'How far a record may be dated before the broker’s clock (KIP-937).',
  }),
  'message.timestamp.type': oneOf(['CreateTime', 'LogAppendTime'], {
    default: 'CreateTime',
    brokerName: 'log.message.timestamp.type',
    doc: 'Whether the client or the broker dates the records.',
  }),
  'min.cleanable.dirty.ratio': double({
    default: 0.5,
    min: 0,
    max: 1,
    brokerName: 'log.cleaner.min.cleanable.ratio',
    doc: 'Share of uncompacted bytes that makes a log due for compaction.',
  }),
  'min.compaction.lag.ms': long({
    default: 0,
    min: 0,
    brokerName: 'log.cleaner.min.compaction.lag.ms',
    doc: 'Time a record stays uncompacted at least.',
  }),
  'min.insync.replicas': int({
    default: 1,
    min: 1,
    brokerName: 'min.insync.replicas',
    doc: 'In-sync replicas without which acks=all is refused.',
  }),
  preallocate: boolean({
    default: false,
    brokerName: 'log.preallocate',
    doc: 'Whether segment files get their full size at creation.',
  }),
  'remote.log.copy.disable': boolean({
    default: false,
    doc: 'Stops copying to tiered storage. No effect: tiered storage is not there yet.',
  }),
  'remote.log.delete.on.disable': boolean({
    default: false,
    doc: 'Deletes tiered data when tiering is switched off. No effect: tiered storage is not there yet.',
  }),
  'remote.storage.enable': boolean({ default: false, doc: 'Tiered storage. Not there yet: true is refused.' }),
  'retention.bytes': long({
    default: -1,
    brokerName: 'log.retention.bytes',
    doc: 'Size at which old segments are deleted; -1 for no limit.',
  }),
  'retention.ms': long({
    default: 604_800_000,
    min: -1,
    brokerName: 'log.retention.ms',
    doc: 'Age at which segments are deleted; -1 for no limit.',
  }),
  'segment.bytes': int({
    default: 1_073_741_824,
    min: 1_048_576,
    brokerName: 'log.segment.bytes',
    doc: 'Size at which a segment is closed and the next one begun.',
  }),
  'segment.index.bytes': int({
    default: 10_485_760,
    min: 4,
    brokerName: 'log.index.size.max.bytes',
    doc: 'Largest size of an index file; a full index closes the segment.',
  }),
  'segment.jitter.ms': long({
    default: 0,
    min: 0,
    brokerName: 'log.roll.jitter.ms',
    doc: 'Most that is subtracted at random from segment.ms.',
  }),
  'segment.ms': long({
    default: 604_800_000,
    min: 1,
    brokerName: 'log.roll.ms',
    doc: 'Age at which a segment is closed even if not full.',
  }),
  'unclean.leader.election.enable': boolean({
    default: false,
    brokerName: 'unclean.leader.election.enable',
    doc: 'Whether a replica outside the in-sync set may lead, losing records.',
  }),
} as const

function throttledReplicasError(parts: readonly string[]): string | undefined {
  const isFine = parts.join(',') === '*' || parts.every(part => /^\d+:\d+$/.test(part))
  return isFine ? undefined : 'must be the literal "*" or a list of replicas in the form [partitionId]:[brokerId],…'
}

export type TopicConfig = Values<typeof topicConfig>
export type TopicConfigName = keyof typeof topicConfig

/** The broker-wide default of a topic setting. */
export function topicDefault<K extends TopicConfigName>(name: K, broker: BrokerConfig): TopicConfig[K] {
  const { brokerName, defaultValue } = topicConfig[name] as Setting<unknown>
  const inherited = brokerName === undefined ? undefined : (broker as Readonly<Record<string, unknown>>)[brokerName]
  return (inherited ?? defaultValue) as TopicConfig[K]
}

/** The settings of one topic: its overrides (text, as in the metadata log) over the broker's defaults. */
export function resolveTopicConfig(
  overrides: ReadonlyMap<string, string> | undefined,
  broker: BrokerConfig,
): TopicConfig {
  const values: Record<string, unknown> = {}
  for (const name of Object.keys(topicConfig) as TopicConfigName[]) {
    const text = overrides?.get(name)
    values[name] =
      text === undefined ? topicDefault(name, broker) : parseSetting<unknown>(name, topicConfig[name], text)
  }
  return values as TopicConfig
}

/** What the log needs to know of a topic's settings. */
export function logConfig(topic: TopicConfig): LogConfig {
  return {
    segmentBytes: topic['segment.bytes'],
    segmentMs: longestSegmentMs(topic),
    segmentJitterMs: topic['segment.jitter.ms'],
    segmentIndexBytes: topic['segment.index.bytes'],
    indexIntervalBytes: topic['index.interval.bytes'],
    retentionMs: topic['retention.ms'],
    retentionBytes: topic['retention.bytes'],
    maxMessageBytes: topic['max.message.bytes'],
    compressionType: topic['compression.type'] === 'uncompressed' ? 'none' : topic['compression.type'],
    compressionLevels: { gzip: topic['compression.gzip.level'], zstd: topic['compression.zstd.level'] },
    messageTimestampType: topic['message.timestamp.type'],
    messageTimestampBeforeMaxMs: topic['message.timestamp.before.max.ms'],
    messageTimestampAfterMaxMs: topic['message.timestamp.after.max.ms'],
    flushMessages: topic['flush.messages'],
    flushMs: topic['flush.ms'],
    fileDeleteDelayMs: topic['file.delete.delay.ms'],
    cleanupPolicy: topic['cleanup.policy'],
    minCleanableDirtyRatio: topic['min.cleanable.dirty.ratio'],
    minCompactionLagMs: topic['min.compaction.lag.ms'],
    maxCompactionLagMs: topic['max.compaction.lag.ms'],
    deleteRetentionMs: topic['delete.retention.ms'],
    preallocate: topic.preallocate,
  }
}

/** A record of a compacted topic that may not stay longer has to get out of the active segment, which is never cleaned (KIP-354). */
function longestSegmentMs(topic: TopicConfig): number {
  const isCompacted = topic['cleanup.policy'].includes('compact')
  return isCompacted ? Math.min(topic['segment.ms'], topic['max.compaction.lag.ms']) : topic['segment.ms']
}
