/**
 * The driver of the share partitions that this broker leads: loads the state of a partition when a group first reads it, feeds requests and time
 * to its machine, writes what it asks for, and forgets it when the leadership moves. Decides nothing itself. Source: KIP-932.
 */
import type { BrokerConfig } from '../../config/broker-config.ts'
import type { MetadataImage } from '../../controller/image.ts'
import type { Environment, Timer } from '../../environment/environment.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import type { LocalReplica } from '../../replication/local-replica.ts'
import { findOffset, offsetTimestamps } from '../../replication/offset-lookup.ts'
import type { ReplicaManager } from '../../replication/replica-manager.ts'
import type { SharePersister } from '../share/persister.ts'
import { coordinatorKey, type ShareKey } from '../share/share-records.ts'
import type { Acknowledgement } from './acknowledge.ts'
import { shareGroupSettings, type ShareGroupSettings } from './group-settings.ts'
import { SharePartition, type AcknowledgeOutcome } from './share-partition.ts'
import type { SharePlace } from './share-sessions.ts'

export interface SharePartitionsOptions {
  readonly environment: Environment
  readonly config: () => BrokerConfig
  readonly metadata: () => MetadataImage
  readonly replicas: Pick<ReplicaManager, 'find' | 'park' | 'wake'>
  readonly persister: Pick<SharePersister, 'read' | 'write'>
}

export interface Opened {
  readonly key: ShareKey
  readonly replica: LocalReplica
  readonly leaderEpoch: number
  /** Undefined while its state is being read. */
  machine: SharePartition | undefined
  /** Why it could not be read. */
  failed: AcknowledgeOutcome | undefined
  timer: Timer | undefined
  timerMs: number
}

export class SharePartitions {
  readonly options: SharePartitionsOptions
  readonly #opened = new Map<string, Opened>()

  constructor(options: SharePartitionsOptions) {
    this.options = options
  }

  stop(): void {
    for (const opened of [...this.#opened.values()]) this.#forget(opened)
  }

  settings(groupId: string): ShareGroupSettings {
    return shareGroupSettings(this.options.metadata(), this.options.config(), groupId)
  }

  /** The share partition, loaded or about to be, or why it is not here. A failure to load is told once; then it is tried again. */
  open(groupId: string, place: SharePlace): Opened | AcknowledgeOutcome {
    const replica = this.#replicaOf(place)
    if (typeof replica === 'string') return { error: replica }
    const key = { groupId, topicId: place.topicId, partition: place.partition }
    const known = this.#current(key, replica)
    if (known !== undefined) {
      if (known.failed === undefined) return known
      this.#forget(known)
      return known.failed
    }
    const { leaderEpoch } = replica.machine
    const opened: Opened = {
      key,
      replica,
      leaderEpoch,
      machine: undefined,
      failed: undefined,
      timer: undefined,
      timerMs: Infinity,
    }
    this.#opened.set(coordinatorKey(key), opened)
    void this.#load(opened)
    return opened
  }

  /** Still what `open` would return, and not known to have failed. Whoever waits asks this: a failure is for the one who is told of it. */
  isGood(opened: Opened): boolean {
    const { replica, leaderEpoch, failed, key } = opened
    if (failed !== undefined || !this.#isCurrent(opened)) return false
    return this.#replicaOf(key) === replica && replica.machine.leaderEpoch === leaderEpoch
  }

  #replicaOf({ topicId, partition }: SharePlace): LocalReplica | ErrorName {
    const topic = this.options.metadata().topicsById.get(topicId)
    if (topic === undefined) return 'UNKNOWN_TOPIC_ID'
    const replica = this.options.replicas.find(topic.name, partition, topicId)
    if (typeof replica === 'string') return replica
    return replica.machine.role === 'leader' ? replica : 'NOT_LEADER_OR_FOLLOWER'
  }

  #current(key: ShareKey, replica: LocalReplica): Opened | undefined {
    const known = this.#opened.get(coordinatorKey(key))
    if (known === undefined || (known.replica === replica && known.leaderEpoch === replica.machine.leaderEpoch))
      return known
    this.#forget(known)
    return undefined
  }

  #isCurrent(opened: Opened): boolean {
    return this.#opened.get(coordinatorKey(opened.key)) === opened
  }

  async #load(opened: Opened): Promise<void> {
    const { key, replica, leaderEpoch } = opened
    const state = await this.options.persister.read(key, leaderEpoch)
    if (!this.#isCurrent(opened)) return
    if ('error' in state) opened.failed = leaderError(state)
    else {
      const start = state.startOffset === -1 ? this.#firstOffset(key.groupId, replica) : state.startOffset
      if (typeof start === 'string') opened.failed = { error: start }
      else {
        opened.machine = new SharePartition(state, start, () => this.settings(key.groupId))
        this.step(opened, () => undefined)
      }
    }
    this.options.replicas.wake(replica)
  }

