/**
 * Settings that Kafka's own table does not have: extensions of ours, settings of Kafka's authorizer, and rates that exist only at run time
 * (DynamicConfig). They are described only while they are set.
 */
import { boolean, int, long, oneOf, password, string } from '../table.ts'

const forever = Number.MAX_SAFE_INTEGER

export const extensionSettings = {
  'cluster.id': string({
    default: '',
    unset: true,
    doc: 'Extension: formats an empty log directory for this cluster at start, instead of kafka-storage format.',
  }),
  'bootstrap.scram.credentials': password({
    doc: 'Extension: SCRAM users of a new cluster, as kafka-storage format --add-scram takes them, separated by semicolons: SCRAM-SHA-256=[name=alice,password=secret]; only the first start of a cluster uses it.',
  }),
  'inspector.listener': string({
    default: '',
    unset: true,
    doc: 'Extension: host:port of the read-only HTTP view of this node; empty for none.',
  }),
  'log.level': oneOf(['debug', 'info', 'warn', 'error'], {
    default: 'info',
    doc: 'Extension: least level of this node’s own log lines.',
  }),
  'log.format': oneOf(['text', 'json'], { default: 'text', doc: 'Extension: form of this node’s own log lines.' }),
  'log.open.files.max': int({
    default: 0,
    min: 0,
    doc: 'Extension: segment files that all logs of this node together keep open; the ones that were not used for longest are closed for others. 0: half of what the process may have open, at most 32768.',
  }),
  // --- of StandardAuthorizer
  'super.users': string({ default: '', doc: 'Principals that may do everything: Type:name, separated by semicolons.' }),
  'allow.everyone.if.no.acl.found': boolean({
    default: false,
    doc: 'Whether a resource without any access control entry is open to everyone.',
  }),
  // --- only at run time
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
  'replica.alter.log.dirs.io.max.bytes.per.second': long({
    default: forever,
    min: 0,
    update: 'cluster-wide',
    doc: 'Bytes per second that move between log directories (KIP-113).',
  }),
} as const
