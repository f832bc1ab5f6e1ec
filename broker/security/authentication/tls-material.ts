/**
 * From ssl.* settings to keys and certificates as the Environment takes them: PEM in the settings themselves (KIP-651), or a PEM, PKCS12 or
 * JKS file. Whatever cannot be used is a ConfigError that names setting and file and says why.
 */
import type { BrokerConfig, BrokerConfigName } from '../../config/broker-config.ts'
import type { ListenerConfig } from '../../config/listeners.ts'
import { prefixedSetting, securitySetting } from '../../config/security.ts'
import { ConfigError } from '../../config/table.ts'
import {
  DiskError,
  type Disk,
  type TlsClient,
  type TlsMaterial,
  type TlsServer,
  type TlsVersion,
} from '../../environment/environment.ts'
import { readFile } from '../../log/small-files.ts'
import { openSslName } from './cipher-suites.ts'
import { isPem, pem, pemCertificates, pemPrivateKey, readKeyStore } from './key-store.ts'
import { KeyStoreError } from './store-content.ts'

/** Kafka leaves a silent client alone until connections.max.idle.ms; a handshake needs no ten minutes. */
const handshakeTimeoutMs = 30_000

type Setting = <K extends BrokerConfigName>(name: K) => BrokerConfig[K]

/** What a listener needs to serve TLS. */
export function tlsServer(
  config: BrokerConfig,
  { name: listener, securityProtocol }: Pick<ListenerConfig, 'name' | 'securityProtocol'>,
  disk: Disk,
): TlsServer {
  const setting: Setting = name => securitySetting(config, { listener }, name)
  // Over SASL_SSL clients have another way to say who they are; there the setting counts with the listener's prefix alone (KIP-684).
  const clientAuth =
    securityProtocol === 'SASL_SSL'
      ? (prefixedSetting(config, { listener }, 'ssl.client.auth') ?? 'none')
      : setting('ssl.client.auth')
  const identity = identityOf(setting, disk)
  if (identity.privateKey === undefined)
    throw new ConfigError(
      'ssl.keystore.location',
      `listener ${listener} speaks TLS and so needs a key: set ssl.keystore.location, or ssl.keystore.key and ssl.keystore.certificate.chain`,
    )
  return {
    ...identity,
    ...trustOf(setting, disk),
    ...versionsOf(setting),
    clientAuth,
    handshakeTimeoutMs,
  }
}

/** What a connection of this node to such a listener of another needs. */
export function tlsClient(config: BrokerConfig, listener: string, disk: Disk): TlsClient {
  const setting: Setting = name => securitySetting(config, { listener }, name)
  const algorithm = setting('ssl.endpoint.identification.algorithm')
  if (algorithm !== '' && algorithm.toLowerCase() !== 'https')
    throw new ConfigError(
      'ssl.endpoint.identification.algorithm',
      `ssl.endpoint.identification.algorithm: expected https or nothing, got "${algorithm}"`,
    )
  return {
    ...identityOf(setting, disk),
    ...trustOf(setting, disk),
    ...versionsOf(setting),
    verifyHost: algorithm !== '',
  }
}

/** Reads the file that a setting names. */
function fileOf(disk: Disk, setting: string, path: string): Buffer {
  try {
    const bytes = readFile(disk, path)
    if (bytes !== undefined) return bytes
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    throw new ConfigError(setting, `${setting}: ${path} cannot be read (${error.code})`)
  }
  throw new ConfigError(setting, `${setting}: there is no file ${path}`)
}

function refusing<T>(setting: string, where: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof KeyStoreError)) throw error
    throw new ConfigError(setting, `${setting}: ${where}${where === '' ? '' : ': '}${error.message}`)
  }
}

/** As in Kafka, whose message it is in other words: PEM has no password of a store, only one of a key. */
function noPasswordOfPem(setting: 'ssl.keystore.password' | 'ssl.truststore.password', password: string): void {
  if (password === '') return
  throw new ConfigError(
    setting,
    `${setting}: PEM has no password of its own; that of a private key is ssl.key.password`,
  )
}

function identityOf(setting: Setting, disk: Disk): Pick<TlsMaterial, 'privateKey' | 'certificateChain'> {
  const keyText = setting('ssl.keystore.key')
  const chainText = setting('ssl.keystore.certificate.chain')
  const path = setting('ssl.keystore.location')
  const keyPassword = setting('ssl.key.password')
  const storePassword = setting('ssl.keystore.password')
  if (keyText !== '' || chainText !== '') {
    noPasswordOfPem('ssl.keystore.password', storePassword)
    return {
      privateKey: refusing('ssl.keystore.key', '', () => pemPrivateKey(keyText, keyPassword)),
      certificateChain: refusing('ssl.keystore.certificate.chain', '', () => pemCertificates(chainText).join('')),
    }
  }
  if (path === '') return {}
  const bytes = fileOf(disk, 'ssl.keystore.location', path)
  return refusing('ssl.keystore.location', path, () => {
    if (isPem(bytes)) {
      noPasswordOfPem('ssl.keystore.password', storePassword)
      const text = bytes.toString('utf8')
      return { privateKey: pemPrivateKey(text, keyPassword), certificateChain: pemCertificates(text).join('') }
    }
    const [key] = readKeyStore(bytes, storePassword, keyPassword === '' ? storePassword : keyPassword).keys
    if (key === undefined) throw new KeyStoreError('it holds no private key')
    return {
      privateKey: pem('PRIVATE KEY', key.privateKey),
      certificateChain: key.chain.map(der => pem('CERTIFICATE', der)).join(''),
    }
  })
}

function trustOf(setting: Setting, disk: Disk): Pick<TlsMaterial, 'trusted'> {
  const text = setting('ssl.truststore.certificates')
  const password = setting('ssl.truststore.password')
  if (text !== '') {
    noPasswordOfPem('ssl.truststore.password', password)
    return { trusted: refusing('ssl.truststore.certificates', '', () => pemCertificates(text)) }
  }
  const path = setting('ssl.truststore.location')
  if (path === '') return {}
  const bytes = fileOf(disk, 'ssl.truststore.location', path)
  return refusing('ssl.truststore.location', path, () => {
    if (isPem(bytes)) {
      noPasswordOfPem('ssl.truststore.password', password)
      return { trusted: pemCertificates(bytes.toString('utf8')) }
    }
    const { trusted } = readKeyStore(bytes, password)
    if (trusted.length === 0) throw new KeyStoreError('it holds no trusted certificate')
    return { trusted: trusted.map(der => pem('CERTIFICATE', der)) }
  })
}

const versionOrder: readonly TlsVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

function versionsOf(setting: Setting): Pick<TlsMaterial, 'cipherSuites' | 'minVersion' | 'maxVersion'> {
  const enabled = versionOrder.filter(version => setting('ssl.enabled.protocols').includes(version))
  const suites = setting('ssl.cipher.suites').map(openSslName)
  return {
    minVersion: enabled[0] ?? 'TLSv1.2',
    maxVersion: enabled.at(-1) ?? 'TLSv1.3',
    ...(suites.length === 0 ? {} : { cipherSuites: suites }),
  }
}
