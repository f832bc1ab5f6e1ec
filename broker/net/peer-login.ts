/** Tells a listener with SASL who this node is: SaslHandshake v1, then SaslAuthenticate until both sides are content (KIP-43, KIP-152). */
import { errorName } from '../protocol/errors.ts'
import type { SaslAuthenticateResponse } from '../protocol/messages/36-sasl-authenticate.ts'
import type { SaslHandshakeResponse } from '../protocol/messages/17-sasl-handshake.ts'
import type { SaslExchange } from './peer-security.ts'

const saslHandshakeKey = 17
const saslAuthenticateKey = 36

/** The other node did not believe this one, or the other way round. */
export class LoginError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'LoginError'
  }
}

/** Sends one request and resolves with its response. */
export type Ask = <Response>(apiKey: number, body: object) => Promise<Response>

/** Resolves with the time, in ms, after which the session must be renewed; 0 for never. Rejects with LoginError. */
export async function logIn(exchange: SaslExchange, ask: Ask): Promise<number> {
  const { mechanism } = exchange
  const handshake = await ask<SaslHandshakeResponse>(saslHandshakeKey, { mechanism })
  if (handshake.errorCode !== 0)
    throw new LoginError(
      `the listener does not take ${mechanism} (${errorName(handshake.errorCode)}); it takes ${handshake.mechanisms.join(', ')}`,
    )
  for (let token: Buffer | undefined = exchange.first(); ;) {
    const answer: SaslAuthenticateResponse = await ask(saslAuthenticateKey, { authBytes: token })
    if (answer.errorCode !== 0)
      throw new LoginError(answer.errorMessage ?? `refused with ${errorName(answer.errorCode)}`)
    token = await exchange.next(answer.authBytes)
    if (token === undefined) return answer.sessionLifetimeMs
  }
}
