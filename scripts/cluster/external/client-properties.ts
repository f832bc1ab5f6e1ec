/** Java client properties (`--command-config FILE`, as Kafka's own tools take them) as options of kafkajs. */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { KafkaConfig } from 'kafkajs'
import { parseProperties } from '#broker/config/properties.ts'
import { messageOf, usageError } from '../../errors.ts'

/** What a client needs to connect: TLS and a login with PLAIN. */
export function clientOptionsFrom(file: string): Pick<KafkaConfig, 'ssl' | 'sasl'> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw usageError(`--command-config cannot be read: ${messageOf(error)}`)
  }
  return clientOptions(parseProperties(text), dirname(resolve(file)))
}

const protocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const

/** @param folder  of the file: PEM files are named from there */
export function clientOptions(
  properties: ReadonlyMap<string, string>,
  folder: string,
): Pick<KafkaConfig, 'ssl' | 'sasl'> {
  const protocol = properties.get('security.protocol') ?? 'PLAINTEXT'
  if (!protocols.includes(protocol as (typeof protocols)[number]))
    throw usageError(`security.protocol: expected one of ${protocols.join(', ')}, got ${JSON.stringify(protocol)}.`)
  return {
    ...(protocol.endsWith('SSL') ? { ssl: tlsOf(properties, folder) } : {}),
    ...(protocol.startsWith('SASL') ? { sasl: loginOf(properties) } : {}),
  }
}

function tlsOf(
  properties: ReadonlyMap<string, string>,
  folder: string,
): Exclude<KafkaConfig['ssl'], boolean | undefined> {
  const pem = (store: 'truststore' | 'keystore') => {
    const location = properties.get(`ssl.${store}.location`)
    if (location === undefined) return undefined
    const type = properties.get(`ssl.${store}.type`) ?? 'JKS'
    if (type !== 'PEM')
      throw usageError(
        `ssl.${store}.type: expected PEM, got ${type}: Java's own key stores are not read here.`,
        `openssl pkcs12 makes PEM of them; then ssl.${store}.type=PEM.`,
      )
    try {
      return readFileSync(resolve(folder, location), 'utf8')
    } catch (error) {
      throw usageError(`ssl.${store}.location: ${messageOf(error)}`)
    }
  }
  const [ca, own] = [pem('truststore'), pem('keystore')]
  const checksName = properties.get('ssl.endpoint.identification.algorithm') !== ''
  return {
    ...(ca === undefined ? {} : { ca: [ca] }),
    ...(own === undefined ? {} : { key: own, cert: own }),
    ...(checksName ? {} : { checkServerIdentity: () => undefined }),
  }
}

function loginOf(properties: ReadonlyMap<string, string>): NonNullable<KafkaConfig['sasl']> {
  const mechanism = properties.get('sasl.mechanism') ?? 'GSSAPI'
  // The toolkit's own observers log in with PLAIN alone.
  if (mechanism !== 'PLAIN') throw usageError(`sasl.mechanism: expected PLAIN, got ${mechanism}.`)
  const jaas = properties.get('sasl.jaas.config') ?? ''
  const [username, password] = ['username', 'password'].map(
    name => new RegExp(`\\b${name}="((?:[^"\\\\]|\\\\.)*)"`).exec(jaas)?.[1],
  )
  if (username === undefined || password === undefined)
    throw usageError('sasl.jaas.config: expected username="…" and password="…" in it.')
  const plain = (text: string) => text.replaceAll(/\\(.)/g, '$1')
  return { mechanism: 'plain', username: plain(username), password: plain(password) }
}
