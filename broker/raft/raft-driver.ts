/**
 * Owns the quorum machine of this node and carries out its Readys: quorum-state, log, snapshots, requests, replies, timer, delivery. Decides
 * nothing. A disk that fails here ends the node, as Kafka's controllers do: without its metadata log it can keep no promise. One that is full
 * makes it wait: what it cannot persist it does not say, and what was decided is carried out when there is space. So does a process that has
 * no file descriptor left.
 *
 * A batch of the log that its disk has damaged is given to nobody. Who asks for it is refused, and a leader gives its leadership up, since
 * another voter may have the batch whole; Kafka's leader sends it, and its followers refuse it over and over. A node that needs it for its own
 * state ends, as Kafka's do.
 *
 * Order within one Ready (ready.ts): what must be durable first is written and fsynced before the first reply or request leaves; delivery to
 * the listener comes last, and the listener may propose from within it.
 */
import { DiskError, NetworkError, type Address, type Environment, type Timer } from '../environment/environment.ts'
import { isShortage } from '../log/log-failure.ts'
import type { PartitionLog } from '../log/log.ts'
import { DamagedBatchError } from '../log/read-check.ts'
import type { RequestClient } from '../net/client.ts'
import { ProtocolError, type ErrorName } from '../protocol/errors.ts'
import { Delivery } from './delivery.ts'
import { KraftVersionError } from './kraft-version.ts'
import { MetadataLog } from './metadata-log.ts'
import type { MachineOptions } from './quorum-core.ts'
import { QuorumMachine, type QuorumDescription } from './quorum-machine.ts'
import { QuorumStateFile } from './quorum-state-file.ts'
import type { QuorumRequest, QuorumResponse } from './quorum-messages.ts'
import { apiKeys, requestToWire, responseFromWire } from './quorum-wire.ts'
import type { LeaderAndEpoch, MetadataListener, MetadataQuorum, QuorumConfig } from './raft.ts'
import type { QuorumEvent, Ready, Reply, Send } from './ready.ts'
import { Resumable } from './resumable.ts'
import { readBootstrapRecords } from './snapshot-store.ts'

/** As Kafka: how long the leader holds a fetch without news, how much one fetch brings. */
const fetchMaxWaitMs = 500
const fetchMaxBytes = 8 * 1024 * 1024
/** A snapshot for which there was no space is tried again after that time. */
const snapshotRetryMs = 10_000
/** Committed records that could not be read for want of a descriptor are read again after that time. */
const deliveryRetryMs = 1000
/** A leader that has a damaged batch gives its leadership up at most so often: maybe no other voter can lead. */
const resignAgainMs = 60_000
/** How long a leader that stops waits for the others to hear of it. */
const shutdownTimeoutMs = 5000

export interface RaftDriverOptions {
  readonly environment: Environment
  readonly config: QuorumConfig
  /** Directory id of metadata.log.dir (meta.properties), base64url. */
  readonly directoryId: string
  /** The log of `__cluster_metadata-0`, opened and recovered. */
  readonly log: PartitionLog
  /** metadata.log.dir: where bootstrap.checkpoint may lie. */
  readonly metadataLogDirectory: string
  readonly client: RequestClient
  /** First of controller.listener.names: the name under which this node's address is announced. */
  readonly controllerListenerName: string
}

/** A response of the machine with the bytes it asked to be read for it. */
export interface Answer {
  readonly response: QuorumResponse
  readonly bytes: Buffer | undefined
}

