/**
 * Sets and deletes keys of a compacted topic whose segments last two seconds, while the cleaners of all brokers are at work.
 *
 * Promised: in the end each key has the value that was acknowledged last, or one that was sent later and not answered; nothing that was
 * superseded is found behind it, and a deleted key does not come back. And the cleaner comes to its end: of what it may touch one record of
 * each key is left.
 */
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { errorTable } from '#broker/protocol/errors.ts'
import { type Actor, type Stage, until } from './actor.ts'
import { Wire } from './wire.ts'

const topic = 'compacted'
const keysPerPartition = 6
const segmentMs = 2_000
/** Many of these, so that batches lose some of their records and keep others. */
const recordsPerBatchMax = 4

interface Write {
  /** Null deletes the key. */
  readonly value: string | null
  /** Undefined: nobody said whether it is there. */
  readonly offset: number | undefined
}

/** Of one partition, by key. */
type Book = Map<string, Write[]>

export class Compaction implements Actor {
  readonly name = 'compaction'
  readonly #stage: Stage
  readonly #wire: Wire
  readonly #books: readonly Book[]
  readonly #pauseMsMax: number
  #running = true
  #values = 0
  deeds = 0

  constructor(stage: Stage) {
    const { random } = stage
    this.#stage = stage
    this.#wire = new Wire(stage.cluster)
    this.#books = Array.from({ length: random.between(1, 2) }, () => new Map<string, Write[]>())
    this.#pauseMsMax = random.pick([100, 500])
  }

  async prepare(): Promise<void> {
    const settings = {
      'cleanup.policy': 'compact',
      'segment.ms': String(segmentMs),
      'min.cleanable.dirty.ratio': '0.01',
      'delete.retention.ms': String(this.#stage.random.pick([0, 3_000, 60_000])),
    }
    await this.#wire.createTopic({ name: topic, partitions: this.#books.length, settings })
  }

  async run(): Promise<void> {
    const { world, random } = this.#stage
    while (this.#running) {
      await world.sleep(random.between(10, this.#pauseMsMax))
      this.deeds++
      const count = random.between(1, recordsPerBatchMax)
      const keys = Array.from({ length: count }, () => `k${random.below(keysPerPartition)}`)
      await this.#write(random.below(this.#books.length), keys)
    }
  }

  stop(): void {
    this.#running = false
  }

  async #write(partition: number, keys: readonly string[]): Promise<void> {
    const { random, world } = this.#stage
    const records = keys.map(key => ({ key, value: random.chance(1, 4) ? null : String(this.#values++) }))
    const book = (offset: number | undefined): void => {
      for (const [index, { key, value }] of records.entries()) {
        const writes = this.#books[partition]!.get(key) ?? []
        writes.push({ value, offset: offset === undefined ? undefined : offset + index })
        this.#books[partition]!.set(key, writes)
      }
    }
    try {
      const batch = buildBatch(records, { timestamp: world.wallMs })
      const { error, baseOffset } = await this.#wire.append(topic, partition, batch)
      if (error === 'NONE') book(baseOffset)
      else if (!errorTable[error].definite) book(undefined)
    } catch (error) {
      // No leader, or no answer: records that may be there.
      world.trace.add('actor', 'debug', 'compaction', { error: String(error) })
      book(undefined)
    }
  }

  async conclude(deadlineMs: number): Promise<void> {
    const { world } = this.#stage
    for (const [partition, book] of this.#books.entries()) {
      // What comes now begins a segment: all that is there may be cleaned.
      await world.sleep(segmentMs + 1)
      const closing = await this.#wire.patiently(`close ${topic}-${partition}`, async () => {
        const batch = buildBatch([{ key: 'closing', value: '' }], { timestamp: world.wallMs })
        const { error, baseOffset } = await this.#wire.append(topic, partition, batch)
        return { error, answer: baseOffset }
      })
      await until(world, deadlineMs, async () => {
        const records = (await this.#wire.batchesOf(topic, partition)).flat()
        this.#check(
          `${topic}-${partition}`,
          book,
          records.map(each => seen(each)),
        )
        const counts = new Map<string, number>()
        for (const { offset, key } of records.map(each => seen(each)))
          if (offset < closing) counts.set(key, (counts.get(key) ?? 0) + 1)
        const many = [...counts].filter(([, count]) => count > 1).map(([key, count]) => `${count} of ${key}`)
        return many.length === 0 ? undefined : `${topic}-${partition} is not clean: ${many.join(', ')} below ${closing}`
      })
    }
    this.#wire.close()
  }

  #check(name: string, book: Book, records: readonly SeenWrite[]): void {
    for (const [key, writes] of book) {
      const found = records.findLast(each => each.key === key)
      const last = writes.reduce<Write | undefined>(
        (best, each) => (each.offset !== undefined && each.offset > (best?.offset ?? -1) ? each : best),
        undefined,
      )
      const lastOffset = last?.offset ?? -1
      const unanswered = writes.filter(({ offset }) => offset === undefined).map(({ value }) => value)
      const isGone = last === undefined || last.value === null || unanswered.includes(null)
      const isRight =
        found === undefined
          ? isGone
          : found.offset === lastOffset
            ? found.value === last?.value
            : found.offset > lastOffset && unanswered.includes(found.value)
      if (isRight) continue
      const what = found === undefined ? 'not there' : `${found.value} at ${found.offset}`
      throw new Error(`${name}: ${key} is ${what}; acknowledged last was ${last?.value} at ${lastOffset}`)
    }
  }
}

interface SeenWrite {
  readonly offset: number
  readonly key: string
  readonly value: string | null
}

function seen(record: {
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}): SeenWrite {
  return { offset: record.offset, key: String(record.key), value: record.value === null ? null : String(record.value) }
}
