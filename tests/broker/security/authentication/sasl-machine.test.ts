/** Which request may come when on a SASL connection, and what an outcome means (KIP-43, KIP-152, KIP-368). */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Principal } from '#broker/net/principal.ts'
import { failed, refusedWith, type MechanismStep } from '#broker/security/authentication/mechanism.ts'
import { apiKeys, SaslMachine } from '#broker/security/authentication/sasl-machine.ts'

const alice = new Principal('User', 'alice')
const bob = new Principal('User', 'bob')
const token = Buffer.from('t')
const done = (principal = alice, expiresAtMs?: number): MechanismStep => ({
  kind: 'done',
  token,
  principal,
  ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
})
const at = (ms: number) => ({ monotonicMs: ms, wallMs: 1_000_000 + ms })
const { saslHandshake, apiVersions, saslAuthenticate } = apiKeys
const metadataKey = 3

class Conversation {
  readonly machine: SaslMachine

  constructor(maxReauthenticationMs = 0) {
    this.machine = new SaslMachine({
      enabled: ['PLAIN', 'SCRAM-SHA-256'],
      maxReauthenticationMs: () => maxReauthenticationMs,
    })
  }

  send(apiKey: number, ms = 0, apiVersion = 0) {
    return this.machine.frame({ apiKey, apiVersion }, at(ms))
  }

  /** As far as SaslAuthenticate. */
  begin(ms = 0, mechanism = 'PLAIN', version = 1) {
    const { act } = this.send(saslHandshake, ms)
    const { error } = this.machine.handshake(version, mechanism)
    if (act !== 'handshake' || error !== undefined) throw new Error(`SaslHandshake: ${act} ${error}`)
    return this
  }

  logIn(step: MechanismStep = done(), ms = 0) {
    const { act } = this.send(saslAuthenticate, ms)
    if (act !== 'token') throw new Error(`SaslAuthenticate: ${act}`)
    return this.machine.stepped(step, at(ms))
  }
}

describe('before a client is known', () => {
  it('ApiVersions may come once, before SaslHandshake, and again after a version that is unknown', () => {
    const { machine } = new Conversation()
    const send = (apiVersion: number) => machine.frame({ apiKey: apiVersions, apiVersion }, at(0))
    expect(send(5)).toEqual({ act: 'serve' })
    expect(send(4)).toEqual({ act: 'serve' })
    expect(send(4)).toMatchObject({ act: 'close', reason: 'ApiVersions came a second time' })
  })

  it('no other request is served, whatever came before', () => {
    const others = fc.integer({ min: 0, max: 100 }).filter(key => !Object.values<number>(apiKeys).includes(key))
    const steps = fc.array(fc.constantFrom('versions', 'handshake', 'handshake-v0', 'continue', 'failure'), {
      maxLength: 6,
    })
    fc.assert(
      fc.property(steps, others, (before, apiKey) => {
        const { machine } = new Conversation()
        for (const step of before) {
          if (step === 'versions') machine.frame({ apiKey: apiVersions, apiVersion: 3 }, at(0))
          else if (step.startsWith('handshake')) {
            const { act } = machine.frame({ apiKey: saslHandshake, apiVersion: 0 }, at(0))
            if (act === 'handshake') machine.handshake(step === 'handshake' ? 1 : 0, 'PLAIN')
          } else if (machine.frame({ apiKey: saslAuthenticate, apiVersion: 2 }, at(0)).act === 'token')
            machine.stepped(step === 'continue' ? { kind: 'continue', token } : failed('no'), at(0))
        }
        expect(machine.isComplete).toBe(false)
        expect(machine.frame({ apiKey, apiVersion: 0 }, at(0)).act).not.toBe('serve')
        expect(machine.principal.name).toBe('ANONYMOUS')
      }),
    )
  })

  it('a mechanism that is not enabled ends the conversation', () => {
    const talk = new Conversation()
    talk.send(saslHandshake)
    expect(talk.machine.handshake(1, 'GSSAPI')).toMatchObject({ error: 'UNSUPPORTED_SASL_MECHANISM' })
    expect(talk.send(saslHandshake)).toEqual({ act: 'drop' })
  })

  it('after SaslHandshake v1 tokens come in SaslAuthenticate; anything else is answered ILLEGAL_SASL_STATE', () => {
    const talk = new Conversation().begin()
    expect(talk.machine.expectsBareToken).toBe(false)
    expect(talk.send(metadataKey)).toMatchObject({ act: 'close', refusal: 'ILLEGAL_SASL_STATE' })
  })

  it('after SaslHandshake v0 every frame is a token, whatever its first bytes say', () => {
    const talk = new Conversation().begin(0, 'PLAIN', 0)
    expect(talk.machine.expectsBareToken).toBe(true)
    expect(talk.send(metadataKey)).toEqual({ act: 'token', form: 'bare' })
    expect(talk.machine.stepped({ kind: 'continue', token }, at(0))).toMatchObject({ error: undefined, token })
    expect(talk.machine.stepped(done(), at(0)).error).toBeUndefined()
    expect(talk.machine.expectsBareToken).toBe(false)
    expect(talk.send(metadataKey)).toEqual({ act: 'serve' })
  })
})

