/**
 * Secured clusters through the command line, on both engines: clients that we did not write connect with the files that `up` wrote, the toolkit's
 * own commands with nothing, and who shows nothing or the wrong thing is turned away.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Kafka, logLevel, type KafkaConfig } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import type { Engine } from '#scripts/cluster/cluster.ts'
import type { SecurityDocument } from '#scripts/cluster/security/clients.ts'
import type { ClusterDocument } from '#scripts/commands/describe.ts'
import { runJava } from '../conformance/java.ts'
import { describeWith } from '../machine.ts'
import { startKafkaQuickly } from '../quick-java.ts'
import { freePort, Toolkit } from './faultline-command.ts'

/** A JVM that has just begun takes its time for a TLS connection. */
const patience = { connectionTimeout: 60_000, authenticationTimeout: 60_000 }

const kinds = ['sasl', 'tls', 'mtls', 'sasl-tls'] as const
type Kind = (typeof kinds)[number]

describeWith(['kcat', 'java', 'apache-kafka'], 'a secured cluster of processes', () => {
  describe.each(kinds)('on faultline, with --security %s', kind => {
    securedLife('faultline', kind, kind === 'sasl-tls' ? 3 : 1)
  })
  describe.each(['mtls', 'sasl-tls'] as const)('on apache-kafka, with --security %s', kind => {
    startKafkaQuickly()
    securedLife('apache-kafka', kind, 1)
  })
})

