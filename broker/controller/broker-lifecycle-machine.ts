/**
 * How a broker becomes and stays a member of the cluster, as a machine: what it tells the controller, and when. States as Kafka's:
 *
 *   NOT_RUNNING --start--> STARTING --caught up with the metadata log--> RECOVERY --unfenced--> RUNNING
 *   RUNNING --begin shutdown--> PENDING_CONTROLLED_SHUTDOWN --controller agrees--> SHUTTING_DOWN
 *   any other state --begin shutdown--> SHUTTING_DOWN
 *
 * Must never have more than one request under way. Registering again after STALE_BROKER_EPOCH keeps the incarnation id: it is the same
 * process, which has lost nothing.
 * Source: KIP-631 "Broker Startup", "Broker Shutdown"; Kafka's BrokerLifecycleManager.
 */
import type { ErrorName } from '../protocol/errors.ts'
import type { Uuid } from './metadata-record.ts'

export type BrokerState =
  'NOT_RUNNING' | 'STARTING' | 'RECOVERY' | 'RUNNING' | 'PENDING_CONTROLLED_SHUTDOWN' | 'SHUTTING_DOWN'

/** As Kafka's metric kafka.server:type=KafkaServer,name=BrokerState. */
export const brokerStateIds: Readonly<Record<BrokerState, number>> = {
  NOT_RUNNING: 0,
  STARTING: 1,
  RECOVERY: 2,
  RUNNING: 3,
  PENDING_CONTROLLED_SHUTDOWN: 6,
  SHUTTING_DOWN: 7,
}

export interface HeartbeatBody {
  readonly brokerEpoch: number
  readonly wantFence: boolean
  readonly wantShutDown: boolean
  readonly offlineLogDirs: readonly Uuid[]
  /** Null while the metadata.version has none. */
  readonly cordonedLogDirs: readonly Uuid[] | null
}

export type LifecycleEffect =
  | { readonly kind: 'register' }
  | { readonly kind: 'heartbeat'; readonly body: HeartbeatBody }
  /** Call `wake` after this time; replaces an earlier wake. */
  | { readonly kind: 'wakeAfter'; readonly delayMs: number }
  | { readonly kind: 'reached'; readonly milestone: 'caughtUp' | 'unfenced' | 'mayStop' }
  | { readonly kind: 'giveUp'; readonly reason: string }

export interface LifecycleTiming {
  readonly heartbeatIntervalMs: number
  readonly registrationTimeoutMs: number
}

export type RegistrationAnswer = { readonly brokerEpoch: number } | { readonly failed: ErrorName | NoAnswer }
/** NO_CONTROLLER: nothing was sent, since nobody knows of an active controller. */
export type NoAnswer = 'NETWORK' | 'NO_CONTROLLER'
export type HeartbeatAnswer =
  | { readonly isCaughtUp: boolean; readonly isFenced: boolean; readonly shouldShutDown: boolean }
  | { readonly failed: ErrorName | NoAnswer }

const firstBackoffMs = 100
/** Soon again, in case there is nothing to recover. */
const startingIntervalMs = 10
const shutdownIntervalMs = 50
const noControllerIntervalMs = 50

export class BrokerLifecycleMachine {
  readonly #timing: LifecycleTiming
  readonly #offlineDirectories = new Set<Uuid>()
  #cordonedDirectories: readonly Uuid[] | null = null
  #state: BrokerState = 'NOT_RUNNING'
  #brokerEpoch = -1
  #registered = false
  #everRegistered = false
  #readyToUnfence = false
  #inFlight = false
  #againAtOnce = false
  #failures = 0
  #lastFailure: ErrorName | NoAnswer = 'NO_CONTROLLER'
  #giveUpAtMs = Infinity
  #shutdownAnswers = 0

  constructor(timing: LifecycleTiming) {
    this.#timing = timing
  }

  get state(): BrokerState {
    return this.#state
  }

  /** Of the last registration, -1 before the first. */
  get brokerEpoch(): number {
    return this.#brokerEpoch
  }

  start(nowMs: number): LifecycleEffect[] {
    this.#state = 'STARTING'
    this.#giveUpAtMs = nowMs + this.#timing.registrationTimeoutMs
    return this.#communicate()
  }

  /** Everything that has to be in place before clients come is in place. */
  readyToUnfence(): LifecycleEffect[] {
    this.#readyToUnfence = true
    return this.#atOnce()
  }

  /** Empty ids, of directories that failed before theirs was read, are left out: no request can name them. */
  directoryFailed(id: Uuid): LifecycleEffect[] {
    if (id === '') return []
    this.#offlineDirectories.add(id)
    return this.#registered ? this.#atOnce() : []
  }

