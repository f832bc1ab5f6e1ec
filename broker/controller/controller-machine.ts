/**
 * The active controller as a machine: its state is the fold of all records it found or proposed, plus the heartbeat table and when what is
 * due next. Synchronous, no clock, no I/O.
 *
 *   standby --activate(committed image)--> active --deactivate--> standby
 *
 * Active, it works on a state that includes what it proposed but nobody has committed yet; losing the leadership drops that state, and the
 * next activation begins from what is committed. Must never let two operations see different states in the same order.
 * Sources: KIP-500, KIP-631; Kafka's QuorumController.
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Random } from '../environment/environment.ts'
import { BrokerHeartbeats } from './broker-heartbeats.ts'
import { fenceOneStaleBroker } from './broker-heartbeat.ts'
import { balanceLeaders, electUncleanLeaders } from './change-topics.ts'
import { removeExpiredTokens } from './delegation-tokens.ts'
import { withElrSafety } from './elr-settings.ts'
import { bootstrapRecords } from './features.ts'
import { applyRecords } from './image-builder.ts'
import { MetadataImage } from './image.ts'
import type { MetadataRecord } from './metadata-record.ts'
import { isRefusal, refuse } from './operation.ts'
import type { Operation, Outcome, Refusal } from './operation.ts'

export interface ControllerOptions {
  readonly nodeId: number
  readonly clusterId: string
  readonly config: BrokerConfig
  readonly random: Random
  /** First records of a new cluster, when it was formatted with some. */
  readonly bootstrap?: readonly MetadataRecord[]
}

export interface Moment {
  readonly nowMs: number
  /** What the calendar says, for what must outlive this process. */
  readonly wallMs: number
  /** Offset the next record will get. */
  readonly nextOffset: number
}

/** How often partitions without a leader are looked at again where unclean elections are allowed, as in Kafka. */
const uncleanElectionIntervalMs = 300_000

export class ControllerMachine {
  readonly #options: ControllerOptions
  #image: MetadataImage
  #heartbeats: BrokerHeartbeats
  #epoch: number | undefined
  #nextNoOpMs = Infinity
  #nextBalanceMs = Infinity
  #nextUncleanElectionMs = Infinity
  #nextTokenSweepMs = Infinity

  constructor(options: ControllerOptions) {
    this.#options = options
    this.#image = MetadataImage.empty(options.clusterId)
    this.#heartbeats = this.#newHeartbeats()
  }

  get isActive(): boolean {
    return this.#epoch !== undefined
  }

  /** Epoch in which this controller is active. */
  get epoch(): number | undefined {
    return this.#epoch
  }

  /** With everything proposed, committed or not. */
  get image(): MetadataImage {
    return this.#image
  }

  get heartbeats(): BrokerHeartbeats {
    return this.#heartbeats
  }

  /**
   * Begins to lead.
   * @param start.openTransaction  a former controller left a metadata transaction unfinished
   * @returns what to propose first
   */
  activate(
    start: { readonly image: MetadataImage; readonly epoch: number; readonly openTransaction: boolean },
    moment: Moment,
  ): readonly MetadataRecord[] {
    const { config, bootstrap } = this.#options
    this.#epoch = start.epoch
    this.#image = start.image
    this.#heartbeats = this.#newHeartbeats()
    for (const broker of start.image.brokers.values()) {
      this.#heartbeats.register(broker.id, broker.fenced, moment.nowMs)
    }
    this.#nextBalanceMs = config['auto.leader.rebalance.enable'] ? moment.nowMs + this.#balanceIntervalMs() : Infinity
    this.#nextUncleanElectionMs = moment.nowMs + uncleanElectionIntervalMs
    this.#nextTokenSweepMs = this.#tokenSweepAfter(moment.nowMs)
    const records: MetadataRecord[] = []
    if (start.openTransaction) records.push({ type: 'AbortTransaction', reason: 'failover' })
    if (start.image.metadataVersion() === 0) records.push(...withElrSafety(bootstrap ?? bootstrapRecords(), config))
    this.#fold(records, moment)
    return records
  }

  deactivate(): void {
    this.#epoch = undefined
    this.#image = MetadataImage.empty(this.#options.clusterId)
    this.#heartbeats = this.#newHeartbeats()
    this.#nextNoOpMs = this.#nextBalanceMs = this.#nextUncleanElectionMs = this.#nextTokenSweepMs = Infinity
  }

