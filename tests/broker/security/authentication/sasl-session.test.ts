/** A SASL conversation in frames: what gets through, what is answered, and what waits. */
import { describe, expect, it } from 'vitest'
import type { RequestServer } from '#broker/net/connection-authentication.ts'
import { encodeRequestFrame } from '#broker/protocol/headers.ts'
import { saslHandshakeRequest } from '#broker/protocol/messages/17-sasl-handshake.ts'
import { saslAuthenticateRequest } from '#broker/protocol/messages/36-sasl-authenticate.ts'
import { PlainServer } from '#broker/security/authentication/plain.ts'
import { SaslSession } from '#broker/security/authentication/sasl-session.ts'
import { FakeTime } from '#tests/broker/controller/fakes.ts'

const served = Buffer.from('served')
const withoutSize = (chunks: readonly Uint8Array[]) => Buffer.concat(chunks).subarray(4)
const header = (version: number) => ({ version, correlationId: 1, clientId: 'c' })
const handshake = (mechanism: string, version = 1) =>
  withoutSize(encodeRequestFrame({ ...header(version) }, saslHandshakeRequest, { mechanism }))
const plain = (password: string) => Buffer.from(`\0alice\0${password}`)
const token = (password: string) =>
  withoutSize(encodeRequestFrame({ ...header(1) }, saslAuthenticateRequest, { authBytes: plain(password) }))
/** Metadata v0, of no topics. */
const metadata = Buffer.from([0, 3, 0, 0, 0, 0, 0, 1, 0, 1, 99, 0, 0, 0, 0])

class Fixture {
  readonly time = new FakeTime()
  readonly limits: number[] = []
  closing = false
  readonly session: SaslSession
  /** API and version of what the session answered itself. */
  readonly answered: string[] = []
  readonly #requests: RequestServer = {
    serve: () => [served],
    refuse: () => [Buffer.from('refused')],
    answered: (apiKey, apiVersion) => void this.answered.push(`${apiKey} v${apiVersion}`),
  }

  constructor() {
    const connection = {
      remote: { host: 'client', port: 1 },
      peerCertificate: undefined,
      limitFrames: (bytes: number) => void this.limits.push(bytes),
      closeAfterReplies: () => void (this.closing = true),
    }
    this.session = new SaslSession(connection, {
      environment: this.time.environment,
      enabled: ['PLAIN'],
      mechanism: name => (name === 'PLAIN' ? new PlainServer(() => 'right') : undefined),
      maxReauthenticationMs: () => 0,
      failureDelayMs: 100,
      maxReceiveBytes: 500,
      maxRequestBytes: 10_000,
    })
  }

  async send(frame: Buffer): Promise<string | undefined> {
    const reply = await this.session.serve(frame, this.#requests)
    return reply === undefined ? undefined : Buffer.concat(reply).toString('latin1')
  }
}

describe('a SASL session', () => {
  it('lets nothing through, and small frames only, until the client is known', async () => {
    const fixture = new Fixture()
    await fixture.send(handshake('PLAIN'))
    expect([fixture.limits, fixture.session.principal.name]).toEqual([[500], 'ANONYMOUS'])
    await fixture.send(token('right'))
    expect([fixture.limits, fixture.session.principal.name]).toEqual([[500, 10_000], 'alice'])
    expect(await fixture.send(metadata)).toBe('served')
    expect(fixture.closing).toBe(false)
    expect(fixture.answered, 'counted with the requests of this node').toEqual(['17 v1', '36 v1'])
  })

  it('takes bare tokens after SaslHandshake v0', async () => {
    const fixture = new Fixture()
    await fixture.send(handshake('PLAIN', 0))
    expect(await fixture.send(plain('right'))).toBe('\0\0\0\0')
    expect(await fixture.send(metadata)).toBe('served')
  })

  it('holds back the answer to a wrong password, closes, and serves nothing that came behind it', async () => {
    const fixture = new Fixture()
    await fixture.send(handshake('PLAIN'))
    const answers: (string | undefined)[] = []
    const both = [token('wrong'), metadata].map(async frame => answers.push(await fixture.send(frame)))
    await fixture.time.pass(99)
    expect([answers, fixture.closing]).toEqual([[], false])
    await fixture.time.pass(1)
    await Promise.all(both)
    expect(answers[0]).toContain('Invalid username or password')
    expect(answers[1]).toBeUndefined()
    expect(fixture.closing).toBe(true)
    expect(fixture.session.principal.name).toBe('ANONYMOUS')
  })

  it('answers a mechanism that is not on offer with those that are, and closes', async () => {
    const fixture = new Fixture()
    const answer = fixture.send(handshake('GSSAPI'))
    await fixture.time.pass(100)
    expect(await answer).toContain('PLAIN')
    expect(fixture.closing).toBe(true)
  })

  it('refuses another request in the midst of it, in the form of that request', async () => {
    const fixture = new Fixture()
    await fixture.send(handshake('PLAIN'))
    const answer = fixture.send(metadata)
    await fixture.time.pass(100)
    expect(await answer).toBe('refused')
    expect(fixture.closing).toBe(true)
  })

  it('serves in order what came while a token was looked at', async () => {
    const fixture = new Fixture()
    await fixture.send(handshake('PLAIN'))
    const [first, second] = await Promise.all([fixture.send(token('right')), fixture.send(metadata)])
    expect(first).not.toContain('Invalid')
    expect(second).toBe('served')
  })
})
