/** What a group machine wants done, in order. Replies that depend on records wait in `persist` until these are committed. */
import type { ErrorName } from '../../protocol/errors.ts'

/** Where the answer to one parked request goes. */
export interface Ticket<Response> {
  readonly resolve: (response: Response) => void
}

/** One record of `__consumer_offsets`; a null value is a tombstone. */
export interface GroupRecord {
  readonly key: Buffer
  readonly value: Buffer | null
}

/** Runs as a step of the machine once the fate of the records is known; 'NONE' means committed. */
export type AfterPersist = (outcome: ErrorName, nowMs: number) => void

export type Effect =
  | { readonly kind: 'reply'; readonly send: () => void }
  | { readonly kind: 'persist'; readonly records: readonly GroupRecord[]; readonly then: AfterPersist }

export class Effects {
  #queue: Effect[] = []

  reply<Response>(ticket: Ticket<Response>, response: Response): void {
    this.#queue.push({ kind: 'reply', send: () => ticket.resolve(response) })
  }

  persist(records: readonly GroupRecord[], then: AfterPersist): void {
    this.#queue.push({ kind: 'persist', records, then })
  }

  take(): Effect[] {
    const taken = this.#queue
    this.#queue = []
    return taken
  }
}