  /** These get no new replicas from now on (KIP-1066); null: the metadata.version has none. */
  directoriesCordoned(ids: readonly Uuid[] | null): LifecycleEffect[] {
    const isChanged = JSON.stringify(ids) !== JSON.stringify(this.#cordonedDirectories)
    this.#cordonedDirectories = ids
    return isChanged && this.#registered ? this.#atOnce() : []
  }

  /** The registration says too little: it is made again, by the same incarnation, so that the epoch stays. */
  refreshRegistration(): LifecycleEffect[] {
    if (!this.#registered) return []
    this.#registered = false
    return this.#atOnce()
  }

  beginShutdown(): LifecycleEffect[] {
    if (this.#state === 'RUNNING') {
      this.#state = 'PENDING_CONTROLLED_SHUTDOWN'
      return this.#atOnce()
    }
    if (this.#state === 'PENDING_CONTROLLED_SHUTDOWN') return []
    this.#state = 'SHUTTING_DOWN'
    return [{ kind: 'reached', milestone: 'mayStop' }]
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#state = 'SHUTTING_DOWN'
  }

  wake(nowMs: number): LifecycleEffect[] {
    if (this.#inFlight || this.#isOver()) return []
    if (!this.#everRegistered && nowMs >= this.#giveUpAtMs) {
      return [
        {
          kind: 'giveUp',
          reason: `no controller accepted the registration of this broker in time: ${this.#lastFailure}`,
        },
      ]
    }
    return this.#communicate()
  }

  registrationAnswered(answer: RegistrationAnswer): LifecycleEffect[] {
    this.#inFlight = false
    if (this.#isOver()) return []
    if ('failed' in answer) return this.#backOff(answer.failed)
    this.#failures = 0
    this.#brokerEpoch = answer.brokerEpoch
    this.#registered = this.#everRegistered = true
    return this.#communicate()
  }

  heartbeatAnswered(answer: HeartbeatAnswer): LifecycleEffect[] {
    this.#inFlight = false
    if (this.#isOver()) return []
    if ('failed' in answer) {
      const forgotten = answer.failed === 'STALE_BROKER_EPOCH' || answer.failed === 'BROKER_ID_NOT_REGISTERED'
      if (forgotten) this.#registered = false
      return this.#backOff(answer.failed)
    }
    this.#failures = 0
    if (this.#state === 'PENDING_CONTROLLED_SHUTDOWN') return this.#shutdownAnswered(answer.shouldShutDown)
    if (this.#state === 'STARTING') {
      if (!answer.isCaughtUp) return this.#next(startingIntervalMs)
      this.#state = 'RECOVERY'
      return [{ kind: 'reached', milestone: 'caughtUp' }, ...this.#next(startingIntervalMs)]
    }
    if (this.#state === 'RECOVERY' && !answer.isFenced) {
      this.#state = 'RUNNING'
      return [{ kind: 'reached', milestone: 'unfenced' }, ...this.#next(this.#timing.heartbeatIntervalMs)]
    }
    return this.#next(this.#timing.heartbeatIntervalMs)
  }

  #shutdownAnswered(granted: boolean): LifecycleEffect[] {
    if (granted) {
      this.#state = 'SHUTTING_DOWN'
      return [{ kind: 'reached', milestone: 'mayStop' }]
    }
    // The others learn of their new leaderships within milliseconds: the first questions come fast.
    this.#shutdownAnswers++
    const soon = Math.min(shutdownIntervalMs * this.#shutdownAnswers, this.#timing.heartbeatIntervalMs)
    return this.#next(soon)
  }

  #isOver(): boolean {
    return this.#state === 'SHUTTING_DOWN' || this.#state === 'NOT_RUNNING'
  }

  #atOnce(): LifecycleEffect[] {
    if (this.#isOver()) return []
    if (this.#inFlight) {
      this.#againAtOnce = true
      return []
    }
    return this.#next(0)
  }

  #next(delayMs: number): LifecycleEffect[] {
    const adjustedMs = this.#againAtOnce ? 0 : delayMs
    this.#againAtOnce = false
    return [{ kind: 'wakeAfter', delayMs: adjustedMs }]
  }

  /** Never at once after a failure. Ends at the heartbeat interval, so that a new controller is found before our session ends. */
  #backOff(reason: ErrorName | NoAnswer): LifecycleEffect[] {
    this.#againAtOnce = false
    this.#lastFailure = reason
    // Looking whether there is a controller now costs nothing.
    if (reason === 'NO_CONTROLLER') return [{ kind: 'wakeAfter', delayMs: noControllerIntervalMs }]
    const delayMs = Math.min(firstBackoffMs * 2 ** this.#failures, this.#timing.heartbeatIntervalMs)
    this.#failures = Math.min(this.#failures + 1, 20)
    return [{ kind: 'wakeAfter', delayMs }]
  }

  #communicate(): LifecycleEffect[] {
    this.#inFlight = true
    if (!this.#registered) return [{ kind: 'register' }]
    const body = {
      brokerEpoch: this.#brokerEpoch,
      wantFence: !this.#readyToUnfence,
      wantShutDown: this.#state === 'PENDING_CONTROLLED_SHUTDOWN',
      offlineLogDirs: [...this.#offlineDirectories],
      cordonedLogDirs: this.#cordonedDirectories,
    }
    return [{ kind: 'heartbeat', body }]
  }
}
