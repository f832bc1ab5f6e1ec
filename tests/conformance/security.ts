/** Keys, users and settings of clusters that are secured, for clients that we did not write. */
import { readFileSync } from 'node:fs'
import path from 'node:path'

const folder = path.resolve(import.meta.dirname, '..', 'broker', 'security', 'authentication', 'fixtures')

/** A file of the test keys; passwords are `secret`. */
export const keyFile = (name: string): string => path.join(folder, name)
export const keyText = (name: string): string => readFileSync(keyFile(name), 'utf8')

const trustSettings: Readonly<Record<string, string>> = {
  'ssl.truststore.type': 'PKCS12',
  'ssl.truststore.location': keyFile('trust.p12'),
  'ssl.truststore.password': 'secret',
}

/** Keys of a PEM file, which has no password. */
export const pemSettings = (location: string): Readonly<Record<string, string>> => ({
  ...trustSettings,
  'ssl.keystore.type': 'PEM',
  'ssl.keystore.location': location,
})

/** Certificate for localhost and 127.0.0.1; trusts the authority that signed it and the clients'. */
export const tlsSettings: Readonly<Record<string, string>> = {
  ...trustSettings,
  'ssl.keystore.type': 'PKCS12',
  'ssl.keystore.location': keyFile('server.p12'),
  'ssl.keystore.password': 'secret',
}

const plainModule = 'org.apache.kafka.common.security.plain.PlainLoginModule'
const scramModule = 'org.apache.kafka.common.security.scram.ScramLoginModule'

/** `admin` is who the nodes are among themselves. */
export const plainLogin = `${plainModule} required username="admin" password="admin-secret" user_admin="admin-secret" user_alice="alice-secret";`
export const scramLogin = (user: string, password: string): string =>
  `${scramModule} required username="${user}" password="${password}";`

/** PLAIN and SCRAM for clients over TLS, PLAIN among nodes; alice exists for both, bob for SCRAM alone. */
export const saslTlsSettings: Readonly<Record<string, string>> = {
  ...tlsSettings,
  'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
  'sasl.mechanism.inter.broker.protocol': 'PLAIN',
  'sasl.mechanism.controller.protocol': 'PLAIN',
  'listener.name.sasl_ssl.plain.sasl.jaas.config': plainLogin,
  'listener.name.controller.plain.sasl.jaas.config': plainLogin,
  'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config': `${scramModule} required;`,
  'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': `${scramModule} required;`,
  'listener.name.controller.sasl.enabled.mechanisms': 'PLAIN',
  'bootstrap.scram.credentials':
    'SCRAM-SHA-256=[name=alice,password=alice-secret];SCRAM-SHA-512=[name=alice,password=alice-secret];SCRAM-SHA-512=[name=bob,iterations=8192,password=bob-secret]',
}
