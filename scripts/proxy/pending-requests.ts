/**
 * The requests of one connection that are not answered yet. Kafka answers a connection's requests in their order, so an answer of our own waits
 * here for its turn, and what stands before an answer that came will never be answered.
 */
import type { Gate } from './outlet.ts'

/** An answer of the proxy itself, and what it waits for when its turn has come. */
export interface OwnAnswer {
  readonly bytes: Buffer
  readonly gates: readonly Gate[]
}

export interface PendingRequest {
  readonly correlationId: number
  readonly apiKey: number
  readonly apiVersion: number
  readonly clientId: string | null
  /** An answer of the proxy itself; the node has not seen the request. */
  readonly answer?: OwnAnswer
  /** A second answer to a request that was sent twice: nobody asked for it. */
  readonly isExtra?: true
}

/** More than any client has under way. */
const requestsMax = 20_000

export class PendingRequests {
  #requests: PendingRequest[] = []
  #answers = 0

  add(request: PendingRequest): void {
    if (this.#requests.length >= requestsMax) this.#drop(1)
    this.#requests.push(request)
    if (request.answer !== undefined) this.#answers++
  }

  /** The request that a response belongs to; undefined when nobody asked. */
  take(correlationId: number): PendingRequest | undefined {
    const index = this.#requests.findIndex(
      request => request.answer === undefined && request.correlationId === correlationId,
    )
    if (index < 0) return undefined
    const found = this.#requests[index]
    this.#drop(index + 1)
    return found
  }

  /** Answers of ours whose turn it is. */
  *takeAnswers(): Generator<OwnAnswer> {
    for (;;) {
      const answer = this.#requests[0]?.answer
      if (answer === undefined) return
      this.#drop(1)
      yield answer
    }
  }

  /** True: at least one answer of ours waits for its turn. */
  get hasAnswers(): boolean {
    return this.#answers > 0
  }

  get isEmpty(): boolean {
    return this.#requests.length === 0
  }

  #drop(count: number): void {
    const [...gone] = this.#requests.splice(0, count)
    this.#answers -= gone.filter(({ answer }) => answer !== undefined).length
  }
}
