/** Broker settings of share groups and of the share coordinator, with Kafka 4.3's names, types, bounds and defaults. Source: KIP-932. */
import { int, list, short } from './table.ts'

export const shareSettings = {
  // --- the group
  'group.share.session.timeout.ms': int({ default: 45_000, min: 1, doc: 'A silent member leaves after this time.' }),
  'group.share.min.session.timeout.ms': int({ default: 45_000, min: 1, doc: 'Least session timeout of a group.' }),
  'group.share.max.session.timeout.ms': int({ default: 60_000, min: 1, doc: 'Longest session timeout of a group.' }),
  'group.share.heartbeat.interval.ms': int({ default: 5000, min: 1, doc: 'Time between heartbeats of a member.' }),
  'group.share.min.heartbeat.interval.ms': int({ default: 5000, min: 1, doc: 'Least heartbeat interval of a group.' }),
  'group.share.max.heartbeat.interval.ms': int({
    default: 15_000,
    min: 1,
    doc: 'Longest heartbeat interval of a group.',
  }),
  'group.share.max.size': int({ default: 200, min: 1, max: 1000, doc: 'Most members of a group.' }),
  'group.share.assignors': list({ default: ['simple'], doc: 'Assignors of share groups; only "simple" is there.' }),
  'group.share.initialize.retry.interval.ms': int({
    default: 30_000,
    min: 1,
    doc: 'How long an initialization of share partitions may take before it is begun anew.',
  }),
  // --- the share partition
  'group.share.delivery.count.limit': int({ default: 5, min: 2, max: 10, doc: 'Most deliveries of a record.' }),
  'group.share.min.delivery.count.limit': int({ default: 2, min: 2, max: 5, doc: 'Least delivery limit of a group.' }),
  'group.share.max.delivery.count.limit': int({
    default: 10,
    min: 5,
    max: 25,
    doc: 'Largest delivery limit of a group.',
  }),
  'group.share.record.lock.duration.ms': int({
    default: 30_000,
    min: 1000,
    max: 3_600_000,
    doc: 'How long a consumer may hold a record.',
  }),
  'group.share.min.record.lock.duration.ms': int({
    default: 15_000,
    min: 1000,
    max: 30_000,
    doc: 'Least lock duration of a group.',
  }),
  'group.share.max.record.lock.duration.ms': int({
    default: 60_000,
    min: 30_000,
    max: 3_600_000,
    doc: 'Longest lock duration of a group.',
  }),
  'group.share.partition.max.record.locks': int({
    default: 2000,
    min: 100,
    max: 10_000,
    doc: 'Most records of a share partition that are in flight.',
  }),
  'group.share.min.partition.max.record.locks': int({
    default: 100,
    min: 100,
    max: 2000,
    doc: 'Least in-flight limit of a group.',
  }),
  'group.share.max.partition.max.record.locks': int({
    default: 4000,
    min: 2000,
    max: 10_000,
    doc: 'Largest in-flight limit of a group.',
  }),
  'group.share.max.share.sessions': int({ default: 2000, min: 1, doc: 'Most share sessions of this broker.' }),
  // --- the share coordinator
  'share.coordinator.state.topic.num.partitions': int({
    default: 50,
    min: 1,
    doc: 'Partitions of __share_group_state.',
  }),
  'share.coordinator.state.topic.replication.factor': short({
    default: 3,
    min: 1,
    doc: 'Replicas of __share_group_state.',
  }),
  'share.coordinator.state.topic.min.isr': short({
    default: 2,
    min: 1,
    doc: 'min.insync.replicas of __share_group_state.',
  }),
  'share.coordinator.state.topic.segment.bytes': int({
    default: 104_857_600,
    min: 1,
    doc: 'Segment size of __share_group_state.',
  }),
  'share.coordinator.snapshot.update.records.per.snapshot': int({
    default: 500,
    min: 0,
    max: 500,
    doc: 'Updates of a share partition between two snapshots.',
  }),
  'share.coordinator.write.timeout.ms': int({ default: 5000, min: 1, doc: 'How long a write waits for the replicas.' }),
  'share.coordinator.load.buffer.size': int({ default: 5_242_880, min: 1, doc: 'Bytes read at once while loading.' }),
  'share.coordinator.state.topic.prune.interval.ms': int({
    default: 300_000,
    min: 1,
    doc: 'How often superseded records of __share_group_state are deleted.',
  }),
  'share.coordinator.cold.partition.snapshot.interval.ms': int({
    default: 300_000,
    min: 1,
    doc: 'How often a share partition without updates is written anew, so that older records can be deleted.',
  }),
} as const