export class RaftDriver implements MetadataQuorum {
  readonly controllerListenerName: string
  /** Records a new cluster begins with; the first controller writes them into the log. */
  readonly bootstrapRecords: readonly Buffer[] | undefined
  private readonly options: RaftDriverOptions
  private readonly environment: Environment
  private readonly metadataLog: MetadataLog
  private readonly stateFile: QuorumStateFile
  private readonly machine: QuorumMachine
  private readonly waiting = new Map<number, (answer: Answer) => void>()
  private delivery: Delivery | undefined
  private timer: { readonly deadlineMs: number; readonly timer: Timer } | undefined
  private lastToken = 0
  private notedState = ''
  /** By voter: the error that it refuses this node with, and that was logged. */
  private readonly refusals = new Map<number, ErrorName>()
  /** Voters whose host name means no address. */
  private readonly unresolved = new Set<number>()
  /** By voter: the epoch that it was not believed, and that was logged. */
  private readonly leaps = new Map<number, number>()
  private isCarryingOut = false
  private isCatchingUp = false
  private deliveryRetry: Timer | undefined
  private resignedForDamageMs = Number.NEGATIVE_INFINITY
  private readonly carrying: Resumable
  /** What came while something was carried out, or waited for space. */
  private delayed: QuorumEvent[] = []
  private snapshotNotBeforeMs = Number.NEGATIVE_INFINITY
  private snapshotInProgress = false
  private lastSnapshotMs: number
  private lifecycle: 'created' | 'running' | 'stopped' = 'created'
  private onStopped: (() => void) | undefined

  constructor(options: RaftDriverOptions) {
    this.options = options
    const { environment, config } = options
    this.environment = environment
    this.controllerListenerName = options.controllerListenerName
    this.metadataLog = new MetadataLog(environment, options.log, {
      persisted: (durableOffset, generation) => this.step({ kind: 'persisted', durableOffset, generation }),
      snapshotReceived: snapshot => this.step({ kind: 'snapshotReceived', snapshot }),
      failed: error => this.diskFailed(error),
    })
    this.carrying = new Resumable(environment, error => this.diskFailed(error))
    const voters = config.voters.map(voter => voter.id)
    this.stateFile = new QuorumStateFile(environment.disk, options.log.directory, voters)
    const nowMs = environment.clock.monotonicMs()
    this.lastSnapshotMs = nowMs
    const recovered = { hardState: this.stateFile.read(), ...this.metadataLog.recover() }
    this.machine = new QuorumMachine(machineOptions(options, voters), recovered, nowMs)
    this.bootstrapRecords = readBootstrapRecords(environment.disk, options.metadataLogDirectory)
  }

  /** Delivers the newest snapshot, then takes part in the quorum. */
  start(listener: MetadataListener): void {
    if (this.lifecycle !== 'created') throw new Error(`expected a quorum that was not started, it is ${this.lifecycle}`)
    this.lifecycle = 'running'
    this.delivery = new Delivery(this.metadataLog, listener, this.options.config.nodeId)
    const latest = this.machine.snapshots.at(-1)
    if (latest !== undefined) this.delivery.loadSnapshot(latest)
    const ready = this.machine.start(this.environment.clock.monotonicMs())
    this.noteRole()
    this.carryOut(ready)
  }

  /** Leaves leadership to another voter if it has it, makes the log durable, and takes part no more. */
  async stop(): Promise<void> {
    if (this.lifecycle !== 'running') return
    // What waits for space is lost as in a crash: nobody was told of it.
    if (this.carrying.isWaiting) return this.finishStop()
    const stopped = new Promise<void>(resolve => {
      this.onStopped = resolve
    })
    this.step({ kind: 'shutdown', timeoutMs: shutdownTimeoutMs })
    await stopped
  }

  get leader(): LeaderAndEpoch {
    return this.machine.leader
  }

  get highWatermark(): number {
    return this.machine.highWatermark
  }

  get logEndOffset(): number {
    return this.machine.logEndOffset
  }

  get logStartOffset(): number {
    return this.machine.logStartOffset
  }

  /** Role of this node in the quorum: unattached, prospective, candidate, leader, follower or resigned. */
  get role(): QuorumMachine['role'] {
    return this.machine.role
  }

  get voterIds(): readonly number[] {
    return this.options.config.voters.map(voter => voter.id)
  }

  leaderAddress(): Address | undefined {
    const { leaderId } = this.machine.leader
    return leaderId === undefined ? undefined : this.addressOf(leaderId)
  }

  addressOf(voterId: number): Address | undefined {
    return this.options.config.voters.find(voter => voter.id === voterId)?.address
  }

