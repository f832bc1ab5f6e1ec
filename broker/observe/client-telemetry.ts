/**
 * Metrics that clients push (KIP-714), as a machine: which client is asked for what and how often, whether it keeps to that, and the numbers
 * it sent. An instance is forgotten with its connection, after three push intervals of silence, or when there are too many.
 *
 *   get subscriptions --> (instance id, subscription id, metrics, interval) --> push, at most once an interval --> terminating push --> nothing
 *
 * What clients push is kept in memory and shown at /metrics; Kafka hands it to a plug-in of the operator instead.
 * Source: Kafka's ClientMetricsManager.
 */
import { parseMatch, type ClientMatch, type ClientSelector } from '../config/client-match.ts'
import { resolveClientMetrics } from '../config/client-metrics-config.ts'
import { crc32c } from '../protocol/records/crc32c.ts'
import { CompressedDataError } from '../protocol/records/compressed-data.ts'
import { decompress } from '../protocol/records/compression.ts'
import type { ErrorName } from '../protocol/errors.ts'
import { OtlpError, readMetrics } from './otlp.ts'
import type { Metric } from './inspector.ts'

export interface TelemetryClient {
  readonly connectionId: number
  readonly clientId: string
  readonly softwareName: string
  readonly softwareVersion: string
  readonly sourceAddress: string
  readonly sourcePort: number
}

export interface Subscription {
  readonly clientInstanceId: string
  readonly subscriptionId: number
  readonly requestedMetrics: readonly string[]
  readonly pushIntervalMs: number
}

interface Instance extends Subscription {
  readonly client: TelemetryClient
  readonly version: number
  lastGetMs: number
  lastPushMs: number
  touchedMs: number
  terminating: boolean
  lastError: ErrorName | undefined
  /** By name and attributes. */
  readonly series: Map<string, Series>
}

interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly kind: 'gauge' | 'sum'
  value: number
}

export interface Push {
  readonly clientInstanceId: string
  readonly subscriptionId: number
  readonly terminating: boolean
  readonly compressionType: number
  readonly metrics: Buffer
}

/** ZSTD, LZ4, GZIP, SNAPPY: Kafka's order of preference. */
export const acceptedCompressionTypes: readonly number[] = [4, 3, 1, 2]
const defaultIntervalMs = 300_000
const leastExpiryMs = 60_000
const instancesMax = 16_384
const seriesMax = 1_000
const decompressedMaxBytes = 16 * 1024 * 1024
const zeroUuid = 'AAAAAAAAAAAAAAAAAAAAAA'
const reservedUuids: ReadonlySet<string> = new Set([zeroUuid, 'AAAAAAAAAAAAAAAAAAAAAQ'])

export class ClientTelemetry {
  readonly counters = { throttled: 0, unknownSubscriptions: 0, exports: 0, exportErrors: 0 }
  readonly #maxBytes: number
  readonly #newId: () => string
  readonly #instances = new Map<string, Instance>()
  #subscriptions: { readonly metrics: readonly string[]; readonly intervalMs: number; readonly match: ClientMatch }[] =
    []
  #version = 0

  constructor(options: { readonly maxBytes: number; newId(): string }) {
    this.#maxBytes = options.maxBytes
    this.#newId = () => options.newId()
  }

