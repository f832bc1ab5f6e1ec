import { describe, expect, it } from 'vitest'
import { withOverrides } from '#broker/config/dynamic.ts'
import { resolveListeners } from '#broker/config/listeners.ts'
import { securitySetting } from '#broker/config/security.ts'
import { parseBrokerConfig, propertiesFromEnvironment } from '#broker/config/parse.ts'
import { parseProperties } from '#broker/config/properties.ts'
import { logConfig, resolveTopicConfig } from '#broker/config/topic-config.ts'

const combined = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.quorum.voters': '1@localhost:9093',
  listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
}

const parse = (extra: Record<string, string> = {}) =>
  parseBrokerConfig(new Map(Object.entries({ ...combined, ...extra }))).config

const fail = (error: Error): never => {
  throw error
}

describe('broker configuration', () => {
  it('has Kafka’s defaults for what is not said', () => {
    const config = parse()
    expect(config['replica.lag.time.max.ms']).toBe(30_000)
    expect(config['log.retention.ms']).toBe(604_800_000)
    expect(config['log.dirs']).toEqual(['/tmp/kafka-logs'])
  })

  it('passes over a name that nobody knows, as Kafka does, and says what may have been meant', () => {
    const given = { ...combined, 'num.partition': '3', 'listener.name.external.ssl.keystore.type': 'PEM' }
    const parsed = parseBrokerConfig(new Map(Object.entries(given)))
    expect(parsed.unknown).toEqual(['unknown setting num.partition; did you mean num.partitions?'])
    expect(parsed.config['num.partitions']).toBe(1)
  })

  const refusals: [string, string, string][] = [
    ['num.partitions', 'three', 'Invalid value three for configuration num.partitions: Not a number of type INT'],
    ['num.partitions', '0', 'Invalid value 0 for configuration num.partitions: Value must be at least 1'],
    ['num.partitions', '2147483648', 'Invalid value 2147483648 for configuration num.partitions: Not a number'],
    ['compression.gzip.level', '0', 'Value must be between 1 and 9 or equal to -1'],
    ['process.roles', 'brokr', 'String must be one of: broker, controller'],
    ['log.cleanup.policy', 'delete,delete', "Configuration 'log.cleanup.policy' values must not be duplicated."],
    ['listeners', '', "Configuration 'listeners' must not be empty. Valid values include: any non-empty value"],
    ['group.consumer.migration.policy', 'x', 'String must be one of (case insensitive): DISABLED, DOWNGRADE'],
  ]
  it.each(refusals)('refuses %s=%s with Kafka’s message', (name, value, message) => {
    expect(() => parse({ [name]: value })).toThrow(message)
  })

  it('takes a list as empty, where Kafka does', () => {
    expect(parse({ 'log.cleanup.policy': '' })['log.cleanup.policy']).toEqual([])
  })

  it('refuses a heartbeat interval that one delay would turn into a fenced broker', () => {
    expect(() => parse({ 'broker.heartbeat.interval.ms': '5000' })).toThrow('broker.heartbeat.interval.ms')
  })

  it('refuses a table of keys in which the cleaner would not come on, as Kafka does: above one MiB per thread', () => {
    const name = 'log.cleaner.dedupe.buffer.size'
    expect(() => parse({ [name]: '1048576' })).toThrow(`${name} must be at least 1MB per cleaner thread`)
    expect(parse({ [name]: '1048577' })[name]).toBe(1_048_577)
    const two = { 'log.cleaner.threads': '2' }
    expect(() => parse({ ...two, [name]: '2097153' })).toThrow('Expected more than 2097152, got 2097153')
    expect(parse({ ...two, [name]: '2097154' })[name]).toBe(2_097_154)
  })

  it('lets log.retention.ms win over minutes and hours, as Kafka does', () => {
    expect(parse({ 'log.retention.hours': '1' })['log.retention.ms']).toBe(3_600_000)
    expect(parse({ 'log.retention.hours': '1', 'log.retention.minutes': '2' })['log.retention.ms']).toBe(120_000)
    expect(parse({ 'log.retention.hours': '1', 'log.retention.ms': '-1' })['log.retention.ms']).toBe(-1)
  })

  it('tells a voter from a broker-only node', () => {
    expect(() => parse({ 'node.id': '2' })).toThrow('must be among the voters')
    expect(() => parse({ 'process.roles': 'broker' })).toThrow('needs the role controller')
  })

  it('advertises localhost for a listener bound to every address', () => {
    const listeners = resolveListeners(parse())
    expect(listeners.advertised).toMatchObject([{ name: 'PLAINTEXT', host: 'localhost', port: 9092 }])
    expect(listeners.controller).toMatchObject([{ name: 'CONTROLLER', port: 9093 }])
  })

  it('gives each listener the protocol that the map says, and brokers the listener they are told', () => {
    const secured = { listeners: 'SSL://:9092,CONTROLLER://:9093', 'security.inter.broker.protocol': 'SSL' }
    expect(resolveListeners(parse(secured))).toMatchObject({
      broker: [{ name: 'SSL', securityProtocol: 'SSL' }],
      interBrokerName: 'SSL',
      interBrokerProtocol: 'SSL',
      controllerName: 'CONTROLLER',
      controllerProtocol: 'PLAINTEXT',
    })
    expect(() => parse({ ...secured, 'inter.broker.listener.name': 'SSL' })).toThrow('not together with')
  })

  it('keeps the settings of single listeners, which go before those of all', () => {
    const config = parse({
      'sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.external.sasl.enabled.mechanisms': 'SCRAM-SHA-256, SCRAM-SHA-512',
      'listener.name.external.plain.connections.max.reauth.ms': '5',
    })
    const enabled = (listener: string) => securitySetting(config, { listener }, 'sasl.enabled.mechanisms')
    expect(enabled('EXTERNAL')).toEqual(['SCRAM-SHA-256', 'SCRAM-SHA-512'])
    expect(enabled('INTERNAL')).toEqual(['PLAIN'])
    const ofPlain = { listener: 'EXTERNAL', mechanism: 'PLAIN' }
    expect(securitySetting(config, ofPlain, 'connections.max.reauth.ms')).toBe(5)
    expect(securitySetting(config, { listener: 'EXTERNAL' }, 'connections.max.reauth.ms')).toBe(0)
    const altered = withOverrides(
      config,
      [new Map([['listener.name.internal.sasl.enabled.mechanisms', 'OAUTHBEARER']])],
      fail,
    )
    expect(securitySetting(altered, { listener: 'INTERNAL' }, 'sasl.enabled.mechanisms')).toEqual(['OAUTHBEARER'])
    expect(securitySetting(altered, { listener: 'EXTERNAL' }, 'sasl.enabled.mechanisms')).toHaveLength(2)
  })

  it('reads variables of the apache/kafka image', () => {
    const properties = propertiesFromEnvironment({
      KAFKA_NODE_ID: '7',
      KAFKA_HEAP_OPTS: '-Xmx1g',
      KAFKA_A__B___C: 'x',
      HOME: '/',
    })
    expect([...properties]).toEqual([
      ['node.id', '7'],
      ['a_b-c', 'x'],
    ])
  })

  it('reports settings of the Java broker that have no effect here', () => {
    const { ignored } = parseBrokerConfig(new Map(Object.entries({ ...combined, 'num.io.threads': '4' })))
    expect(ignored).toEqual(['num.io.threads'])
  })
})

describe('properties files', () => {
  it('knows comments, separators, escapes and continued lines', () => {
    const text = '# c\n! c\na=1\n b : 2\nc 3\nd=x\\\n   y\ne=\\u0041\\\\\nempty=\n'
    expect(Object.fromEntries(parseProperties(text))).toEqual({ a: '1', b: '2', c: '3', d: 'xy', e: 'A\\', empty: '' })
  })
})

describe('topic configuration', () => {
  it('takes overrides first, then the broker’s settings', () => {
    const broker = parse({ 'log.segment.bytes': '2097152', 'min.insync.replicas': '2' })
    const topic = resolveTopicConfig(
      new Map([
        ['retention.ms', '1000'],
        ['flush.messages', '9223372036854775807'],
      ]),
      broker,
    )
    expect(topic['min.insync.replicas']).toBe(2)
    expect(logConfig(topic)).toMatchObject({
      segmentBytes: 2_097_152,
      retentionMs: 1000,
      flushMessages: Number.MAX_SAFE_INTEGER,
    })
  })
})