  /** Undefined when this node does not lead. */
  describe(): QuorumDescription | undefined {
    return this.lifecycle === 'running' ? this.machine.describe(this.environment.clock.monotonicMs()) : undefined
  }

  /** See MetadataQuorum. Throws when the records do not fit into one batch: the caller must split them. */
  propose(
    epoch: number,
    records: readonly Buffer[],
  ): { readonly baseOffset: number; readonly lastOffset: number } | undefined {
    const bytes = records.reduce((sum, record) => sum + record.length, 0)
    if (bytes > this.options.config.maxBatchBytes) {
      throw new RangeError(
        `expected records of at most ${this.options.config.maxBatchBytes} bytes in one batch, got ${bytes}`,
      )
    }
    if (this.lifecycle === 'running' && this.carrying.isWaiting) {
      // Who was refused takes this node for no leader any more, and must be told of the next one: there has to be a next one.
      this.delayed.push({ kind: 'resign', epoch })
      return undefined
    }
    return this.isRunning ? this.step({ kind: 'propose', epoch, records })?.proposed : undefined
  }

  /**
   * Answers a request of another node. `onGone` tells when the requester is gone (ConnectionInfo.onClose): its parked fetch is then dropped and
   * never resolves. Ask `isRunning` before.
   */
  answer(request: QuorumRequest, onGone?: (run: () => void) => () => void): Promise<Answer> {
    this.lastToken += 1
    const token = this.lastToken
    const answer = new Promise<Answer>(resolve => this.waiting.set(token, resolve))
    this.step({ kind: 'request', token, request })
    if (onGone === undefined || !this.waiting.has(token)) return answer
    const notGone = onGone(() => this.forget(token))
    return answer.finally(notGone)
  }

  get isRunning(): boolean {
    return this.lifecycle === 'running' && !this.carrying.isWaiting
  }

  private forget(token: number): void {
    if (this.waiting.delete(token)) this.step({ kind: 'forget', token })
  }

  private step(event: QuorumEvent): Ready | undefined {
    if (this.lifecycle !== 'running') return undefined
    if (this.carrying.isWaiting) {
      this.delayed.push(event)
      return undefined
    }
    if (this.isCarryingOut) throw new Error(`event ${event.kind} came while another one was carried out`)
    const ready = this.machine.step(event, this.environment.clock.monotonicMs())
    this.noteRole()
    this.carryOut(ready)
    return ready
  }

  private noteRole(): void {
    const { role, epoch } = this.machine
    const { leaderId } = this.machine.leader
    const state = `${role} ${epoch} ${leaderId ?? '-'}`
    if (state === this.notedState) return
    this.notedState = state
    this.environment.log.info('Role in the metadata quorum changed.', {
      role,
      epoch,
      leaderId,
      logEndOffset: this.logEndOffset,
    })
  }

  private carryOut(ready: Ready): void {
    this.carrying.run(this.stepsOf(ready), () => {
      this.deliver(ready)
      if (ready.stopped) this.finishStop()
      this.takeDelayed()
    })
  }

  /** A loop, not a recursion: each step ends here too, and there may be many. */
  private takeDelayed(): void {
    if (this.isCatchingUp) return
    this.isCatchingUp = true
    try {
      while (this.delayed.length > 0 && this.isRunning) {
        const events = this.delayed
        this.delayed = []
        for (const [index, event] of events.entries()) {
          if (!this.isRunning) {
            this.delayed = [...events.slice(index), ...this.delayed]
            return
          }
          this.step(event)
        }
      }
    } finally {
      this.isCatchingUp = false
    }
  }

