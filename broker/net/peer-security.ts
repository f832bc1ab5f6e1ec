/** How a connection of this node to another one is protected, and how this node says there who it is. */
import type { TlsClient } from '../environment/environment.ts'

/** One SASL exchange, the client's side. */
export interface SaslExchange {
  readonly mechanism: string
  first(): Buffer
  /** The answer to a challenge; undefined when the server has said its last and was believed. Rejects when it was not. */
  next(challenge: Buffer): Promise<Buffer | undefined>
}

/** Asked for anew with each connection, so that renewed keys are used from the next one on. */
export interface PeerSecurity {
  tls?(): TlsClient | undefined
  sasl?(): SaslExchange | undefined
}
