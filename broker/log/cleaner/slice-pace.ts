/**
 * How much the cleaner does in one turn of the event loop, and how long it waits until the next: a turn is short enough that nobody who comes
 * meanwhile feels it; turns follow each other at once while the loop is idle, and with long pauses while others need it. A machine: told what
 * a turn took and how late the next was, both in whole milliseconds, it says what comes next. Where time stands still during a turn (the
 * simulator) that is the same every time.
 */

const leastCost = 4 * 1024
export const mostCost = 16 * 1024
/** Turns that may follow each other without a pause. */
const burst = 8
const shortestPauseMs = 1
const longestPauseMs = 20
/** A turn that is later than this had to wait for others. */
const busyFromMs = 2
/** A turn shall take no longer than that. */
const longestTurnMs = 1

export class SlicePace {
  /** Cost of a turn: its bytes and a little for each record. */
  cost = mostCost
  /** 0 while the loop is idle. */
  private pauseMs = 0
  private turns = 0
  private readonly limit: () => number
  /** What was read and written since `sinceMs`, for the limit. */
  private bytes = 0
  private sinceMs = 0

  /** @param limit  bytes per second (log.cleaner.io.max.bytes.per.second) */
  constructor(limit: () => number) {
    this.limit = limit
  }

  begin(nowMs: number): void {
    this.bytes = 0
    this.sinceMs = nowMs
  }

  /** A turn is over. Returns ms to wait before the next; 0: only for what others have queued. */
  worked(bytes: number, startedMs: number, nowMs: number): number {
    if (nowMs - startedMs > longestTurnMs) this.cost = Math.max(leastCost, this.cost / 2)
    else this.cost = Math.min(mostCost, this.cost + leastCost / 4)
    this.bytes += bytes
    this.turns = (this.turns + 1) % burst
    const earliestMs = this.sinceMs + (this.bytes * 1000) / this.limit()
    const pauseMs = this.turns === 0 ? Math.max(this.pauseMs, shortestPauseMs) : this.pauseMs
    return Math.max(pauseMs, Math.ceil(earliestMs - nowMs))
  }

  /** The next turn begins, so much later than it was asked for. */
  waited(lateMs: number): void {
    if (lateMs >= busyFromMs) this.pauseMs = Math.min(longestPauseMs, Math.max(shortestPauseMs, this.pauseMs * 2))
    else this.pauseMs = Math.max(0, this.pauseMs - shortestPauseMs)
  }
}