  /** In the order of ready.ts. */
  private stepsOf(ready: Ready): (() => void)[] {
    const { hardState, truncateTo, startEpoch } = ready
    const persist = [
      ...(hardState === undefined ? [] : [() => this.stateFile.write(hardState)]),
      ...(truncateTo === undefined ? [] : [() => this.metadataLog.truncateTo(truncateTo)]),
      ...ready.snapshotWork.map(work => () => this.metadataLog.carryOut(work)),
      ...(startEpoch === undefined
        ? []
        : [() => this.metadataLog.log.startEpoch(startEpoch.epoch, startEpoch.startOffset)]),
      ...ready.appends.map(append => () => this.metadataLog.append(append)),
      () => {
        for (const reply of ready.replies) this.reply(reply)
        for (const send of ready.sends) this.send(send)
      },
      () => {
        if (ready.flush !== undefined) this.metadataLog.flush(ready.flush)
      },
      () => {
        if (ready.retention !== undefined) this.metadataLog.apply(ready.retention, ready.highWatermark)
      },
      () => {
        this.metadataLog.committed(ready.highWatermark)
        for (const { from, epoch } of ready.leaps) this.noteLeap(from, epoch)
        this.armTimer(ready.deadlineMs)
      },
    ]
    return persist.map(step => () => this.withoutEvents(step))
  }

  private withoutEvents(step: () => void): void {
    this.isCarryingOut = true
    try {
      step()
    } finally {
      this.isCarryingOut = false
    }
  }

  private deliver(ready: Pick<Ready, 'highWatermark' | 'leader'>): void {
    try {
      this.delivery?.advance(ready.highWatermark, ready.leader, this.machine.snapshots.at(-1))
      // All of it, so also what an earlier try could not deliver.
      this.deliveryRetry?.cancel()
      this.deliveryRetry = undefined
      this.snapshotIfDue()
    } catch (error) {
      if (isShortage(error)) return this.deliverAgain(ready.highWatermark)
      if (error instanceof DiskError) this.diskFailed(error)
      if (error instanceof KraftVersionError) this.environment.halt(error.message)
      if (error instanceof DamagedBatchError) this.environment.halt(damagedLog(this.options.log.directory, error))
      throw error
    }
  }

  /** The leader is not said again: if nobody was told yet, that is kept; by then another one may lead. */
  private deliverAgain(highWatermark: number): void {
    this.deliveryRetry?.cancel()
    this.deliveryRetry = this.environment.timers.after(deliveryRetryMs, () => {
      this.deliveryRetry = undefined
      if (this.isRunning) this.deliver({ highWatermark, leader: undefined })
    })
  }

  private reply({ token, response }: Reply): void {
    const resolve = this.waiting.get(token)
    if (resolve === undefined) return
    // Read first: when that has to be done again, somebody still waits for it.
    const answer = this.answerOf(response)
    this.waiting.delete(token)
    resolve(answer)
  }

  private answerOf(response: QuorumResponse): Answer {
    try {
      return { response, bytes: this.readFor(response) }
    } catch (error) {
      if (!(error instanceof DamagedBatchError)) throw error
      this.resignForDamage()
      return { response: { ...response, error: 'CORRUPT_MESSAGE' }, bytes: undefined }
    }
  }

  /** Another voter may have the batch whole. */
  private resignForDamage(): void {
    const nowMs = this.environment.clock.monotonicMs()
    const { epoch } = this.machine
    if (this.voterIds.length === 1 || nowMs - this.resignedForDamageMs < resignAgainMs) return
    this.resignedForDamageMs = nowMs
    this.environment.log.error(
      'The metadata log is damaged where others need it; giving up the leadership of the quorum.',
      {
        epoch,
        advice: `when another voter leads, stop this node, empty ${this.options.log.directory} and start it again`,
      },
    )
    this.delayed.push({ kind: 'resign', epoch })
  }

  private readFor(response: QuorumResponse): Buffer | undefined {
    if (response.kind === 'fetch' && response.read !== undefined) {
      const { log } = this.metadataLog
      const { offset, maxBytes } = response.read
      const bounded = Math.min(maxBytes, fetchMaxBytes)
      const result = log.read(offset, { maxBytes: bounded, untilOffset: log.logEndOffset, atLeastOneBatch: true })
      if ('refused' in result)
        throw new Error(`metadata log: expected offset ${offset} below ${log.logEndOffset} to be readable`)
      return result.records
    }
    if (response.kind === 'fetchSnapshot' && response.snapshotId !== undefined) {
      return this.metadataLog.snapshots.readChunk(response.snapshotId, response.position, response.readBytes)
    }
    return undefined
  }

