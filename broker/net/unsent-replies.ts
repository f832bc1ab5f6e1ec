/**
 * How much of this node's memory is held by replies that their clients do not take: what Kafka sends from its files as the socket allows,
 * is read into memory here. A consumer's fetch that is read when much is held, at once or after a wait, is answered with less: one batch at
 * least (KIP-74). Followers get what they ask for: there are only so many, and clients that take nothing must not slow replication.
 *
 * Not a hard bound: bytes count once a socket has not taken them, so fetches that are read in one turn do not see each other's, and each may
 * still bring its one batch.
 */

/** Bytes beyond which a consumer's fetch brings no more than it must. */
const plentyBytes = 128 << 20

export class UnsentReplies {
  #bytes = 0

  add(bytes: number): void {
    this.#bytes += bytes
  }

  remove(bytes: number): void {
    this.#bytes -= bytes
  }

  /** What further replies had better stay below; 0 when too much is held already. */
  get roomBytes(): number {
    return Math.max(0, plentyBytes - this.#bytes)
  }
}
