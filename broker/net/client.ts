/**
 * Requests from this node to other nodes: one connection per address and purpose, pipelined, version chosen per connection by ApiVersions.
 * A request ends with its response, or rejects with NetworkError (connection lost, timed out): then nobody knows whether it took effect.
 */
import type { Address } from '../environment/environment.ts'

/** `api` is a key of the table in protocol/apis.ts. Request and response types follow from it (see request-client.ts). */
export interface SendOptions {
  /** After this the connection is closed and the promise rejects with code REQUEST_TIMED_OUT. */
  readonly timeoutMs: number
  /** Highest version to use; the peer's ApiVersions may lower it. */
  readonly maxVersion?: number
}

export interface RequestClient {
  /** Resolves with the decoded response body. `version` is the one that was used. */
  send<Response>(
    to: Address,
    apiKey: number,
    body: object,
    options: SendOptions,
  ): Promise<{ response: Response; version: number }>
  /** Closes all connections; requests in flight reject. */
  close(): void
}
