/** Forwards clients' requests to the active controller, again and again until one answers or the time is up (KIP-590). */
import { unlessControllerMoves } from '../controller/controller-moved.ts'
import type { Environment } from '../environment/environment.ts'
import { NetworkError } from '../environment/environment.ts'
import type { RequestClient } from '../net/client.ts'
import { addressBytes } from '../net/ip-address.ts'
import { serializePrincipal } from '../net/principal.ts'
import { errorName } from '../protocol/errors.ts'
import type { EnvelopeResponse } from '../protocol/messages/58-envelope.ts'
import type { MetadataQuorum } from '../raft/raft.ts'
import type { RequestContext } from './handler.ts'
import type { Forwarder } from './services.ts'

const envelopeKey = 58
const retryBackoffMs = 50
/** Hosts of a simulation have names and no addresses. Nobody has rights because of this one. */
const noAddress = Buffer.alloc(4)

export class EnvelopeForwarder implements Forwarder {
  readonly #environment: Environment
  readonly #client: RequestClient
  readonly #quorum: MetadataQuorum
  readonly #timeoutMs: number

  constructor(environment: Environment, client: RequestClient, quorum: MetadataQuorum, timeoutMs: number) {
    this.#environment = environment
    this.#client = client
    this.#quorum = quorum
    this.#timeoutMs = timeoutMs
  }

  async forward(context: Pick<RequestContext, 'frame' | 'connection'>): Promise<readonly Uint8Array[]> {
    const { clock } = this.#environment
    const deadlineMs = clock.monotonicMs() + this.#timeoutMs
    const body = {
      requestData: context.frame,
      requestPrincipal: serializePrincipal(context.connection.principal),
      clientHostAddress: addressBytes(context.connection.clientHost) ?? noAddress,
    }
    let reason = 'no controller is active'
    while (clock.monotonicMs() < deadlineMs && context.connection.isOpen()) {
      const address = this.#quorum.leaderAddress()
      if (address !== undefined) {
        try {
          const timeoutMs = deadlineMs - clock.monotonicMs()
          const sent = this.#client.send<EnvelopeResponse>(address, envelopeKey, body, { timeoutMs })
          const { response } = await unlessControllerMoves(this.#environment, this.#quorum, address, sent)
          if (response.errorCode === 0 && response.responseData !== null) return [response.responseData]
          reason = errorName(response.errorCode)
          // Another attempt, or another controller, would not understand it either, or meet the same bug.
          if (reason === 'INVALID_REQUEST' || reason === 'UNKNOWN_SERVER_ERROR') break
        } catch (error) {
          if (!(error instanceof NetworkError)) throw error
          reason = error.message
        }
      }
      await new Promise<void>(resolve => this.#environment.timers.after(retryBackoffMs, resolve))
    }
    throw new NetworkError(
      'REQUEST_TIMED_OUT',
      `no controller took the request within ${this.#timeoutMs} ms: ${reason}`,
    )
  }
}
