/**
 * How much the cleaner does in one turn of the event loop, and how long it waits until the next: little and seldom while others need the
 * loop, much and often while it is idle. A machine: told what a turn took and how late the timer was, both in whole milliseconds, it says
 * what comes next. Where time stands still during a turn (the simulator) that is the same every time.
 */

const leastCost = 8 * 1024
export const mostCost = 128 * 1024
const shortestPauseMs = 1
const longestPauseMs = 20
/** A timer that is later than this had to wait for others. */
const busyFromMs = 2
/** A turn shall take no longer than that. */
const longestTurnMs = 1

export class SlicePace {
  /** Cost of a turn: its bytes and a little for each record. */
  cost = mostCost / 2
  pauseMs = shortestPauseMs
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

  /** A turn is over. Returns ms to wait before the next. */
  worked(bytes: number, startedMs: number, nowMs: number): number {
    if (nowMs - startedMs > longestTurnMs) this.cost = Math.max(leastCost, this.cost / 2)
    else this.cost = Math.min(mostCost, this.cost + leastCost / 4)
    this.bytes += bytes
    const earliestMs = this.sinceMs + (this.bytes * 1000) / this.limit()
    return Math.max(this.pauseMs, Math.ceil(earliestMs - nowMs))
  }

  /** The timer ran, so much later than it was asked for. */
  waited(lateMs: number): void {
    this.pauseMs =
      lateMs >= busyFromMs
        ? Math.min(longestPauseMs, this.pauseMs * 2)
        : Math.max(shortestPauseMs, this.pauseMs - shortestPauseMs)
  }
}
