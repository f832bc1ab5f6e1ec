/**
 * Broker settings that secure a node: every listener, of clients, between brokers and of controllers, the same way. Kafka's own names, so that the
 * engine does not matter. Nodes log in to each other with PLAIN: users of SCRAM are in the metadata log, which controllers must reach first.
 */
import type { Properties } from '../properties.ts'
import { nodeUser, superUser, type ClusterSecurity } from './material.ts'

export const scramMechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
const plainModule = 'org.apache.kafka.common.security.plain.PlainLoginModule'
export const scramModule = 'org.apache.kafka.common.security.scram.ScramLoginModule'

export interface NodeSecurityOptions {
  /** Names of the broker listeners. */
  readonly listeners: readonly string[]
  /** Names of the controller listeners; default: CONTROLLER. */
  readonly controllers?: readonly string[]
  /** Keys as files of this machine, or within the settings themselves for nodes that cannot see those. */
  readonly keys: 'files' | 'inline'
}

export function nodeSecuritySettings(security: ClusterSecurity, options: NodeSecurityOptions): Properties {
  return {
    ...(security.traits.sasl ? saslSettings(security, options) : {}),
    ...tlsSettings(security, options.keys),
    ...(security.traits.authorizer
      ? {
          'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
          'super.users': `User:${nodeUser};User:${superUser}`,
        }
      : {}),
  }
}

function saslSettings(
  { passwords }: ClusterSecurity,
  { listeners, controllers = ['CONTROLLER'] }: NodeSecurityOptions,
): Properties {
  const own = `username="${nodeUser}" password="${passwords.get(nodeUser) ?? ''}"`
  const users = [...passwords].map(([name, password]) => `user_${name}="${password}"`).join(' ')
  const plain = `${plainModule} required ${own} ${users};`
  const ofListeners = listeners.flatMap(listener => [
    [`listener.name.${listener.toLowerCase()}.plain.sasl.jaas.config`, plain],
    ...scramMechanisms.map(mechanism => [
      `listener.name.${listener.toLowerCase()}.${mechanism.toLowerCase()}.sasl.jaas.config`,
      `${scramModule} required;`,
    ]),
  ])
  const ofControllers = controllers.flatMap(listener => [
    [`listener.name.${listener.toLowerCase()}.sasl.enabled.mechanisms`, 'PLAIN'],
    [`listener.name.${listener.toLowerCase()}.plain.sasl.jaas.config`, plain],
  ])
  return {
    'sasl.enabled.mechanisms': ['PLAIN', ...scramMechanisms].join(','),
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    'sasl.mechanism.controller.protocol': 'PLAIN',
    ...Object.fromEntries(ofListeners),
    ...Object.fromEntries(ofControllers),
  }
}

function tlsSettings({ authority, node, traits }: ClusterSecurity, keys: NodeSecurityOptions['keys']): Properties {
  if (authority === undefined || node === undefined) return {}
  const stores =
    keys === 'files'
      ? { 'ssl.keystore.location': node.file, 'ssl.truststore.location': authority.file }
      : {
          'ssl.keystore.key': node.key,
          'ssl.keystore.certificate.chain': node.certificate,
          'ssl.truststore.certificates': authority.certificate,
        }
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.truststore.type': 'PEM',
    ...stores,
    'ssl.client.auth': traits.clientCertificates ? 'required' : 'none',
    // CN=alice is User:alice, as she would be with a password.
    ...(traits.clientCertificates ? { 'ssl.principal.mapping.rules': 'RULE:^CN=(.*)$/$1/' } : {}),
  }
}

/**
 * The users that a new cluster begins with, `MECHANISM=[name=…,password=…]` each (KIP-900). Our nodes read the setting; for Apache Kafka, to which it
 * means nothing, the engine hands them to kafka-storage.
 */
export function firstUserSettings(security: ClusterSecurity | undefined): Readonly<Record<string, string>> {
  const clients = [...(security?.passwords ?? [])].filter(([name]) => name !== nodeUser)
  const users = clients.flatMap(([name, password]) =>
    scramMechanisms.map(mechanism => `${mechanism}=[name=${name},password=${password}]`),
  )
  return users.length === 0 ? {} : { 'bootstrap.scram.credentials': users.join(';') }
}
