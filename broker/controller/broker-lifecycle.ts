/**
 * Drives the broker lifecycle machine: registers this broker with the active controller, sends its heartbeats, and tells the node when it
 * has caught up with the metadata log, when it is unfenced, and when it may stop.
 * Must be started only after the listeners are bound and the log directories are opened: the controller takes a registration with the
 * same endpoints and directories as proof that a former process of this broker is gone.
 * Source: KIP-631; Kafka's BrokerLifecycleManager.
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Environment, Timer } from '../environment/environment.ts'
import { NetworkError } from '../environment/environment.ts'
import type { RequestClient } from '../net/client.ts'
import { errorName, type ErrorName } from '../protocol/errors.ts'
import type { BrokerRegistrationResponse } from '../protocol/messages/62-broker-registration.ts'
import type { BrokerHeartbeatResponse } from '../protocol/messages/63-broker-heartbeat.ts'
import type { MetadataQuorum } from '../raft/raft.ts'
import { BrokerLifecycleMachine } from './broker-lifecycle-machine.ts'
import type { BrokerState, HeartbeatBody, LifecycleEffect, NoAnswer } from './broker-lifecycle-machine.ts'
import { featureRanges, metadataVersionOf } from './features.ts'
import type { MetadataDelta, MetadataImage } from './image.ts'
import type { Endpoint, Uuid } from './metadata-record.ts'
import { randomUuid } from './uuid.ts'

const brokerRegistrationKey = 62
const brokerHeartbeatKey = 63

export interface BrokerLifecycleOptions {
  readonly environment: Environment
  readonly config: BrokerConfig
  readonly client: RequestClient
  readonly quorum: Pick<MetadataQuorum, 'leaderAddress'>
  readonly nodeId: number
  readonly clusterId: string
  /** Advertised endpoints of the broker listeners. */
  readonly listeners: readonly Endpoint[]
  /** Ids of the log directories that work. */
  readonly directories: readonly Uuid[]
  /** Last offset of the metadata log that this broker has applied, -1 before the first. */
  readonly metadataOffset: () => number
  /** From the clean-shutdown file, -1 after an unclean stop. */
  readonly previousBrokerEpoch?: number
}

export class BrokerLifecycle {
  /** New with every start of the process. */
  readonly incarnationId: Uuid
  readonly #options: BrokerLifecycleOptions
  readonly #machine: BrokerLifecycleMachine
  readonly #milestones = { caughtUp: new Milestone(), unfenced: new Milestone(), mayStop: new Milestone() }
  #timer: Timer | undefined

