/**
 * How much of this node's memory is held by replies that their clients do not take: what Kafka sends from its files as the socket allows,
 * is read into memory here. Fetches that come when much is held are answered with less, one batch at least (KIP-74).
 */

/** Bytes beyond which a fetch brings no more than it must. */
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
