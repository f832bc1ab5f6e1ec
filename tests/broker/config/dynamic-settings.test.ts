/**
 * Every setting that Kafka 4.3 changes while a broker runs: where the change takes effect here, shown live, or why it has no meaning. The list
 * is that of Kafka 4.3.1's DynamicBrokerConfig.dynamicConfigUpdateModes. Sources: KIP-226, KIP-412.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { brokerConfig } from '#broker/config/broker-config.ts'
import { withOverrides } from '#broker/config/dynamic.ts'
import { resolveListeners } from '#broker/config/listeners.ts'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import type { Setting } from '#broker/config/table.ts'
import { resolveGroupConfig, type GroupConfigName } from '#broker/config/group-config.ts'
import { incrementalAlterConfigs } from '#broker/controller/alter-configs.ts'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'
import type { LogConfig } from '#broker/log/log.ts'
import { CredentialStore } from '#broker/security/authentication/credential-store.ts'
import { listenerSecurity } from '#broker/security/authentication/listener-security.ts'
import { Peer } from '#broker/security/authentication/peer.ts'
import { tlsClient } from '#broker/security/authentication/tls-material.ts'
import { connectionQuotas } from '#broker/security/quotas/make-quotas.ts'
import { MetadataImage } from '#broker/controller/image.ts'
import { Harness } from '../controller/harness.ts'
import { TestCluster } from '../replication/test-cluster.ts'

const clusterWide = `
  background.threads
  compression.gzip.level
  compression.lz4.level
  compression.type
  compression.zstd.level
  config.providers
  follower.fetch.last.tiered.offset.enable
  follower.replication.throttled.rate
  group.consumer.assignment.interval.ms
  group.coordinator.cached.buffer.max.bytes
  group.share.assignment.interval.ms
  group.streams.assignment.interval.ms
  leader.replication.throttled.rate
  log.cleaner.backoff.ms
  log.cleaner.dedupe.buffer.size
  log.cleaner.delete.retention.ms
  log.cleaner.io.buffer.load.factor
  log.cleaner.io.buffer.size
  log.cleaner.io.max.bytes.per.second
  log.cleaner.max.compaction.lag.ms
  log.cleaner.min.cleanable.ratio
  log.cleaner.min.compaction.lag.ms
  log.cleaner.threads
  log.cleanup.policy
  log.flush.interval.messages
  log.flush.interval.ms
  log.index.interval.bytes
  log.index.size.max.bytes
  log.local.retention.bytes
  log.local.retention.ms
  log.message.timestamp.after.max.ms
  log.message.timestamp.before.max.ms
  log.message.timestamp.type
  log.preallocate
  log.retention.bytes
  log.retention.ms
  log.roll.jitter.ms
  log.roll.ms
  log.segment.bytes
  log.segment.delete.delay.ms
  max.connection.creation.rate
  max.connections
  max.connections.per.ip
  max.connections.per.ip.overrides
  message.max.bytes
  metric.reporters
  min.insync.replicas
  num.io.threads
  num.network.threads
  num.recovery.threads.per.data.dir
  num.replica.fetchers
  producer.id.expiration.ms
  remote.fetch.max.wait.ms
  remote.list.offsets.request.timeout.ms
  remote.log.index.file.cache.total.size.bytes
  remote.log.manager.copier.thread.pool.size
  remote.log.manager.copy.max.bytes.per.second
  remote.log.manager.expiration.thread.pool.size
  remote.log.manager.fetch.max.bytes.per.second
  remote.log.manager.follower.thread.pool.size
  remote.log.reader.threads
  replica.alter.log.dirs.io.max.bytes.per.second
  share.coordinator.cached.buffer.max.bytes
  transaction.partition.verification.enable
  unclean.leader.election.enable
`
const perBroker = `
  cordoned.log.dirs
  listener.security.protocol.map
  listeners
  principal.builder.class
  sasl.enabled.mechanisms
  sasl.jaas.config
  sasl.kerberos.kinit.cmd
  sasl.kerberos.min.time.before.relogin
  sasl.kerberos.principal.to.local.rules
  sasl.kerberos.service.name
  sasl.kerberos.ticket.renew.jitter
  sasl.kerberos.ticket.renew.window.factor
  sasl.login.refresh.buffer.seconds
  sasl.login.refresh.min.period.seconds
  sasl.login.refresh.window.factor
  sasl.login.refresh.window.jitter
  sasl.mechanism.inter.broker.protocol
  ssl.cipher.suites
  ssl.client.auth
  ssl.enabled.protocols
  ssl.endpoint.identification.algorithm
  ssl.engine.factory.class
  ssl.key.password
  ssl.keymanager.algorithm
  ssl.keystore.certificate.chain
  ssl.keystore.key
  ssl.keystore.location
  ssl.keystore.password
  ssl.keystore.type
  ssl.protocol
  ssl.provider
  ssl.secure.random.implementation
  ssl.trustmanager.algorithm
  ssl.truststore.certificates
  ssl.truststore.location
  ssl.truststore.password
  ssl.truststore.type
`
const names = (text: string): string[] => text.trim().split(/\s+/)
const table: Readonly<Record<string, Setting<unknown>>> = brokerConfig
const root = path.resolve(import.meta.dirname, '..', '..', '..')

type Seen = readonly unknown[]

/** What shows that a change takes effect at once. */
type Proof =
  /** The log of a running broker is told: which of its settings, and what it is then. */
  | { readonly kind: 'log'; readonly key: keyof LogConfig; readonly text: string; readonly value: unknown }
  /** TLS of a listener, or of connections to other nodes, is another one for what connects from now on. */
  | { readonly kind: 'tls'; readonly text: string; readonly with?: Readonly<Record<string, string>> }
  /** What is seen before and after the change. */
  | { readonly kind: 'shown'; readonly expected: readonly unknown[]; readonly show: () => Seen | Promise<Seen> }
  /** The test that shows it. */
  | { readonly kind: 'elsewhere'; readonly file: string; readonly title: string }
  /** Why nothing follows from it. */
  | { readonly kind: 'meaningless'; readonly why: string }

