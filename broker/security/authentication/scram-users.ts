/**
 * SCRAM users that a new cluster begins with, in the form of kafka-storage format --add-scram (KIP-900):
 * `SCRAM-SHA-256=[name=alice,password=secret]`, optionally with iterations, salt and, instead of the password, saltedpassword (both base64).
 * Several are separated by semicolons. Computed while the node starts, so the few milliseconds each of them takes hold back nobody.
 */
import { pbkdf2Sync } from 'node:crypto'
import { ConfigError } from '../../config/table.ts'
import type { UserScramCredentialRecord } from '../../controller/metadata-record.ts'
import type { Random } from '../../environment/environment.ts'
import { credentialOf, maxIterations, scramMechanismNamed } from './scram.ts'

const setting = 'bootstrap.scram.credentials'
const form = /^\s*(SCRAM-SHA-(?:256|512))=\[(.*)\]\s*$/s
const fields: ReadonlySet<string> = new Set(['name', 'password', 'saltedpassword', 'salt', 'iterations'])

/** Values may be quoted; what they are stays out of every message. */
function parseFields(text: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const match of text.matchAll(/\s*([a-z]+)=(?:"([^"]*)"|([^,]*))\s*(?:,|$)/g)) {
    const [, name = '', quoted, plain = ''] = match
    if (!fields.has(name)) throw new ConfigError(setting, `${setting}: unknown field ${name}`)
    found.set(name, quoted ?? plain.trim())
  }
  return found
}

function parseUser(text: string, random: Random): UserScramCredentialRecord {
  const match = form.exec(text)
  const mechanism = scramMechanismNamed(match?.[1] ?? '')
  if (match === null || mechanism === undefined)
    throw new ConfigError(setting, `${setting}: expected SCRAM-SHA-256=[name=…,password=…] or SCRAM-SHA-512=[…]`)
  const given = parseFields(match[2] ?? '')
  const name = given.get('name') ?? ''
  const password = given.get('password')
  const ready = given.get('saltedpassword')
  if (name === '' || (password === undefined) === (ready === undefined))
    throw new ConfigError(setting, `${setting}: expected a name, and either a password or a saltedpassword`)
  const iterations = Number(given.get('iterations') ?? mechanism.minIterations)
  if (!Number.isInteger(iterations) || iterations < mechanism.minIterations || iterations > maxIterations)
    throw new ConfigError(
      setting,
      `${setting}: expected ${mechanism.minIterations} to ${maxIterations} iterations for ${name}`,
    )
  const saltText = given.get('salt')
  if (ready !== undefined && saltText === undefined)
    throw new ConfigError(setting, `${setting}: a saltedpassword needs its salt`)
  const salt = saltText === undefined ? random.bytes(mechanism.keyBytes) : Buffer.from(saltText, 'base64')
  const salted =
    ready === undefined
      ? pbkdf2Sync((password ?? '').normalize('NFKC'), salt, iterations, mechanism.keyBytes, mechanism.digest)
      : Buffer.from(ready, 'base64')
  const credential = credentialOf(mechanism, salted, salt, iterations)
  return { type: 'UserScramCredential', name, mechanism: mechanism.id, ...credential }
}

/** @throws ConfigError */
export function scramUsers(text: string, random: Random): UserScramCredentialRecord[] {
  return text
    .split(/;(?=\s*(?:SCRAM-|$))/)
    .filter(part => part.trim() !== '')
    .map(part => parseUser(part, random))
}
