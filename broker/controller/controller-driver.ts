/**
 * Drives the controller machine on a node with the role `controller`: proposes its records through the quorum, keeps replies back until they
 * are committed, wakes it when something is due. Decides nothing.
 * On losing the leadership everything that waits is answered NOT_CONTROLLER: it may yet be committed by the next leader, so the sender must
 * ask again there.
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Environment, Timer } from '../environment/environment.ts'
import type { LeaderAndEpoch, MetadataQuorum } from '../raft/raft.ts'
import { ControllerMachine } from './controller-machine.ts'
import type { Moment } from './controller-machine.ts'
import type { MetadataImage } from './image.ts'
import type { MetadataRecord } from './metadata-record.ts'
import { isRefusal, maxRecordsPerUserOperation, refuse } from './operation.ts'
import type { Operation, Refusal } from './operation.ts'
import type { MetadataPublisher } from './publisher.ts'
import { encodeRecord } from './records.ts'

export interface ControllerDriverOptions {
  readonly environment: Environment
  readonly config: BrokerConfig
  readonly nodeId: number
  readonly clusterId: string
  readonly quorum: MetadataQuorum
  readonly publisher: MetadataPublisher
  /** First records of a new cluster (bootstrap.checkpoint), when it was formatted with some. */
  readonly bootstrap?: readonly MetadataRecord[]
}

interface Waiting {
  readonly offset: number
  readonly committed: () => void
  readonly dropped: () => void
}

export class Controller {
  readonly #environment: Environment
  readonly #quorum: MetadataQuorum
  readonly #publisher: MetadataPublisher
  readonly #machine: ControllerMachine
  #waiting: Waiting[] = []
  #lastProposedOffset = -1
  #timer: { readonly timer: Timer; readonly atMs: number } | undefined
  #stopped = false