describe('a client that fails', () => {
  it('learns the reason only when that gives nothing away', () => {
    expect(new Conversation().begin().logIn(failed('no such user'))).toMatchObject({
      error: 'SASL_AUTHENTICATION_FAILED',
      message: 'Authentication failed during authentication due to invalid credentials with SASL mechanism PLAIN',
      reason: 'no such user',
    })
    expect(new Conversation().begin().logIn(refusedWith('say your name')).message).toBe('say your name')
  })

  it('is not listened to any more', () => {
    const talk = new Conversation().begin()
    talk.logIn(failed('x'))
    for (const apiKey of [saslAuthenticate, saslHandshake, metadataKey])
      expect(talk.send(apiKey)).toEqual({ act: 'drop' })
  })
})

describe('a session', () => {
  it.each([
    { maxMs: 0, expiresAtMs: undefined, lifetimeMs: 0 },
    { maxMs: 5000, expiresAtMs: undefined, lifetimeMs: 5000 },
    { maxMs: 0, expiresAtMs: 1_000_700, lifetimeMs: 700 },
    { maxMs: 5000, expiresAtMs: 1_000_700, lifetimeMs: 700 },
    { maxMs: 500, expiresAtMs: 1_000_700, lifetimeMs: 500 },
  ])('with at most $maxMs ms and credentials until $expiresAtMs lasts $lifetimeMs ms', each => {
    const talk = new Conversation(each.maxMs).begin()
    expect(talk.logIn(done(alice, each.expiresAtMs)).sessionLifetimeMs).toBe(each.lifetimeMs)
    const end = each.lifetimeMs === 0 ? 1e12 : each.lifetimeMs
    expect(talk.send(metadataKey, end)).toEqual({ act: 'serve' })
    if (each.lifetimeMs > 0) expect(talk.send(metadataKey, end + 1)).toMatchObject({ act: 'close' })
  })

  it('that is over may be renewed, and then lasts from that moment on', () => {
    const talk = new Conversation(5000).begin()
    talk.logIn()
    talk.begin(6000)
    expect(talk.logIn(done(), 6000).error).toBeUndefined()
    expect(talk.send(metadataKey, 11_000)).toEqual({ act: 'serve' })
    expect(talk.send(metadataKey, 11_001)).toMatchObject({ act: 'close' })
  })

  it('is not renewed twice within a second: the request is served as any other', () => {
    const talk = new Conversation(5000).begin()
    talk.logIn()
    talk.begin(2000)
    talk.logIn(done(), 2000)
    expect(talk.send(saslHandshake, 2999)).toEqual({ act: 'serve' })
    expect(talk.send(saslHandshake, 3000)).toEqual({ act: 'handshake' })
  })

  it('belongs to who began it', () => {
    const talk = new Conversation(5000).begin()
    talk.logIn()
    talk.begin(2000)
    expect(talk.logIn(done(bob), 2000)).toMatchObject({
      error: 'SASL_AUTHENTICATION_FAILED',
      message: 'Cannot change principals during re-authentication from User.alice: User.bob',
    })
    expect(talk.machine.principal).toBe(alice)
    expect(talk.send(metadataKey, 2000)).toEqual({ act: 'drop' })
  })

  it('keeps its mechanism', () => {
    const talk = new Conversation(5000).begin()
    talk.logIn()
    expect(talk.begin(2000).machine.changedMechanism).toBeUndefined()
    talk.logIn(done(), 2000)
    expect(talk.begin(4000, 'SCRAM-SHA-256').machine.changedMechanism).toContain(
      "'SCRAM-SHA-256' requested by client is not supported for re-authentication of mechanism 'PLAIN'",
    )
  })

  it('whose renewal fails is told that it was the renewal', () => {
    const talk = new Conversation(5000).begin()
    talk.logIn()
    talk.begin(2000)
    expect(talk.logIn(failed('x'), 2000).message).toContain('during re-authentication due to invalid credentials')
  })
})
