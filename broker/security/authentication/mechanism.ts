/** The server's side of a SASL mechanism, as the session sees it: a token in, a step out. */
import type { Principal } from '../../net/principal.ts'

export type MechanismStep =
  | { readonly kind: 'continue'; readonly token: Buffer }
  | {
      readonly kind: 'done'
      readonly token: Buffer
      readonly principal: Principal
      /** Wall clock, ms: when what the client has proven itself with expires. */
      readonly expiresAtMs?: number
    }
  | {
      readonly kind: 'failed'
      /** What the client is told; undefined when it must not learn why. */
      readonly told?: string
      /** For the log. */
      readonly reason: string
    }

/** One exchange; made anew for each authentication. */
export interface ServerMechanism {
  step(token: Buffer): MechanismStep | Promise<MechanismStep>
}

/** Makes an exchange, or is undefined when the mechanism is not on offer. */
export type MechanismFactory = (mechanism: string) => ServerMechanism | undefined

export const failed = (reason: string): MechanismStep => ({ kind: 'failed', reason })

/** A failure whose reason is no secret. */
export const refusedWith = (told: string): MechanismStep => ({ kind: 'failed', told, reason: told })

export const differentAuthorizationId =
  'Authentication failed: Client requested an authorization id that is different from username'
