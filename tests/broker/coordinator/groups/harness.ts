/** A shard under test: time by hand, every record committed at once unless a test holds it back. */
import { GroupShard, type CommitRequest } from '#broker/coordinator/groups/group-shard.ts'
import type { JoinRequest, SyncRequest } from '#broker/coordinator/groups/classic-requests.ts'
import type { JoinAnswer, SyncAnswer } from '#broker/coordinator/groups/classic-member.ts'
import type { AfterPersist, CoordinatorRecord } from '#broker/coordinator/runtime/effects.ts'
import type { ErrorName } from '#broker/protocol/errors.ts'

export class ShardHarness {
  shard: GroupShard
  nowMs = 1000
  /** Everything that was committed, in order. */
  readonly log: CoordinatorRecord[] = []
  /** While true, appends wait in `held`. */
  hold = false
  readonly held: { records: readonly CoordinatorRecord[]; then: AfterPersist }[] = []
  readonly #initialRebalanceDelayMs: number
  #memberNumber = 0

  constructor(initialRebalanceDelayMs = 0) {
    this.#initialRebalanceDelayMs = initialRebalanceDelayMs
    this.shard = this.#make()
  }

  #make(): GroupShard {
    return new GroupShard({
      limits: {
        initialRebalanceDelayMs: this.#initialRebalanceDelayMs,
        minSessionTimeoutMs: 6000,
        maxSessionTimeoutMs: 60_000,
        maxSize: 5,
      },
      offsetMetadataMaxBytes: 10,
      offsetsRetentionMs: 100_000,
    })
  }

  /** A failover: a new shard, filled from what was committed. */
  reload(): void {
    this.shard = this.#make()
    this.shard.at(this.nowMs)
    for (const { key, value } of this.log) this.shard.replay(key, value)
    this.shard.loaded(this.nowMs)
  }

  step(run: (shard: GroupShard) => void): void {
    this.shard.at(this.nowMs)
    run(this.shard)
    for (const effect of this.shard.takeEffects()) {
      if (effect.kind === 'reply') effect.send()
      else if (effect.kind !== 'persist') throw new Error(`a group wants ${effect.kind}`)
      else if (this.hold) this.held.push(effect)
      else this.finish(effect, 'NONE')
    }
  }

  finish({ records, then }: { records: readonly CoordinatorRecord[]; then: AfterPersist }, outcome: ErrorName): void {
    if (outcome === 'NONE') this.log.push(...records)
    this.step(() => then(outcome, this.nowMs))
  }

  pass(ms: number): void {
    const end = this.nowMs + ms
    while (this.shard.deadlineMs() <= end) {
      this.nowMs = Math.max(this.nowMs, this.shard.deadlineMs())
      this.step(shard => shard.tick(this.nowMs))
    }
    this.nowMs = end
  }

  join(over: Partial<JoinRequest> = {}): { answer: JoinAnswer | undefined } {
    const box: { answer: JoinAnswer | undefined } = { answer: undefined }
    const request: JoinRequest = {
      memberId: '',
      groupInstanceId: null,
      clientId: 'client',
      clientHost: '/127.0.0.1',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 20_000,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.from('topics') }],
      memberIdRequired: false,
      skipAssignmentSupported: true,
      newMemberId: `member-${++this.#memberNumber}`,
      ...over,
    }
    const ticket = { resolve: (answer: JoinAnswer) => void (box.answer = answer) }
    this.step(shard => shard.groupOrNew('g').join(request, ticket, this.nowMs))
    return box
  }

  sync(over: Partial<SyncRequest> & { memberId: string; generationId: number }): { answer: SyncAnswer | undefined } {
    const box: { answer: SyncAnswer | undefined } = { answer: undefined }
    const request: SyncRequest = {
      groupInstanceId: null,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: new Map(),
      ...over,
    }
    const ticket = { resolve: (answer: SyncAnswer) => void (box.answer = answer) }
    this.step(shard => shard.groupOrNew('g').sync(request, ticket, this.nowMs))
    return box
  }

  heartbeat(memberId: string, generationId: number, groupInstanceId: string | null = null): ErrorName {
    let error: ErrorName = 'UNKNOWN_SERVER_ERROR'
    this.step(shard => {
      error = shard.groupOrNew('g').heartbeat({ memberId, groupInstanceId }, generationId, this.nowMs)
    })
    return error
  }

  leave(memberId: string): ErrorName {
    let error: ErrorName = 'UNKNOWN_SERVER_ERROR'
    this.step(shard => {
      error = shard.groupOrNew('g').leave({ memberId, groupInstanceId: null }, this.nowMs)
    })
    return error
  }

  commit(over: Partial<CommitRequest> = {}): { answer: readonly ErrorName[] | undefined } {
    const box: { answer: readonly ErrorName[] | undefined } = { answer: undefined }
    const request: CommitRequest = {
      groupId: 'g',
      generationId: -1,
      memberId: '',
      groupInstanceId: null,
      retentionMs: undefined,
      entries: [{ topic: 't', partition: 0, offset: 7, leaderEpoch: 2, metadata: 'm' }],
      ...over,
    }
    const ticket = { resolve: (answer: readonly ErrorName[]) => void (box.answer = answer) }
    this.step(shard => shard.commit(request, ticket, this.nowMs))
    return box
  }

  get state(): string | undefined {
    return this.shard.group('g')?.state
  }

  /** Two members, stable at generation 2, the first one leads. */
  stablePair(): { leader: string; follower: string; generationId: number } {
    const first = this.join()
    const leader = first.answer?.memberId ?? ''
    const second = this.join()
    const again = this.join({ memberId: leader })
    const follower = second.answer?.memberId ?? ''
    const generationId = again.answer?.generationId ?? -1
    this.sync({ memberId: follower, generationId })
    const assignments = new Map([
      [leader, Buffer.from('p0')],
      [follower, Buffer.from('p1')],
    ])
    this.sync({ memberId: leader, generationId, assignments })
    return { leader, follower, generationId }
  }
}
