/**
 * A producer, transactional or only idempotent, that does what producers do in an order that none of them would choose, and keeps a book of
 * what must come of it: what was acknowledged and committed is there once, what was aborted is not.
 */
import type { Random } from '#broker/environment/environment.ts'
import { errorName, type ErrorName } from '#broker/protocol/errors.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { reached, type Actor, type Answer, type Ask, type Body, type Stage } from './actor.ts'
import { chance, pick, type Known } from './values.ts'

/** Values of records, each written at most once by a story that knows how it ended. */
export class Book {
  readonly present = new Set<string>()
  readonly absent = new Set<string>()
  /** What was said to whom, by story. */
  readonly traces = new Map<string, readonly string[]>()
  /** All that may hold something open when the stories are over. */
  readonly transactionalIds = new Set<string>()
}

export interface Plot {
  readonly actor: Actor
  readonly stage: Stage
  readonly known: Known
  readonly book: Book
  /** Of the story, not to be guessed: no other names it by accident. */
  readonly name: string
}

interface Place {
  readonly name: string
  readonly index: number
}

type Action = 'init' | 'add' | 'addOffsets' | 'commitOffsets' | 'produce' | 'end' | 'look' | 'stale'

const afterInit: readonly Action[] = [
  ...['produce', 'produce', 'produce', 'produce', 'add', 'add'],
  ...['end', 'end', 'addOffsets', 'commitOffsets', 'look', 'stale', 'init'],
] as const satisfies readonly Action[]

/** First version with which a write adds its partition to the transaction by itself (KIP-890). */
const addsByItself = 12
/** First version of EndTxn that gives the next transaction another epoch (KIP-890). */
const raisesEpoch = 5

function errorOf(body: Body | undefined, name = 'errorCode'): ErrorName | undefined {
  const code = body?.[name]
  return typeof code === 'number' ? errorName(code) : undefined
}

export class Producer {
  readonly #plot: Plot
  readonly #random: Random
  /** Undefined: idempotent, without transactions. */
  readonly #transactionalId: string | undefined
  /** Nobody else uses the id, so that the story knows what becomes of its records. */
  readonly #alone: boolean
  #id = -1n
  #epoch = -1
  /**
   * A client speaks one version of the protocol (KIP-890): with the first it adds partitions and keeps its epoch, with the second writes add
   * them and every transaction has an epoch of its own. Who mixes them can write into the transaction that it has just ended.
   */
  readonly #adds: boolean
  #hasAdded = false
  readonly #sequences = new Map<string, number>()
  #written: string[] = []
  /** Something was said in this transaction that the story does not know the meaning of. */
  #unsure = false
  #count = 0

  constructor(plot: Plot) {
    this.#plot = plot
    this.#random = plot.stage.random
    this.#alone = !chance(this.#random, 4)
    this.#adds = chance(this.#random, 2)
    this.#transactionalId = chance(this.#random, 4)
      ? undefined
      : this.#alone
        ? `own-${plot.name}`
        : `shared-${this.#random.below(4)}`
    if (this.#transactionalId !== undefined) plot.book.transactionalIds.add(this.#transactionalId)
  }

  async play(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const action = this.#id < 0n ? 'init' : pick(this.#random, afterInit)
      await this.#act(action)
    }
    // What is still open is aborted when the stories are over.
    this.#settle(this.#plot.book.absent)
  }

