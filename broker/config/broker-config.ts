/**
 * Broker settings with Kafka 4.3's names, types and defaults, as far as this broker gives them a meaning, plus the ones that ordinary
 * server.properties files carry. Resolved values that depend on others (log.retention.hours, …) are filled in by parse.ts.
 */
import { accessSettings } from './access-settings.ts'
import { shareSettings } from './share-settings.ts'
import { boolean, double, int, list, long, oneOf, short, string, type Values } from './table.ts'

const forever = Number.MAX_SAFE_INTEGER
const hours = 3_600_000

export const brokerConfig = {
  // --- identity and roles
  'node.id': int({ default: -1, doc: 'Id of this node, unique in the cluster.' }),
  'broker.id': int({ default: -1, doc: 'Older name of node.id.' }),
  'broker.rack': string({ default: '', doc: 'Rack of this broker, for placement.' }),
  'process.roles': list({ default: [], values: ['broker', 'controller'], doc: 'broker, controller, or both.' }),
  'cluster.id': string({
    default: '',
    doc: 'Extension: formats an empty log directory for this cluster at start, instead of kafka-storage format.',
  }),
  'controller.quorum.voters': list({ default: [], doc: 'Static voters, id@host:port, the same on every node.' }),
  'controller.quorum.bootstrap.servers': list({
    default: [],
    doc: 'Endpoints to find the quorum with. Only used with a dynamic quorum, which is not there yet.',
  }),
  // --- listeners
  listeners: list({
    default: ['PLAINTEXT://:9092'],
    doc: 'NAME://host:port, comma-separated, of broker and controller listeners.',
  }),
  'advertised.listeners': list({ default: [], doc: 'What clients are told to connect to; default: listeners.' }),
  'listener.security.protocol.map': list({
    default: [
      'CONTROLLER:PLAINTEXT',
      'PLAINTEXT:PLAINTEXT',
      'SSL:SSL',
      'SASL_PLAINTEXT:SASL_PLAINTEXT',
      'SASL_SSL:SASL_SSL',
    ],
    doc: 'Security protocol of each listener name.',
  }),
  'inter.broker.listener.name': string({
    default: '',
    doc: 'Listener that brokers use among themselves; default PLAINTEXT.',
  }),
  'controller.listener.names': list({ default: ['CONTROLLER'], doc: 'Names of the controller listeners.' }),
  'socket.request.max.bytes': int({ default: 104_857_600, min: 1, doc: 'Largest request accepted.' }),
  'socket.send.buffer.bytes': int({
    default: 102_400,
    min: -1,
    doc: 'Accepted for compatibility; the system’s default is used.',
  }),
  'socket.receive.buffer.bytes': int({
    default: 102_400,
    min: -1,
    doc: 'Accepted for compatibility; the system’s default is used.',
  }),
  'connections.max.idle.ms': long({ default: 600_000, doc: 'Idle connections are closed after this time.' }),
  'max.connections': int({
    default: 2_147_483_647,
    min: 0,
    update: 'cluster-wide',
    doc: 'Most connections at a time.',
  }),
  'queued.max.requests': int({ default: 500, min: 1, doc: 'Most requests of one connection that wait for an answer.' }),
  'num.network.threads': int({
    default: 3,
    min: 1,
    update: 'cluster-wide',
    doc: 'Accepted for compatibility; one event loop serves all.',
  }),
  'num.io.threads': int({
    default: 8,
    min: 1,
    update: 'cluster-wide',
    doc: 'Accepted for compatibility; one event loop serves all.',
  }),
  'request.timeout.ms': int({ default: 30_000, min: 0, doc: 'Timeout of requests from this node to others.' }),
  // --- storage
  'log.dir': string({ default: '/tmp/kafka-logs', doc: 'Log directory when log.dirs is not set.' }),
  'log.dirs': list({ default: [], doc: 'Log directories.' }),
  'metadata.log.dir': string({
    default: '',
    doc: 'Directory of __cluster_metadata; default: the first log directory.',
  }),
  'log.segment.bytes': int({
    default: 1_073_741_824,
    min: 1_048_576,
    update: 'cluster-wide',
    doc: 'Size at which a segment is closed and the next one begun.',
  }),
  'log.roll.ms': long({
    default: 168 * hours,
    min: 1,
    update: 'cluster-wide',
    doc: 'Age at which a segment is closed. Overrides log.roll.hours.',
  }),
  'log.roll.hours': int({ default: 168, min: 1, doc: 'Age at which a segment is closed.' }),
  'log.roll.jitter.ms': long({
    default: 0,
    min: 0,
    update: 'cluster-wide',
    doc: 'Most that is subtracted at random from log.roll.ms.',
  }),
  'log.roll.jitter.hours': int({ default: 0, min: 0, doc: 'The same in hours.' }),
  'log.retention.ms': long({
    default: 168 * hours,
    min: -1,
    update: 'cluster-wide',
    doc: 'Age at which segments are deleted; -1 for no limit. Overrides minutes and hours.',
  }),
  'log.retention.minutes': int({ default: 10_080, doc: 'Age at which segments are deleted.' }),
  'log.retention.hours': int({ default: 168, doc: 'Age at which segments are deleted.' }),
  'log.retention.bytes': long({
    default: -1,
    min: -1,
    update: 'cluster-wide',
    doc: 'Size at which old segments are deleted; -1 for no limit.',
  }),
  'log.retention.check.interval.ms': long({ default: 300_000, min: 1, doc: 'How often retention is applied.' }),
  'log.cleanup.policy': list({
    default: ['delete'],
    values: ['delete', 'compact'],
    update: 'cluster-wide',
    doc: 'Default of cleanup.policy.',
  }),
  'log.cleaner.enable': boolean({ default: true, doc: 'Whether compaction runs.' }),
  'log.cleaner.delete.retention.ms': long({
    default: 86_400_000,
    min: 0,
    update: 'cluster-wide',
    doc: 'How long tombstones are kept.',
  }),
  'log.cleaner.min.cleanable.ratio': double({
    default: 0.5,
    min: 0,
    max: 1,
    update: 'cluster-wide',
    doc: 'Share of uncompacted bytes that makes a log due for compaction.',
  }),
  'log.cleaner.min.compaction.lag.ms': long({
    default: 0,
    min: 0,
    update: 'cluster-wide',
    doc: 'Time a record stays uncompacted at least.',
  }),
  'log.cleaner.max.compaction.lag.ms': long({
    default: forever,
    min: 1,
    update: 'cluster-wide',
    doc: 'Longest time a record may stay uncompacted.',
  }),
  'log.index.interval.bytes': int({
    default: 4096,
    min: 0,
    update: 'cluster-wide',
    doc: 'Bytes of log between two index entries.',
  }),
  'log.index.size.max.bytes': int({
    default: 10_485_760,
    min: 4,
    update: 'cluster-wide',
    doc: 'Largest size of an index file.',
  }),
  'log.flush.interval.messages': long({
    default: forever,
    min: 1,
    update: 'cluster-wide',
    doc: 'fsync after so many records.',
  }),
  'log.flush.interval.ms': long({ default: forever, min: 0, update: 'cluster-wide', doc: 'fsync after so much time.' }),
  'log.flush.scheduler.interval.ms': long({ default: forever, doc: 'How often logs are checked for a due flush.' }),
  'log.flush.offset.checkpoint.interval.ms': int({
    default: 60_000,
    min: 0,
    doc: 'How often recovery points are written.',
  }),
  'log.flush.start.offset.checkpoint.interval.ms': int({
    default: 60_000,
    min: 0,
    doc: 'How often log start offsets are written.',
  }),
  'log.segment.delete.delay.ms': long({
    default: 60_000,
    min: 0,
    update: 'cluster-wide',
    doc: 'Wait between renaming a dropped segment and removing its files.',
  }),
  'log.preallocate': boolean({
    default: false,
    update: 'cluster-wide',
    doc: 'Whether segment files get their full size at creation.',
  }),
  'log.message.timestamp.type': oneOf(['CreateTime', 'LogAppendTime'], {
    default: 'CreateTime',
    update: 'cluster-wide',
    doc: 'Whether the client or the broker dates the records.',
  }),
  'log.message.timestamp.before.max.ms': long({
    default: forever,
    min: 0,
    update: 'cluster-wide',
    doc: 'How far a record may be dated before the clock.',
  }),
  'log.message.timestamp.after.max.ms': long({
    default: hours,
    min: 0,
    update: 'cluster-wide',
    doc: 'How far a record may be dated after the clock.',
  }),
  'log.local.retention.bytes': long({
    default: -2,
    min: -2,
    update: 'cluster-wide',
    doc: 'Local size limit of tiered logs.',
  }),
  'log.local.retention.ms': long({
    default: -2,
    min: -2,
    update: 'cluster-wide',
    doc: 'Local time limit of tiered logs.',
  }),
  'num.recovery.threads.per.data.dir': int({
    default: 2,
    min: 1,
    update: 'cluster-wide',
    doc: 'Accepted for compatibility; recovery is one after the other.',
  }),
  'message.max.bytes': int({
    default: 1_048_588,
    min: 0,
    update: 'cluster-wide',
    doc: 'Largest record batch accepted.',
  }),
  'compression.type': oneOf(['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'], {
    default: 'producer',
    update: 'cluster-wide',
    doc: 'Codec of stored batches.',
  }),
  'compression.gzip.level': int({ default: -1, min: -1, max: 9, update: 'cluster-wide', doc: 'gzip level.' }),
  'compression.lz4.level': int({ default: 9, min: 1, max: 17, update: 'cluster-wide', doc: 'lz4 level.' }),
  'compression.zstd.level': int({ default: 3, min: -131072, max: 22, update: 'cluster-wide', doc: 'zstd level.' }),
  'producer.id.expiration.ms': int({
    default: 86_400_000,
    min: 1,
    update: 'cluster-wide',
    doc: 'How long the state of a silent producer is kept.',
  }),
  // --- topics
  'auto.create.topics.enable': boolean({ default: true, doc: 'Whether asking for an unknown topic creates it.' }),
  'num.partitions': int({ default: 1, min: 1, doc: 'Partitions of a topic when not said.' }),
  'default.replication.factor': int({ default: 1, doc: 'Replicas of a partition when not said.' }),
  'min.insync.replicas': int({
    default: 1,
    min: 1,
    update: 'cluster-wide',
    doc: 'In-sync replicas without which acks=all is refused.',
  }),
  'delete.topic.enable': boolean({ default: true, doc: 'Whether topics can be deleted.' }),
  'unclean.leader.election.enable': boolean({
    default: false,
    update: 'cluster-wide',
    doc: 'Whether a replica outside the in-sync set may lead.',
  }),
  // --- replication
  'replica.lag.time.max.ms': long({
    default: 30_000,
    doc: 'A follower that has not caught up for this long leaves the in-sync set.',
  }),
  'replica.fetch.max.bytes': int({ default: 1_048_576, min: 0, doc: 'Bytes a follower asks for per partition.' }),
  'replica.fetch.response.max.bytes': int({
    default: 10_485_760,
    min: 0,
    doc: 'Bytes a follower asks for per request.',
  }),
  'replica.fetch.min.bytes': int({ default: 1, doc: 'Least bytes a follower waits for.' }),
  'replica.fetch.wait.max.ms': int({ default: 500, doc: 'Longest wait of a follower’s fetch.' }),
  'replica.fetch.backoff.ms': int({ default: 1000, min: 0, doc: 'Wait after a failed fetch of a partition.' }),
  'replica.socket.timeout.ms': int({ default: 30_000, doc: 'Timeout of a follower’s requests.' }),
  'replica.socket.receive.buffer.bytes': int({ default: 65_536, doc: 'Accepted for compatibility.' }),
  'replica.high.watermark.checkpoint.interval.ms': long({
    default: 5000,
    doc: 'How often high watermarks are written.',
  }),
  'leader.replication.throttled.rate': long({
    default: forever,
    min: 0,
    update: 'cluster-wide',
    doc: 'Bytes per second that leaders send to throttled replicas (KIP-73).',
  }),
  'follower.replication.throttled.rate': long({
    default: forever,
    min: 0,
    update: 'cluster-wide',
    doc: 'Bytes per second that throttled replicas fetch (KIP-73).',
  }),
  'replication.quota.window.num': int({ default: 11, min: 1, doc: 'Windows over which replication is measured.' }),
  'replication.quota.window.size.seconds': int({ default: 1, min: 1, doc: 'Length of such a window.' }),
  'num.replica.fetchers': int({ default: 1, update: 'cluster-wide', doc: 'Fetchers per source broker; one is used.' }),
  'replica.selector.class': string({ default: '', doc: 'Selector of the replica to read from.' }),
  'auto.leader.rebalance.enable': boolean({
    default: true,
    doc: 'Whether leadership goes back to preferred replicas.',
  }),
  'leader.imbalance.check.interval.seconds': long({
    default: 300,
    min: 1,
    doc: 'How often leadership balance is checked.',
  }),
  'fetch.max.bytes': int({ default: 57_671_680, min: 1024, doc: 'Most bytes of a fetch response.' }),
  'max.incremental.fetch.session.cache.slots': int({ default: 1000, min: 0, doc: 'Fetch sessions kept.' }),
  // --- KRaft
  'broker.heartbeat.interval.ms': int({ default: 2000, doc: 'Time between a broker’s heartbeats to the controller.' }),
  'broker.session.timeout.ms': int({ default: 9000, doc: 'A broker silent for this long is fenced.' }),
  'initial.broker.registration.timeout.ms': int({
    default: 60_000,
    doc: 'A broker that cannot register within this time stops.',
  }),
  'controller.quorum.election.timeout.ms': int({ default: 1000, doc: 'Wait without a leader before an election.' }),
  'controller.quorum.election.backoff.max.ms': int({ default: 1000, doc: 'Longest random wait between elections.' }),
  'controller.quorum.fetch.timeout.ms': int({
    default: 2000,
    doc: 'Follower: wait for the leader. Leader: wait for a majority to fetch.',
  }),
  'controller.quorum.request.timeout.ms': int({ default: 2000, doc: 'Timeout of quorum requests.' }),
  'controller.quorum.retry.backoff.ms': int({ default: 20, doc: 'Wait before a failed quorum request is sent again.' }),
  'controller.quorum.append.linger.ms': int({
    default: 25,
    doc: 'Accepted for compatibility; proposals are appended at once.',
  }),
  'metadata.max.idle.interval.ms': int({
    default: 500,
    min: 0,
    doc: 'Idle time after which the active controller writes a no-op record; 0 for never.',
  }),
  'metadata.log.max.record.bytes.between.snapshots': long({
    default: 20_971_520,
    min: 1,
    doc: 'Bytes of metadata log between snapshots.',
  }),
  'metadata.log.max.snapshot.interval.ms': long({
    default: hours,
    min: 0,
    doc: 'Time between snapshots; 0 for no limit.',
  }),
  'metadata.log.segment.bytes': int({
    default: 1_073_741_824,
    min: 8_388_608,
    doc: 'Segment size of the metadata log.',
  }),
  'metadata.log.segment.ms': long({ default: 168 * hours, doc: 'Segment age of the metadata log.' }),
  'metadata.max.retention.bytes': long({ default: 104_857_600, doc: 'Size of metadata log and snapshots kept.' }),
  'metadata.max.retention.ms': long({ default: 168 * hours, doc: 'Age of metadata log and snapshots kept.' }),
  'controlled.shutdown.enable': boolean({ default: true, doc: 'Whether leaderships are moved away before a stop.' }),
  // --- groups and transactions
  'group.initial.rebalance.delay.ms': int({
    default: 3000,
    doc: 'Wait for more members before a new group’s first rebalance.',
  }),
  'group.min.session.timeout.ms': int({ default: 6000, doc: 'Shortest session timeout a member may ask for.' }),
  'group.max.session.timeout.ms': int({ default: 1_800_000, doc: 'Longest session timeout a member may ask for.' }),
  'group.max.size': int({ default: 2_147_483_647, min: 1, doc: 'Most members of a group.' }),
  'group.coordinator.rebalance.protocols': list({ default: ['classic'], doc: 'Group protocols on offer.' }),
  'offset.metadata.max.bytes': int({ default: 4096, doc: 'Longest metadata string of a committed offset.' }),
  'offsets.commit.timeout.ms': int({ default: 5000, min: 1, doc: 'Wait for an offset commit to be replicated.' }),
  'offsets.load.buffer.size': int({
    default: 5_242_880,
    min: 1,
    doc: 'Bytes read at a time when a coordinator loads.',
  }),
  'offsets.retention.check.interval.ms': long({
    default: 600_000,
    min: 1,
    doc: 'How often expired offsets are looked for.',
  }),
  'offsets.retention.minutes': int({ default: 10_080, min: 1, doc: 'How long offsets of an empty group are kept.' }),
  'offsets.topic.compression.codec': int({
    default: 0,
    doc: 'Codec of __consumer_offsets batches; only 0 (none) has a meaning here.',
  }),
  'offsets.topic.num.partitions': int({ default: 50, min: 1, doc: 'Partitions of __consumer_offsets.' }),
  'offsets.topic.replication.factor': short({ default: 3, min: 1, doc: 'Replicas of __consumer_offsets.' }),
  'offsets.topic.segment.bytes': int({ default: 104_857_600, min: 1, doc: 'Segment size of __consumer_offsets.' }),
  'transaction.state.log.replication.factor': short({ default: 3, min: 1, doc: 'Replicas of __transaction_state.' }),
  'transaction.state.log.min.isr': int({ default: 2, min: 1, doc: 'min.insync.replicas of __transaction_state.' }),
  'transaction.state.log.num.partitions': int({ default: 50, min: 1, doc: 'Partitions of __transaction_state.' }),
  'transaction.partition.verification.enable': boolean({
    default: true,
    update: 'cluster-wide',
    doc: 'Whether the leader of a partition asks the coordinator before a transaction begins there.',
  }),
  'add.partitions.to.txn.retry.backoff.ms': int({
    default: 20,
    min: 1,
    doc: 'Wait before a coordinator that is busy completing a transaction is asked again.',
  }),
  'add.partitions.to.txn.retry.backoff.max.ms': int({
    default: 100,
    min: 0,
    doc: 'Longest such wait altogether; at most request.timeout.ms counts.',
  }),
  'producer.id.expiration.check.interval.ms': int({
    default: 600_000,
    min: 1,
    doc: 'How often silent producers are looked for.',
  }),
  'transaction.max.timeout.ms': int({ default: 900_000, min: 1, doc: 'Longest transaction timeout.' }),
  ...shareSettings,
  // --- authorization and quotas
  ...accessSettings,
  // --- observation
  'inspector.listener': string({
    default: '',
    doc: 'Extension: host:port of the read-only HTTP view of this node; empty for none.',
  }),
  'log.level': oneOf(['debug', 'info', 'warn', 'error'], {
    default: 'info',
    doc: 'Extension: least level of this node’s own log lines.',
  }),
  'log.format': oneOf(['text', 'json'], { default: 'text', doc: 'Extension: form of this node’s own log lines.' }),
} as const

export type BrokerConfigTable = typeof brokerConfig
export type BrokerConfig = Values<BrokerConfigTable>
export type BrokerConfigName = keyof BrokerConfigTable
