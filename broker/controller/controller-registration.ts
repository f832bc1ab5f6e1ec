/**
 * Makes a node with the role `controller` known to the cluster: its endpoints and features, as a record (KIP-919). Registers whenever the
 * metadata does not show this incarnation; the active controller registers itself in the same way.
 */
import type { Environment, Timer } from '../environment/environment.ts'
import { NetworkError } from '../environment/environment.ts'
import type { RequestClient } from '../net/client.ts'
import { errorName } from '../protocol/errors.ts'
import type { ControllerRegistrationResponse } from '../protocol/messages/70-controller-registration.ts'
import type { MetadataQuorum } from '../raft/raft.ts'
import { featureRanges } from './features.ts'
import type { Endpoint, Uuid } from './metadata-record.ts'
import type { MetadataPublisher } from './publisher.ts'
import { randomUuid } from './uuid.ts'

const controllerRegistrationKey = 70
/** KIP-919: the first metadata.version with controller registrations (3.7-IV0). */
const firstMetadataVersion = 15
const firstBackoffMs = 100
const longestBackoffMs = 5_000

export interface ControllerRegistrationOptions {
  readonly environment: Environment
  readonly client: RequestClient
  readonly quorum: Pick<MetadataQuorum, 'leaderAddress'>
  readonly publisher: MetadataPublisher
  readonly nodeId: number
  /** Advertised endpoints of the controller listeners. */
  readonly listeners: readonly Endpoint[]
  readonly requestTimeoutMs: number
}

export class ControllerRegistrar {
  readonly incarnationId: Uuid
  readonly #options: ControllerRegistrationOptions
  #timer: Timer | undefined
  #inFlight = false
  #failures = 0
  #stopped = false

  constructor(options: ControllerRegistrationOptions) {
    this.#options = options
    this.incarnationId = randomUuid(options.environment.random)
    options.publisher.subscribe(() => this.#check())
    options.publisher.subscribeLeader(() => this.#check())
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #check(): void {
    const { publisher, nodeId, environment } = this.#options
    const { image } = publisher
    if (this.#stopped || this.#inFlight || this.#timer !== undefined) return
    if (image.metadataVersion() < firstMetadataVersion) return
    if (image.controllers.get(nodeId)?.incarnationId === this.incarnationId) return
    const delayMs = this.#failures === 0 ? 0 : Math.min(firstBackoffMs * 2 ** (this.#failures - 1), longestBackoffMs)
    this.#timer = environment.timers.after(delayMs, () => {
      this.#timer = undefined
      this.#inFlight = true
      void this.#register()
    })
  }

  async #register(): Promise<void> {
    const failure = await this.#send()
    this.#inFlight = false
    if (failure === undefined) {
      // The record arrives through the log; until it does, no second attempt before the first back-off.
      this.#failures = 1
      return
    }
    this.#failures = Math.min(this.#failures + 1, 10)
    this.#options.environment.log.debug('The controller registration failed; trying again.', { reason: failure })
    this.#check()
  }

  /** Undefined when it worked, else why not. */
  async #send(): Promise<string | undefined> {
    const { client, quorum, nodeId, listeners, requestTimeoutMs } = this.#options
    const address = quorum.leaderAddress()
    if (address === undefined) return 'no active controller is known'
    const body = {
      controllerId: nodeId,
      incarnationId: this.incarnationId,
      zkMigrationReady: false,
      listeners,
      features: featureRanges(),
    }
    const options = { timeoutMs: requestTimeoutMs }
    try {
      const { response } = await client.send<ControllerRegistrationResponse>(
        address,
        controllerRegistrationKey,
        body,
        options,
      )
      return response.errorCode === 0 ? undefined : errorName(response.errorCode)
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      return error.message
    }
  }
}
