import fc from 'fast-check'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { ClientTelemetry } from '#broker/observe/client-telemetry.ts'
import { prometheusText } from '#broker/observe/inspector.ts'
import { OtlpError, readMetrics } from '#broker/observe/otlp.ts'
import { gauge, metricsData, sum } from './otlp-bytes.ts'

const zero = 'AAAAAAAAAAAAAAAAAAAAAA'
const client = {
  connectionId: 1,
  clientId: 'payments-7',
  softwareName: 'apache-kafka-java',
  softwareVersion: '4.3.1',
  sourceAddress: '127.0.0.1',
  sourcePort: 5,
}
const plain = 0

function telemetry(subscriptions: Readonly<Record<string, Readonly<Record<string, string>>>>) {
  let ids = 0
  const machine = new ClientTelemetry({ maxBytes: 200, newId: () => `id${ids++}`.padEnd(21, '-') + 'A' })
  const parsed = Object.entries(subscriptions).map(
    ([name, settings]) => [name, new Map(Object.entries(settings))] as const,
  )
  machine.subscribe(new Map(parsed))
  const get = (id: string, nowMs: number, who = client) => {
    const answer = machine.get(id, who, nowMs)
    if ('refused' in answer) throw new Error(answer.refused)
    return answer
  }
  return { machine, get }
}

const everySecond = { all: { metrics: '*', 'interval.ms': '1000' } }

describe('a client that asks for its subscriptions', () => {
  it('gets an id of its own, and without a subscription nothing to push', () => {
    const { get } = telemetry({})
    const answer = get(zero, 0)
    expect(answer).toMatchObject({ requestedMetrics: [], pushIntervalMs: 300_000 })
    expect(get(zero, 0).clientInstanceId).not.toBe(answer.clientInstanceId)
  })

  it('gets the metrics of all subscriptions that match it, at the shortest interval', () => {
    const { get } = telemetry({
      a: { metrics: 'producer.,shared.', 'interval.ms': '5000', match: 'client_id=payments-.*' },
      b: {
        metrics: 'shared.,consumer.',
        'interval.ms': '2000',
        match: 'client_software_name=apache-kafka-java,client_source_port=5',
      },
      c: { metrics: 'secret.', 'interval.ms': '100', match: 'client_id=payments' },
    })
    expect(get(zero, 0)).toMatchObject({
      requestedMetrics: ['consumer.', 'producer.', 'shared.'],
      pushIntervalMs: 2000,
    })
  })

  it('is asked for everything when one subscription wants everything', () => {
    const { get } = telemetry({ ...everySecond, some: { metrics: 'a.,b.' } })
    expect(get(zero, 0).requestedMetrics).toEqual(['*'])
  })

  it('is refused before its interval is over', () => {
    const { machine, get } = telemetry(everySecond)
    const { clientInstanceId } = get(zero, 0)
    expect(machine.get(clientInstanceId, client, 999)).toEqual({ refused: 'THROTTLING_QUOTA_EXCEEDED' })
    expect(get(clientInstanceId, 1000).clientInstanceId).toBe(clientInstanceId)
  })
})

