/**
 * What a share group was promised about each record (KIP-932): delivered at least once, not again once its acknowledgement was confirmed, and
 * no more often than the limit.
 */
export interface Place {
  readonly partition: number
  readonly offset: number
}

interface Finished {
  readonly atMs: number
  readonly by: string
}

/** One fetch that brought records. */
export interface Delivery {
  readonly sentMs: number
  readonly member: string
  readonly partition: number
  /**
   * The one leader there was from the request to the answer sent the records. A leader that was deposed and does not know may hand out
   * what its successor knows to be done.
   */
  readonly isLeaders: boolean
}

export class ShareAccount {
  readonly limit: number
  /** Acknowledged to the producer, and to be delivered; with the fetches that were lost before it was sent. */
  readonly #written = new Map<string, number>()
  readonly #delivered = new Set<string>()
  readonly #finished = new Map<string, Finished>()
  /** Fetches without an answer, by partition: each may have acquired records that nobody got. */
  readonly #lost = new Map<number, number>()

  constructor(limit: number) {
    this.limit = limit
  }

  get finished(): number {
    return this.#finished.size
  }

  /** @param lostBefore  `lostOf` its partition before it was sent: those fetches cannot have brought it */
  written(place: Place, lostBefore: number): void {
    this.#written.set(keyOf(place), lostBefore)
  }

  lostOf(partition: number): number {
    return this.#lost.get(partition) ?? 0
  }

  fetchLost(partition: number): void {
    this.#lost.set(partition, this.lostOf(partition) + 1)
  }

  delivered(delivery: Delivery, offset: number, deliveryCount: number): void {
    const { partition, member, sentMs, isLeaders } = delivery
    const key = keyOf({ partition, offset })
    this.#delivered.add(key)
    if (deliveryCount < 1 || deliveryCount > this.limit)
      throw new Error(`${key} was delivered to ${member} for the ${deliveryCount}th time; the limit is ${this.limit}`)
    const finished = this.#finished.get(key)
    if (finished !== undefined && finished.atMs <= sentMs && isLeaders)
      throw new Error(
        `${key} was delivered to ${member}, which asked at ${sentMs} ms; ${finished.by} was told at ${finished.atMs} ms that it is done`,
      )
  }

  /** The broker confirmed that the record is accepted, or rejected. */
  confirmed(place: Place, by: string, atMs: number): void {
    this.#finished.set(keyOf(place), { by, atMs })
  }

  /** @returns what was never delivered and should have been */
  undelivered(): string[] {
    return [...this.#written].flatMap(([key, lostBefore]) => {
      const lost = this.lostOf(Number(key.slice(0, key.indexOf(':')))) - lostBefore
      return this.#delivered.has(key) || lost >= this.limit ? [] : [key]
    })
  }
}

/** `partition:offset`. */
function keyOf({ partition, offset }: Place): string {
  return `${partition}:${offset}`
}
