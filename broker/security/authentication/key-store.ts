/**
 * What a key store holds, whatever its form: a private key with its certificates, and certificates that are trusted. Told apart by content, not by
 * the type that was configured, as Java does for JKS and PKCS12.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readJks } from './jks.ts'
import { readPkcs12 } from './pkcs12.ts'
import { KeyStoreError, type StoreContent } from './store-content.ts'

const jksMagic = 0xfeedfeed
const jceksMagic = 0xcececece

/** @param keyPassword  of the key inside, where a store may have another for it (JKS); default: the store's */
export function readKeyStore(bytes: Buffer, password: string, keyPassword = password): StoreContent {
  const magic = bytes.length >= 4 ? bytes.readUInt32BE(0) : 0
  try {
    if (magic === jksMagic) return readJks(bytes, password, keyPassword)
    if (magic === jceksMagic)
      throw new KeyStoreError(
        'it is a JCEKS store; convert it: keytool -importkeystore -srckeystore … -destkeystore store.p12 -deststoretype PKCS12',
      )
    return readPkcs12(bytes, password)
  } catch (error) {
    if (error instanceof KeyStoreError) throw error
    throw new KeyStoreError((error as Error).message, error)
  }
}

export function pem(label: 'CERTIFICATE' | 'PRIVATE KEY', der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

interface PemPart {
  readonly label: string
  readonly text: string
}

/** PEM with any white space between its parts: in a properties file it often stands on one line. */
function pemParts(text: string): PemPart[] {
  const pattern = /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----/g
  return [...text.matchAll(pattern)].map(([, label = '', base64 = '']) => {
    const lines = base64.replaceAll(/\s/g, '').match(/.{1,64}/g) ?? []
    return { label, text: `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n` }
  })
}

/** The certificates of a PEM text, each as PEM. Throws KeyStoreError when there is none, or one that cannot be read. */
export function pemCertificates(text: string): string[] {
  const found = pemParts(text).filter(({ label }) => label === 'CERTIFICATE')
  if (found.length === 0) throw new KeyStoreError('expected at least one PEM certificate (-----BEGIN CERTIFICATE-----)')
  return found.map(part => {
    try {
      return new X509Certificate(part.text).toString()
    } catch (error) {
      throw new KeyStoreError(`holds a certificate that cannot be read: ${(error as Error).message}`, error)
    }
  })
}

/** The private key of a PEM text, without its encryption. */
export function pemPrivateKey(text: string, password: string): string {
  const found = pemParts(text).find(({ label }) => label.endsWith('PRIVATE KEY'))
  if (found === undefined) throw new KeyStoreError('expected a PEM private key (-----BEGIN PRIVATE KEY-----)')
  const isEncrypted = found.label.startsWith('ENCRYPTED')
  if (isEncrypted && password === '')
    throw new KeyStoreError('the private key is encrypted and ssl.key.password is not set')
  try {
    const key = createPrivateKey({ key: found.text, ...(isEncrypted ? { passphrase: password } : {}) })
    return key.export({ type: 'pkcs8', format: 'pem' })
  } catch (error) {
    throw new KeyStoreError(`the private key cannot be read: ${(error as Error).message}`, error)
  }
}

export const isPem = (bytes: Buffer): boolean => bytes.subarray(0, 16_384).includes('-----BEGIN ')
