/** What this node says to a listener with SASL, and whom it believes. */
import { describe, expect, it } from 'vitest'
import { LoginError, logIn } from '#broker/net/peer-login.ts'
import type { SaslExchange } from '#broker/net/peer-security.ts'
import { errorCode } from '#broker/protocol/errors.ts'

const empty = Buffer.alloc(0)

/** Answers each challenge with itself and a mark, until `rounds` are over. */
class Echo implements SaslExchange {
  readonly mechanism = 'PLAIN'
  #left: number

  constructor(rounds: number) {
    this.#left = rounds
  }

  first(): Buffer {
    return Buffer.from('first')
  }

  next(challenge: Buffer): Promise<Buffer | undefined> {
    return Promise.resolve(this.#left-- > 0 ? Buffer.concat([challenge, Buffer.from('!')]) : undefined)
  }
}

class Server {
  readonly asked: [number, object][] = []
  readonly #answers: object[]

  constructor(...answers: object[]) {
    this.#answers = answers
  }

  readonly ask = <Response>(apiKey: number, body: object): Promise<Response> => {
    this.asked.push([apiKey, body])
    const answer = this.#answers.shift()
    return answer === undefined ? Promise.reject(new Error('connection lost')) : Promise.resolve(answer as Response)
  }
}

const handshake = { errorCode: 0, mechanisms: ['PLAIN'] }
const answer = (token: string, sessionLifetimeMs = 0) => ({
  errorCode: 0,
  errorMessage: null,
  authBytes: Buffer.from(token),
  sessionLifetimeMs,
})

describe('a login', () => {
  it('goes on until the exchange is content, and yields how long the session lasts', async () => {
    const server = new Server(handshake, answer('a'), answer('b'), answer('', 7000))
    expect(await logIn(new Echo(2), server.ask)).toBe(7000)
    expect(server.asked).toEqual([
      [17, { mechanism: 'PLAIN' }],
      [36, { authBytes: Buffer.from('first') }],
      [36, { authBytes: Buffer.from('a!') }],
      [36, { authBytes: Buffer.from('b!') }],
    ])
  })

  it('with a mechanism that the listener does not take says which ones it takes, and sends no token', async () => {
    const refusal = { errorCode: errorCode('UNSUPPORTED_SASL_MECHANISM'), mechanisms: ['SCRAM-SHA-256', 'GSSAPI'] }
    const server = new Server(refusal)
    await expect(logIn(new Echo(0), server.ask)).rejects.toThrow('it takes SCRAM-SHA-256, GSSAPI')
    expect(server.asked).toHaveLength(1)
  })

  it('that is refused fails with the words of the other side, or the name of its error', async () => {
    const refused = (errorMessage: string | null) =>
      new Server(handshake, { errorCode: errorCode('SASL_AUTHENTICATION_FAILED'), errorMessage, authBytes: empty })
    await expect(logIn(new Echo(0), refused('not you').ask)).rejects.toThrow(new LoginError('not you'))
    await expect(logIn(new Echo(0), refused(null).ask)).rejects.toThrow('refused with SASL_AUTHENTICATION_FAILED')
  })

  it('fails when the other side does not prove itself, or goes away', async () => {
    const doubting: SaslExchange = {
      mechanism: 'PLAIN',
      first: () => empty,
      next: () => Promise.reject(new Error('an impostor')),
    }
    await expect(logIn(doubting, new Server(handshake, answer('')).ask)).rejects.toThrow('an impostor')
    await expect(logIn(new Echo(5), new Server(handshake, answer('')).ask)).rejects.toThrow('connection lost')
  })
})
