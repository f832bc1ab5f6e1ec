/** Tiered storage, which is not there yet: the settings are kept and shown, and have no effect. Facts as in Apache Kafka 4.3. */
import { boolean, int, long, string } from '../table.ts'

const forever = Number.MAX_SAFE_INTEGER

export const tieredSettings = {
  'remote.fetch.max.wait.ms': int({
    default: 500,
    min: 1,
    update: 'cluster-wide',
    doc: 'Longest wait for a read from tiered storage.',
  }),
  'remote.list.offsets.request.timeout.ms': long({
    default: 30_000,
    min: 1,
    update: 'cluster-wide',
    doc: 'Longest wait for an offset look-up in tiered storage.',
  }),
  'remote.log.index.file.cache.total.size.bytes': long({
    default: 1_073_741_824,
    min: 1,
    update: 'cluster-wide',
    doc: 'Bytes of indexes of tiered segments that are kept on disk.',
  }),
  'remote.log.manager.copier.thread.pool.size': int({
    default: 10,
    min: 1,
    update: 'cluster-wide',
    doc: 'No effect here: one event loop serves all.',
  }),
  'remote.log.manager.copy.max.bytes.per.second': long({
    default: forever,
    min: 1,
    update: 'cluster-wide',
    doc: 'Most bytes a second that are copied to tiered storage.',
  }),
  'remote.log.manager.copy.quota.window.num': int({
    default: 11,
    min: 1,
    doc: 'Samples kept for the quota of copies to tiered storage.',
  }),
  'remote.log.manager.copy.quota.window.size.seconds': int({
    default: 1,
    min: 1,
    doc: 'Length of a sample for the quota of copies to tiered storage.',
  }),
  'remote.log.manager.expiration.thread.pool.size': int({
    default: 10,
    min: 1,
    update: 'cluster-wide',
    doc: 'No effect here: one event loop serves all.',
  }),
  'remote.log.manager.fetch.max.bytes.per.second': long({
    default: forever,
    min: 1,
    update: 'cluster-wide',
    doc: 'Most bytes a second that are read from tiered storage.',
  }),
  'remote.log.manager.fetch.quota.window.num': int({
    default: 11,
    min: 1,
    doc: 'Samples kept for the quota of reads from tiered storage.',
  }),
  'remote.log.manager.fetch.quota.window.size.seconds': int({
    default: 1,
    min: 1,
    doc: 'Length of a sample for the quota of reads from tiered storage.',
  }),
  'remote.log.manager.follower.thread.pool.size': int({
    default: 2,
    min: 1,
    update: 'cluster-wide',
    doc: 'No effect here: one event loop serves all.',
  }),
  'remote.log.manager.task.interval.ms': long({
    default: 30_000,
    min: 1,
    doc: 'How often segments are looked at that could be tiered or expired.',
  }),
  'remote.log.manager.thread.pool.size': int({ default: 2, min: 1, doc: 'No effect here: one event loop serves all.' }),
  'remote.log.metadata.custom.metadata.max.bytes': int({
    default: 128,
    min: 0,
    doc: 'Most bytes of custom metadata of a tiered segment.',
  }),
  'remote.log.metadata.manager.class.name': string({
    default: 'org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager',
    nonEmpty: true,
    doc: 'Keeper of the metadata of tiered segments; only Kafka’s default has a meaning.',
  }),
  'remote.log.metadata.manager.class.path': string({
    default: '',
    unset: true,
    doc: 'No effect here: there are no Java classes to load.',
  }),
  'remote.log.metadata.manager.impl.prefix': string({
    default: 'rlmm.config.',
    nonEmpty: true,
    doc: 'Prefix of the settings that are passed to the keeper of tiered metadata.',
  }),
  'remote.log.metadata.manager.listener.name': string({
    default: '',
    unset: true,
    nonEmpty: true,
    doc: 'Listener by which the keeper of tiered metadata reaches the brokers.',
  }),
  'remote.log.reader.max.pending.tasks': int({
    default: 100,
    min: 1,
    doc: 'Most reads from tiered storage that wait.',
  }),
  'remote.log.reader.threads': int({
    default: 10,
    min: 1,
    update: 'cluster-wide',
    doc: 'No effect here: one event loop serves all.',
  }),
  'remote.log.storage.manager.class.name': string({
    default: '',
    unset: true,
    nonEmpty: true,
    doc: 'Store of tiered segments: a Java class in Kafka.',
  }),
  'remote.log.storage.manager.class.path': string({
    default: '',
    unset: true,
    doc: 'No effect here: there are no Java classes to load.',
  }),
  'remote.log.storage.manager.impl.prefix': string({
    default: 'rsm.config.',
    nonEmpty: true,
    doc: 'Prefix of the settings that are passed to the store of tiered segments.',
  }),
  'remote.log.storage.system.enable': boolean({ default: false, doc: 'Whether topics may use tiered storage.' }),
} as const