const log = (key: keyof LogConfig, text: string, value: unknown = Number(text)): Proof => ({
  kind: 'log',
  key,
  text,
  value,
})
const tls = (text: string, more?: Readonly<Record<string, string>>): Proof =>
  more === undefined ? { kind: 'tls', text } : { kind: 'tls', text, with: more }
const shown = (expected: Seen, show: () => Seen | Promise<Seen>): Proof => ({ kind: 'shown', expected, show })
const elsewhere = (file: string, title: string): Proof => ({ kind: 'elsewhere', file, title })
const meaningless = (why: string): Proof => ({ kind: 'meaningless', why })

const oneThread = meaningless('one event loop serves all: there are no threads to count')
const java = meaningless('it names a Java class, or a part of the JVM')
const kerberos = meaningless('Kerberos is not offered')
const cleaner = (title: string): Proof => elsewhere('tests/broker/log/cleaner/log-cleaner.test.ts', title)
const tiered = meaningless('there is no tiered storage yet')
const tokens = meaningless('nodes log in to each other with PLAIN or SCRAM, which have no tokens to refresh')
const storeForm = meaningless('a store is read as what it is found to be')
/** Of a client on the only listener. */
const from = (ip: string) => ({ listener: 'PLAINTEXT', ip })
const atOnce = { waitMs: 0, costsAnother: false }
const tooMany = { refused: 'the address has too many connections', afterMs: 0 }
const fixture = (name: string): string => path.join(root, 'tests/broker/security/authentication/fixtures', name)
const pem = (name: string): string => readFileSync(fixture(name), 'utf8')

