/** Clients we did not write over SASL_SSL, on a cluster whose nodes are secured among themselves too; client certificates; OAUTHBEARER. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ConfigResourceTypes, Kafka, logLevel, type KafkaConfig, type SASLOptions } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isReference } from './engine.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'
import { keyFile, keyText, pemSettings, saslTlsSettings } from './security.ts'
import { createTopics, partitionInSync, topicOffsets } from '#tests/topics.ts'

function clientOf(cluster: Cluster, over: Partial<KafkaConfig>): Kafka {
  return new Kafka({
    brokers: cluster.addresses,
    ssl: { ca: [keyText('ca.pem')] },
    logLevel: logLevel.NOTHING,
    // For TLS on a busy machine.
    connectionTimeout: 60_000,
    authenticationTimeout: 60_000,
    retry: { retries: 2 },
    ...over,
  })
}

async function topicsOf(kafka: Kafka): Promise<string[]> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    return await admin.listTopics()
  } finally {
    await admin.disconnect()
  }
}

describe('three brokers over SASL_SSL, controllers too', () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await startCluster({
      brokers: 3,
      settings: saslTlsSettings,
      protocols: { client: 'SASL_SSL', controller: 'SASL_SSL' },
    })
  })
  afterAll(async () => {
    await cluster?.stop()
  })

  test.each([
    { mechanism: 'plain', username: 'alice', password: 'alice-secret' },
    { mechanism: 'scram-sha-256', username: 'alice', password: 'alice-secret' },
    { mechanism: 'scram-sha-512', username: 'bob', password: 'bob-secret' },
  ] satisfies SASLOptions[])('replicate what kafkajs writes with acks=all over $mechanism', async sasl => {
    const kafka = clientOf(cluster, { sasl })
    const topic = `of-${sasl.mechanism}`
    const admin = kafka.admin()
    await admin.connect()
    await createTopics(admin, [{ topic, numPartitions: 1, replicationFactor: 3 }])
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic, acks: -1, messages: [{ value: 'hello' }] })
    await producer.disconnect()
    await partitionInSync(admin, topic, 3)
    expect(await topicOffsets(admin, topic)).toMatchObject([{ high: '1' }])
    await admin.disconnect()
  })

  test.each([
    [{ mechanism: 'plain', username: 'alice', password: 'x' }, 'Invalid username or password'],
    [{ mechanism: 'plain', username: 'bob', password: 'bob-secret' }, 'Invalid username or password'],
    [{ mechanism: 'scram-sha-256', username: 'alice', password: 'x' }, 'due to invalid credentials'],
    [{ mechanism: 'scram-sha-256', username: 'bob', password: 'bob-secret' }, 'due to invalid credentials'],
  ] satisfies [SASLOptions, string][])('%j is turned away', async (sasl, reason) => {
    await expect(topicsOf(clientOf(cluster, { sasl }))).rejects.toThrow(reason)
  })

  test('a client that does not authenticate is served nothing', async () => {
    await expect(topicsOf(clientOf(cluster, { retry: { retries: 0 } }))).rejects.toThrow()
  })
})

describe('an SSL listener that asks for certificates', () => {
  let cluster: Cluster
  let folder: string

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'faultline-keys-'))
    copyFileSync(keyFile('server-both.pem'), path.join(folder, 'server.pem'))
    cluster = await startCluster({
      settings: {
        ...pemSettings(path.join(folder, 'server.pem')),
        'ssl.client.auth': 'required',
        'listener.name.ssl.ssl.endpoint.identification.algorithm': '',
        // The new keys are another's (KIP-978).
        'ssl.allow.dn.changes': 'true',
        'ssl.allow.san.changes': 'true',
      },
      protocols: { client: 'SSL', controller: 'PLAINTEXT' },
    })
  })
  afterAll(async () => {
    await cluster?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const withKeys = (name: string) => ({
    ssl: { ca: [keyText('ca.pem')], key: keyText(`${name}.key`), cert: keyText(`${name}.pem`) },
    retry: { retries: 0 },
  })
  /** Name in the certificate that a new connection is shown. */
  const shown = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const { port } = cluster.broker()
      const socket = connect(
        { port, host: '127.0.0.1', rejectUnauthorized: false, key: keyText('client.key'), cert: keyText('client.pem') },
        () => {
          resolve(String(socket.getPeerX509Certificate()?.subject))
          socket.destroy()
        },
      )
      socket.once('error', reject)
    })

  test('serves a client whose certificate is trusted, and no other', async () => {
    expect(await topicsOf(clientOf(cluster, withKeys('client')))).toEqual([])
    await expect(topicsOf(clientOf(cluster, withKeys('stranger')))).rejects.toThrow()
    await expect(topicsOf(clientOf(cluster, { retry: { retries: 0 } }))).rejects.toThrow()
    // Apache Kafka has other words for it.
    if (isReference) return
    for (const reason of [/refused a TLS client.*not trusted/, /refused a TLS client.*no certificate/])
      await eventually(reason.source, () => (reason.test(cluster.broker().log()) ? true : undefined))
  })

  test('tells a client without a certificate why it is turned away, with a TLS alert', async () => {
    const { port } = cluster.broker()
    const error = await new Promise<Error & { code?: string }>((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', ca: keyText('ca.pem'), servername: 'localhost' })
      socket.once('error', resolve)
      socket.once('close', () => reject(new Error('closed without an alert')))
      // A server of TLS 1.3 judges after the client thinks that all is well.
      socket.resume()
    })
    expect(error.code).toMatch(/ALERT/)
  })

  test('refuses keys that cannot be used, and keeps the ones it has', async () => {
    const admin = clientOf(cluster, withKeys('client')).admin()
    await admin.connect()
    const alter = (file: string, text: string) => {
      writeFileSync(path.join(folder, file), text)
      const configEntries = [{ name: 'listener.name.ssl.ssl.keystore.location', value: path.join(folder, file) }]
      const resources = [{ type: ConfigResourceTypes.BROKER, name: '1', configEntries }]
      return admin.alterConfigs({ validateOnly: false, resources })
    }
    await expect(alter('none.pem', 'no keys at all')).rejects.toThrow()
    // A key and the certificate of another one.
    await expect(alter('mixed.pem', keyText('client.key') + keyText('server.pem'))).rejects.toThrow()
    await admin.disconnect()
    expect(await shown()).toContain('CN=localhost')
  })

  test('shows new keys without a restart when the same file is named again', async () => {
    expect(await shown()).toContain('CN=localhost')
    writeFileSync(path.join(folder, 'server.pem'), keyText('client.key') + keyText('client.pem'))
    expect(await shown()).toContain('CN=localhost')
    const admin = clientOf(cluster, withKeys('client')).admin()
    await admin.connect()
    const configEntries = [{ name: 'listener.name.ssl.ssl.keystore.location', value: path.join(folder, 'server.pem') }]
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.BROKER, name: '1', configEntries }],
    })
    await admin.disconnect()
    await eventually('the new certificate', async () => ((await shown()).includes('CN=alice') ? true : undefined))
  })
})