  constructor(options: BrokerLifecycleOptions) {
    this.#options = options
    this.incarnationId = randomUuid(options.environment.random)
    this.#machine = new BrokerLifecycleMachine({
      heartbeatIntervalMs: options.config['broker.heartbeat.interval.ms'],
      registrationTimeoutMs: options.config['initial.broker.registration.timeout.ms'],
    })
  }

  get state(): BrokerState {
    return this.#machine.state
  }

  /** -1 before the first registration. */
  get brokerEpoch(): number {
    return this.#machine.brokerEpoch
  }

  /** Registers. Resolves when this broker has read the metadata log up to its own registration. */
  start(): Promise<void> {
    this.#run(this.#machine.start(this.#nowMs()))
    return this.#milestones.caughtUp.reached
  }

  /** Asks to be unfenced; call when everything is ready for clients. Resolves when it is granted. */
  readyToUnfence(): Promise<void> {
    this.#run(this.#machine.readyToUnfence())
    return this.#milestones.unfenced.reached
  }

  /**
   * To be told of every change of the metadata. A registration from before metadata.version 3.7-IV2 names no directories; once the level
   * allows it, they are registered.
   */
  metadataApplied(image: MetadataImage, delta: MetadataDelta): void {
    const { nodeId } = this.#options
    const isChanged = delta.changedFeatures.has('metadata.version') || delta.changedBrokers.has(nodeId)
    if (!isChanged || image.metadataVersion() < metadataVersionOf.directories) return
    const own = image.brokers.get(nodeId)
    if (own?.incarnationId !== this.incarnationId || own.directories.length > 0) return
    this.#options.environment.log.info('Registering the log directories, which this metadata.version has.')
    this.#run(this.#machine.refreshRegistration())
  }

  /** A log directory broke: the controller moves its leaderships away. */
  directoryFailed(id: Uuid): void {
    this.#run(this.#machine.directoryFailed(id))
  }

  /** Log directories that shall get no new replicas; null while the metadata.version has no such thing. */
  directoriesCordoned(ids: readonly Uuid[] | null): void {
    this.#run(this.#machine.directoriesCordoned(ids))
  }

  /**
   * Asks the controller to move all leaderships away. Resolves when it is safe to stop, or with 'timeout' when the controller did not
   * agree in time.
   */
  beginControlledShutdown(timeoutMs: number): Promise<'granted' | 'timeout'> {
    this.#run(this.#machine.beginShutdown())
    return new Promise(resolve => {
      const timer = this.#options.environment.timers.after(timeoutMs, () => resolve('timeout'))
      void this.#milestones.mayStop.reached.then(() => {
        timer.cancel()
        resolve('granted')
      })
    })
  }

  /** No more heartbeats. */
  stop(): void {
    this.#machine.stop()
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #nowMs(): number {
    return this.#options.environment.clock.monotonicMs()
  }

  #run(effects: readonly LifecycleEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'register':
          void this.#register()
          break
        case 'heartbeat':
          void this.#heartbeat(effect.body)
          break
        case 'wakeAfter':
          this.#timer?.cancel()
          this.#timer = this.#options.environment.timers.after(effect.delayMs, () => {
            this.#run(this.#machine.wake(this.#nowMs()))
          })
          break
        case 'reached':
          this.#options.environment.log.info('Broker state changed.', {
            milestone: effect.milestone,
            state: this.state,
          })
          this.#milestones[effect.milestone].reach()
          break
        case 'giveUp':
          this.#options.environment.halt(effect.reason)
      }
    }
  }

  async #register(): Promise<void> {
    const { config, nodeId, clusterId, listeners, directories, previousBrokerEpoch } = this.#options
    const rack = config['broker.rack']
    const body = {
      brokerId: nodeId,
      clusterId,
      incarnationId: this.incarnationId,
      listeners,
      features: featureRanges(),
      rack: rack === '' ? null : rack,
      isMigratingZkBroker: false,
      logDirs: [...directories].sort(),
      previousBrokerEpoch: previousBrokerEpoch ?? -1,
    }
    const answer = await this.#send(brokerRegistrationKey, body)
    if ('failed' in answer) {
      const advice = registrationAdvice[answer.failed]
      const more = advice === undefined ? {} : { advice: advice(nodeId, config['broker.session.timeout.ms']) }
      this.#logFailure('The controller did not accept the registration; trying again.', answer, more)
      this.#run(this.#machine.registrationAnswered(answer))
      return
    }
    const { brokerEpoch } = answer.response as BrokerRegistrationResponse
    this.#options.environment.log.info('Registered with the controller.', { brokerEpoch })
    this.#run(this.#machine.registrationAnswered({ brokerEpoch }))
  }

  async #heartbeat(body: HeartbeatBody): Promise<void> {
    const { nodeId, metadataOffset } = this.#options
    const request = { brokerId: nodeId, currentMetadataOffset: metadataOffset(), ...body }
    const answer = await this.#send(brokerHeartbeatKey, request)
    if ('failed' in answer) {
      this.#logFailure('A heartbeat failed; trying again.', answer)
      this.#run(this.#machine.heartbeatAnswered(answer))
      return
    }
    const { isCaughtUp, isFenced, shouldShutDown } = answer.response as BrokerHeartbeatResponse
    this.#run(this.#machine.heartbeatAnswered({ isCaughtUp, isFenced, shouldShutDown }))
  }

  #logFailure(message: string, failure: Failure, more: { readonly advice?: string } = {}): void {
    const { log } = this.#options.environment
    const fields = { reason: failure.failed, detail: failure.detail, ...more }
    // Between two controllers this is how it has to be.
    if (failure.failed === 'NO_CONTROLLER' || failure.failed === 'NOT_CONTROLLER') log.debug(message, fields)
    else log.warn(message, fields)
  }

  async #send(apiKey: number, body: object): Promise<{ readonly response: { readonly errorCode: number } } | Failure> {
    const { quorum, client, config } = this.#options
    const address = quorum.leaderAddress()
    if (address === undefined) return { failed: 'NO_CONTROLLER', detail: 'no active controller is known' }
    // Two chances within a session.
    const timeoutMs = Math.floor(config['broker.session.timeout.ms'] / 2)
    try {
      const { response } = await client.send<{ readonly errorCode: number }>(address, apiKey, body, { timeoutMs })
      if (response.errorCode === 0) return { response }
      return { failed: errorName(response.errorCode), detail: `answered by ${address.host}:${address.port}` }
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      return { failed: 'NETWORK', detail: error.message }
    }
  }
}

interface Failure {
  readonly failed: ErrorName | NoAnswer
  readonly detail: string
}

/** What to do about refusals that do not end by waiting alone. */
const registrationAdvice: Partial<Record<ErrorName | NoAnswer, (nodeId: number, sessionMs: number) => string>> = {
  DUPLICATE_BROKER_REGISTRATION: (nodeId, sessionMs) =>
    `another broker with node.id ${nodeId} is alive, or was until a moment ago, at other addresses or with other directories: ` +
    `stop it, or give this one a node.id of its own; if it is gone, this one is let in within ${sessionMs} ms (broker.session.timeout.ms)`,
  INCONSISTENT_CLUSTER_ID: () =>
    'the controllers are of another cluster: compare cluster.id in meta.properties, and see controller.quorum.voters',
}

class Milestone {
  readonly reached: Promise<void>
  #resolve: () => void = () => undefined
  constructor() {
    this.reached = new Promise(resolve => {
      this.#resolve = resolve
    })
  }
  reach(): void {
    this.#resolve()
  }
}
