/** Records are written and the oldest of them deleted (DeleteRecords, KIP-107); what remains is judged in the end. */
import { errorName, errorTable } from '#broker/protocol/errors.ts'
import type { DeleteRecordsResponse } from '#broker/protocol/messages/21-delete-records.ts'
import type { ListOffsetsResponse } from '#broker/protocol/messages/02-list-offsets.ts'
import { until, type Stage } from './actor.ts'
import { Refused, requestTimeoutMs, type Wire } from './wire.ts'

const recordsPerBatch = 3
const earliest = -2
const latest = -1

interface PartitionBook {
  /** Offset → value, of acknowledged records. */
  readonly records: Map<number, string>
  /** Below it everything is gone, as was acknowledged. */
  deletedBelow: number
  /** Below it things may be gone: somebody asked. */
  askedBelow: number
}

export class Deletions {
  readonly #wire: Wire
  readonly #stage: Stage
  readonly #topic: string
  readonly #books: readonly PartitionBook[]
  #values = 0

  constructor(wire: Wire, stage: Stage, options: { readonly topic: string; readonly partitions: number }) {
    this.#wire = wire
    this.#stage = stage
    this.#topic = options.topic
    this.#books = Array.from({ length: options.partitions }, () => ({
      records: new Map<number, string>(),
      deletedBelow: 0,
      askedBelow: 0,
    }))
  }

  /** Where a log begins is on disk after a minute, or an orderly end: who is killed before that may begin earlier again, as in Kafka. */
  get #mayForget(): boolean {
    const { faults } = this.#stage
    return (['kill', 'kill-all', 'restart', 'power-failure'] as const).some(kind => faults.includes(kind))
  }

  prepare(): Promise<void> {
    return this.#wire.createTopic({ name: this.#topic, partitions: this.#books.length })
  }

  /** Writes a batch, and now and then deletes up to somewhere. */
  async one(): Promise<void> {
    const { random, world } = this.#stage
    const partition = random.below(this.#books.length)
    const book = this.#books[partition]!
    try {
      await this.#write(partition, book)
      if (random.chance(1, 2)) await this.#delete(partition, book)
    } catch (error) {
      // No leader, or no answer: a record that may be there, a deletion that may have been made.
      world.trace.add('actor', 'debug', 'deletions', { error: String(error) })
    }
  }

  async conclude(deadlineMs: number): Promise<void> {
    for (const [partition, book] of this.#books.entries()) {
      const name = `${this.#topic}-${partition}`
      let start = -1
      await until(this.#stage.world, deadlineMs, async () => {
        try {
          start = await this.#offset(partition, earliest)
        } catch (error) {
          return `${name}: its start is unknown: ${String(error)}`
        }
        if (start >= (this.#mayForget ? 0 : book.deletedBelow) && start <= book.askedBelow) return undefined
        return `${name} begins at ${start}; deleted below ${book.deletedBelow}, asked for below ${book.askedBelow}`
      })
      if (start > 0) await this.#isGone(partition, start - 1)
      const seen = await this.#wire.readFrom(this.#topic, partition, start)
      for (const [offset, value] of book.records) {
        const found = seen.get(offset)
        // What was deleted may come along in a batch that was not deleted as a whole; readers skip it.
        if (offset >= start && found !== value)
          throw new Error(`${name}, begins at ${start}: ${offset} is ${found ?? 'not there'}, expected ${value}`)
      }
    }
  }

  async #isGone(partition: number, offset: number): Promise<void> {
    try {
      await this.#wire.readFrom(this.#topic, partition, offset)
    } catch (error) {
      if (error instanceof Refused && error.error === 'OFFSET_OUT_OF_RANGE') return
      throw error
    }
    throw new Error(`${this.#topic}-${partition}: offset ${offset} was deleted, and a fetch from there is served`)
  }

  async #write(partition: number, book: PartitionBook): Promise<void> {
    const values = Array.from({ length: recordsPerBatch }, () => String(this.#values++))
    const { error, baseOffset } = await this.#wire.produce(this.#topic, partition, values)
    if (error !== 'NONE') return
    for (const [index, value] of values.entries()) book.records.set(baseOffset + index, value)
  }

  async #delete(partition: number, book: PartitionBook): Promise<void> {
    const end = await this.#offset(partition, latest)
    const offset = this.#stage.random.between(Math.min(book.askedBelow, end), end)
    const asked = book.askedBelow
    book.askedBelow = Math.max(asked, offset)
    const to = await this.#wire.leader(this.#topic, partition)
    const body = {
      topics: [{ name: this.#topic, partitions: [{ partitionIndex: partition, offset }] }],
      timeoutMs: requestTimeoutMs,
    }
    const { topics } = await this.#wire.send<DeleteRecordsResponse>(to, 21, body, 2)
    const { errorCode, lowWatermark } = topics[0]!.partitions[0]!
    const error = errorName(errorCode)
    if (error === 'NONE') book.deletedBelow = Math.max(book.deletedBelow, lowWatermark)
    else if (errorTable[error].definite) book.askedBelow = asked
  }

  async #offset(partition: number, timestamp: number): Promise<number> {
    const to = await this.#wire.leader(this.#topic, partition)
    const asked = { partitionIndex: partition, timestamp }
    const body = { replicaId: -1, isolationLevel: 0, topics: [{ name: this.#topic, partitions: [asked] }] }
    const { topics } = await this.#wire.send<ListOffsetsResponse>(to, 2, body, 7)
    const { errorCode, offset } = topics[0]!.partitions[0]!
    if (errorCode !== 0) throw new Error(errorName(errorCode))
    return offset
  }
}
