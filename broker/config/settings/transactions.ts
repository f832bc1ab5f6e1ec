/** Transactions and the state of share groups. Facts as in Apache Kafka 4.3. */
import { boolean, int, short } from '../table.ts'

export const transactionsSettings = {
  'add.partitions.to.txn.retry.backoff.max.ms': int({
    default: 100,
    min: 0,
    doc: 'Longest wait between retries of AddPartitionsToTxn on the server’s side.',
  }),
  'add.partitions.to.txn.retry.backoff.ms': int({
    default: 20,
    min: 1,
    doc: 'First wait before AddPartitionsToTxn is retried on the server’s side.',
  }),
  'share.coordinator.append.linger.ms': int({
    default: -1,
    min: -1,
    doc: 'How long the share coordinator gathers records before it appends them; -1 adapts to the load.',
  }),
  'share.coordinator.cached.buffer.max.bytes': int({
    default: 1_048_588,
    min: 524_288,
    update: 'cluster-wide',
    doc: 'No effect here: buffers are not pooled.',
  }),
  'share.coordinator.load.buffer.size': int({
    default: 5_242_880,
    min: 1,
    doc: 'Bytes read at a time when a share coordinator loads.',
  }),
  'share.coordinator.snapshot.update.records.per.snapshot': int({
    default: 500,
    min: 0,
    max: 500,
    doc: 'Updates of a share-partition’s state between two snapshots of it.',
  }),
  'share.coordinator.state.topic.compression.codec': int({
    default: 0,
    doc: 'Codec of __share_group_state batches; only 0 (none) has a meaning here.',
  }),
  'share.coordinator.state.topic.min.isr': short({
    default: 2,
    min: 1,
    doc: 'min.insync.replicas of __share_group_state.',
  }),
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
  'share.coordinator.state.topic.segment.bytes': int({
    default: 104_857_600,
    min: 1,
    doc: 'Segment size of __share_group_state.',
  }),
  'share.coordinator.threads': int({ default: 1, min: 1, doc: 'No effect here: one event loop serves all.' }),
  'share.coordinator.write.timeout.ms': int({
    default: 5000,
    min: 1,
    doc: 'Wait for a write to __share_group_state to be replicated.',
  }),
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': int({
    default: 10_000,
    min: 1,
    doc: 'How often transactions are looked for that took too long.',
  }),
  'transaction.max.timeout.ms': int({ default: 900_000, min: 1, doc: 'Longest transaction timeout.' }),
  'transaction.partition.verification.enable': boolean({
    default: true,
    update: 'cluster-wide',
    doc: 'Whether the leader asks the coordinator if a partition is part of the transaction.',
  }),
  'transaction.remove.expired.transaction.cleanup.interval.ms': int({
    default: 3_600_000,
    min: 1,
    doc: 'How often expired transactional ids are looked for.',
  }),
  'transaction.state.log.load.buffer.size': int({
    default: 5_242_880,
    min: 1,
    doc: 'Bytes read at a time when a transaction coordinator loads.',
  }),
  'transaction.state.log.min.isr': int({ default: 2, min: 1, doc: 'min.insync.replicas of __transaction_state.' }),
  'transaction.state.log.num.partitions': int({ default: 50, min: 1, doc: 'Partitions of __transaction_state.' }),
  'transaction.state.log.replication.factor': short({ default: 3, min: 1, doc: 'Replicas of __transaction_state.' }),
  'transaction.state.log.segment.bytes': int({
    default: 104_857_600,
    min: 1,
    doc: 'Segment size of __transaction_state.',
  }),
  'transaction.two.phase.commit.enable': boolean({
    default: false,
    doc: 'Whether transactions may be part of a two-phase commit (KIP-939).',
  }),
  'transactional.id.expiration.ms': int({
    default: 604_800_000,
    min: 1,
    doc: 'How long a transactional id is kept that is not used.',
  }),
} as const
