/**
 * Records of groups whose state runs ahead of the log, as in Kafka: each record is replayed the moment it is written, and whoever was told
 * something that depends on it is answered once it is committed. Should it not reach the log, the shard is loaded anew.
 *
 * Use in a step: `write` the records one by one (the state has changed after each), then `answer` once. An answer that wrote nothing waits
 * for what others wrote before, since it may say what these made so.
 */
import type { ErrorName } from '../../../protocol/errors.ts'
import type { CoordinatorRecord, Effects, Ticket } from '../../runtime/effects.ts'

type Waiting = (outcome: ErrorName) => void

/** `E` is what the shard's effects carry besides records and replies. */
export class AppliedWrites<E = never> {
  readonly #effects: Effects<E>
  readonly #replay: (record: CoordinatorRecord) => void
  #records: CoordinatorRecord[] = []
  #waiting: Waiting[] = []
  /** Appends that are on their way, each with those that wait for it. */
  readonly #inFlight: { readonly waiting: Waiting[] }[] = []

  constructor(effects: Effects<E>, replay: (record: CoordinatorRecord) => void) {
    this.#effects = effects
    this.#replay = replay
  }

  write(record: CoordinatorRecord): void {
    this.#replay(record)
    this.#records.push(record)
  }

  /** When everything written so far is committed, or is known not to be: `refuse` makes the answer for that. */
  answer<Answer>(ticket: Ticket<Answer>, answer: Answer, refuse: (error: ErrorName) => Answer): void {
    this.then(outcome => this.#effects.reply(ticket, outcome === 'NONE' ? answer : refuse(outcome)))
  }

  /** `run` is a part of the step in which the fate of all that is written so far is known. */
  then(run: Waiting): void {
    this.#waiting.push(run)
    this.flush()
  }

  /** At the end of a step: what is written and needs no answer. */
  flush(): void {
    const waiting = this.#waiting
    this.#waiting = []
    if (this.#records.length === 0) {
      const last = this.#inFlight.at(-1)
      if (last === undefined) for (const run of waiting) run('NONE')
      else last.waiting.push(...waiting)
      return
    }
    const append = { waiting }
    this.#inFlight.push(append)
    const records = this.#records
    this.#records = []
    this.#effects.persist(records, outcome => this.#settled(append, outcome), { applied: true })
  }

  #settled(append: { readonly waiting: Waiting[] }, outcome: ErrorName): void {
    const index = this.#inFlight.indexOf(append)
    if (index >= 0) this.#inFlight.splice(index, 1)
    for (const run of append.waiting) run(outcome)
  }
}
