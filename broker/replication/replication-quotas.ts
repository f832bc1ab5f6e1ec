/**
 * Limits on the bytes that this broker sends as a leader, and fetches as a follower, for replicas that are marked as throttled; so that a
 * reassignment leaves room for clients. Replicas that are in sync are never held back, but what they move counts.
 * Sources: KIP-73; the rate is measured as by Kafka's ReplicationQuotaManager (SimpleRate over replication.quota.window.num windows).
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import type { MetadataDelta, MetadataImage } from '../controller/image.ts'

interface Window {
  startMs: number
  lastMs: number
  bytes: number
}

export interface RateWindows {
  readonly count: number
  readonly lengthMs: number
}

/** Windows for moves between the log directories of a broker. */
export function alterLogDirsWindows(config: BrokerConfig): RateWindows {
  return {
    count: config['alter.log.dirs.replication.quota.window.num'],
    lengthMs: config['alter.log.dirs.replication.quota.window.size.seconds'] * 1000,
  }
}

/** Bytes per second over the last windows and the current one; at least one whole window counts. */
export class WindowedRate {
  private windows: Window[] = []
  private readonly settings: RateWindows

  constructor(settings: RateWindows) {
    this.settings = settings
  }

  record(bytes: number, nowMs: number): void {
    const current = this.windows.at(-1)
    if (current !== undefined && nowMs - current.startMs < this.settings.lengthMs) {
      current.bytes += bytes
      current.lastMs = nowMs
      return
    }
    this.windows.push({ startMs: nowMs, lastMs: nowMs, bytes })
    // The one more overlaps the beginning of what is measured.
    if (this.windows.length > this.settings.count + 1) this.windows.shift()
  }

  bytesPerSecond(nowMs: number): number {
    const { count, lengthMs } = this.settings
    this.windows = this.windows.filter(window => nowMs - window.lastMs < count * lengthMs)
    const [oldest] = this.windows
    if (oldest === undefined) return 0
    let bytes = 0
    for (const window of this.windows) bytes += window.bytes
    return (bytes * 1000) / Math.max(nowMs - oldest.startMs, lengthMs)
  }
}

export class ReplicationQuota {
  /** Bytes per second. */
  limit = Number.MAX_SAFE_INTEGER
  private readonly rate: WindowedRate
  private readonly throttled = new Map<string, ReadonlySet<number> | 'all'>()

  constructor(windows: RateWindows) {
    this.rate = new WindowedRate(windows)
  }

  /** Undefined: no partition of the topic. */
  throttle(topic: string, partitions: ReadonlySet<number> | 'all' | undefined): void {
    if (partitions === undefined) this.throttled.delete(topic)
    else this.throttled.set(topic, partitions)
  }

  isThrottled(topic: string, partition: number): boolean {
    const partitions = this.throttled.get(topic)
    return partitions !== undefined && (partitions === 'all' || partitions.has(partition))
  }

  /** Counts what was moved for a throttled partition, even beyond the limit. */
  record(bytes: number, nowMs: number): void {
    if (bytes > 0) this.rate.record(bytes, nowMs)
  }

  isExceeded(nowMs: number): boolean {
    return this.rate.bytesPerSecond(nowMs) > this.limit
  }
}

const roles = ['leader', 'follower'] as const

export class ReplicationQuotas {
  readonly leader: ReplicationQuota
  readonly follower: ReplicationQuota
  private readonly brokerId: number
  private readonly liveConfig: (image: MetadataImage) => BrokerConfig

  constructor(brokerId: number, config: BrokerConfig, liveConfig: (image: MetadataImage) => BrokerConfig) {
    const count = config['replication.quota.window.num']
    const windows = { count, lengthMs: config['replication.quota.window.size.seconds'] * 1000 }
    this.leader = new ReplicationQuota(windows)
    this.follower = new ReplicationQuota(windows)
    this.brokerId = brokerId
    this.liveConfig = liveConfig
  }

  /** Call for every change of the metadata, from the first one on. */
  applyMetadata(image: MetadataImage, { changedConfigs }: Pick<MetadataDelta, 'changedConfigs'>): void {
    if (changedConfigs.some(({ type }) => type === 'broker')) {
      const config = this.liveConfig(image)
      for (const role of roles) this[role].limit = config[`${role}.replication.throttled.rate`]
    }
    for (const { type, name } of changedConfigs) {
      if (type !== 'topic') continue
      const settings = image.config('topic', name)
      for (const role of roles) {
        const list = settings.get(`${role}.replication.throttled.replicas`) ?? ''
        this[role].throttle(name, throttledPartitions(list, this.brokerId))
      }
    }
  }
}

/**
 * What `partition:broker,…` or `*` says about the replicas of one broker; undefined for an empty list. The setting is checked before it gets
 * into the metadata.
 */
export function throttledPartitions(list: string, brokerId: number): ReadonlySet<number> | 'all' | undefined {
  const trimmed = list.trim()
  if (trimmed === '') return undefined
  if (trimmed === '*') return 'all'
  const pairs = trimmed.split(',').map(pair => pair.split(':').map(Number))
  return new Set(pairs.flatMap(([partition, replica]) => (replica === brokerId ? [partition ?? -1] : [])))
}
