/** What stands between a connection and the dispatcher while, and after, its client says who it is. Made by broker/security. */
import type { Address } from '../environment/environment.ts'
import type { ListenerConfig } from '../config/listeners.ts'
import type { ErrorName } from '../protocol/errors.ts'
import type { Reply } from './connection.ts'
import type { Principal } from './principal.ts'

/** The dispatcher, as authentication needs it. */
export interface RequestServer {
  serve(frame: Buffer): Reply | Promise<Reply>
  /** The reply that refuses this request as a whole, in the form of its own API. */
  refuse(frame: Buffer, error: ErrorName, message: string): Reply
  /** Counts a request that is answered in its stead. */
  answered(apiKey: number, apiVersion: number): void
}

/** The connection, as authentication needs it. */
export interface AuthenticatedConnection {
  readonly remote: Address
  /** DER of the certificate that the client proved to own. */
  readonly peerCertificate: Buffer | undefined
  /** Longest frame that is accepted from now on. */
  limitFrames(maxBytes: number): void
  /** Takes no more requests, sends the replies that are due, then closes. */
  closeAfterReplies(): void
}

export interface ConnectionAuthentication {
  /** User:ANONYMOUS until the client has authenticated. */
  readonly principal: Principal
  /** As the connection's own `serve`: the frame is good until the call returns. */
  serve(frame: Buffer, requests: RequestServer): Reply | Promise<Reply>
}

/** Undefined: nothing stands between; the principal is User:ANONYMOUS. */
export type Authenticate = (
  listener: ListenerConfig,
  connection: AuthenticatedConnection,
) => ConnectionAuthentication | undefined