const proofs: Readonly<Record<string, Proof>> = {
  'background.threads': oneThread,
  'compression.gzip.level': log('compressionLevels', '5', { gzip: 5, zstd: 3 }),
  'compression.lz4.level': meaningless('there is one way of compressing with lz4 here'),
  'compression.type': log('compressionType', 'zstd', 'zstd'),
  'compression.zstd.level': log('compressionLevels', '7', { gzip: -1, zstd: 7 }),
  'config.providers': java,
  'cordoned.log.dirs': elsewhere(
    'tests/conformance/log-directories.test.ts',
    'a cordoned directory gets nothing new until it is uncordoned',
  ),
  'follower.fetch.last.tiered.offset.enable': tiered,
  'follower.replication.throttled.rate': elsewhere(
    'tests/broker/replication/replication-quotas.test.ts',
    'lets a new replica fetch at its rate, not faster, and lets it catch up',
  ),
  'group.consumer.assignment.interval.ms': groupInterval('consumer'),
  'group.coordinator.cached.buffer.max.bytes': meaningless('buffers are not pooled'),
  'group.share.assignment.interval.ms': meaningless('share groups are assigned at once'),
  'group.streams.assignment.interval.ms': groupInterval('streams'),
  'leader.replication.throttled.rate': elsewhere(
    'tests/broker/replication/replication-quotas.test.ts',
    'lets a new replica fetch at its rate, not faster, and lets it catch up',
  ),
  'listener.security.protocol.map': elsewhere(
    'tests/conformance/listeners.test.ts',
    'a listener that was added takes connections at once, after a restart too',
  ),
  listeners: elsewhere(
    'tests/conformance/listeners.test.ts',
    'a listener that was added takes connections at once, after a restart too',
  ),
  'log.cleaner.backoff.ms': cleaner('looks after log.cleaner.backoff.ms, and at once when that is altered'),
  'log.cleaner.dedupe.buffer.size': cleaner('log.cleaner.dedupe.buffer.size and io.buffer.load.factor bound the table'),
  'log.cleaner.delete.retention.ms': log('deleteRetentionMs', '29'),
  'log.cleaner.io.buffer.load.factor': cleaner(
    'log.cleaner.dedupe.buffer.size and io.buffer.load.factor bound the table',
  ),
  'log.cleaner.io.buffer.size': cleaner('log.cleaner.io.buffer.size changes what is read at once'),
  'log.cleaner.io.max.bytes.per.second': cleaner('keeps to log.cleaner.io.max.bytes.per.second'),
  'log.cleaner.max.compaction.lag.ms': log('maxCompactionLagMs', '30'),
  'log.cleaner.min.cleanable.ratio': log('minCleanableDirtyRatio', '0.7'),
  'log.cleaner.min.compaction.lag.ms': log('minCompactionLagMs', '31'),
  'log.cleaner.threads': cleaner('log.cleaner.threads: none cleans nothing, several share the table of keys'),
  'log.cleanup.policy': log('cleanupPolicy', 'delete,compact', ['delete', 'compact']),
  'log.flush.interval.messages': log('flushMessages', '17'),
  'log.flush.interval.ms': log('flushMs', '18'),
  'log.index.interval.bytes': log('indexIntervalBytes', '19'),
  'log.index.size.max.bytes': log('segmentIndexBytes', '2000'),
  'log.local.retention.bytes': tiered,
  'log.local.retention.ms': tiered,
  'log.message.timestamp.after.max.ms': log('messageTimestampAfterMaxMs', '20'),
  'log.message.timestamp.before.max.ms': log('messageTimestampBeforeMaxMs', '21'),
  'log.message.timestamp.type': log('messageTimestampType', 'LogAppendTime', 'LogAppendTime'),
  'log.preallocate': log('preallocate', 'true', true),
  'log.retention.bytes': log('retentionBytes', '22'),
  'log.retention.ms': log('retentionMs', '23'),
  'log.roll.jitter.ms': log('segmentJitterMs', '24'),
  'log.roll.ms': log('segmentMs', '25'),
  'log.segment.bytes': log('segmentBytes', '2000000'),
  'log.segment.delete.delay.ms': log('fileDeleteDelayMs', '27'),
  'max.connection.creation.rate': shown([0, true], () => {
    const { quotas, alter } = connections()
    const wait = (): number => {
      const admission = quotas.admit(from('10.0.0.1'), 0)
      return admission !== 'full' && 'waitMs' in admission ? admission.waitMs : Number.NaN
    }
    const before = wait()
    alter('max.connection.creation.rate', '1')
    return [before, Array.from({ length: 20 }, wait).at(-1)! > 0]
  }),
  'max.connections': shown([atOnce, 'full'], () => {
    const { quotas, alter } = connections()
    const before = quotas.admit(from('10.0.0.1'), 0)
    alter('max.connections', '1')
    return [before, quotas.admit(from('10.0.0.2'), 0)]
  }),
  'max.connections.per.ip': shown([atOnce, tooMany], () => {
    const { quotas, alter } = connections()
    const before = quotas.admit(from('10.0.0.1'), 0)
    alter('max.connections.per.ip', '1')
    return [before, quotas.admit(from('10.0.0.1'), 0)]
  }),
  'max.connections.per.ip.overrides': shown([atOnce, tooMany, atOnce], () => {
    const { quotas, alter } = connections()
    const before = quotas.admit(from('10.0.0.1'), 0)
    alter('max.connections.per.ip.overrides', '10.0.0.1:1')
    return [before, quotas.admit(from('10.0.0.1'), 0), quotas.admit(from('10.0.0.2'), 0)]
  }),
  'message.max.bytes': log('maxMessageBytes', '28'),
  'metric.reporters': java,
  'min.insync.replicas': shown([1, 2], () => {
    const cluster = new TestCluster(1)
    cluster.createTopic('events', [1])
    const { machine } = cluster.broker(1).replica('events')
    const before = machine.minInsyncReplicas
    cluster.configure('broker', '', 'min.insync.replicas', '2')
    return [before, machine.minInsyncReplicas]
  }),
  'num.io.threads': oneThread,
  'num.network.threads': oneThread,
  'num.recovery.threads.per.data.dir': oneThread,
  'num.replica.fetchers': oneThread,
  'principal.builder.class': java,
  'producer.id.expiration.ms': shown([1, 0], async () => {
    const cluster = new TestCluster(1, { 'producer.id.expiration.check.interval.ms': '1000' })
    cluster.createTopic('events', [1])
    const broker = cluster.broker(1)
    const producer = { producerId: 5n, producerEpoch: 0, baseSequence: 0 }
    await cluster.until(broker.produce('events', ['a'], { batch: producer }))
    await cluster.time.run(5000)
    const before = broker.replica('events').log.producers().length
    cluster.configure('broker', '', 'producer.id.expiration.ms', '1')
    await cluster.time.run(5000)
    return [before, broker.replica('events').log.producers().length]
  }),
  'remote.fetch.max.wait.ms': tiered,
  'remote.list.offsets.request.timeout.ms': tiered,
  'remote.log.index.file.cache.total.size.bytes': tiered,
  'remote.log.manager.copier.thread.pool.size': tiered,
  'remote.log.manager.copy.max.bytes.per.second': tiered,
  'remote.log.manager.expiration.thread.pool.size': tiered,
  'remote.log.manager.fetch.max.bytes.per.second': tiered,
  'remote.log.manager.follower.thread.pool.size': tiered,
  'remote.log.reader.threads': tiered,
  'replica.alter.log.dirs.io.max.bytes.per.second': elsewhere(
    'tests/broker/replication/log-dir-moves.test.ts',
    'is held to replica.alter.log.dirs.io.max.bytes.per.second, which can be raised meanwhile',
  ),
  'sasl.enabled.mechanisms': shown(['', expect.stringContaining('GSSAPI')], () => {
    const { security, altered } = secured('SASL_PLAINTEXT')
    return ['SCRAM-SHA-256', 'GSSAPI'].map(mechanism =>
      problem(() => security.update(altered({ 'sasl.enabled.mechanisms': mechanism }))),
    )
  }),
  'sasl.jaas.config': shown(['', expect.stringContaining('jaas')], () => {
    const { security, altered } = secured('SASL_PLAINTEXT')
    return [{}, { 'plain.sasl.jaas.config': 'no module' }].map(change =>
      problem(() => security.update(altered(change))),
    )
  }),
  'sasl.kerberos.kinit.cmd': kerberos,
  'sasl.kerberos.min.time.before.relogin': kerberos,
  'sasl.kerberos.principal.to.local.rules': kerberos,
  'sasl.kerberos.service.name': kerberos,
  'sasl.kerberos.ticket.renew.jitter': kerberos,
  'sasl.kerberos.ticket.renew.window.factor': kerberos,
  'sasl.login.refresh.buffer.seconds': tokens,
  'sasl.login.refresh.min.period.seconds': tokens,
  'sasl.login.refresh.window.factor': tokens,
  'sasl.login.refresh.window.jitter': tokens,
  'sasl.mechanism.inter.broker.protocol': shown(['', expect.stringContaining('GSSAPI')], () => {
    const { config, peer } = secured('SASL_PLAINTEXT')
    return ['PLAIN', 'GSSAPI'].map(mechanism =>
      problem(() => peer.update({ ...config, 'sasl.mechanism.inter.broker.protocol': mechanism })),
    )
  }),
  'share.coordinator.cached.buffer.max.bytes': meaningless('buffers are not pooled'),
  'ssl.cipher.suites': tls('TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384'),
  'ssl.client.auth': tls('required'),
  'ssl.enabled.protocols': tls('TLSv1.2'),
  'ssl.endpoint.identification.algorithm': shown([true, false], () => {
    const { environment, altered } = secured('SSL')
    return ['https', ''].map(text => {
      const config = altered({ 'ssl.endpoint.identification.algorithm': text })
      return tlsClient(config, 'CLIENT', environment.disk).verifyHost
    })
  }),
  'ssl.engine.factory.class': java,
  'ssl.key.password': tls('wrong', { 'ssl.keystore.key': pem('server-encrypted.key') }),
  'ssl.keymanager.algorithm': java,
  'ssl.keystore.certificate.chain': tls(pem('client.pem')),
  'ssl.keystore.key': tls(pem('client.key')),
  'ssl.keystore.location': tls(fixture('client.p12'), { 'ssl.keystore.type': 'PKCS12' }),
  'ssl.keystore.password': tls('wrong', {
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.location': fixture('server.p12'),
  }),
  'ssl.keystore.type': storeForm,
  'ssl.protocol': meaningless('ssl.enabled.protocols tells the versions on offer'),
  'ssl.provider': java,
  'ssl.secure.random.implementation': java,
  'ssl.trustmanager.algorithm': java,
  'ssl.truststore.certificates': tls(pem('ca.pem'), { 'ssl.truststore.type': 'PEM' }),
  'ssl.truststore.location': tls(fixture('trust.p12'), { 'ssl.truststore.type': 'PKCS12' }),
  'ssl.truststore.password': tls('wrong', {
    'ssl.truststore.type': 'PKCS12',
    'ssl.truststore.location': fixture('trust.p12'),
  }),
  'ssl.truststore.type': storeForm,
  'transaction.partition.verification.enable': shown([true, false], () => {
    const cluster = new TestCluster(1)
    const before = cluster.broker(1).manager.verifiesTransactions()
    cluster.configure('broker', '', 'transaction.partition.verification.enable', 'false')
    return [before, cluster.broker(1).manager.verifiesTransactions()]
  }),
  'unclean.leader.election.enable': elsewhere(
    'tests/broker/controller/in-sync-sets.test.ts',
    'follow when the setting is changed while there is no leader',
  ),
}

