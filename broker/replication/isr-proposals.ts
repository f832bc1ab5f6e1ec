/**
 * Carries ISR proposals of this broker's leaders to the controller: all that wait in one AlterPartition request, one request at a time, tried
 * again until an answer comes or newer metadata makes the proposal pointless. Source: KIP-497, KIP-841, KIP-903.
 */
import type { Environment, Logger, Timer } from '../environment/environment.ts'
import { errorName, type ErrorName } from '../protocol/errors.ts'
import type { AlterPartitionRequest, AlterPartitionResponse } from '../protocol/messages/56-alter-partition.ts'
import type { ControllerLink } from './replica-manager-parts.ts'
import type { LocalReplica } from './local-replica.ts'
import type { IsrProposal, IsrProposalResult } from './partition-machine.ts'

interface Waiting {
  readonly replica: LocalReplica
  readonly proposal: IsrProposal
}

export interface IsrProposalsHost {
  readonly environment: Pick<Environment, 'timers'>
  readonly log: Logger
  readonly brokerId: number
  readonly controller: ControllerLink
  brokerEpoch(): number
  /** The controller's answer for one partition. Returns true when the proposal has to be sent again. */
  answered(replica: LocalReplica, proposal: IsrProposal, result: IsrProposalResult): boolean
}

const retryMs = 50

export class IsrProposals {
  private readonly waiting = new Map<LocalReplica, Waiting>()
  private readonly host: IsrProposalsHost
  private isUnderWay = false
  private isStopped = false
  private timer: Timer | undefined

  constructor(host: IsrProposalsHost) {
    this.host = host
  }

  submit(replica: LocalReplica, proposal: IsrProposal): void {
    this.waiting.set(replica, { replica, proposal })
    // At the end of the turn: one fetch of a follower may bring many of its partitions into sync.
    if (!this.isUnderWay && this.timer === undefined) this.host.environment.timers.soon(() => this.proceed())
  }

  stop(): void {
    this.isStopped = true
    this.timer?.cancel()
  }

  private proceed(): void {
    if (this.isUnderWay || this.isStopped || this.timer !== undefined) return
    for (const [replica, { proposal }] of this.waiting) {
      if (!replica.machine.isStillProposed(proposal)) this.waiting.delete(replica)
    }
    if (this.waiting.size === 0) return
    this.isUnderWay = true
    const batch = [...this.waiting.values()]
    this.waiting.clear()
    void this.send(batch).then(again => {
      this.isUnderWay = false
      for (const each of again) if (!this.waiting.has(each.replica)) this.waiting.set(each.replica, each)
      if (again.length > 0) this.later()
      else this.proceed()
    })
  }

  private later(): void {
    if (this.isStopped || this.timer !== undefined) return
    this.timer = this.host.environment.timers.after(retryMs, () => {
      this.timer = undefined
      this.proceed()
    })
  }

  /** Returns what has to be sent again. */
  private async send(batch: readonly Waiting[]): Promise<readonly Waiting[]> {
    let reply: AlterPartitionResponse
    try {
      const sender = () => ({ brokerId: this.host.brokerId, brokerEpoch: this.host.brokerEpoch() })
      reply = await this.host.controller.alterPartition(sender, { topics: topicsOf(batch) })
    } catch (error) {
      this.host.log.debug('AlterPartition got no answer', { reason: (error as Error).message })
      return batch
    }
    if (this.isStopped) return []
    if (reply.errorCode !== 0) {
      this.host.log.warn('the controller refused AlterPartition', { error: errorName(reply.errorCode) })
      return batch
    }
    const results = new Map<string, IsrProposalResult>()
    for (const topic of reply.topics) {
      for (const each of topic.partitions) {
        const error = errorName(each.errorCode)
        results.set(`${topic.topicId}/${each.partitionIndex}`, error === 'NONE' ? each : { error })
      }
    }
    const again: Waiting[] = []
    for (const { replica, proposal } of batch) {
      const missing: ErrorName = 'UNKNOWN_SERVER_ERROR'
      const result = results.get(`${replica.topicId}/${replica.topicPartition.partition}`) ?? { error: missing }
      if (this.host.answered(replica, proposal, result)) again.push({ replica, proposal })
    }
    return again
  }
}

function topicsOf(batch: readonly Waiting[]): AlterPartitionRequest['topics'] {
  const topics = new Map<string, AlterPartitionRequest['topics'][number]>()
  for (const { replica, proposal } of batch) {
    let topic = topics.get(replica.topicId)
    if (topic === undefined) {
      topic = { topicId: replica.topicId, partitions: [] }
      topics.set(replica.topicId, topic)
    }
    topic.partitions.push({
      partitionIndex: replica.topicPartition.partition,
      leaderEpoch: proposal.leaderEpoch,
      newIsr: [],
      newIsrWithEpochs: proposal.isr.map(each => ({ ...each })),
      leaderRecoveryState: 0,
      partitionEpoch: proposal.partitionEpoch,
    })
  }
  return [...topics.values()]
}
