/** SCRAM against the vectors of RFC 5802 and RFC 7677, and our two sides against each other. */
import { createHmac, createHash, pbkdf2Sync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Principal } from '#broker/net/principal.ts'
import { ScramClient } from '#broker/security/authentication/sasl-client.ts'
import {
  clientKeyOf,
  credentialOf,
  hmac,
  proofIsRight,
  saltedPassword,
  saslName,
  scramMechanismNamed,
  scramMechanisms,
  serverKeyOf,
  storedKeyOf,
  userOfSaslName,
  xor,
  type ScramMechanism,
} from '#broker/security/authentication/scram.ts'
import { ScramServer, type ScramCredentials } from '#broker/security/authentication/scram-server.ts'
import type { MechanismStep } from '#broker/security/authentication/mechanism.ts'

function mechanism(name: string): ScramMechanism {
  const found = scramMechanismNamed(name)
  if (found === undefined) throw new Error(name)
  return found
}

const sha256 = mechanism('SCRAM-SHA-256')

describe('the example of RFC 7677', () => {
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  const bare = 'n=user,r=rOprNGfwEbeRWgbNEkqO'
  const serverFirst = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'
  const withoutProof = 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
  const authMessage = `${bare},${serverFirst},${withoutProof}`

  it('has our proof and our server signature', async () => {
    const salted = await saltedPassword(sha256, 'pencil', salt, 4096)
    const clientKey = clientKeyOf(sha256, salted)
    const proof = xor(clientKey, hmac(sha256, storedKeyOf(sha256, clientKey), authMessage))
    expect(proof.toString('base64')).toBe('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=')
    const signature = hmac(sha256, serverKeyOf(sha256, salted), authMessage)
    expect(signature.toString('base64')).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
    const credential = credentialOf(sha256, salted, salt, 4096)
    expect(proofIsRight(sha256, credential, authMessage, proof)).toBe(true)
    proof[3] = (proof[3] ?? 0) ^ 1
    expect(proofIsRight(sha256, credential, authMessage, proof)).toBe(false)
    expect(proofIsRight(sha256, credential, authMessage, proof.subarray(1))).toBe(false)
  })
})

describe('the example of RFC 5802', () => {
  it('comes out with the same functions over SHA-1', () => {
    const salted = pbkdf2Sync('pencil', Buffer.from('QSXCR+Q6sek8bf92', 'base64'), 4096, 20, 'sha1')
    const mac = (key: Buffer, text: string) => createHmac('sha1', key).update(text).digest()
    const authMessage =
      'n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j'
    const clientKey = mac(salted, 'Client Key')
    const storedKey = createHash('sha1').update(clientKey).digest()
    expect(xor(clientKey, mac(storedKey, authMessage)).toString('base64')).toBe('v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=')
  })
})

describe('names', () => {
  it('survive being written between commas', () => {
    expect(saslName('a=b,c')).toBe('a=3Db=2Cc')
    expect(userOfSaslName('a=3Db=2Cc')).toBe('a=b,c')
    expect(userOfSaslName('a=2')).toBeUndefined()
  })
})

let seed = 1
const random = { bytes: (count: number) => Buffer.alloc(count, seed++) }

async function credentials(
  users: Readonly<Record<string, string>>,
  tokens: Readonly<Record<string, string>> = {},
  iterations = 4096,
): Promise<ScramCredentials> {
  const salt = Buffer.from('salt')
  const made = new Map<string, ReturnType<typeof credentialOf>>()
  for (const each of scramMechanisms)
    for (const [name, password] of [...Object.entries(users), ...Object.entries(tokens)]) {
      const salted = await saltedPassword(each, password, salt, iterations)
      made.set(`${each.name}/${name}`, credentialOf(each, salted, salt, iterations))
    }
  return {
    user: (each, name) => (name in users ? made.get(`${each.name}/${name}`) : undefined),
    token: (each, id) => {
      const credential = id in tokens ? made.get(`${each.name}/${id}`) : undefined
      if (credential === undefined) return Promise.resolve(undefined)
      return Promise.resolve({ credential, owner: new Principal('User', 'owner'), expiresAtMs: 5000 })
    },
  }
}

/** Runs both sides to the end; resolves with the server's last step. */
async function converse(client: ScramClient, server: ScramServer): Promise<MechanismStep> {
  for (let token: Buffer | undefined = client.first(); ;) {
    const step: MechanismStep = await server.step(token)
    if (step.kind === 'failed') return step
    token = await client.next(step.token)
    if (step.kind === 'done') {
      expect(token).toBeUndefined()
      return step
    }
    if (token === undefined) throw new Error('the client ended first')
  }
}

