/**
 * Consume, transform, produce, exactly once (KIP-98, KIP-447, KIP-890). Each worker has a transactional id and a group of its own. Where
 * the group stands says which input is next; the transaction writes that input's number to every partition and moves the group on. Now and
 * then it aborts, is overtaken by a second producer of its id (a zombie), or leaves a transaction to its timeout.
 *
 * Promised: every number below the group's offset is on every partition exactly once, in order, by the attempt that was committed; no
 * other attempt is seen; a fenced producer commits nothing; no transaction holds the last stable offset back for ever.
 */
import { Refused, Wire } from './wire.ts'
import { until, type Actor, type Stage } from './actor.ts'
import { clientKinds, makeTransactor, type ClientKind, type Transactor } from './transactor.ts'

const ledger = 'ledger'
const partitionsMax = 3

/** Where transactions leave their traces: written to, and run by coordinators. */
export const transactionalTopics = [
  { topic: ledger, partitions: partitionsMax },
  { topic: '__transaction_state', partitions: 4 },
]

const retryMs = 300

/** `lost`: nobody was told; it is committed if the group has moved on. */
type Outcome = 'committed' | 'aborted' | 'fenced' | 'lost'

interface WorkerOptions {
  readonly name: string
  readonly kind: ClientKind
  readonly partitions: number
  readonly pauseMsMax: number
}

class Worker {
  readonly #stage: Stage
  readonly #wire: Wire
  readonly #options: WorkerOptions
  readonly outcomes = new Map<string, Outcome>()
  readonly #begun: string[] = []
  running = true
  #attempts = 0
  #lost = 0
  #next = 0

  constructor(stage: Stage, wire: Wire, options: WorkerOptions) {
    this.#stage = stage
    this.#wire = wire
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }

  /** Transactional ids that were begun. */
  get ids(): readonly string[] {
    return [this.name, ...this.#begun]
  }

  get group(): string {
    return `${this.name}-inputs`
  }

  async run(): Promise<void> {
    const { world, random } = this.#stage
    let transactor: Transactor | undefined
    while (this.running) {
      try {
        transactor ??= await this.#begin()
        transactor = await this.#one(transactor)
      } catch (error) {
        this.#unlessExpected(error)
        await transactor?.leave()
        transactor = undefined
        await world.sleep(retryMs)
      }
      await world.sleep(random.between(0, this.#options.pauseMsMax))
    }
    await transactor?.leave()
  }

  /** The number of the first input that is not processed; ends whatever the last producer left open. */
  async settle(): Promise<number> {
    await (await this.#begin()).leave()
    // The age of a transaction is counted in wall time: after a jump its timeout may be an hour away.
    if (this.#stage.faults.includes('clock-jump')) for (const id of this.#begun) await this.#fence(id)
    return this.#next
  }

  async #fence(transactionalId: string): Promise<void> {
    const transactor = this.#transactor(transactionalId, 5_000)
    await transactor.begin()
    await transactor.leave()
  }

  async #begin(): Promise<Transactor> {
    const transactor = this.#transactor(this.name, 60_000)
    try {
      await transactor.begin()
      this.#next = Math.max(0, await this.#wire.committedOffset(this.group, ledger, 0))
    } catch (error) {
      await transactor.leave()
      throw error
    }
    return transactor
  }

  #transactor(transactionalId: string, timeoutMs: number): Transactor {
    return makeTransactor({
      stage: this.#stage,
      wire: this.#wire,
      transactionalId,
      kind: this.#options.kind,
      timeoutMs,
    })
  }

  /** One transaction. @returns the producer of the next one */
  async #one(transactor: Transactor): Promise<Transactor> {
    const way = this.#stage.random.below(10)
    if (way === 0) await this.#leaveOneOpen()
    const attempt = `${this.name}:${this.#next}:${this.#attempts++}`
    this.outcomes.set(attempt, 'lost')
    if (way === 1) this.outcomes.set(attempt, 'fenced')
    // Whatever becomes of a transaction that was to be aborted: it is never committed.
    if (way >= 8) this.outcomes.set(attempt, 'aborted')
    await this.#write(transactor, attempt)
    if (way === 1) return this.#overtake(transactor, attempt)
    await transactor.end(way < 8)
    if (way >= 8) return transactor
    this.outcomes.set(attempt, 'committed')
    this.#next++
    return transactor
  }

  async #write(transactor: Transactor, value: string): Promise<void> {
    const partitions = Array.from({ length: this.#options.partitions }, (_, partition) => partition)
    for (const partition of this.#stage.random.shuffle(partitions)) await transactor.send(ledger, partition, value)
    await transactor.sendOffset(this.group, ledger, this.#next + 1)
  }

  /** A second producer of the id begins; the first one, which does not know, goes on and must get nowhere. */
  async #overtake(zombie: Transactor, attempt: string): Promise<Transactor> {
    const successor = await this.#begin()
    let refusal: unknown
    try {
      await zombie.send(ledger, 0, attempt)
      await zombie.end(true)
    } catch (error) {
      refusal = error
    }
    await zombie.leave()
    if (refusal === undefined) throw new BrokenPromise(`${attempt}: a producer that was fenced committed`)
    return successor
  }

  /** A transaction of an id that nobody uses again, for its timeout to abort. */
  async #leaveOneOpen(): Promise<void> {
    const id = `${this.name}-lost-${this.#lost++}`
    this.outcomes.set(`${id}:0`, 'aborted')
    const transactor = this.#transactor(id, 5_000)
    try {
      await transactor.begin()
      this.#begun.push(id)
      await transactor.send(ledger, 0, `${id}:0`)
    } finally {
      await transactor.leave()
    }
  }

  #unlessExpected(error: unknown): void {
    if (error instanceof BrokenPromise) throw error
    if (error instanceof Refused && !expected.has(error.error)) throw error
    this.#stage.world.trace.add('actor', 'info', 'a transaction was given up', {
      worker: this.name,
      error: String(error),
    })
  }
}

