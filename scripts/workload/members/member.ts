/**
 * A member of a group that the script plays itself: it polls when it is told to, commits what it is told to, and can be gone without a word.
 * Joining, heartbeats and rebalances are those of a real consumer, by any of the protocols there are; kafkajs knows only one of them. All that
 * it reads, is given and commits is written down.
 */
import type { ErrorName } from '#broker/protocol/errors.ts'
import type { Offset } from '../../history/operation.ts'
import type { ClientRecorder } from '../../history/recorder.ts'
import type { HandWorkload } from '../by-hand.ts'
import type { ReadRecord } from '../hand-requests.ts'
import { ClassicMembership, type ClassicProtocol } from './classic-membership.ts'
import { Coordinator } from './coordinator.ts'
import { memberTimes, type Changes, type MemberTimes, type GroupMembership } from './membership.ts'
import { ModernMembership } from './modern-membership.ts'
import { OffsetRequests, type Positions } from './offset-requests.ts'

/** `consumer`: KIP-848; the others are those of the classic protocol. */
export type GroupProtocol = ClassicProtocol | 'consumer'

export interface MemberOptions {
  readonly name: string
  readonly group: string
  readonly protocol: GroupProtocol
  /** Of the workload's topic. */
  readonly partitions: number
  /** Makes it a static member. */
  readonly instanceId?: string | undefined
  readonly times?: Partial<MemberTimes>
  /** Commits what has been done before partitions are given up; left out: nothing is committed then. */
  readonly beforeRevoked?: (member: GroupMember) => Promise<void>
}

export interface PolledRecord extends ReadRecord {
  readonly partition: number
}

export type { Positions }

export class GroupMember {
  readonly name: string
  readonly group: string
  readonly #workload: HandWorkload
  readonly #options: MemberOptions
  readonly #membership: GroupMembership
  readonly #offsets: OffsetRequests
  readonly #recorder: ClientRecorder
  readonly #positions = new Map<number, Offset>()
  readonly #leaders = new Map<number, number>()
  #hasEnded = false

  constructor(workload: HandWorkload, options: MemberOptions) {
    const { name, group, protocol, partitions, instanceId } = options
    this.name = name
    this.group = group
    this.#workload = workload
    this.#options = options
    const { cluster, topic } = workload
    const coordinator = new Coordinator(cluster, group)
    const times = { ...memberTimes, ...options.times }
    const parts = { cluster, group, topic, partitions, times, instanceId }
    this.#membership =
      protocol === 'consumer'
        ? new ModernMembership(parts, coordinator)
        : new ClassicMembership(parts, coordinator, protocol)
    this.#offsets = new OffsetRequests(coordinator, this.#membership, { topic, tellsEpoch: protocol === 'consumer' })
    this.#recorder = workload.recorder.client(name)
  }

  /** What it reads: also known by now is where to begin. Ascending. */
  get owned(): readonly number[] {
    return [...this.#positions.keys()].sort((a, b) => a - b)
  }

  /** Of the assignment that it has; with KIP-848 its member epoch. -1: none. */
  get generation(): number {
    return this.#membership.identity.generation
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Where it goes on reading: behind what the last poll gave. */
  get positions(): Positions {
    return new Map(this.#positions)
  }

  /**
   * Takes part in what the group does, then reads what is there, which may be nothing.
   *
   * @param recordsMax  max.poll.records
   * @throws MemberRefusedError when the group does not take it, or not any more
   */
  async poll(recordsMax = 500): Promise<readonly PolledRecord[]> {
    await this.#membership.attend(this.#changes)
    const polled: PolledRecord[] = []
    for (const partition of this.owned) {
      const records = await this.#fetch(partition, recordsMax - polled.length)
      polled.push(...records.map(record => ({ partition, ...record })))
    }
    if (polled.length > 0 && !this.#hasEnded) this.#recordPoll(polled)
    return polled
  }

  /** What the coordinator answers to a commit; one of what is not owned any more is not kept back, so that it can be seen refused. */
  async commit(positions: Positions = this.#positions): Promise<ErrorName> {
    if (positions.size === 0) return 'NONE'
    const { code, memberId, generation } = await this.#offsets.commit(positions)
    const offsets = Object.fromEntries([...positions].map(([partition, offset]) => [this.#nameOf(partition), offset]))
    const value = { group: this.group, member: memberId, generation, partitions: [], offsets }
    if (!this.#hasEnded) this.#recorder.group('commit', value, code === 'NONE' ? 'ok' : 'fail')
    return code
  }

  /** Goes on reading there instead, as an application does that keeps its offsets itself. */
  seek(partition: number, offset: Offset): void {
    if (!this.#positions.has(partition)) throw new Error(`${this.name} does not own partition ${partition}`)
    this.#positions.set(partition, offset)
  }

  /** Ends as a consumer that is closed. */
  async leave(): Promise<void> {
    if (this.#hasEnded) return
    this.#hasEnded = true
    await this.#membership.leave()
    this.#recorder.crash()
  }

  /** Ends without another word, as a process that is killed: the coordinator waits for its heartbeats. */
  crash(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#membership.end()
    this.#recorder.crash()
  }

  readonly #changes: Changes = {
    revoked: async partitions => {
      await this.#options.beforeRevoked?.(this)
      for (const partition of partitions) this.#positions.delete(partition)
      this.#recordChange('revoked', partitions)
    },
    lost: partitions => {
      for (const partition of partitions) this.#positions.delete(partition)
      this.#recordChange('lost', partitions)
      return Promise.resolve()
    },
    assigned: async (all, added) => {
      const committed = await this.#offsets.committed(added)
      // auto.offset.reset=earliest
      for (const partition of added) this.#positions.set(partition, committed.get(partition) ?? 0)
      this.#recordChange('joined', all)
    },
  }

  #recordChange(f: 'joined' | 'revoked' | 'lost', partitions: readonly number[]): void {
    if (this.#hasEnded) return
    const { memberId, generation } = this.#membership.identity
    const names = [...partitions].sort((a, b) => a - b).map(partition => this.#nameOf(partition))
    this.#recorder.group(f, { group: this.group, member: memberId, generation, partitions: names })
  }

  #recordPoll(polled: readonly PolledRecord[]): void {
    const byPartition = new Map<number, PolledRecord[]>()
    for (const record of polled)
      byPartition.set(record.partition, [...(byPartition.get(record.partition) ?? []), record])
    const value = Object.fromEntries(
      [...byPartition].map(([partition, records]) => [
        this.#nameOf(partition),
        records.map(record => [record.offset, record.value ?? ''] as const),
      ]),
    )
    this.#recorder.invoke('poll', [['poll']])
    this.#recorder.complete('ok', [['poll', value]])
  }

  async #fetch(partition: number, recordsMax: number): Promise<readonly ReadRecord[]> {
    const offset = this.#positions.get(partition)
    if (offset === undefined || recordsMax <= 0) return []
    const leader = this.#leaders.get(partition) ?? (await this.#workload.leader(partition)).leader
    if (leader < 0) return []
    this.#leaders.set(partition, leader)
    const { errorCode, records } = await this.#workload.fetchFrom(leader, { partition, offset })
    // Somebody else leads by now, who is looked for with the next poll.
    if (errorCode !== 0) this.#leaders.delete(partition)
    const taken = errorCode === 0 ? records.slice(0, recordsMax) : []
    const last = taken.at(-1)
    if (last !== undefined) this.#positions.set(partition, last.offset + 1)
    return taken
  }

  #nameOf(partition: number): string {
    return `${this.#workload.topic}-${partition}`
  }
}
