/** bootstrap.scram.credentials: the users a new cluster begins with (KIP-900). */
import { pbkdf2Sync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '#broker/config/table.ts'
import { credentialOf, scramMechanismNamed } from '#broker/security/authentication/scram.ts'
import { scramUsers } from '#broker/security/authentication/scram-users.ts'

const random = { below: () => 0, bytes: (count: number) => Buffer.alloc(count, 7) }
const users = (text: string) => scramUsers(text, random)
const sha256 = scramMechanismNamed('SCRAM-SHA-256')
if (sha256 === undefined) throw new Error('SCRAM-SHA-256 is missing')

describe('bootstrap.scram.credentials', () => {
  it('names users, mechanisms and iterations', () => {
    const text =
      'SCRAM-SHA-256=[name=alice,password=a-secret]; SCRAM-SHA-512=[name="bob, jr",iterations=8192,password="x;SCRAM,y"];'
    expect(users(text)).toMatchObject([
      { type: 'UserScramCredential', name: 'alice', mechanism: 1, iterations: 4096, salt: Buffer.alloc(32, 7) },
      { type: 'UserScramCredential', name: 'bob, jr', mechanism: 2, iterations: 8192, salt: Buffer.alloc(64, 7) },
    ])
    expect(users('')).toEqual([])
  })

  it('stores the keys of the password, with the salt that is given', () => {
    const salt = Buffer.from('some salt')
    const salted = pbkdf2Sync('hush', salt, 4096, 32, 'sha256')
    const credential = credentialOf(sha256, salted, salt, 4096)
    const given = salt.toString('base64')
    expect(users(`SCRAM-SHA-256=[name=a,salt=${given},password=hush]`)).toMatchObject([credential])
    const ready = salted.toString('base64')
    expect(users(`SCRAM-SHA-256=[name=a,salt=${given},saltedpassword=${ready}]`)).toMatchObject([credential])
  })

  it.each([
    ['SCRAM-SHA-1=[name=a,password=hush]', 'expected SCRAM-SHA-256='],
    ['SCRAM-SHA-256=name=a,password=hush', 'expected SCRAM-SHA-256='],
    ['SCRAM-SHA-256=[password=hush]', 'expected a name'],
    ['SCRAM-SHA-256=[name=a]', 'either a password or a saltedpassword'],
    ['SCRAM-SHA-256=[name=a,password=hush,saltedpassword=aHVzaA==]', 'either a password or a saltedpassword'],
    ['SCRAM-SHA-256=[name=a,saltedpassword=aHVzaA==]', 'needs its salt'],
    ['SCRAM-SHA-256=[name=a,iterations=4095,password=hush]', '4096 to 16384 iterations'],
    ['SCRAM-SHA-256=[name=a,iterations=16385,password=hush]', '4096 to 16384 iterations'],
    ['SCRAM-SHA-256=[name=a,iterations=x,password=hush]', '4096 to 16384 iterations'],
    ['SCRAM-SHA-256=[name=a,colour=red,password=hush]', 'unknown field colour'],
  ])('%s is refused, without the password', (text, message) => {
    expect(() => users(text)).toThrow(message)
    expect(() => users(text)).toThrow(ConfigError)
    expect(() => users(text)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('hush') }))
  })
})
