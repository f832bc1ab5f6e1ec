/**
 * Requests of this node to the active controller, wherever it is: sent again, after a pause, while no controller is known, while it says it
 * is not the one (NOT_CONTROLLER), and when the connection is lost. What is sent must therefore bear being done twice: AlterPartition is
 * guarded by partition epochs, CreateTopics by names; a block of producer ids may be wasted.
 */
import type { Environment } from '../environment/environment.ts'
import { NetworkError } from '../environment/environment.ts'
import type { RequestClient } from '../net/client.ts'
import { errorCode } from '../protocol/errors.ts'
import type { AlterPartitionRequest, AlterPartitionResponse } from '../protocol/messages/56-alter-partition.ts'
import type { CreateTopicsResponse } from '../protocol/messages/19-create-topics.ts'
import type { AllocateProducerIdsResponse } from '../protocol/messages/67-allocate-producer-ids.ts'
import type { MetadataQuorum } from '../raft/raft.ts'
import { unlessControllerMoves } from './controller-moved.ts'
import type { CreatableTopic } from './create-topics.ts'

const apiKeys = { createTopics: 19, alterPartition: 56, allocateProducerIds: 67 } as const
const notController = errorCode('NOT_CONTROLLER')

export interface ControllerChannelOptions {
  readonly environment: Environment
  readonly client: RequestClient
  readonly quorum: Pick<MetadataQuorum, 'leaderAddress'>
  /** Per attempt. */
  readonly requestTimeoutMs: number
  readonly retryBackoffMs: number
}

/** Without the sender's id and epoch, which the channel adds when it sends. */
export type AlterPartitionProposal = Pick<AlterPartitionRequest, 'topics'>

export class ControllerChannel {
  readonly #options: ControllerChannelOptions
  #closed = false

  constructor(options: ControllerChannelOptions) {
    this.#options = options
  }

  /**
   * Sends until a controller answers that is one.
   * @param isNotController  whether the answer came from a node that is not the active controller
   * @param attempts.deadlineMs  monotonic; rejects with NetworkError when it passes. Default: never
   */
  async send<Response>(
    apiKey: number,
    body: () => object,
    isNotController: (response: Response) => boolean,
    attempts: { readonly deadlineMs?: number } = {},
  ): Promise<Response> {
    const { environment, client, quorum, requestTimeoutMs, retryBackoffMs } = this.#options
    const deadlineMs = attempts.deadlineMs ?? Infinity
    let reason = 'no active controller is known'
    for (;;) {
      const leftMs = deadlineMs - environment.clock.monotonicMs()
      if (this.#closed) throw new NetworkError('CLOSED', 'this node is stopping')
      if (leftMs <= 0) throw new NetworkError('REQUEST_TIMED_OUT', `no controller answered in time: ${reason}`)
      const address = quorum.leaderAddress()
      if (address !== undefined) {
        try {
          const timeoutMs = Math.min(requestTimeoutMs, leftMs)
          const sent = client.send<Response>(address, apiKey, body(), { timeoutMs })
          const { response } = await unlessControllerMoves(environment, quorum, address, sent)
          if (!isNotController(response)) return response
          reason = `${address.host}:${address.port} is not the active controller`
        } catch (error) {
          if (!(error instanceof NetworkError)) throw error
          reason = error.message
        }
      }
      await new Promise<void>(resolve => {
        environment.timers.after(retryBackoffMs, resolve)
      })
    }
  }

  /**
   * Proposes in-sync sets. Resolves with the response; a STALE_BROKER_EPOCH of the whole response means that this broker has to register
   * anew first.
   */
  alterPartition(
    sender: () => { readonly brokerId: number; readonly brokerEpoch: number },
    proposal: AlterPartitionProposal,
    attempts: { readonly deadlineMs?: number } = {},
  ): Promise<AlterPartitionResponse> {
    return this.send<AlterPartitionResponse>(
      apiKeys.alterPartition,
      () => ({ ...sender(), ...proposal }),
      response => response.errorCode === notController,
      attempts,
    )
  }

  /** A block of producer ids that is ours alone. */
  allocateProducerIds(
    sender: () => { readonly brokerId: number; readonly brokerEpoch: number },
    attempts: { readonly deadlineMs?: number } = {},
  ): Promise<AllocateProducerIdsResponse> {
    return this.send<AllocateProducerIdsResponse>(
      apiKeys.allocateProducerIds,
      sender,
      response => response.errorCode === notController,
      attempts,
    )
  }

  createTopics(
    topics: readonly CreatableTopic[],
    options: { readonly timeoutMs: number; readonly deadlineMs?: number },
  ): Promise<CreateTopicsResponse> {
    const { timeoutMs, ...attempts } = options
    return this.send<CreateTopicsResponse>(
      apiKeys.createTopics,
      () => ({ topics, timeoutMs, validateOnly: false }),
      response => response.topics.some(topic => topic.errorCode === notController),
      attempts,
    )
  }

  /** Requests under way end with NetworkError. */
  close(): void {
    this.#closed = true
  }
}
