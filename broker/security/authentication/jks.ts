/**
 * Java's own key store (JKS): certificates in the clear behind a salted digest, keys hidden with a stream made of SHA-1. Only read, for
 * clusters that come with such files; new ones are better PKCS12 or PEM. Format: sun.security.provider.JavaKeyStore and KeyProtector.
 */
import { createHash } from 'node:crypto'
import { readDer, tag } from './der.ts'
import { KeyStoreError, type StoreContent, type StoredKey } from './store-content.ts'

const digestBytes = 20
const keyEntry = 1
const trustedEntry = 2
const protectedKeyOid = '1.3.6.1.4.1.42.2.17.1.1'
/** Part of the digest since the first JDK. */
const whitener = 'Mighty Aphrodite'

const passwordBytes = (password: string): Buffer => Buffer.from(password, 'utf16le').swap16()
const sha1 = (...parts: readonly Buffer[]): Buffer => {
  const hash = createHash('sha1')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

class Cursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  take(count: number): Buffer {
    const end = this.#at + count
    if (end > this.#bytes.length) throw new KeyStoreError('it ends too early')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  int(): number {
    return this.take(4).readUInt32BE()
  }

  text(): string {
    return this.take(this.take(2).readUInt16BE()).toString('utf8')
  }

  certificate(version: number): Buffer {
    if (version === 2) this.text()
    return this.take(this.int())
  }
}

function unprotect(info: Buffer, password: string): Buffer {
  const outer = readDer(info)
  if (outer.child(0).child(0).oid !== protectedKeyOid)
    throw new KeyStoreError('its key is hidden in a way we do not know')
  const hidden = outer.child(1, tag.octetString).content
  const secret = passwordBytes(password)
  const plain = Buffer.alloc(Math.max(0, hidden.length - 2 * digestBytes))
  let stream = hidden.subarray(0, digestBytes)
  for (let at = 0; at < plain.length; at++) {
    if (at % digestBytes === 0) stream = sha1(secret, stream)
    plain[at] = (hidden[digestBytes + at] ?? 0) ^ (stream[at % digestBytes] ?? 0)
  }
  if (!sha1(secret, plain).equals(hidden.subarray(hidden.length - digestBytes)))
    throw new KeyStoreError('the password of its key is wrong (ssl.key.password)')
  return plain
}

export function readJks(bytes: Buffer, password: string, keyPassword: string): StoreContent {
  if (bytes.length < 12 + digestBytes) throw new KeyStoreError('it ends too early')
  const body = bytes.subarray(0, bytes.length - digestBytes)
  if (!sha1(passwordBytes(password), Buffer.from(whitener), body).equals(bytes.subarray(body.length)))
    throw new KeyStoreError('its password is wrong, or it is damaged')
  const cursor = new Cursor(body)
  cursor.int()
  const version = cursor.int()
  const keys: StoredKey[] = []
  const trusted: Buffer[] = []
  for (let left = cursor.int(); left > 0; left--) {
    const kind = cursor.int()
    cursor.text()
    cursor.take(8)
    if (kind === trustedEntry) trusted.push(cursor.certificate(version))
    else if (kind === keyEntry) {
      const hidden = cursor.take(cursor.int())
      const chain: Buffer[] = []
      for (let certificates = cursor.int(); certificates > 0; certificates--) chain.push(cursor.certificate(version))
      keys.push({ privateKey: unprotect(hidden, keyPassword), chain })
    } else throw new KeyStoreError(`it holds an entry of unknown kind ${kind}`)
  }
  return { keys, trusted }
}