  private send({ to, requestId, request }: Send): void {
    const { client, config } = this.options
    const address = this.addressOf(to)
    if (address === undefined) throw new Error(`no address of voter ${to}`)
    const local = { listenerName: this.controllerListenerName, address: this.addressOf(config.nodeId) }
    client
      .send<object>(address, apiKeys[request.kind], requestToWire(request, local), {
        timeoutMs: config.requestTimeoutMs,
      })
      .then(({ response }) => responseFromWire(request.kind, response))
      .then(
        response => {
          this.unresolved.delete(to)
          if (response !== undefined) this.noteRefusal(to, request.kind, response.topLevelError)
          if (response === undefined) this.step({ kind: 'failed', from: to, requestId })
          else this.step({ kind: 'response', from: to, requestId, response })
        },
        (error: unknown) => {
          this.environment.log.debug('A request to another voter failed.', {
            to,
            request: request.kind,
            error: String(error),
          })
          const unsupported = error instanceof ProtocolError && error.errorName === 'UNSUPPORTED_VERSION'
          const refused = error instanceof NetworkError && error.code === 'ECONNREFUSED'
          this.noteUnresolved(to, error)
          this.step({ kind: 'failed', from: to, requestId, unsupported, refused })
        },
      )
      .catch((error: unknown) => this.environment.halt(`The metadata quorum failed: ${describeError(error)}`))
  }

  /**
   * A voter that refuses everything from this node will do so until somebody changes a setting: without a word here the node would only
   * seem to wait. Said once, since it is asked again after every backoff. A voter that still starts is no news.
   */
  private noteRefusal(voter: number, request: QuorumRequest['kind'], error: ErrorName): void {
    if (error === 'NONE') this.refusals.delete(voter)
    if (error === 'NONE' || error === 'BROKER_NOT_AVAILABLE' || this.refusals.get(voter) === error) return
    this.refusals.set(voter, error)
    const advice =
      error === 'INCONSISTENT_CLUSTER_ID'
        ? {
            advice: 'it is of another cluster: compare cluster.id in meta.properties, and see controller.quorum.voters',
          }
        : {}
    this.environment.log.error('A voter of the metadata quorum refuses this node; trying again.', {
      voter,
      address: this.addressOf(voter),
      request,
      error,
      ...advice,
    })
  }

  /** A mistyped name, or a container that is still to come. Said once, until the voter answers. */
  private noteUnresolved(voter: number, error: unknown): void {
    const isName = error instanceof NetworkError && ['ENOTFOUND', 'EAI_AGAIN'].includes(error.code)
    if (!isName || this.unresolved.has(voter)) return
    this.unresolved.add(voter)
    this.environment.log.warn('The host name of a voter of the metadata quorum means no address; trying again.', {
      voter,
      address: this.addressOf(voter),
      advice: 'see controller.quorum.voters; the name of a container is known once it runs',
    })
  }

  /** Said once for each epoch, like a refusal. */
  private noteLeap(voter: number, epoch: number): void {
    if (this.leaps.get(voter) === epoch) return
    this.leaps.set(voter, epoch)
    this.environment.log.warn('Ignored a voter of the metadata quorum: its epoch is too far ahead to be believed.', {
      voter,
      address: this.addressOf(voter),
      epoch,
      ownEpoch: this.machine.epoch,
    })
  }

  private armTimer(deadlineMs: number): void {
    if (this.timer?.deadlineMs === deadlineMs) return
    this.timer?.timer.cancel()
    this.timer = undefined
    if (deadlineMs === Infinity) return
    const delayMs = Math.max(0, deadlineMs - this.environment.clock.monotonicMs())
    const timer = this.environment.timers.after(delayMs, () => {
      this.timer = undefined
      this.step({ kind: 'tick' })
    })
    this.timer = { deadlineMs, timer }
  }