describe('OAUTHBEARER', () => {
  test('takes signed tokens of the issuer alone', async () => {
    const { exportJWK, generateKeyPair, SignJWT } = await import('jose')
    const folder = mkdtempSync(path.join(tmpdir(), 'faultline-jwks-'))
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const { privateKey: strange } = await generateKeyPair('ES256')
    // What Kafka demands since 3.9.1, on the command line of its JVM (CVE-2025-27817).
    process.env['JAVA_TOOL_OPTIONS'] = `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://${folder}/jwks.json`
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }
    writeFileSync(path.join(folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }))
    const cluster = await startCluster({
      settings: {
        'inter.broker.listener.name': 'SASL_PLAINTEXT',
        'sasl.mechanism.inter.broker.protocol': 'PLAIN',
        'sasl.enabled.mechanisms': 'PLAIN,OAUTHBEARER',
        'listener.name.sasl_plaintext.plain.sasl.jaas.config':
          'org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="b" user_a="b";',
        'listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config':
          'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;',
        'listener.name.sasl_plaintext.oauthbearer.sasl.server.callback.handler.class':
          'org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler',
        'sasl.oauthbearer.jwks.endpoint.url': `file://${folder}/jwks.json`,
        'sasl.oauthbearer.expected.issuer': 'https://issuer.example',
        'sasl.oauthbearer.expected.audience': 'kafka',
      },
      protocols: { client: 'SASL_PLAINTEXT', controller: 'PLAINTEXT' },
    })
    try {
      const token = (key: CryptoKey, audience: string, life: string) =>
        new SignJWT({ scope: 'a b' })
          .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
          .setSubject('alice')
          .setIssuer('https://issuer.example')
          .setAudience(audience)
          .setIssuedAt()
          .setExpirationTime(life)
          .sign(key)
      const list = async (value: string) =>
        topicsOf(
          clientOf(cluster, {
            ssl: false,
            retry: { retries: 0 },
            sasl: { mechanism: 'oauthbearer', oauthBearerProvider: () => Promise.resolve({ value }) },
          }),
        )
      const good = await token(privateKey, 'kafka', '1h')
      // Apache Kafka says that it serves a moment before it lists itself among the brokers.
      const listed = await eventually('it is served', () =>
        list(good).catch((error: unknown) => {
          if (String(error).includes('No brokers in the broker pool')) return undefined
          throw error
        }),
      )
      expect(listed).toEqual([])
      await expect(list(await token(strange, 'kafka', '1h'))).rejects.toThrow()
      await expect(list(await token(privateKey, 'other', '1h'))).rejects.toThrow()
      await expect(list(await token(privateKey, 'kafka', '-5m'))).rejects.toThrow()
      const undated = new SignJWT({ sub: 'alice', iss: 'https://issuer.example', aud: 'kafka', exp: 2 ** 31 - 1 })
      const signed = await undated.setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(privateKey)
      await expect(list(signed)).rejects.toThrow()
    } finally {
      delete process.env['JAVA_TOOL_OPTIONS']
      await cluster.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