describe('a push', () => {
  const ready = () => {
    const { machine, get } = telemetry(everySecond)
    const { clientInstanceId, subscriptionId } = get(zero, 0)
    const push = (metrics: Buffer, nowMs: number, more: Partial<Parameters<typeof machine.push>[0]> = {}) =>
      machine.push(
        { clientInstanceId, subscriptionId, terminating: false, compressionType: plain, metrics, ...more },
        client,
        nowMs,
      )
    return { machine, get, push, clientInstanceId, subscriptionId }
  }
  const body = metricsData(gauge('org.apache.kafka.x', { value: 1.5 }))

  it('is taken once an interval, and shown with the client’s name', () => {
    const { machine, push, clientInstanceId } = ready()
    expect(
      push(metricsData(sum('org.apache.kafka.producer.records', { value: 3n, attributes: { 'node.id': '1' } })), 1),
    ).toBe(undefined)
    expect(push(body, 500)).toBe('THROTTLING_QUOTA_EXCEEDED')
    expect(
      push(metricsData(sum('org.apache.kafka.producer.records', { value: 4n, attributes: { 'node.id': '1' } })), 1001),
    ).toBe(undefined)
    expect(push(body, 2001)).toBe(undefined)
    const shown = prometheusText(machine.metrics())
    const who = `client_id="payments-7",client_instance_id="${clientInstanceId}"`
    expect(shown).toContain(`kafka_client_org_apache_kafka_producer_records_total{node_id="1",${who}} 7\n`)
    expect(shown).toContain(`kafka_client_org_apache_kafka_x{${who}} 1.5\n`)
    expect(shown).toContain('kafka_server_client_metrics_throttle_total 1\n')
  })

  it('may be compressed', () => {
    const { machine, push } = ready()
    expect(push(gzipSync(body), 1, { compressionType: 1 })).toBe(undefined)
    expect(prometheusText(machine.metrics())).toContain('kafka_client_org_apache_kafka_x{')
  })

  it('comes early only as the last one, after which there is no other', () => {
    const { push } = ready()
    expect(push(body, 1)).toBe(undefined)
    expect(push(body, 2, { terminating: true })).toBe(undefined)
    expect(push(body, 5000)).toBe('INVALID_REQUEST')
  })

  it('for an old subscription is refused, and the client may ask for the new one at once', () => {
    const { machine, get, push, clientInstanceId, subscriptionId } = ready()
    machine.subscribe(new Map([['all', new Map([['metrics', 'a.']])]]))
    expect(push(body, 1)).toBe('UNKNOWN_SUBSCRIPTION_ID')
    const renewed = get(clientInstanceId, 2)
    expect(renewed).toMatchObject({ requestedMetrics: ['a.'], pushIntervalMs: 300_000 })
    expect(renewed.subscriptionId).not.toBe(subscriptionId)
  })

  const refusals: [string, Parameters<ReturnType<typeof ready>['push']>, string][] = [
    ['in a codec that nobody knows', [body, 1, { compressionType: 9 }], 'UNSUPPORTED_COMPRESSION_TYPE'],
    ['that is too large', [Buffer.alloc(201), 1], 'TELEMETRY_TOO_LARGE'],
    ['that is no message', [Buffer.from([0xff]), 1], 'INVALID_RECORD'],
    ['that does not decompress', [Buffer.from('x'), 1, { compressionType: 1 }], 'INVALID_RECORD'],
    ['without an id', [body, 1, { clientInstanceId: zero }], 'INVALID_REQUEST'],
  ]
  it.each(refusals)('%s is refused', (_title, [metrics, nowMs, more], error) => {
    expect(ready().push(metrics, nowMs, more)).toBe(error)
  })

  it('is forgotten with the connection, or after three intervals of silence', () => {
    const { machine, push, get } = ready()
    push(body, 1)
    machine.disconnected(2)
    expect(prometheusText(machine.metrics())).toContain('kafka_server_client_metrics_instance_count 1\n')
    machine.disconnected(1)
    expect(prometheusText(machine.metrics())).toContain('kafka_server_client_metrics_instance_count 0\n')
    get(zero, 10)
    get(zero, 60_011)
    expect(prometheusText(machine.metrics())).toContain('kafka_server_client_metrics_instance_count 1\n')
  })
})

describe('bytes of a push', () => {
  it('that are any bytes at all are read or refused, never more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), bytes => {
        try {
          readMetrics(Buffer.from(bytes))
        } catch (error) {
          if (!(error instanceof OtlpError)) throw error
        }
      }),
    )
  })

  it('cut short anywhere are read or refused, never more', () => {
    const whole = metricsData(gauge('a', { value: 1, attributes: { k: 'v' } }), sum('b', { value: 2n }))
    expect(readMetrics(whole)).toEqual([
      { name: 'a', kind: 'gauge', points: [{ value: 1, attributes: { k: 'v' } }] },
      { name: 'b', kind: 'sum', points: [{ value: 2, attributes: {} }] },
    ])
    for (let length = 1; length < whole.length; length++) {
      expect(() => readMetrics(whole.subarray(0, length))).toThrow(OtlpError)
    }
  })
})
