/** Settings of share groups (resource type GROUP), with the broker's settings as defaults and bounds. Source: KIP-932, "Group configuration". */
import type { BrokerConfig } from '../../config/broker-config.ts'
import type { MetadataImage } from '../../controller/image.ts'
import type { ShareLimits } from './share-partition.ts'

/** Where a group begins to read a partition that it has not read. */
export type ShareOffsetReset =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'by_duration'; readonly durationMs: number }

export interface ShareGroupSettings extends ShareLimits {
  readonly isReadCommitted: boolean
  readonly autoOffsetReset: ShareOffsetReset
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
}

export function shareGroupSettings(image: MetadataImage, config: BrokerConfig, groupId: string): ShareGroupSettings {
  const given = image.config('group', groupId)
  const number = (name: string, usual: number, least: number, most: number): number => {
    const text = given.get(name)
    return text === undefined ? usual : Math.min(most, Math.max(least, Number(text)))
  }
  return {
    maxDeliveryCount: number(
      'share.delivery.count.limit',
      config['group.share.delivery.count.limit'],
      config['group.share.min.delivery.count.limit'],
      config['group.share.max.delivery.count.limit'],
    ),
    maxInFlightRecords: number(
      'share.partition.max.record.locks',
      config['group.share.partition.max.record.locks'],
      config['group.share.min.partition.max.record.locks'],
      config['group.share.max.partition.max.record.locks'],
    ),
    lockDurationMs: number(
      'share.record.lock.duration.ms',
      config['group.share.record.lock.duration.ms'],
      config['group.share.min.record.lock.duration.ms'],
      config['group.share.max.record.lock.duration.ms'],
    ),
    sessionTimeoutMs: number(
      'share.session.timeout.ms',
      config['group.share.session.timeout.ms'],
      config['group.share.min.session.timeout.ms'],
      config['group.share.max.session.timeout.ms'],
    ),
    heartbeatIntervalMs: number(
      'share.heartbeat.interval.ms',
      config['group.share.heartbeat.interval.ms'],
      config['group.share.min.heartbeat.interval.ms'],
      config['group.share.max.heartbeat.interval.ms'],
    ),
    isRenewalEnabled: given.get('share.renew.acknowledge.enable') !== 'false',
    isReadCommitted: given.get('share.isolation.level') === 'read_committed',
    autoOffsetReset: parseOffsetReset(given.get('share.auto.offset.reset') ?? 'latest') ?? { kind: 'latest' },
  }
}

/** earliest, latest, or by_duration:PnDTnHnMn.nS; undefined for anything else. */
export function parseOffsetReset(text: string): ShareOffsetReset | undefined {
  const lower = text.trim().toLowerCase()
  if (lower === 'earliest' || lower === 'latest') return { kind: lower }
  const durationMs = lower.startsWith('by_duration:') ? parseDuration(lower.slice('by_duration:'.length)) : undefined
  return durationMs === undefined ? undefined : { kind: 'by_duration', durationMs }
}

/** An ISO 8601 duration of days and smaller units, not negative, as ms. */
function parseDuration(text: string): number | undefined {
  const match = /^p(?:(\d+)d)?(?:t(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?)?$/.exec(text)
  if (match === null || /^p$|t$/.test(text)) return undefined
  const [, days = '0', hours = '0', minutes = '0', seconds = '0'] = match
  return Math.floor((((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000)
}