  /** All subscriptions there are, by name; call when one changed. Their settings were checked when they were altered. */
  subscribe(subscriptions: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
    this.#version++
    this.#subscriptions = [...subscriptions.values()].map(settings => {
      const { metrics, match, 'interval.ms': intervalMs } = resolveClientMetrics(settings)
      const parsed = parseMatch(match)
      return { metrics, intervalMs, match: 'illegal' in parsed ? new Map() : parsed.match }
    })
  }

  /** @param clientInstanceId  the zero UUID: a new client, which gets one */
  get(
    clientInstanceId: string,
    client: TelemetryClient,
    nowMs: number,
  ): Subscription | { readonly refused: ErrorName } {
    const id = clientInstanceId === zeroUuid ? this.#unusedId() : clientInstanceId
    const instance = this.#instance(id, client, nowMs)
    const isDue = nowMs - Math.max(instance.lastGetMs, instance.lastPushMs) >= instance.pushIntervalMs
    if (isDue) instance.lastGetMs = nowMs
    // These two errors tell the client to ask again at once.
    const wasTold =
      instance.lastError === 'UNKNOWN_SUBSCRIPTION_ID' || instance.lastError === 'UNSUPPORTED_COMPRESSION_TYPE'
    if (!isDue && !wasTold) {
      this.counters.throttled++
      return { refused: 'THROTTLING_QUOTA_EXCEEDED' }
    }
    instance.lastError = undefined
    return instance
  }

  /** Why the push was refused; undefined when it was taken. */
  push(request: Push, client: TelemetryClient, nowMs: number): ErrorName | undefined {
    if (reservedUuids.has(request.clientInstanceId)) return 'INVALID_REQUEST'
    const instance = this.#instance(request.clientInstanceId, client, nowMs)
    const refused = this.#pushError(request, instance, nowMs) ?? this.#take(request, instance)
    instance.terminating = request.terminating
    instance.lastError = refused
    return refused
  }

  /** The connection is gone. */
  disconnected(connectionId: number): void {
    for (const [id, instance] of this.#instances) {
      if (instance.client.connectionId === connectionId) this.#instances.delete(id)
    }
  }

  metrics(): Metric[] {
    const byName = new Map<string, Metric & { readonly values: { labels: Record<string, string>; value: number }[] }>()
    for (const { clientInstanceId, client, series } of this.#instances.values()) {
      for (const { name, labels, kind, value } of series.values()) {
        const shown = `kafka_client_${name.replaceAll(/[^a-zA-Z0-9]/g, '_')}${kind === 'sum' ? '_total' : ''}`
        let metric = byName.get(shown)
        if (metric === undefined) {
          const type = kind === 'sum' ? 'counter' : 'gauge'
          metric = { name: shown, help: `${name}, pushed by clients.`, type, values: [] }
          byName.set(shown, metric)
        }
        const who = { client_id: client.clientId, client_instance_id: clientInstanceId }
        metric.values.push({ labels: { ...labels, ...who }, value })
      }
    }
    return [...this.#ownMetrics(), ...byName.values()]
  }

  #ownMetrics(): Metric[] {
    const { throttled, unknownSubscriptions, exports, exportErrors } = this.counters
    const one = (name: string, help: string, value: number, type: Metric['type'] = 'counter'): Metric => ({
      name: `kafka_server_client_metrics_${name}`,
      help,
      type,
      values: [{ value }],
    })
    return [
      one('instance_count', 'Client instances that are known.', this.#instances.size, 'gauge'),
      one('throttle_total', 'Telemetry requests that came too early.', throttled),
      one('unknown_subscription_request_total', 'Pushes for an old subscription.', unknownSubscriptions),
      one('plugin_export_total', 'Pushes that were taken.', exports),
      one('plugin_error_total', 'Pushes that could not be read.', exportErrors),
    ]
  }

  #unusedId(): string {
    for (;;) {
      const id = this.#newId()
      if (!this.#instances.has(id) && !reservedUuids.has(id)) return id
    }
  }

  #instance(id: string, client: TelemetryClient, nowMs: number): Instance {
    this.#expire(nowMs)
    const known = this.#instances.get(id)
    const isCurrent = known !== undefined && known.version === this.#version
    const instance = isCurrent ? known : this.#newInstance(id, known?.client ?? client)
    instance.touchedMs = nowMs
    // The longest untouched one is the first.
    this.#instances.delete(id)
    this.#instances.set(id, instance)
    return instance
  }

  #newInstance(clientInstanceId: string, client: TelemetryClient): Instance {
    const matching = this.#subscriptions.filter(({ match }) => isMatch(match, clientInstanceId, client))
    const names = [...new Set(matching.flatMap(({ metrics }) => metrics))].sort()
    const requestedMetrics = names.includes('*') ? ['*'] : names
    const pushIntervalMs = Math.min(defaultIntervalMs, ...matching.map(({ intervalMs }) => intervalMs))
    const text = Buffer.from(`${requestedMetrics.join(',')}/${pushIntervalMs}/${clientInstanceId}`)
    return {
      clientInstanceId,
      client,
      requestedMetrics,
      pushIntervalMs,
      subscriptionId: crc32c(text) | 0,
      version: this.#version,
      lastGetMs: -Infinity,
      lastPushMs: -Infinity,
      touchedMs: 0,
      terminating: false,
      lastError: undefined,
      series: new Map(),
    }
  }

  #expire(nowMs: number): void {
    for (const [id, { touchedMs, pushIntervalMs }] of this.#instances) {
      const isSilent = nowMs - touchedMs > Math.max(leastExpiryMs, 3 * pushIntervalMs)
      if (!isSilent && this.#instances.size < instancesMax) return
      this.#instances.delete(id)
    }
  }

  #pushError(request: Push, instance: Instance, nowMs: number): ErrorName | undefined {
    if (instance.terminating) return 'INVALID_REQUEST'
    const isFirst = instance.lastGetMs > instance.lastPushMs
    const isDue = isFirst || nowMs - instance.lastPushMs >= instance.pushIntervalMs
    if (isDue) instance.lastPushMs = nowMs
    else if (!request.terminating) {
      this.counters.throttled++
      return 'THROTTLING_QUOTA_EXCEEDED'
    }
    if (request.subscriptionId !== instance.subscriptionId) {
      this.counters.unknownSubscriptions++
      return 'UNKNOWN_SUBSCRIPTION_ID'
    }
    if (request.compressionType !== 0 && !acceptedCompressionTypes.includes(request.compressionType))
      return 'UNSUPPORTED_COMPRESSION_TYPE'
    return request.metrics.length > this.#maxBytes ? 'TELEMETRY_TOO_LARGE' : undefined
  }

  #take({ metrics, compressionType }: Push, { series }: Instance): ErrorName | undefined {
    if (metrics.length === 0) return undefined
    try {
      const plain = compressionType === 0 ? metrics : decompress(compressionType, metrics, decompressedMaxBytes)
      for (const { name, kind, points } of readMetrics(plain)) {
        for (const { value, attributes } of points) count(series, { name, kind, labels: attributes, value })
      }
      this.counters.exports++
      return undefined
    } catch (error) {
      if (!(error instanceof OtlpError || error instanceof CompressedDataError)) throw error
      this.counters.exportErrors++
      return 'INVALID_RECORD'
    }
  }
}

/** Sums come as differences since the last push, gauges as they are. */
function count(series: Map<string, Series>, pushed: Series): void {
  const labels = Object.fromEntries(
    Object.entries(pushed.labels).map(([key, value]) => [key.replaceAll(/[^a-zA-Z0-9_]/g, '_'), value]),
  )
  const key = JSON.stringify([pushed.name, labels])
  const known = series.get(key)
  if (known !== undefined) known.value = pushed.kind === 'sum' ? known.value + pushed.value : pushed.value
  else if (series.size < seriesMax) series.set(key, { ...pushed, labels })
}

function isMatch(match: ClientMatch, clientInstanceId: string, client: TelemetryClient): boolean {
  const values: Readonly<Record<ClientSelector, string>> = {
    client_instance_id: clientInstanceId,
    client_id: client.clientId,
    client_software_name: client.softwareName,
    client_software_version: client.softwareVersion,
    client_source_address: client.sourceAddress,
    client_source_port: String(client.sourcePort),
  }
  return [...match].every(([selector, expression]) => expression.test(values[selector]))
}