  /** Where the group begins to read. */
  #firstOffset(groupId: string, replica: LocalReplica): number | ErrorName {
    const { autoOffsetReset: reset } = this.settings(groupId)
    const find = (timestamp: number): number | ErrorName => {
      const query = { timestamp, currentLeaderEpoch: -1, onlyLeader: true, isolation: 'high-watermark' as const }
      const found = findOffset(replica, query)
      return 'error' in found ? found.error : found.offset
    }
    if (reset.kind === 'earliest') return find(offsetTimestamps.earliest)
    const found =
      reset.kind === 'latest' ? -1 : find(Math.max(0, this.options.environment.clock.wallMs() - reset.durationMs))
    // No record is that young.
    return found === -1 ? find(offsetTimestamps.latest) : found
  }

  // ------------------------------------------------------------------------------------------------------ steps

  /** A step of a loaded share partition: afterwards its effects are on their way. */
  step<Result>(opened: Opened, run: (machine: SharePartition, nowMs: number) => Result): Result | undefined {
    const { machine, replica } = opened
    if (machine === undefined) return undefined
    machine.logStartRaised(replica.log.logStartOffset)
    const result = run(machine, this.options.environment.clock.monotonicMs())
    this.#perform(opened, machine)
    this.#arm(opened, machine)
    return result
  }

  #perform(opened: Opened, machine: SharePartition): void {
    for (const effect of machine.takeEffects()) {
      if (effect.kind === 'reply') effect.send()
      else if (effect.kind === 'wake') this.options.replicas.wake(opened.replica)
      else if (effect.kind === 'fenced') this.#forget(opened)
      else {
        const update = { ...effect.write, leaderEpoch: opened.leaderEpoch }
        void this.options.persister.write(opened.key, update).then(refused => {
          const { error } = leaderError(refused)
          this.step(opened, () => effect.done(error))
        })
      }
    }
  }

  #arm(opened: Opened, machine: SharePartition): void {
    const deadlineMs = machine.deadlineMs()
    if (opened.timer !== undefined && opened.timerMs <= deadlineMs) return
    opened.timer?.cancel()
    opened.timer = undefined
    if (deadlineMs === Infinity || !this.#isCurrent(opened)) return
    const { clock, timers } = this.options.environment
    opened.timerMs = deadlineMs
    opened.timer = timers.after(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
      opened.timer = undefined
      if (this.#isCurrent(opened)) this.step(opened, (stepped, nowMs) => stepped.tick(nowMs))
    })
  }

  #forget(opened: Opened): void {
    if (this.#isCurrent(opened)) this.#opened.delete(coordinatorKey(opened.key))
    opened.timer?.cancel()
    opened.timer = undefined
    this.options.replicas.wake(opened.replica)
  }

  // --------------------------------------------------------------------------------------------------- requests

  acknowledge(
    member: { readonly groupId: string; readonly memberId: string },
    place: SharePlace,
    acknowledgements: readonly Acknowledgement[],
  ): Promise<AcknowledgeOutcome> {
    const opened = this.#loaded(member.groupId, place)
    if ('error' in opened) return Promise.resolve(opened)
    return new Promise(resolve => {
      this.step(opened, (machine, nowMs) => machine.acknowledge(member.memberId, acknowledgements, resolve, nowMs))
    })
  }

  /** Gives back what the member holds. */
  release(
    member: { readonly groupId: string; readonly memberId: string },
    place: SharePlace,
  ): Promise<AcknowledgeOutcome> {
    const opened = this.#loaded(member.groupId, place)
    if ('error' in opened) return Promise.resolve(opened)
    return new Promise(resolve => {
      this.step(opened, machine => machine.release(member.memberId, resolve))
    })
  }

  #loaded(groupId: string, place: SharePlace): Opened | AcknowledgeOutcome {
    const replica = this.#replicaOf(place)
    if (typeof replica === 'string') return { error: replica }
    const opened = this.#current({ groupId, ...place }, replica)
    return opened?.machine === undefined ? { error: 'UNKNOWN_TOPIC_OR_PARTITION' } : opened
  }

  /** Nobody of the group fetches here any more: its state is read anew when somebody does. */
  groupIdle(groupId: string): void {
    for (const opened of [...this.#opened.values()]) if (opened.key.groupId === groupId) this.#forget(opened)
  }

  /** Forgets what this broker leads no more. */
  metadataApplied(): void {
    for (const opened of [...this.#opened.values()]) {
      const { gone, machine } = opened.replica
      const isLed = gone === undefined && machine.role === 'leader' && machine.leaderEpoch === opened.leaderEpoch
      if (!isLed) this.#forget(opened)
    }
  }
}

/** What consumers are told when the share coordinator refuses. */
function leaderError({ error, message }: AcknowledgeOutcome): AcknowledgeOutcome {
  const because = message === undefined ? {} : { message }
  switch (error) {
    case 'COORDINATOR_LOAD_IN_PROGRESS':
    case 'NOT_COORDINATOR':
      return { error: 'COORDINATOR_NOT_AVAILABLE', ...because }
    case 'FENCED_LEADER_EPOCH':
    case 'FENCED_STATE_EPOCH':
      return { error: 'NOT_LEADER_OR_FOLLOWER', ...because }
    // The state was deleted, or never made.
    case 'INVALID_REQUEST':
      return { error: 'UNKNOWN_SERVER_ERROR', ...because }
    default:
      return { error, ...because }
  }
}