/** Groups ask for the settings of that moment whenever they need them. */
function groupInterval(kind: 'consumer' | 'streams'): Proof {
  return shown([expect.any(Number), 1234], () => {
    const name: GroupConfigName = `${kind}.assignment.interval.ms`
    const live = withOverrides(plain(), [new Map([[`group.${kind}.assignment.interval.ms`, '1234']])], refused)
    return [plain(), live].map(config => resolveGroupConfig(new Map(), config)[name])
  })
}

/** What goes wrong, '' when nothing does. */
function problem(work: () => void): string {
  try {
    work()
    return ''
  } catch (error) {
    return String(error)
  }
}

function refused(error: Error): never {
  throw error
}

function plain(settings: Readonly<Record<string, string>> = {}) {
  const given = {
    'process.roles': 'broker',
    'node.id': '1',
    'controller.quorum.voters': '100@localhost:9093',
    'controller.listener.names': 'CONTROLLER',
    ...settings,
  }
  return parseBrokerConfig(new Map(Object.entries(given))).config
}

/** Quotas of connections that follow the metadata of a cluster. */
function connections() {
  const cluster = new TestCluster(1)
  const quotas = connectionQuotas(cluster.config, () => cluster.image)
  return { quotas, alter: (name: string, value: string) => cluster.configure('broker', '', name, value) }
}