  constructor(options: ControllerDriverOptions) {
    const { environment, config, nodeId, clusterId, quorum, publisher, bootstrap } = options
    this.#environment = environment
    this.#quorum = quorum
    this.#publisher = publisher
    const machine = { nodeId, clusterId, config, random: environment.random }
    this.#machine = new ControllerMachine(bootstrap === undefined ? machine : { ...machine, bootstrap })
    publisher.subscribe(() => this.#committed())
    publisher.subscribeLeader(leader => this.#leaderChanged(leader, nodeId))
  }

  get isActive(): boolean {
    return this.#machine.isActive
  }

  /** What the active controller works on: with everything proposed, committed or not. */
  get image(): MetadataImage {
    return this.#machine.image
  }

  /**
   * Runs an operation as the active controller. Resolves with the reply once its records, and all records before them, are committed;
   * with a refusal when the operation refuses, this node is not (or no longer) the active controller, or `timeoutMs` is over.
   */
  submit<Request, Reply extends object>(
    operation: Operation<Request, Reply>,
    request: Request,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<Reply | Refusal> {
    const { image } = this.#machine
    const moment = this.#now()
    const outcome = this.#machine.run(operation, request, moment)
    if (isRefusal(outcome)) return Promise.resolve(outcome)
    try {
      if (!this.#propose(outcome.records, outcome.divisible === true)) return Promise.resolve(notController())
    } catch (error) {
      // Records that fit into no batch, say: a state that is ahead of the log would bring forth records that nobody can replay.
      const count = this.#quorum.logEndOffset - moment.nextOffset
      this.#machine.revert(image, outcome.records.slice(0, count), moment)
      throw error
    }
    this.#schedule()
    return this.#afterCommit(outcome.reply, options.timeoutMs)
  }

  /** Ends all waiting; nothing is proposed any more. */
  stop(): void {
    this.#stopped = true
    this.#deactivate()
  }

  #now(): Moment {
    const { clock } = this.#environment
    return { nowMs: clock.monotonicMs(), wallMs: clock.wallMs(), nextOffset: this.#quorum.logEndOffset }
  }

  #leaderChanged({ leaderId, epoch }: LeaderAndEpoch, nodeId: number): void {
    if (this.#stopped) return
    if (leaderId === nodeId && this.#machine.epoch === epoch) return
    if (this.#machine.isActive) this.#deactivate()
    if (leaderId !== nodeId) return
    const { image, inTransaction } = this.#publisher
    this.#environment.log.info('This node is the active controller.', { epoch, offset: image.offset })
    this.#lastProposedOffset = this.#publisher.deliveredOffset
    const records = this.#machine.activate({ image, epoch, openTransaction: inTransaction }, this.#now())
    if (this.#propose(records, false)) this.#schedule()
  }

  #deactivate(): void {
    if (this.#machine.isActive) {
      this.#environment.log.info('This node is not the active controller any more.', { epoch: this.#machine.epoch })
    }
    this.#machine.deactivate()
    this.#timer?.timer.cancel()
    this.#timer = undefined
    const dropped = this.#waiting
    this.#waiting = []
    for (const waiting of dropped) waiting.dropped()
  }

  /** False when this node does not lead any more: then everything that is not committed is gone. */
  #propose(records: readonly MetadataRecord[], divisible: boolean): boolean {
    const epoch = this.#machine.epoch
    if (epoch === undefined) return false
    if (records.length === 0) return true
    const metadataVersion = this.#machine.image.metadataVersion()
    const step = divisible ? maxRecordsPerUserOperation : records.length
    for (let start = 0; start < records.length; start += step) {
      const values = records.slice(start, start + step).map(record => encodeRecord(record, metadataVersion))
      const expectedOffset = this.#quorum.logEndOffset
      const proposed = this.#quorum.propose(epoch, values)
      if (proposed === undefined) {
        this.#deactivate()
        return false
      }
      // Broker epochs are offsets and were chosen before.
      if (proposed.baseOffset !== expectedOffset) {
        throw new Error(`records were expected at offset ${expectedOffset} and went to ${proposed.baseOffset}`)
      }
      this.#lastProposedOffset = proposed.lastOffset
    }
    return true
  }

  /** Also a reply without records waits: what it says may rest on records that are not committed yet. */
  #afterCommit<Reply extends object>(reply: Reply, timeoutMs: number | undefined): Promise<Reply | Refusal> {
    const offset = this.#lastProposedOffset
    if (offset <= this.#publisher.deliveredOffset) return Promise.resolve(reply)
    return new Promise(resolve => {
      let timer: Timer | undefined
      const finish = (result: Reply | Refusal) => {
        timer?.cancel()
        resolve(result)
      }
      if (timeoutMs !== undefined) {
        const late = () => finish(refuse('REQUEST_TIMED_OUT', `not committed within ${timeoutMs} ms; it may be later`))
        timer = this.#environment.timers.after(timeoutMs, late)
      }
      this.#waiting.push({ offset, committed: () => finish(reply), dropped: () => finish(notController()) })
    })
  }

  #committed(): void {
    const { deliveredOffset } = this.#publisher
    let count = 0
    while (count < this.#waiting.length && this.#waiting[count]!.offset <= deliveredOffset) count++
    for (const waiting of this.#waiting.splice(0, count)) waiting.committed()
  }

  #schedule(): void {
    const atMs = this.#machine.nextTickMs()
    // A timer that fires too early does no harm, so that a heartbeat need not move it.
    if (atMs === Infinity || (this.#timer !== undefined && this.#timer.atMs <= atMs)) return
    this.#timer?.timer.cancel()
    const delayMs = Math.max(0, atMs - this.#environment.clock.monotonicMs())
    this.#timer = { atMs, timer: this.#environment.timers.after(delayMs, () => this.#tick()) }
  }

  #tick(): void {
    this.#timer = undefined
    for (;;) {
      const records = this.#machine.tick(this.#now())
      if (records === undefined) break
      if (!this.#propose(records, true)) return
    }
    this.#schedule()
  }
}

function notController(): Refusal {
  return refuse('NOT_CONTROLLER', 'This node is not the active controller any more.')
}