function securedLife(engine: Engine, kind: Kind, brokers: number): void {
  const toolkit = new Toolkit()
  const name = ['--name', 'secured']
  let document: ClusterDocument
  let security: SecurityDocument
  let port: string
  const first = kind === 'tls' ? 'client' : 'admin'

  const up = () =>
    toolkit.document(
      ...['up', ...name, '--runtime', 'process', '--engine', engine, '--brokers', String(brokers)],
      ...['--port', port, '--security', kind],
    )
  beforeAll(async () => {
    port = await freePort()
    document = await up()
    security = document.security as SecurityDocument
    await toolkit.run('topic', 'create', 'letters', '--partitions', '1', ...name)
  })
  afterAll(() => toolkit.remove())

  const filesOf = (client: string) => {
    const files = security.clients[client]
    if (files === undefined) throw new Error(`there are no files for ${client}`)
    return files
  }
  const kafkajsConfig = (client: string): KafkaConfig => ({
    ...(JSON.parse(readFileSync(filesOf(client).kafkajs, 'utf8')) as KafkaConfig),
    logLevel: logLevel.NOTHING,
    ...patience,
    retry: { retries: 1 },
  })
  async function topicsSeenBy(config: KafkaConfig): Promise<string[]> {
    const admin = new Kafka(config).admin()
    try {
      await admin.connect()
      return await admin.listTopics()
    } finally {
      await admin.disconnect()
    }
  }

  test('says where its client files are and who may do what', () => {
    const protocol = { sasl: 'SASL_PLAINTEXT', tls: 'SSL', mtls: 'SSL', 'sasl-tls': 'SASL_SSL' }[kind]
    expect(security).toMatchObject({ kind, protocol, authorizer: kind !== 'tls' })
    const mayDo = Object.entries(security.clients).map(([client, { mayDo: may }]) => [client, may])
    expect(mayDo).toEqual(
      kind === 'tls'
        ? [['client', 'everything']]
        : [
            ['admin', 'everything'],
            ['alice', 'nothing'],
          ],
    )
  })

  test('is used by the commands of the toolkit', async () => {
    await toolkit.run('produce', 'letters', 'by-the-toolkit', ...name)
    expect(await toolkit.values('secured', 'letters')).toContain('by-the-toolkit')
    const { stdout } = await toolkit.run('inspect', ...name, '--json')
    expect(stdout).toContain('letters')
  })

  test('takes kcat with its file', () => {
    const file = ['-F', filesOf(first).librdkafka, '-t', 'letters']
    execFileSync('kcat', [...file, '-P'], { input: 'by-kcat\n', stdio: ['pipe', 'ignore', 'pipe'] })
    const read = execFileSync('kcat', [...file, '-C', '-e', '-q'], { encoding: 'utf8', stdio: 'pipe' })
    expect(read.split('\n')).toContain('by-kcat')
  })

  test('takes a Java client with its file', async () => {
    const args = ['--command-config', filesOf(first).java, '--bootstrap-server', document.bootstrap]
    const load = ['--topic', 'letters', '--num-records', '5', '--record-size', '10', '--throughput', '-1']
    const produced = await runJava('org.apache.kafka.tools.ProducerPerformance', [...args, ...load])
    expect(produced.output).toContain('5 records sent')
    const read = await runJava('org.apache.kafka.tools.consumer.ConsoleConsumer', [
      ...args,
      ...['--topic', 'letters', '--from-beginning', '--max-messages', '7', '--timeout-ms', '120000'],
    ])
    expect(read.output).toContain('by-kcat')
    expect(read.output).toContain('Processed a total of 7 messages')
  })

  test('takes kafkajs with its file', async () => {
    expect(await topicsSeenBy(kafkajsConfig(first))).toContain('letters')
  })

  if (kind !== 'tls')
    test('shows nothing to a user without rights, until an ACL says so', async () => {
      expect(await topicsSeenBy(kafkajsConfig('alice'))).not.toContain('letters')
      const acl = ['--add', '--allow-principal', 'User:alice', '--operation', 'describe', '--topic', 'letters']
      const { code, output } = await runJava('org.apache.kafka.tools.AclCommand', [
        ...['--command-config', filesOf('admin').java, '--bootstrap-server', document.bootstrap],
        ...acl,
      ])
      expect(output).toContain('principal=User:alice')
      expect(code).toBe(0)
      // The controller has answered; the brokers hear of it a moment later.
      const seen = async () => (await topicsSeenBy(kafkajsConfig('alice'))).includes('letters') || undefined
      expect(await poll(seen, { everyMs: 100, timeoutMs: 120_000 })).toBe(true)
    })

  test('turns away a client that shows nothing', async () => {
    const { brokers: addresses } = kafkajsConfig(first)
    await expect(
      topicsSeenBy({ brokers: addresses, logLevel: logLevel.NOTHING, retry: { retries: 0 }, requestTimeout: 5_000 }),
    ).rejects.toThrow()
    const { status } = spawnSync('kcat', ['-b', document.bootstrap, '-L', '-m', '3'], { stdio: 'ignore' })
    expect(status).not.toBe(0)
  })

  if (kind === 'mtls')
    test('turns away a client without a certificate', async () => {
      const { brokers: addresses, ssl } = kafkajsConfig('admin')
      const { ca } = ssl as { ca: string[] }
      const retry = { retries: 0 }
      await expect(
        topicsSeenBy({ brokers: addresses, ssl: { ca }, logLevel: logLevel.NOTHING, retry }),
      ).rejects.toThrow()
    })

  if (kind.startsWith('sasl'))
    test('turns away a wrong password', async () => {
      const config = kafkajsConfig('admin')
      const sasl = { mechanism: 'scram-sha-512', username: 'admin', password: 'guess' } as const
      await expect(topicsSeenBy({ ...config, sasl, retry: { retries: 0 } })).rejects.toThrow()
      // The same client is let in with the right one.
      expect(await topicsSeenBy(config)).toContain('letters')
    })

  test('grows by a broker that is secured like the others', async () => {
    const grown = await toolkit.document('grow', ...name)
    expect(grown.brokers.map(({ state }) => state)).toEqual(Array.from({ length: brokers + 1 }, () => 'running'))
    const { java, librdkafka } = filesOf(first)
    expect(readFileSync(java, 'utf8').replaceAll('\\', '')).toContain(`bootstrap.servers=${grown.bootstrap}\n`)
    expect(readFileSync(librdkafka, 'utf8')).toContain(`bootstrap.servers=${grown.bootstrap}\n`)
    expect(kafkajsConfig(first).brokers).toEqual(grown.bootstrap.split(','))
  })

  test('goes down with its data kept, and continues with the same users and keys', async () => {
    await toolkit.run('down', '--keep-data', ...name)
    document = await toolkit.document('up', ...name)
    expect(document.security).toEqual(security)
    expect(await topicsSeenBy(kafkajsConfig(first))).toContain('letters')
  })
}
