/**
 * Group settings of Kafka 4.3 (GroupConfig, KIP-848, KIP-932, KIP-1071). The default of most comes from the broker setting named in
 * `brokerName`. Whoever gives none gets the broker's defaults: a group needs no resource of its own to have settings.
 */
import type { BrokerConfig } from './broker-config.ts'
import { boolean, int, oneOf, parseSetting, string, type Setting, type Values } from './table.ts'

const ofBroker = (name: string, kind: 'consumer' | 'share' | 'streams') => `group.${kind}.${name}`

const assignmentInterval = (kind: 'consumer' | 'share' | 'streams') =>
  int({
    default: 1000,
    min: 0,
    brokerName: ofBroker('assignment.interval.ms', kind),
    doc: `Least time between two assignments of a ${kind} group.`,
  })
const heartbeatInterval = (kind: 'consumer' | 'share' | 'streams') =>
  int({
    default: 5000,
    min: 1,
    brokerName: ofBroker('heartbeat.interval.ms', kind),
    doc: 'Heartbeat interval that members are given.',
  })
const sessionTimeout = (kind: 'consumer' | 'share' | 'streams') =>
  int({
    default: 45_000,
    min: 1,
    brokerName: ofBroker('session.timeout.ms', kind),
    doc: 'Silence after which a member is removed.',
  })

export const groupConfig = {
  'consumer.assignment.interval.ms': assignmentInterval('consumer'),
  'consumer.heartbeat.interval.ms': heartbeatInterval('consumer'),
  'consumer.session.timeout.ms': sessionTimeout('consumer'),
  'share.assignment.interval.ms': assignmentInterval('share'),
  'share.auto.offset.reset': string({
    default: 'latest',
    doc: 'Where a share group begins: earliest, latest, or by_duration:PnDTnHnMn.nS before now.',
    check: resetError,
  }),
  'share.delivery.count.limit': int({
    default: 5,
    min: 2,
    brokerName: ofBroker('delivery.count.limit', 'share'),
    doc: 'How often a record is delivered at most.',
  }),
  'share.heartbeat.interval.ms': heartbeatInterval('share'),
  'share.isolation.level': oneOf(['read_committed', 'read_uncommitted'], {
    default: 'read_uncommitted',
    doc: 'Whether records of aborted transactions are withheld.',
  }),
  'share.partition.max.record.locks': int({
    default: 2000,
    min: 100,
    brokerName: ofBroker('partition.max.record.locks', 'share'),
    doc: 'Most records of a share-partition that are in flight.',
  }),
  'share.record.lock.duration.ms': int({
    default: 30_000,
    min: 1000,
    brokerName: ofBroker('record.lock.duration.ms', 'share'),
    doc: 'How long a member holds a record before others may get it.',
  }),
  'share.renew.acknowledge.enable': boolean({
    default: true,
    doc: 'Whether a member may prolong its hold of a record.',
  }),
  'share.session.timeout.ms': sessionTimeout('share'),
  'streams.assignment.interval.ms': assignmentInterval('streams'),
  'streams.heartbeat.interval.ms': heartbeatInterval('streams'),
  'streams.initial.rebalance.delay.ms': int({
    default: 3000,
    min: 0,
    brokerName: ofBroker('initial.rebalance.delay.ms', 'streams'),
    doc: 'Wait for more members before a new group’s first assignment.',
  }),
  'streams.num.standby.replicas': int({
    default: 0,
    min: 0,
    brokerName: ofBroker('num.standby.replicas', 'streams'),
    doc: 'Standby replicas of each task.',
  }),
  'streams.session.timeout.ms': sessionTimeout('streams'),
} as const

export type GroupConfig = Values<typeof groupConfig>
export type GroupConfigName = keyof typeof groupConfig

/** ISO 8601, days to seconds, not negative; as java.time.Duration reads it. */
const duration = /^by_duration:P(?=.)(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?$/i

function resetError(text: string): string | undefined {
  if (/^(latest|earliest)$/.test(text) || duration.test(text)) return undefined
  return "Invalid share.auto.offset.reset value: it must be 'latest', 'earliest' or 'by_duration:<ISO 8601 duration>'"
}

/** The settings of one group: its own (text, as in the metadata log) over the broker's. */
export function resolveGroupConfig(
  overrides: ReadonlyMap<string, string> | undefined,
  broker: BrokerConfig,
): GroupConfig {
  const values: Record<string, unknown> = {}
  const inherited: Readonly<Record<string, unknown>> = broker
  for (const [name, definition] of Object.entries<Setting<unknown>>(groupConfig)) {
    const text = overrides?.get(name)
    const fallback = definition.brokerName === undefined ? undefined : inherited[definition.brokerName]
    values[name] = text === undefined ? (fallback ?? definition.defaultValue) : parseSetting(name, definition, text)
  }
  return values as GroupConfig
}