  async #act(action: Action): Promise<void> {
    switch (action) {
      case 'init':
        return this.#init()
      case 'produce':
        return this.#produce(this.#epoch)
      case 'stale':
        return this.#epoch > 0 ? this.#stale() : undefined
      case 'look':
        return this.#look()
      default:
        return this.#transactionalId === undefined ? undefined : this.#inTransaction(action, this.#transactionalId)
    }
  }

  #inTransaction(action: 'add' | 'addOffsets' | 'commitOffsets' | 'end', transactionalId: string): Promise<void> {
    switch (action) {
      case 'add':
        return this.#add(transactionalId)
      case 'addOffsets':
        return this.#addOffsets(transactionalId)
      case 'commitOffsets':
        return this.#commitOffsets(transactionalId)
      case 'end':
        return this.#end(transactionalId)
    }
  }

  async #ask(api: Parameters<Actor['ask']>[0], body: Body, options?: Ask): Promise<Answer> {
    const answer = await this.#plot.actor.ask(api, body, options)
    if (answer.spoil !== 'none' || answer.body === undefined) this.#unsure = true
    return answer
  }

  async #init(): Promise<void> {
    const knowsItself = this.#id >= 0n && chance(this.#random, 2)
    const { body, spoil } = await this.#ask(
      'InitProducerId',
      {
        transactionalId: this.#transactionalId ?? null,
        transactionTimeoutMs: 60_000,
        producerId: knowsItself ? this.#id : -1n,
        producerEpoch: knowsItself ? this.#epoch : -1,
      },
      { min: knowsItself ? 3 : 0 },
    )
    if (body === undefined || spoil !== 'none' || errorOf(body) !== 'NONE') return
    reached(this.#plot.stage.tally, 'producer id')
    // What was open is aborted by it.
    if (this.#transactionalId !== undefined) this.#settle(this.#plot.book.absent)
    this.#become(body)
  }

  #become(body: Body): void {
    this.#id = body['producerId'] as bigint
    this.#epoch = body['producerEpoch'] as number
    this.#sequences.clear()
    this.#written = []
    this.#unsure = !this.#alone
    this.#hasAdded = false
  }

  #settle(as: Set<string>): void {
    if (!this.#unsure) for (const value of this.#written) as.add(value)
    this.#written = []
  }

  get #producer(): Body {
    return { producerId: this.#id, producerEpoch: this.#epoch }
  }

  #topics(): { name: string; partitions: number[] }[] {
    return this.#plot.known.topics.map(({ name, partitions = 1 }) => ({
      name,
      partitions: Array.from({ length: partitions }, (_, index) => index),
    }))
  }

  async #add(transactionalId: string): Promise<void> {
    const topics = this.#topics()
    const { producerId, producerEpoch } = this.#producer
    const { body, spoil } = await this.#ask(
      'AddPartitionsToTxn',
      {
        transactions: [{ transactionalId, ...this.#producer, verifyOnly: chance(this.#random, 4), topics }],
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: topics,
      },
      // Later versions are for brokers.
      this.#alone ? { max: 3 } : {},
    )
    const results = body?.['resultsByTopicV3AndBelow'] as readonly { resultsByPartition: readonly Body[] }[] | undefined
    const errors = (results ?? []).flatMap(each =>
      each.resultsByPartition.map(one => errorOf(one, 'partitionErrorCode')),
    )
    if (spoil !== 'none' || errors.length === 0 || errors.some(error => error !== 'NONE')) return
    this.#hasAdded = true
    reached(this.#plot.stage.tally, 'AddPartitionsToTxn')
  }

  async #addOffsets(transactionalId: string): Promise<void> {
    const { body } = await this.#ask('AddOffsetsToTxn', { transactionalId, ...this.#producer, groupId: 'fuzz-offsets' })
    if (errorOf(body) === 'NONE') reached(this.#plot.stage.tally, 'AddOffsetsToTxn')
  }

  async #commitOffsets(transactionalId: string): Promise<void> {
    await this.#ask('TxnOffsetCommit', {
      transactionalId,
      groupId: 'fuzz-offsets',
      ...this.#producer,
      topics: this.#topics().map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(partitionIndex => ({
          partitionIndex,
          committedOffset: this.#random.below(100),
          committedMetadata: null,
        })),
      })),
    })
  }

  async #write(epoch: number, sequence: number, values: readonly string[], at: Place, intact = false) {
    const records = buildBatch(
      values.map(value => ({ value })),
      {
        timestamp: 1_700_000_000_000,
        producerId: this.#id,
        producerEpoch: epoch,
        baseSequence: sequence,
        transactional: this.#transactionalId !== undefined,
        compression: pick(this.#random, ['none', 'none', 'gzip']),
      },
    )
    const topicId = this.#plot.known.topics.find(({ name }) => name === at.name)?.id
    return this.#ask(
      'Produce',
      {
        transactionalId: this.#transactionalId ?? null,
        acks: -1,
        timeoutMs: 10_000,
        topicData: [{ name: at.name, topicId, partitionData: [{ index: at.index, records }] }],
      },
      { ...this.#versions(addsByItself), intact },
    )
  }

  /** Those of the client's protocol, when the story must know how it ends. */
  #versions(second: number): Ask {
    if (!this.#alone) return {}
    return this.#adds ? { max: second - 1 } : { min: second }
  }

  #partition(): Place {
    const topic = pick(this.#random, this.#plot.known.topics)
    return { name: topic.name, index: this.#random.below(topic.partitions ?? 1) }
  }

  async #produce(epoch: number): Promise<void> {
    const at = this.#partition()
    const key = `${at.name}-${at.index}`
    const sequence = this.#sequences.get(key) ?? 0
    const values = Array.from({ length: 1 + this.#random.below(3) }, () => `${this.#plot.name}:${this.#count++}`)
    if (this.#adds && !this.#hasAdded) this.#unsure = true
    const answer = await this.#write(epoch, sequence, values, at)
    // It may be written or not: the next sequence number is anybody's guess.
    if (answer.spoil !== 'none' || answer.body === undefined) {
      this.#id = -1n
      return
    }
    if (written(answer.body) !== 'NONE') return
    reached(this.#plot.stage.tally, this.#transactionalId === undefined ? 'idempotent write' : 'transactional write')
    this.#sequences.set(key, sequence + values.length)
    if (this.#transactionalId !== undefined) this.#written.push(...values)
    else if (this.#alone) for (const value of values) this.#plot.book.present.add(value)
    // The answer got lost, says a producer, and sends it again: it is stored once.
    if (chance(this.#random, 6)) await this.#write(epoch, sequence, values, at, true)
  }

  /** With an epoch that was raised since: never stored, though it may be taken for one that was stored before. */
  async #stale(): Promise<void> {
    const value = `${this.#plot.name}:stale:${this.#count++}`
    const answer = await this.#write(this.#epoch - 1, 0, [value], this.#partition())
    if (answer.spoil !== 'none' || this.#transactionalId === undefined) return
    if (this.#alone) this.#plot.book.absent.add(value)
    const error = written(answer.body)
    if (error !== undefined && error !== 'NONE') reached(this.#plot.stage.tally, 'fenced')
  }

  async #end(transactionalId: string): Promise<void> {
    const committed = chance(this.#random, 2)
    const ending = { transactionalId, ...this.#producer, committed }
    const { body, spoil, version } = await this.#ask('EndTxn', ending, this.#versions(raisesEpoch))
    if (body === undefined || spoil !== 'none') {
      this.#id = -1n
      return
    }
    if (errorOf(body) !== 'NONE') {
      this.#unsure = true
      return
    }
    reached(this.#plot.stage.tally, committed ? 'commit' : 'abort')
    const { present, absent } = this.#plot.book
    this.#settle(committed ? present : absent)
    this.#unsure = !this.#alone
    this.#hasAdded = false
    if (version >= raisesEpoch) this.#become(body)
  }

  async #look(): Promise<void> {
    const [topic] = this.#topics()
    const looks: readonly (readonly [Parameters<Actor['ask']>[0], Body])[] = [
      ['DescribeTransactions', { transactionalIds: [this.#transactionalId ?? 'absent'] }],
      ['ListTransactions', { stateFilters: [], producerIdFilters: [this.#id], durationFilter: -1 }],
      ['DescribeProducers', { topics: [{ name: topic?.name ?? '', partitionIndexes: topic?.partitions ?? [] }] }],
      ['FindCoordinator', { key: this.#plot.name, keyType: 1, coordinatorKeys: [this.#plot.name] }],
    ]
    const [api, body] = pick(this.#random, looks)
    await this.#plot.actor.ask(api, body)
  }
}

function written(body: Body | undefined): ErrorName | undefined {
  const responses = body?.['responses'] as readonly { partitionResponses: readonly Body[] }[] | undefined
  return errorOf(responses?.[0]?.partitionResponses[0])
}

/** Tries until nothing of it is open any more. */
export async function closeTransactions(actor: Actor, transactionalId: string): Promise<boolean> {
  const { body } = await actor.ask(
    'InitProducerId',
    { transactionalId, transactionTimeoutMs: 60_000, producerId: -1n, producerEpoch: -1 },
    { intact: true },
  )
  return errorOf(body) === 'NONE'
}
