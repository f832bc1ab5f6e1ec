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
import { errorName } from '../protocol/errors.ts'
import type { BrokerRegistrationResponse } from '../protocol/messages/62-broker-registration.ts'
import type { BrokerHeartbeatResponse } from '../protocol/messages/63-broker-heartbeat.ts'
import type { MetadataQuorum } from '../raft/raft.ts'
import { BrokerLifecycleMachine } from './broker-lifecycle-machine.ts'
import type { BrokerState, HeartbeatBody, LifecycleEffect } from './broker-lifecycle-machine.ts'
import { featureRanges } from './features.ts'
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

  /** A log directory broke: the controller moves its leaderships away. */
  directoryFailed(id: Uuid): void {
    this.#run(this.#machine.directoryFailed(id))
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
    const response = await this.#send<BrokerRegistrationResponse>(brokerRegistrationKey, body)
    if (typeof response === 'string') return this.#registrationFailed(response)
    if (response.errorCode !== 0) return this.#registrationFailed(errorName(response.errorCode))
    this.#options.environment.log.info('Registered with the controller.', { brokerEpoch: response.brokerEpoch })
    this.#run(this.#machine.registrationAnswered({ brokerEpoch: response.brokerEpoch }))
  }

  #registrationFailed(reason: string): void {
    this.#options.environment.log.info('The controller did not accept the registration; trying again.', { reason })
    this.#run(this.#machine.registrationAnswered({ failed: reason }))
  }

  async #heartbeat(body: HeartbeatBody): Promise<void> {
    const { nodeId, metadataOffset, environment } = this.#options
    const request = { brokerId: nodeId, currentMetadataOffset: metadataOffset(), ...body }
    const response = await this.#send<BrokerHeartbeatResponse>(brokerHeartbeatKey, request)
    const failed =
      typeof response === 'string' ? 'NETWORK' : response.errorCode === 0 ? undefined : errorName(response.errorCode)
    if (failed !== undefined) {
      environment.log.warn('A heartbeat failed; trying again.', {
        reason: typeof response === 'string' ? response : failed,
      })
    }
    if (failed !== undefined || typeof response === 'string') {
      this.#run(this.#machine.heartbeatAnswered({ failed: failed ?? 'NETWORK' }))
      return
    }
    const { isCaughtUp, isFenced, shouldShutDown } = response
    this.#run(this.#machine.heartbeatAnswered({ isCaughtUp, isFenced, shouldShutDown }))
  }

  /** The response, or in words why there is none. */
  async #send<Response>(apiKey: number, body: object): Promise<Response | string> {
    const address = this.#options.quorum.leaderAddress()
    if (address === undefined) return 'no active controller is known'
    // Two chances within a session.
    const timeoutMs = Math.floor(this.#options.config['broker.session.timeout.ms'] / 2)
    try {
      return (await this.#options.client.send<Response>(address, apiKey, body, { timeoutMs })).response
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      return error.message
    }
  }
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
