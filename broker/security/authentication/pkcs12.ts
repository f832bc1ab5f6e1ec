/**
 * PKCS #12 (RFC 7292), read only: keys with their certificates, and trusted certificates, which Node does not read from such a file. Knows what
 * keytool and OpenSSL write today (PBES2 with AES) and the older triple DES; RC2, which OpenSSL 3 has put away, it names and refuses.
 */
import { createDecipheriv, createHash, createHmac, pbkdf2Sync, timingSafeEqual, X509Certificate } from 'node:crypto'
import { readDer, tag, type DerNode } from './der.ts'
import { KeyStoreError, type StoreContent, type StoredKey } from './store-content.ts'

const oid = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  keyBag: '1.2.840.113549.1.12.10.1.1',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  safeContentsBag: '1.2.840.113549.1.12.10.1.6',
  localKeyId: '1.2.840.113549.1.9.21',
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  pbeSha1TripleDes: '1.2.840.113549.1.12.1.3',
  pbmac1: '1.2.840.113549.1.5.14',
} as const

const digests: ReadonlyMap<string, string> = new Map([
  ['1.3.14.3.2.26', 'sha1'],
  ['2.16.840.1.101.3.4.2.4', 'sha224'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
])

const prfs: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.2.7', 'sha1'],
  ['1.2.840.113549.2.8', 'sha224'],
  ['1.2.840.113549.2.9', 'sha256'],
  ['1.2.840.113549.2.10', 'sha384'],
  ['1.2.840.113549.2.11', 'sha512'],
])

const ciphers: ReadonlyMap<string, readonly [name: string, keyBytes: number]> = new Map([
  ['2.16.840.1.101.3.4.1.2', ['aes-128-cbc', 16]],
  ['2.16.840.1.101.3.4.1.22', ['aes-192-cbc', 24]],
  ['2.16.840.1.101.3.4.1.42', ['aes-256-cbc', 32]],
  ['1.2.840.113549.3.7', ['des-ede3-cbc', 24]],
])

const wrongPassword = 'its password is wrong, or it is damaged'
const purpose = { key: 1, iv: 2, mac: 3 } as const

/** PKCS #12 strings: UTF-16, high byte first, with a zero at the end. */
const bmpPassword = (password: string): Buffer => Buffer.from(`${password}\0`, 'utf16le').swap16()

function repeated(bytes: Buffer, blockBytes: number): Buffer {
  if (bytes.length === 0) return bytes
  const result = Buffer.alloc(blockBytes * Math.ceil(bytes.length / blockBytes))
  for (let at = 0; at < result.length; at += bytes.length) bytes.copy(result, at)
  return result
}

/** RFC 7292, appendix B.2. */
export function deriveKey(
  digest: string,
  password: string,
  salt: Buffer,
  options: { readonly purpose: number; readonly iterations: number; readonly bytes: number },
): Buffer {
  const blockBytes = digest === 'sha384' || digest === 'sha512' ? 128 : 64
  const diversifier = Buffer.alloc(blockBytes, options.purpose)
  let input: Buffer = Buffer.concat([repeated(salt, blockBytes), repeated(bmpPassword(password), blockBytes)])
  const blocks: Buffer[] = []
  for (let made = 0; made < options.bytes;) {
    let block = createHash(digest).update(diversifier).update(input).digest()
    for (let round = 1; round < options.iterations; round++) block = createHash(digest).update(block).digest()
    blocks.push(block)
    made += block.length
    input = addToEachBlock(input, repeated(block, blockBytes).subarray(0, blockBytes), blockBytes)
  }
  return Buffer.concat(blocks).subarray(0, options.bytes)
}

/** Each block of the input becomes itself plus the addend plus one, modulo its size. */
function addToEachBlock(input: Buffer, addend: Buffer, blockBytes: number): Buffer {
  const result = Buffer.from(input)
  for (let start = 0; start < result.length; start += blockBytes) {
    let carry = 1
    for (let at = blockBytes - 1; at >= 0; at--) {
      carry += (result[start + at] ?? 0) + (addend[at] ?? 0)
      result[start + at] = carry & 0xff
      carry >>= 8
    }
  }
  return result
}

function pbes2Key(derivation: DerNode, password: string, keyBytes: number): Buffer {
  if (derivation.child(0).oid !== oid.pbkdf2)
    throw new KeyStoreError(`it derives keys with ${derivation.child(0).oid}, which is not known here`)
  const [salt, iterations, ...others] = derivation.child(1, tag.sequence).children
  if (salt === undefined || iterations === undefined) throw new KeyStoreError('its key derivation lacks parameters')
  const prf = others.find(each => each.tag === tag.sequence)
  const digest = prf === undefined ? 'sha1' : prfs.get(prf.child(0).oid)
  if (digest === undefined) throw new KeyStoreError('it derives keys with a digest that is not known here')
  return pbkdf2Sync(password, salt.expect(tag.octetString).content, iterations.integer, keyBytes, digest)
}

