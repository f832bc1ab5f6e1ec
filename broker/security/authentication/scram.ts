/**
 * SCRAM (RFC 5802, RFC 7677) without its conversation: keys, signatures, and how names are written. What is stored of a user is a salt, an
 * iteration count and two keys from which the password cannot be had.
 */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'

export interface ScramMechanism {
  readonly name: 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  /** In records and in requests (KIP-554). */
  readonly id: number
  readonly digest: 'sha256' | 'sha512'
  readonly keyBytes: number
  readonly minIterations: number
}

export const scramMechanisms: readonly ScramMechanism[] = [
  { name: 'SCRAM-SHA-256', id: 1, digest: 'sha256', keyBytes: 32, minIterations: 4096 },
  { name: 'SCRAM-SHA-512', id: 2, digest: 'sha512', keyBytes: 64, minIterations: 4096 },
]

export const maxIterations = 16_384

export interface ScramCredential {
  readonly salt: Buffer
  readonly storedKey: Buffer
  readonly serverKey: Buffer
  readonly iterations: number
}

export const scramMechanismNamed = (name: string): ScramMechanism | undefined =>
  scramMechanisms.find(each => each.name === name)

export const scramMechanismWithId = (id: number): ScramMechanism | undefined =>
  scramMechanisms.find(each => each.id === id)

/** Off the event loop: thousands of rounds take milliseconds. */
export function saltedPassword(
  { digest, keyBytes }: ScramMechanism,
  password: string,
  salt: Buffer,
  iterations: number,
): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    pbkdf2(password.normalize('NFKC'), salt, iterations, keyBytes, digest, (error, key) =>
      error === null ? resolve(key) : reject(error),
    ),
  )
}

export function hmac(mechanism: ScramMechanism, key: Buffer, text: string | Buffer): Buffer {
  return createHmac(mechanism.digest, key).update(text).digest()
}

export const clientKeyOf = (mechanism: ScramMechanism, salted: Buffer): Buffer => hmac(mechanism, salted, 'Client Key')
export const serverKeyOf = (mechanism: ScramMechanism, salted: Buffer): Buffer => hmac(mechanism, salted, 'Server Key')

export function storedKeyOf(mechanism: ScramMechanism, clientKey: Buffer): Buffer {
  return createHash(mechanism.digest).update(clientKey).digest()
}

/** What is stored of a user. */
export function credentialOf(
  mechanism: ScramMechanism,
  salted: Buffer,
  salt: Buffer,
  iterations: number,
): ScramCredential {
  return {
    salt,
    iterations,
    storedKey: storedKeyOf(mechanism, clientKeyOf(mechanism, salted)),
    serverKey: serverKeyOf(mechanism, salted),
  }
}

export function xor(left: Buffer, right: Buffer): Buffer {
  return Buffer.from(left.map((byte, index) => byte ^ (right[index] ?? 0)))
}

/** Whether the proof was made by someone who knows the password. */
export function proofIsRight(
  mechanism: ScramMechanism,
  credential: ScramCredential,
  authMessage: string,
  proof: Buffer,
): boolean {
  const signature = hmac(mechanism, credential.storedKey, authMessage)
  if (proof.length !== signature.length) return false
  const storedKey = storedKeyOf(mechanism, xor(signature, proof))
  return storedKey.length === credential.storedKey.length && timingSafeEqual(storedKey, credential.storedKey)
}

/** A user's name as it stands between commas. */
export const saslName = (user: string): string => user.replaceAll('=', '=3D').replaceAll(',', '=2C')

/** Undefined for a name with an equals sign that is no escape. */
export function userOfSaslName(name: string): string | undefined {
  if (/=(?!2C|3D)/.test(name)) return undefined
  return name.replaceAll('=2C', ',').replaceAll('=3D', '=')
}

/** Of 32 characters, none of them a comma, as Kafka's are. */
export const nonceOf = (random: { bytes(count: number): Buffer }): string => random.bytes(24).toString('base64url')
