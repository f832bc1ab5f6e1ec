/** Settings that Kafka keeps to itself: accepted, and described only while they are set. Facts as in Apache Kafka 4.3. */
import { boolean, double, int, long, string } from '../table.ts'

export const internalSettings = {
  'controller.performance.always.log.threshold.ms': long({
    default: 2000,
    min: 0,
    doc: 'No effect here: slow controller events are not logged.',
  }),
  'controller.performance.sample.period.ms': long({
    default: 60_000,
    min: 100,
    doc: 'No effect here: slow controller events are not logged.',
  }),
  'group.consumer.regex.refresh.interval.ms': int({
    default: 600_000,
    min: 10_000,
    doc: 'How often the regular expressions of consumer groups are resolved again.',
  }),
  'group.share.initialize.retry.interval.ms': int({
    default: 30_000,
    min: 1,
    doc: 'How long an initialization of share partitions may take before it is begun anew.',
  }),
  'group.share.persister.class.name': string({
    default: 'org.apache.kafka.server.share.persister.DefaultStatePersister',
    doc: 'No effect here: a persister is a Java class.',
  }),
  'internal.metadata.delete.delay.millis': long({
    default: 60_000,
    doc: 'No effect here: old metadata snapshots are removed at once.',
  }),
  'internal.metadata.log.segment.bytes': int({ default: 0, unset: true, doc: 'No effect here.' }),
  'internal.metadata.max.batch.size.in.bytes': int({ default: 8_388_608, doc: 'No effect here.' }),
  'log.initial.task.delay.ms': long({
    default: 30_000,
    min: 0,
    doc: 'When retention is applied for the first time after a start.',
  }),
  'producer.id.expiration.check.interval.ms': int({
    default: 600_000,
    min: 1,
    doc: 'How often silent producers are looked for.',
  }),
  'remote.log.index.file.cache.ttl.ms': long({
    default: 900_000,
    min: -1,
    doc: 'No effect here: tiered storage is not there.',
  }),
  'remote.log.manager.task.retry.backoff.max.ms': long({
    default: 30_000,
    min: 1,
    doc: 'No effect here: tiered storage is not there.',
  }),
  'remote.log.manager.task.retry.backoff.ms': long({
    default: 500,
    min: 1,
    doc: 'No effect here: tiered storage is not there.',
  }),
  'remote.log.manager.task.retry.jitter': double({
    default: 0.2,
    min: 0,
    max: 0.5,
    doc: 'No effect here: tiered storage is not there.',
  }),
  'server.max.startup.time.ms': long({ default: Number.MAX_SAFE_INTEGER, min: 0, doc: 'No effect here.' }),
  'share.coordinator.cold.partition.snapshot.interval.ms': int({
    default: 300_000,
    min: 1,
    doc: 'How often a share partition without updates is written anew, so that older records can be deleted.',
  }),
  'share.coordinator.state.topic.prune.interval.ms': int({
    default: 300_000,
    min: 1,
    doc: 'How often superseded records of __share_group_state are deleted.',
  }),
  'unclean.leader.election.interval.ms': long({
    default: 300_000,
    min: 1,
    doc: 'No effect here: how often partitions without a leader are looked at again is fixed.',
  }),
  'unstable.api.versions.enable': boolean({ default: false, doc: 'No effect here: no unstable versions are offered.' }),
  'unstable.feature.versions.enable': boolean({
    default: false,
    doc: 'No effect here: no unstable levels are offered.',
  }),
} as const