/** What a transaction that took too long, or a producer that was overtaken, may be told. */
const expected: ReadonlySet<string> = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_TXN_STATE',
  'TRANSACTION_ABORTABLE',
])

class BrokenPromise extends Error {}

export class Transactions implements Actor {
  readonly name = 'transactions'
  readonly #stage: Stage
  readonly #wire: Wire
  readonly #partitions: number
  readonly #workers: readonly Worker[]

  constructor(stage: Stage) {
    const { random, cluster } = stage
    this.#stage = stage
    this.#wire = new Wire(cluster)
    this.#partitions = random.between(2, partitionsMax)
    const pauseMsMax = random.pick([400, 1_500])
    this.#workers = Array.from({ length: random.between(1, 3) }, (_, index) => {
      const options = { name: `tx${index}`, kind: random.pick(clientKinds), partitions: this.#partitions, pauseMsMax }
      return new Worker(stage, this.#wire, options)
    })
  }

  get deeds(): number {
    return this.#workers.reduce((sum, { outcomes }) => sum + outcomes.size, 0)
  }

  async prepare(): Promise<void> {
    await this.#wire.createTopic({ name: ledger, partitions: this.#partitions })
  }

  async run(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.run()))
  }

  stop(): void {
    for (const worker of this.#workers) worker.running = false
  }

  async conclude(deadlineMs: number): Promise<void> {
    const nextOf = new Map<string, number>()
    for (const worker of this.#workers) nextOf.set(worker.name, await worker.settle())
    for (let partition = 0; partition < this.#partitions; partition++) {
      let values: readonly string[] = []
      await until(this.#stage.world, deadlineMs, async () => {
        const seen = await this.#wire.readCommitted(ledger, partition)
        values = seen.values
        const { lastStableOffset, highWatermark } = seen
        if (lastStableOffset === highWatermark) return undefined
        const open = await this.#open()
        return `${ledger}-${partition}: the last stable offset stays at ${lastStableOffset} of ${highWatermark}; ${open}`
      })
      for (const worker of this.#workers) this.#judge(worker, partition, values, nextOf.get(worker.name) ?? 0)
    }
    this.#wire.close()
  }

  /** Transactional ids whose transaction has not come to its end, by their coordinators. */
  async #open(): Promise<string> {
    const open: string[] = []
    for (const id of this.#workers.flatMap(({ ids }) => ids)) {
      const state = await this.#wire.transactionState(id)
      if (!['Empty', 'CompleteCommit', 'CompleteAbort'].includes(state)) open.push(`${id} is ${state}`)
    }
    return open.length === 0 ? 'no transaction is open' : open.join(', ')
  }

  #judge(worker: Worker, partition: number, all: readonly string[], next: number): void {
    const values = all.filter(value => value.startsWith(`${worker.name}:`) || value.startsWith(`${worker.name}-`))
    const wrong = (what: string): never => {
      throw new Error(`${ledger}-${partition}, ${worker.name}: ${what}; it shows ${values.join(' ')}`)
    }
    const shown = new Set(values)
    for (const [index, value] of values.entries()) {
      const outcome = worker.outcomes.get(value)
      if (outcome !== 'committed' && outcome !== 'lost') wrong(`${value} is visible and was ${outcome ?? 'never sent'}`)
      if (Number(value.split(':')[1]) !== index) wrong(`${value} stands where input ${index} belongs`)
    }
    for (const [value, outcome] of worker.outcomes)
      if (outcome === 'committed' && !shown.has(value)) wrong(`${value} was committed and is not there`)
    if (values.length !== next) wrong(`the group has processed ${next} inputs, and ${values.length} are visible`)
  }
}
