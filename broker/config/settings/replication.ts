/** How replicas follow, lead, and are read from. Facts as in Apache Kafka 4.3. */
import { boolean, int, long, string } from '../table.ts'

export const replicationSettings = {
  'alter.log.dirs.replication.quota.window.num': int({
    default: 11,
    min: 1,
    doc: 'Samples kept for the quota of moves between log directories.',
  }),
  'alter.log.dirs.replication.quota.window.size.seconds': int({
    default: 1,
    min: 1,
    doc: 'Length of a sample for the quota of moves between log directories.',
  }),
  'auto.leader.rebalance.enable': boolean({
    default: true,
    doc: 'Whether leadership goes back to preferred replicas.',
  }),
  'delete.records.purgatory.purge.interval.requests': int({
    default: 1,
    doc: 'No effect here: the purgatory forgets a request as soon as it is answered.',
  }),
  'fetch.max.bytes': int({ default: 57_671_680, min: 1024, doc: 'Most bytes of a fetch response.' }),
  'fetch.purgatory.purge.interval.requests': int({
    default: 1000,
    doc: 'No effect here: the purgatory forgets a request as soon as it is answered.',
  }),
  'follower.fetch.last.tiered.offset.enable': boolean({
    default: false,
    update: 'cluster-wide',
    doc: 'Whether a new follower begins at the last tiered offset.',
  }),
  'leader.imbalance.check.interval.seconds': long({
    default: 300,
    min: 1,
    doc: 'How often leadership balance is checked.',
  }),
  'max.incremental.fetch.session.cache.slots': int({ default: 1000, min: 0, doc: 'Fetch sessions kept.' }),
  'min.insync.replicas': int({
    default: 1,
    min: 1,
    update: 'cluster-wide',
    doc: 'In-sync replicas without which acks=all is refused.',
  }),
  'num.replica.alter.log.dirs.threads': int({
    default: 1,
    unset: true,
    doc: 'No effect here: moves between directories run one after the other.',
  }),
  'num.replica.fetchers': int({
    default: 1,
    min: 1,
    update: 'cluster-wide',
    doc: 'Fetchers per source broker. No effect above 1.',
  }),
  'producer.purgatory.purge.interval.requests': int({
    default: 1000,
    doc: 'No effect here: the purgatory forgets a request as soon as it is answered.',
  }),
  'replica.fetch.backoff.ms': int({ default: 1000, min: 0, doc: 'Wait after a failed fetch of a partition.' }),
  'replica.fetch.max.bytes': int({ default: 1_048_576, min: 0, doc: 'Bytes a follower asks for per partition.' }),
  'replica.fetch.min.bytes': int({ default: 1, doc: 'Least bytes a follower waits for.' }),
  'replica.fetch.response.max.bytes': int({
    default: 10_485_760,
    min: 0,
    doc: 'Bytes a follower asks for per request.',
  }),
  'replica.fetch.wait.max.ms': int({ default: 500, doc: 'Longest wait of a follower’s fetch.' }),
  'replica.high.watermark.checkpoint.interval.ms': long({
    default: 5000,
    doc: 'How often high watermarks are written.',
  }),
  'replica.lag.time.max.ms': long({
    default: 30_000,
    doc: 'A follower that has not caught up for this long leaves the in-sync set.',
  }),
  'replica.selector.class': string({ default: '', unset: true, doc: 'Selector of the replica to read from.' }),
  'replica.socket.receive.buffer.bytes': int({ default: 65_536, doc: 'No effect here: the system’s default is used.' }),
  'replica.socket.timeout.ms': int({ default: 30_000, doc: 'Timeout of a follower’s requests.' }),
  'replication.quota.window.num': int({ default: 11, min: 1, doc: 'Samples kept for replication quotas.' }),
  'replication.quota.window.size.seconds': int({
    default: 1,
    min: 1,
    doc: 'Length of a sample for replication quotas.',
  }),
  'share.fetch.purgatory.purge.interval.requests': int({
    default: 1000,
    doc: 'No effect here: the purgatory forgets a request as soon as it is answered.',
  }),
  'unclean.leader.election.enable': boolean({
    default: false,
    update: 'cluster-wide',
    doc: 'Whether a replica outside the in-sync set may lead.',
  }),
} as const