  /** Runs an operation and takes its records into the state. The caller must propose them, all and in this order, or revert or deactivate. */
  run<Request, Reply>(
    operation: Operation<Request, Reply>,
    request: Request,
    moment: Moment,
  ): Outcome<Reply> | Refusal {
    if (this.#epoch === undefined) {
      return refuse('NOT_CONTROLLER', 'This node is not the active controller.')
    }
    const { config, nodeId, random } = this.#options
    const outcome = operation(
      { image: this.#image, heartbeats: this.#heartbeats, config, nodeId, random, ...moment },
      request,
    )
    if (!isRefusal(outcome)) this.#fold(outcome.records, moment)
    return outcome
  }

  /** Goes back to the state before a `run` of which only `proposed` went into the log. */
  revert(before: MetadataImage, proposed: readonly MetadataRecord[], moment: Moment): void {
    if (this.#epoch === undefined) return
    this.#image = before
    this.#fold(proposed, moment)
  }

  /** One piece of work whose time has come; undefined when nothing is due. Call again until then. */
  tick(moment: Moment): readonly MetadataRecord[] | undefined {
    if (this.#epoch === undefined) return undefined
    const { nowMs } = moment
    if (this.#heartbeats.oneStale(nowMs) !== undefined) return this.#work(fenceOneStaleBroker, moment)
    if (nowMs >= this.#nextUncleanElectionMs) {
      this.#nextUncleanElectionMs = nowMs + uncleanElectionIntervalMs
      return this.#work(electUncleanLeaders, moment)
    }
    if (nowMs >= this.#nextTokenSweepMs) {
      this.#nextTokenSweepMs = this.#tokenSweepAfter(nowMs)
      return this.#work(removeExpiredTokens, moment)
    }
    if (nowMs >= this.#nextBalanceMs) {
      const balanced = this.run(balanceLeaders, undefined, moment)
      if (isRefusal(balanced)) return undefined
      this.#nextBalanceMs = balanced.reply.more ? nowMs : nowMs + this.#balanceIntervalMs()
      return balanced.records
    }
    if (nowMs >= this.#nextNoOpMs) {
      const records: MetadataRecord[] = [{ type: 'NoOp' }]
      this.#fold(records, moment)
      return records
    }
    return undefined
  }

  /** When `tick` has to be called next; Infinity when not at all. */
  nextTickMs(): number {
    if (this.#epoch === undefined) return Infinity
    return Math.min(
      this.#heartbeats.nextExpiryMs() ?? Infinity,
      this.#nextBalanceMs,
      this.#nextUncleanElectionMs,
      this.#nextTokenSweepMs,
      this.#nextNoOpMs,
    )
  }

  #work(operation: Operation<undefined, object>, moment: Moment): readonly MetadataRecord[] | undefined {
    const outcome = this.run(operation, undefined, moment)
    return isRefusal(outcome) ? undefined : outcome.records
  }

  #fold(records: readonly MetadataRecord[], { nowMs, nextOffset }: Moment): void {
    const idleMs = this.#options.config['metadata.max.idle.interval.ms']
    const uncleanSetting = (record: MetadataRecord) =>
      record.type === 'Config' && record.name === 'unclean.leader.election.enable'
    if (records.some(uncleanSetting)) this.#nextUncleanElectionMs = nowMs
    if (records.length > 0 || this.#nextNoOpMs === Infinity) this.#nextNoOpMs = idleMs > 0 ? nowMs + idleMs : Infinity
    if (records.length === 0) return
    const before = this.#image
    const at = { offset: nextOffset + records.length - 1, epoch: this.#epoch ?? before.epoch }
    this.#image = applyRecords(before, records, at).image
    for (const id of before.brokers.keys()) if (!this.#image.brokers.has(id)) this.#heartbeats.remove(id)
  }

  #newHeartbeats(): BrokerHeartbeats {
    return new BrokerHeartbeats(this.#options.config['broker.session.timeout.ms'])
  }

  /** Never without a secret: then there are no tokens. */
  #tokenSweepAfter(nowMs: number): number {
    const { config } = this.#options
    return config['delegation.token.secret.key'] === ''
      ? Infinity
      : nowMs + config['delegation.token.expiry.check.interval.ms']
  }

  #balanceIntervalMs(): number {
    return this.#options.config['leader.imbalance.check.interval.seconds'] * 1000
  }
}