  private snapshotIfDue(): void {
    const { delivery, options } = this
    if (delivery === undefined || this.snapshotInProgress || this.lifecycle !== 'running') return
    if (delivery.isBusy || delivery.bytesSinceSnapshot === 0) return
    const { snapshotAfterBytes, snapshotAfterMs } = options.config
    const nowMs = this.environment.clock.monotonicMs()
    if (nowMs < this.snapshotNotBeforeMs) return
    const isDue =
      delivery.bytesSinceSnapshot >= snapshotAfterBytes ||
      (snapshotAfterMs > 0 && nowMs - this.lastSnapshotMs >= snapshotAfterMs)
    if (isDue) this.writeSnapshot(delivery, nowMs)
  }

  private writeSnapshot(delivery: Delivery, nowMs: number): void {
    const id = { endOffset: delivery.nextOffset, epoch: delivery.lastEpoch }
    const records = delivery.snapshotRecords()
    const { bytesSinceSnapshot } = delivery
    this.snapshotInProgress = true
    this.lastSnapshotMs = nowMs
    delivery.bytesSinceSnapshot = 0
    const wallMs = this.environment.clock.wallMs()
    const content = { records, wallMs, lastContainedLogTimestamp: delivery.lastAppendTimeMs }
    try {
      this.metadataLog.snapshots.write(id, content, result => {
        this.snapshotInProgress = false
        if ('error' in result && isShortage(result.error)) return this.snapshotLater(delivery, bytesSinceSnapshot)
        if ('error' in result) return this.diskFailed(result.error)
        this.environment.log.info('Wrote a snapshot of the metadata log.', { ...result.snapshot })
        this.step({ kind: 'snapshotCreated', snapshot: result.snapshot })
      })
    } catch (error) {
      if (!isShortage(error)) throw error
      this.snapshotInProgress = false
      this.snapshotLater(delivery, bytesSinceSnapshot)
    }
  }

  private snapshotLater(delivery: Delivery, bytesSinceSnapshot: number): void {
    this.snapshotNotBeforeMs = this.environment.clock.monotonicMs() + snapshotRetryMs
    delivery.bytesSinceSnapshot += bytesSinceSnapshot
    const retryMs = snapshotRetryMs
    this.environment.log.warn('No space, or no descriptor, for a snapshot of the metadata log; trying again.', {
      retryMs,
    })
  }

  private finishStop(): void {
    this.lifecycle = 'stopped'
    this.timer?.timer.cancel()
    this.timer = undefined
    this.carrying.stop()
    this.deliveryRetry?.cancel()
    try {
      this.metadataLog.stop()
    } catch (error) {
      // A start checks what is above the recovery point.
      if (isShortage(error)) this.environment.log.warn('Stopped without a last flush.', { reason: String(error) })
      else if (error instanceof DiskError) this.diskFailed(error)
      else throw error
    }
    this.onStopped?.()
  }

  private diskFailed(error: Error): never {
    return this.environment.halt(`The disk of the metadata log failed: ${describeError(error)}`)
  }
}

function machineOptions(options: RaftDriverOptions, voters: readonly number[]): MachineOptions {
  const { config, environment, directoryId } = options
  const {
    nodeId,
    clusterId,
    electionTimeoutMs,
    electionBackoffMaxMs,
    fetchTimeoutMs,
    requestTimeoutMs,
    retryBackoffMs,
  } = config
  const { firstElectionWithinMs } = config
  const timeouts = {
    electionTimeoutMs,
    firstElectionWithinMs,
    electionBackoffMaxMs,
    fetchTimeoutMs,
    requestTimeoutMs,
    retryBackoffMs,
  }
  return {
    nodeId,
    clusterId,
    directoryId,
    voters,
    ...timeouts,
    fetchMaxWaitMs,
    fetchMaxBytes,
    random: environment.random,
  }
}

/** As for any metadata log that cannot be read: the other voters have what is in it. */
function damagedLog(directory: string, { message }: DamagedBatchError): string {
  return `The metadata log of this node is damaged: ${message}. If the other voters are healthy, empty ${directory} and start again: it is copied from them.`
}

function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
