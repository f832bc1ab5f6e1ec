/**
 * Hands out producer ids from blocks that the controller allocates. The next block is asked for before the present one is used up, so that
 * producers rarely wait. Must never hand out an id twice: a block is used by one process only. Source: KIP-730.
 */
import type { Clock, Logger } from '../environment/environment.ts'
import { errorName } from '../protocol/errors.ts'
import type { ControllerLink } from './replica-manager-parts.ts'

interface Block {
  next: bigint
  readonly end: bigint
}

/** Longer than this nobody waits: the client is told to come again. */
const allocationTimeoutMs = 5000
/** Share of a block that is left when the next one is asked for: a tenth. */
const prefetchDivisor = 10n

export interface ProducerIdsHost {
  readonly controller: Pick<ControllerLink, 'allocateProducerIds'>
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly brokerId: number
  readonly log: Logger
  brokerEpoch(): number
}

export class ProducerIds {
  private readonly host: ProducerIdsHost
  private block: Block | undefined
  private spare: Block | undefined
  private prefetchBelow = 0n
  private request: Promise<void> | undefined

  constructor(host: ProducerIdsHost) {
    this.host = host
  }

  /** Undefined: no controller gave us ids; the client should try again. */
  async next(): Promise<bigint | undefined> {
    const first = this.take()
    if (first !== undefined) return first
    await this.allocate()
    return this.take()
  }

  private take(): bigint | undefined {
    if (this.block === undefined || this.block.next >= this.block.end) {
      this.block = this.spare
      this.spare = undefined
    }
    const { block } = this
    if (block === undefined) return undefined
    const id = block.next
    block.next += 1n
    if (block.end - block.next < this.prefetchBelow && this.spare === undefined) void this.allocate()
    return id
  }

  private allocate(): Promise<void> {
    this.request ??= this.ask().finally(() => {
      this.request = undefined
    })
    return this.request
  }

  private async ask(): Promise<void> {
    const sender = () => ({ brokerId: this.host.brokerId, brokerEpoch: this.host.brokerEpoch() })
    const deadlineMs = this.host.clock.monotonicMs() + allocationTimeoutMs
    try {
      const reply = await this.host.controller.allocateProducerIds(sender, { deadlineMs })
      if (reply.errorCode !== 0) {
        this.host.log.warn('the controller refused to allocate producer ids', { error: errorName(reply.errorCode) })
        return
      }
      const length = BigInt(reply.producerIdLen)
      const block = { next: reply.producerIdStart, end: reply.producerIdStart + length }
      this.prefetchBelow = length / prefetchDivisor
      if (this.block === undefined || this.block.next >= this.block.end) this.block = block
      else this.spare = block
    } catch (error) {
      this.host.log.warn('no controller allocated producer ids', { reason: (error as Error).message })
    }
  }
}
