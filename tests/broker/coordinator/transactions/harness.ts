/** A shard under test: time by hand, producer ids in order, every record committed and every marker written at once unless a test holds it back. */
import type { AfterPersist, CoordinatorRecord } from '#broker/coordinator/runtime/effects.ts'
import type { MarkerAnswer, MarkerOutcome, MarkerRequest } from '#broker/coordinator/transactions/markers.ts'
import { eachPartition, partitionSet } from '#broker/coordinator/transactions/partition-set.ts'
import type { InitRequest, ProducerAnswer, TransactionDescription } from '#broker/coordinator/transactions/requests.ts'
import { TransactionShard } from '#broker/coordinator/transactions/transaction-shard.ts'
import type { ErrorName } from '#broker/protocol/errors.ts'

export interface Box<Answer> {
  answer: Answer | undefined
}

interface Held {
  readonly records: readonly CoordinatorRecord[]
  readonly then: AfterPersist
}

export class TransactionHarness {
  shard: TransactionShard
  nowMs = 1_000_000
  coordinatorEpoch = 0
  /** Everything that was committed, in order. */
  readonly log: CoordinatorRecord[] = []
  /** Every marker that was asked for, in order. */
  readonly markers: MarkerRequest[] = []
  holdRecords = false
  holdMarkers = false
  holdIds = false
  readonly heldRecords: Held[] = []
  readonly heldMarkers: MarkerRequest[] = []
  readonly heldIds: ((id: bigint | undefined) => void)[] = []
  markerOutcome: (topic: string, partition: number) => MarkerOutcome = () => 'NONE'
  transactionVersion: number
  #nextId = 100n

  constructor(transactionVersion = 2) {
    this.transactionVersion = transactionVersion
    this.shard = this.#make()
  }

  #make(): TransactionShard {
    return new TransactionShard({
      limits: { maxTimeoutMs: 900_000, idExpirationMs: 604_800_000, twoPhaseCommitEnabled: false },
      coordinatorEpoch: this.coordinatorEpoch,
      transactionVersion: () => this.transactionVersion,
    })
  }

  /** The coordinator fails; another one begins with what was committed. What was held back is lost. */
  failOver(isCommitted = true): void {
    this.shard.unload()
    this.#perform(this.shard)
    this.heldRecords.length = 0
    this.heldMarkers.length = 0
    this.heldIds.length = 0
    this.coordinatorEpoch += 1
    this.shard = this.#make()
    for (const { key, value } of this.log) this.shard.replay(key, value)
    this.step(shard => shard.loaded())
    if (isCommitted) this.step(shard => shard.tailCommitted())
  }

  step(run: (shard: TransactionShard) => void): void {
    const { shard } = this
    shard.at(this.nowMs)
    run(shard)
    this.#perform(shard)
  }

  #perform(shard: TransactionShard): void {
    for (const effect of shard.takeEffects()) {
      if (effect.kind === 'reply') effect.send()
      else if (effect.kind === 'persist') {
        if (this.holdRecords) this.heldRecords.push(effect)
        else this.commit(effect)
      } else if (effect.extra.kind === 'allocateProducerId') {
        const { then } = effect.extra
        if (this.holdIds) this.heldIds.push(then)
        else this.step(() => then(this.#nextId++))
      } else {
        this.markers.push(effect.extra.request)
        if (this.holdMarkers) this.heldMarkers.push(effect.extra.request)
        else this.answerMarkers(effect.extra.request)
      }
    }
  }

  commit({ records, then }: Held, outcome: ErrorName = 'NONE'): void {
    if (outcome === 'NONE') this.log.push(...records)
    this.step(() => then(outcome, this.nowMs))
  }

  /** Answers what is held back, and everything that follows, at once again. */
  release(): void {
    this.holdRecords = false
    this.holdMarkers = false
    for (const held of this.heldRecords.splice(0)) this.commit(held)
    for (const held of this.heldMarkers.splice(0)) this.answerMarkers(held)
  }

  answerMarkers(request: MarkerRequest): void {
    const answers: MarkerAnswer[] = [...eachPartition(request.partitions)].map(({ topic, partition }) => ({
      topic,
      partition,
      outcome: this.markerOutcome(topic, partition),
    }))
    this.step(shard => shard.markersAnswered(request, answers))
  }

  pass(ms: number): void {
    const end = this.nowMs + ms
    while (this.shard.deadlineMs() <= end) {
      this.nowMs = Math.max(this.nowMs, this.shard.deadlineMs())
      this.step(shard => shard.tick(this.nowMs))
    }
    this.nowMs = end
  }

  init(over: Partial<InitRequest> = {}): Box<ProducerAnswer> {
    const request: InitRequest = {
      transactionalId: 't',
      timeoutMs: 60_000,
      expected: undefined,
      enableTwoPhaseCommit: false,
      keepPreparedTransaction: false,
      ...over,
    }
    return this.#ask((shard, ticket) => shard.initProducerId(request, ticket))
  }

  add(producer: { producerId: bigint; producerEpoch: number }, ...partitions: readonly (readonly [string, number])[]) {
    const set = partitionSet(partitions.map(([topic, partition]) => ({ topic, partition })))
    const clientTransactionVersion = this.transactionVersion >= 2 ? 2 : 0
    const { producerId, producerEpoch } = producer
    const request = { transactionalId: 't', producerId, producerEpoch, partitions: set, clientTransactionVersion }
    return this.#ask<ErrorName>((shard, ticket) => shard.addPartitions(request, ticket))
  }

  end(producer: { producerId: bigint; producerEpoch: number }, committed: boolean): Box<ProducerAnswer> {
    const clientTransactionVersion = this.transactionVersion >= 2 ? 2 : 0
    const { producerId, producerEpoch } = producer
    const request = { transactionalId: 't', producerId, producerEpoch, committed, clientTransactionVersion }
    return this.#ask((shard, ticket) => shard.end(request, ticket))
  }

  #ask<Answer>(run: (shard: TransactionShard, ticket: { resolve(answer: Answer): void }) => void): Box<Answer> {
    const box: Box<Answer> = { answer: undefined }
    this.step(shard => run(shard, { resolve: answer => void (box.answer = answer) }))
    return box
  }

  get state(): TransactionDescription {
    const found = this.shard.describe('t')
    if (found === undefined) throw new Error('there is no transactional id t')
    return found
  }
}

/** The answer, which must be there. */
export function now<Answer>({ answer }: Box<Answer>): Answer {
  if (answer === undefined) throw new Error('there is no answer yet')
  return answer
}
