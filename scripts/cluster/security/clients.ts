/** What a client needs to connect to a secured cluster: files for clients of others, options for our own. */
import { join } from 'node:path'
import type { KafkaConfig, SASLOptions } from 'kafkajs'
import { formatProperties } from '../properties.ts'
import { clientNames, superUser, writeSecret, type ClusterSecurity } from './material.ts'
import { scramModule } from './node-settings.ts'

export interface ClientFiles {
  /** Who the client is to the cluster. */
  readonly principal: string
  /** What may be done without any access control entry. */
  readonly mayDo: 'everything' | 'nothing'
  /** Java clients, and Apache Kafka's tools: `--command-config FILE`. */
  readonly java: string
  /** librdkafka, and kcat: `kcat -F FILE`. */
  readonly librdkafka: string
  /** JSON: `new Kafka(JSON.parse(…))`. */
  readonly kafkajs: string
}

/** The security of a cluster as `--json` shows it. */
export interface SecurityDocument {
  readonly kind: string
  readonly protocol: string
  /** False: everybody may do everything. */
  readonly authorizer: boolean
  readonly directory: string
  /** Certificate of the authority that signed the nodes’. */
  readonly ca?: string
  readonly clients: Readonly<Record<string, ClientFiles>>
}

export function describeSecurity(security: ClusterSecurity): SecurityDocument {
  const { kind, traits, directory, authority } = security
  return {
    kind,
    protocol: traits.protocol,
    authorizer: traits.authorizer,
    directory,
    ...(authority === undefined ? {} : { ca: authority.file }),
    clients: Object.fromEntries(clientNames(security).map(name => [name, clientFiles(security, name)])),
  }
}

function clientFiles({ traits, directory }: ClusterSecurity, name: string): ClientFiles {
  return {
    principal: traits.authorizer ? `User:${name}` : 'User:ANONYMOUS',
    mayDo: !traits.authorizer || name === superUser ? 'everything' : 'nothing',
    java: join(directory, `${name}.properties`),
    librdkafka: join(directory, `${name}.kcat.conf`),
    kafkajs: join(directory, `${name}.kafkajs.json`),
  }
}

/** Written at every `up`: addresses may have changed. */
export function writeClientFiles(security: ClusterSecurity, bootstrap: readonly string[]): void {
  for (const name of clientNames(security)) {
    const { java, librdkafka, kafkajs } = clientFiles(security, name)
    writeSecret(
      java,
      `# Java clients; tools: --command-config\n${formatProperties(javaProperties(security, name, bootstrap))}`,
    )
    writeSecret(librdkafka, librdkafkaConfig(security, name, bootstrap))
    const options = { brokers: bootstrap, ...kafkajsOptions(security, name, 'scram-sha-512') }
    writeSecret(kafkajs, `${JSON.stringify(options, undefined, 2)}\n`)
  }
}

function javaProperties(security: ClusterSecurity, name: string, bootstrap: readonly string[]): Record<string, string> {
  const { traits, passwords, authority, clients } = security
  const certificate = clients.get(name)
  return {
    'bootstrap.servers': bootstrap.join(','),
    'security.protocol': traits.protocol,
    ...(traits.sasl
      ? {
          'sasl.mechanism': 'SCRAM-SHA-512',
          'sasl.jaas.config': `${scramModule} required username="${name}" password="${passwords.get(name) ?? ''}";`,
        }
      : {}),
    ...(authority === undefined ? {} : { 'ssl.truststore.type': 'PEM', 'ssl.truststore.location': authority.file }),
    ...(certificate === undefined ? {} : { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': certificate.file }),
  }
}

/** No escapes there: a line is a name, an equals sign, and the value up to the end of the line. */
function librdkafkaConfig(security: ClusterSecurity, name: string, bootstrap: readonly string[]): string {
  const { traits, passwords, authority, clients } = security
  const certificate = clients.get(name)
  const sasl = [
    '# PLAIN, because librdkafka before 2.6.1 cannot log in with SCRAM (CVE-2024-56128); newer ones may say SCRAM-SHA-512.',
    'sasl.mechanism=PLAIN',
    `sasl.username=${name}`,
    `sasl.password=${passwords.get(name) ?? ''}`,
  ]
  return [
    '# librdkafka; kcat: -F',
    `bootstrap.servers=${bootstrap.join(',')}`,
    `security.protocol=${traits.protocol}`,
    ...(traits.sasl ? sasl : []),
    ...(authority === undefined ? [] : [`ssl.ca.location=${authority.file}`]),
    ...(certificate === undefined
      ? []
      : [`ssl.certificate.location=${certificate.file}`, `ssl.key.location=${certificate.file}`]),
    '',
  ].join('\n')
}

function kafkajsOptions(
  { traits, passwords, authority, clients }: ClusterSecurity,
  name: string,
  mechanism: 'plain' | 'scram-sha-512',
): Partial<KafkaConfig> {
  const login = { username: name, password: passwords.get(name) ?? '' }
  const sasl: SASLOptions = mechanism === 'plain' ? { mechanism, ...login } : { mechanism, ...login }
  const certificate = clients.get(name)
  const own = certificate === undefined ? {} : { key: certificate.key, cert: certificate.certificate }
  return {
    ...(authority === undefined ? {} : { ssl: { ca: [authority.certificate], ...own } }),
    ...(traits.sasl ? { sasl } : {}),
  }
}

/** The toolkit’s own clients. With PLAIN, which a broker can check before it has read the users of the metadata log. */
export function toolkitClient(security: ClusterSecurity | undefined): Partial<KafkaConfig> {
  return security === undefined ? {} : kafkajsOptions(security, superUser, 'plain')
}
