/** SASL/PLAIN (RFC 4616) with the users of the login module: user_<name>="<password>", as Kafka's PlainLoginModule has them. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Principal, userType } from '../../net/principal.ts'
import { differentAuthorizationId, refusedWith, type MechanismStep, type ServerMechanism } from './mechanism.ts'

/** The same time for every pair of texts, whatever their length. */
function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected))
}

export class PlainServer implements ServerMechanism {
  readonly #passwordOf: (user: string) => string | undefined

  constructor(passwordOf: (user: string) => string | undefined) {
    this.#passwordOf = passwordOf
  }

  step(token: Buffer): MechanismStep {
    const parts = token.toString('utf8').split('\0')
    if (parts.length !== 3)
      return refusedWith(`Invalid SASL/PLAIN response: expected 3 tokens, got ${Math.min(parts.length, 4)}`)
    const [authorizationId = '', user = '', password = ''] = parts
    if (user === '') return refusedWith('Authentication failed: username not specified')
    if (password === '') return refusedWith('Authentication failed: password not specified')
    const expected = this.#passwordOf(user)
    const isRight = sameSecret(password, expected ?? '')
    if (expected === undefined || !isRight) return refusedWith('Authentication failed: Invalid username or password')
    if (authorizationId !== '' && authorizationId !== user) return refusedWith(differentAuthorizationId)
    return { kind: 'done', token: Buffer.alloc(0), principal: new Principal(userType, user) }
  }
}