function decrypt(algorithm: DerNode, encrypted: Buffer, password: string): Buffer {
  const name = algorithm.child(0).oid
  const parameters = algorithm.child(1, tag.sequence)
  if (name === oid.pbes2) {
    const scheme = parameters.child(1)
    const [cipher, keyBytes] = ciphers.get(scheme.child(0).oid) ?? []
    if (cipher === undefined || keyBytes === undefined)
      throw new KeyStoreError(`it is encrypted with ${scheme.child(0).oid}, which is not known here`)
    const key = pbes2Key(parameters.child(0), password, keyBytes)
    return deciphered(cipher, key, scheme.child(1, tag.octetString).content, encrypted)
  }
  if (name !== oid.pbeSha1TripleDes)
    throw new KeyStoreError(
      `it is encrypted with ${name}, an algorithm of the past; write it again with a current keytool or openssl`,
    )
  const salt = parameters.child(0, tag.octetString).content
  const iterations = parameters.child(1).integer
  const part = (which: number, bytes: number) =>
    deriveKey('sha1', password, salt, { purpose: which, iterations, bytes })
  return deciphered('des-ede3-cbc', part(purpose.key, 24), part(purpose.iv, 8), encrypted)
}

function deciphered(cipher: string, key: Buffer, iv: Buffer, encrypted: Buffer): Buffer {
  const decipher = createDecipheriv(cipher, key, iv)
  try {
    return Buffer.concat([decipher.update(encrypted), decipher.final()])
  } catch (error) {
    throw new KeyStoreError(wrongPassword, error)
  }
}

function checkMac(macData: DerNode, content: Buffer, password: string): void {
  const algorithm = macData.child(0).child(0).child(0).oid
  if (algorithm === oid.pbmac1) throw new KeyStoreError('it is sealed with PBMAC1, which is not known here')
  const digest = digests.get(algorithm)
  if (digest === undefined) throw new KeyStoreError(`it is sealed with ${algorithm}, which is not known here`)
  const expected = macData.child(0).child(1, tag.octetString).content
  const salt = macData.child(1, tag.octetString).content
  const iterations = macData.children[2]?.integer ?? 1
  const key = deriveKey(digest, password, salt, { purpose: purpose.mac, iterations, bytes: expected.length })
  const actual = createHmac(digest, key).update(content).digest()
  if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) throw new KeyStoreError(wrongPassword)
}

interface Bags {
  readonly keys: { readonly der: Buffer; readonly id: string | undefined }[]
  readonly certificates: { readonly der: Buffer; readonly id: string | undefined }[]
}

function readBag(bag: DerNode, password: string, into: Bags): void {
  const kind = bag.child(0).oid
  const value = bag.child(1, tag.context0).child(0)
  const attributes = bag.children[2]?.expect(tag.set).children ?? []
  const idAttribute = attributes.find(each => each.child(0).oid === oid.localKeyId)
  const id = idAttribute?.child(1).child(0).content.toString('hex')
  if (kind === oid.keyBag) into.keys.push({ der: value.whole, id })
  else if (kind === oid.shroudedKeyBag)
    into.keys.push({ der: decrypt(value.child(0), value.child(1, tag.octetString).content, password), id })
  else if (kind === oid.certBag)
    into.certificates.push({ der: value.child(1, tag.context0).child(0, tag.octetString).content, id })
  else if (kind === oid.safeContentsBag) for (const inner of value.children) readBag(inner, password, into)
}

/** Own certificate, then issuer after issuer as far as the store has them. */
function chainOf(first: Buffer, all: readonly Buffer[]): Buffer[] {
  const chain = [first]
  for (let last = new X509Certificate(first); ;) {
    const isNew = (der: Buffer) => !chain.some(each => each.equals(der))
    const issuer = all.find(der => isNew(der) && last.checkIssued(new X509Certificate(der)))
    if (issuer === undefined) return chain
    chain.push(issuer)
    last = new X509Certificate(issuer)
  }
}

export function readPkcs12(bytes: Buffer, password: string): StoreContent {
  const outer = readDer(bytes).expect(tag.sequence)
  const safe = outer.child(1, tag.sequence)
  if (safe.child(0).oid !== oid.data) throw new KeyStoreError('it is no PKCS12 store sealed with a password')
  const content = safe.child(1, tag.context0).child(0, tag.octetString).content
  const macData = outer.children[2]
  if (macData !== undefined) checkMac(macData, content, password)
  const bags: Bags = { keys: [], certificates: [] }
  for (const part of readDer(content).children) {
    const inner = part.child(1, tag.context0).child(0)
    let contents: Buffer
    if (part.child(0).oid === oid.data) contents = inner.expect(tag.octetString).content
    else if (part.child(0).oid === oid.encryptedData) {
      const encrypted = inner.child(1, tag.sequence)
      contents = decrypt(encrypted.child(1), encrypted.child(2, tag.implicit0).content, password)
    } else throw new KeyStoreError(`it has a part of unknown kind ${part.child(0).oid}`)
    for (const bag of readDer(contents).children) readBag(bag, password, bags)
  }
  const all = bags.certificates.map(({ der }) => der)
  const keys: StoredKey[] = bags.keys.map(({ der, id }) => {
    const own = bags.certificates.find(each => each.id !== undefined && each.id === id)?.der ?? all[0]
    return { privateKey: der, chain: own === undefined ? [] : chainOf(own, all) }
  })
  // What belongs to a key is not thereby trusted.
  const chained = new Set(keys.flatMap(({ chain }) => chain.map(der => der.toString('base64'))))
  return { keys, trusted: all.filter(der => !chained.has(der.toString('base64'))) }
}
