/**
 * How long a rebalance of a classic group waits for members to join, in monotonic ms: up to their longest rebalance timeout; in a new group
 * for a delay at least, and for another as long as members keep coming (KIP-134, group.initial.rebalance.delay.ms).
 */
export class JoinPhase {
  /** Infinity: no rebalance is waiting. */
  deadlineMs = Infinity
  #delayMs = 0
  #limitMs = 0
  #hasNewcomers = false

  /** Before the first generation nobody is served, however many have joined. */
  get isDelayed(): boolean {
    return this.#delayMs > 0
  }

  begin(nowMs: number, timeoutMs: number): void {
    this.end()
    this.deadlineMs = nowMs + timeoutMs
  }

  beginDelayed(nowMs: number, { delayMs, timeoutMs }: { readonly delayMs: number; readonly timeoutMs: number }): void {
    this.#delayMs = delayMs
    this.#limitMs = nowMs + timeoutMs
    this.#hasNewcomers = false
    this.deadlineMs = Math.min(nowMs + delayMs, this.#limitMs)
  }

  memberCame(): void {
    this.#hasNewcomers = true
  }

  /** The deadline passed. @returns whether it is put off: members are still coming */
  putOff(nowMs: number): boolean {
    if (!this.isDelayed || !this.#hasNewcomers || nowMs >= this.#limitMs) {
      this.#delayMs = 0
      return false
    }
    this.#hasNewcomers = false
    this.deadlineMs = Math.min(nowMs + this.#delayMs, this.#limitMs)
    return true
  }

  end(): void {
    this.#delayMs = 0
    this.deadlineMs = Infinity
  }
}