/** A listener CLIENT, and how it is told of settings that were altered. */
function secured(protocol: string, settings: Readonly<Record<string, string>> = {}) {
  const own = 'listener.name.client.'
  const prefixed = Object.fromEntries(Object.entries(settings).map(([name, text]) => [own + name, text]))
  const config = plain({
    listeners: 'CLIENT://127.0.0.1:9092',
    'inter.broker.listener.name': 'CLIENT',
    'listener.security.protocol.map': `CLIENT:${protocol},CONTROLLER:PLAINTEXT`,
    [`${own}sasl.enabled.mechanisms`]: 'PLAIN',
    [`${own}plain.sasl.jaas.config`]:
      'org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="b" user_a="b";',
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    ...prefixed,
  })
  const environment = nodeEnvironment({ logLevel: 'error' })
  const credentials = new CredentialStore({
    metadata: () => MetadataImage.empty(''),
    clock: environment.clock,
    random: environment.random,
    tokenSecret: '',
  })
  const security = listenerSecurity(config, resolveListeners(config), { environment, credentials }).get('CLIENT')!
  const altered = (changes: Readonly<Record<string, string>>) =>
    withOverrides(config, [new Map(Object.entries(changes).map(([name, text]) => [own + name, text]))], refused)
  const scope = { listener: 'CLIENT', protocol, mechanism: 'sasl.mechanism.inter.broker.protocol' }
  return { config, environment, security, altered, peer: new Peer(environment, config, scope as never) }
}