describe.each(scramMechanisms)('$name between our two sides', each => {
  it('lets in who knows the password, also with a name full of commas', async () => {
    const known = await credentials({ 'a,=b': 'pencil' })
    const client = new ScramClient(each, { user: 'a,=b', password: 'pencil' }, random)
    const step = await converse(client, new ScramServer(each, known, random))
    expect(step).toMatchObject({ kind: 'done', principal: new Principal('User', 'a,=b') })
  })

  it('turns away a wrong password and an unknown user without saying which it was', async () => {
    const known = await credentials({ alice: 'pencil' })
    for (const [user, password] of [
      ['alice', 'pen'],
      ['bob', 'pencil'],
    ] as const) {
      const step = await converse(
        new ScramClient(each, { user, password }, random),
        new ScramServer(each, known, random),
      )
      expect(step.kind).toBe('failed')
      expect(step).not.toHaveProperty('told')
    }
  })

  it('takes a delegation token as its owner, for as long as it is valid', async () => {
    const known = await credentials({ t1: 'pencil' }, { id: 'hmac' })
    const login = { user: 'id', password: 'hmac', tokenAuthenticated: true }
    const step = await converse(new ScramClient(each, login, random), new ScramServer(each, known, random))
    expect(step).toMatchObject({ kind: 'done', expiresAtMs: 5000, principal: new Principal('User', 'owner', true) })
    const asUser = new ScramClient(each, { user: 'id', password: 'hmac' }, random)
    expect((await converse(asUser, new ScramServer(each, known, random))).kind).toBe('failed')
    const userAsToken = new ScramClient(each, { user: 't1', password: 'pencil', tokenAuthenticated: true }, random)
    expect((await converse(userAsToken, new ScramServer(each, known, random))).kind).toBe('failed')
  })

  it('uses no credentials of fewer iterations than the least', async () => {
    const known = await credentials({ alice: 'pencil' }, {}, 4095)
    const client = new ScramClient(each, { user: 'alice', password: 'pencil' }, random)
    expect((await converse(client, new ScramServer(each, known, random))).kind).toBe('failed')
  })
})

describe('the server', () => {
  it('says so when another authorization id is asked for', async () => {
    const server = new ScramServer(sha256, await credentials({ alice: 'pencil' }), random)
    expect(await server.step(Buffer.from('n,a=bob,n=alice,r=abc'))).toMatchObject({
      kind: 'failed',
      told: 'Authentication failed: Client requested an authorization id that is different from username',
    })
  })

  it.each(['y,,n=alice,r=abc', 'n,,n=alice', 'p=tls-unique,,n=alice,r=abc', 'n,,n=al=ice,r=abc', '', 'n,,n=alice,r='])(
    'refuses %j as a first message',
    async text => {
      const server = new ScramServer(sha256, await credentials({ alice: 'pencil' }), random)
      expect((await server.step(Buffer.from(text))).kind).toBe('failed')
    },
  )

  it('refuses a final message with the nonce of another exchange, or another channel binding', async () => {
    const known = await credentials({ alice: 'pencil' })
    for (const change of [
      (text: string) => text.replace('r=', 'r=x'),
      (text: string) => text.replace('c=biws', `c=${Buffer.from('y,,').toString('base64')}`),
    ]) {
      const server = new ScramServer(sha256, known, random)
      const client = new ScramClient(sha256, { user: 'alice', password: 'pencil' }, random)
      const challenge = await server.step(client.first())
      if (challenge.kind !== 'continue') throw new Error('expected a challenge')
      const final = (await client.next(challenge.token))?.toString() ?? ''
      expect((await server.step(Buffer.from(change(final)))).kind).toBe('failed')
    }
  })
})

describe('the client', () => {
  it('does not believe a server that cannot prove that it knows it, or that answers with another nonce', async () => {
    const client = new ScramClient(sha256, { user: 'alice', password: 'pencil' }, random)
    const nonce = /r=(.*)$/.exec(client.first().toString())?.[1] ?? ''
    const first = Buffer.from(`r=${nonce}server,s=c2FsdA==,i=4096`)
    await expect(client.next(Buffer.from('r=other,s=c2FsdA==,i=4096'))).rejects.toThrow('nonce')
    await expect(client.next(Buffer.from(`r=${nonce}server,s=c2FsdA==,i=1`))).rejects.toThrow('1 iterations')
    await client.next(first)
    await expect(client.next(Buffer.from('v=AAAA'))).rejects.toThrow('could not prove')
  })
})