const serverKeys = {
  'ssl.keystore.type': 'PEM',
  'ssl.keystore.key': pem('server.key'),
  'ssl.keystore.certificate.chain': pem('server.pem'),
}

describe('every dynamic setting of Kafka 4.3', () => {
  test('is in the table with its update mode, and no other is', () => {
    const ours = (mode: string): string[] =>
      Object.keys(table)
        .filter(name => table[name]!.update === mode)
        .sort()
    expect(ours('cluster-wide')).toEqual(names(clusterWide))
    expect(ours('per-broker')).toEqual(names(perBroker))
  })

  test('has its proof here, or the reason why there is none', () => {
    expect(Object.keys(proofs).sort()).toEqual([...names(clusterWide), ...names(perBroker)].sort())
  })

  const logs = Object.entries(proofs).flatMap(([name, proof]) => (proof.kind === 'log' ? [{ name, ...proof }] : []))
  test.each(logs)('$name reaches the logs of a running broker', ({ name, key, text, value }) => {
    const cluster = new TestCluster(1)
    cluster.createTopic('events', [1])
    const update = vi.spyOn(cluster.broker(1).replica('events').log, 'updateConfig')
    cluster.configure('broker', '', name, text)
    expect(update.mock.lastCall?.[0][key]).toEqual(value)
    cluster.configure('broker', '', name, null)
    expect(update.mock.lastCall?.[0][key]).not.toEqual(value)
  })

  const stores = Object.entries(proofs).flatMap(([name, proof]) => (proof.kind === 'tls' ? [{ name, ...proof }] : []))
  test.each(stores)('$name changes the TLS of a listener that runs', ({ name, text, with: more = {} }) => {
    const isFile = more['ssl.keystore.type'] === 'PKCS12'
    const base: Record<string, string> = {
      ...(isFile ? { 'ssl.keystore.location': fixture('server.p12'), 'ssl.keystore.type': 'PKCS12' } : serverKeys),
      // Stores of PEM have none.
      ...(isFile ? { 'ssl.keystore.password': 'secret' } : {}),
      'ssl.key.password': 'secret',
      ...(more['ssl.truststore.type'] === 'PKCS12' ? { 'ssl.truststore.password': 'secret' } : {}),
      ...more,
    }
    const outcome = (change: Readonly<Record<string, string>>): string => {
      const { security, altered } = secured('SSL', base)
      try {
        security.update(altered(change))
        return JSON.stringify(security.tls())
      } catch (error) {
        return String(error)
      }
    }
    const before = outcome({})
    expect(outcome({ [name]: text })).not.toBe(before)
    expect(outcome({})).toBe(before)
  })

  const others = Object.entries(proofs).flatMap(([name, proof]) => (proof.kind === 'shown' ? [{ name, ...proof }] : []))
  test.each(others)('$name takes effect at once', async ({ show, expected }) => {
    expect(await show()).toEqual(expected)
  })

  const tested = Object.entries(proofs).flatMap(([name, proof]) =>
    proof.kind === 'elsewhere' ? [{ name, ...proof }] : [],
  )
  test.each(tested)('$name is shown by a test of its own', ({ file, title }) => {
    const source = path.join(root, file)
    expect(existsSync(source)).toBe(true)
    expect(readFileSync(source, 'utf8')).toContain(title)
  })
})

describe('a setting that is read at the start only', () => {
  const fixed = Object.keys(table).filter(name => table[name]!.update === 'read-only')

  test('is refused for one broker and for all, in the words of Kafka', () => {
    const harness = new Harness()
    harness.start(1)
    expect(fixed).toContain('transaction.max.timeout.ms')
    for (const name of fixed) {
      for (const resourceName of ['', '1']) {
        const configs = [{ name, configOperation: 0, value: table[name]!.defaultText ?? 'x' }]
        const resources = [{ resourceType: 4, resourceName, configs }]
        const [response] = harness.submit(incrementalAlterConfigs, { resources, validateOnly: false }).responses
        expect([name, response]).toEqual([
          name,
          {
            errorCode: 42,
            errorMessage: `Cannot update these configs dynamically: [${name}]`,
            resourceType: 4,
            resourceName,
          },
        ])
      }
    }
  })
})
