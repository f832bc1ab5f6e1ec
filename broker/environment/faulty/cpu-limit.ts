/**
 * A process that may use so many cores and no more. As a scheduler that limits a control group it gives the process a budget of processor time, which
 * grows with time up to what a period holds; a process that has overdrawn it stands still until it is balanced. What it used counts whichever thread did,
 * but it is the event loop that stands still.
 */
import type { Fault } from './fault.ts'

/** What the process used, and how it is held back. Only where a node is a process of its own. */
export interface Cpu {
  /** Processor time of all threads of the process so far, ms. */
  usedMs(): number
  /** Monotonic. */
  nowMs(): number
  /** Blocks the event loop without using processor time. */
  standStill(delayMs: number): void
  /** Altogether. */
  stoodStillMs(): number
  /** Between other events of the process. @returns how to stop that */
  every(periodMs: number, run: () => void): () => void
}

/** As Linux has it for control groups. */
const periodMs = 100
/** Between two looks the process may overdraw its budget by as much. */
const lookMs = 5
/** Then events have a turn, of which one may be the order to heal it. */
const standMsMax = 1_000

/** Begins at once. @param cpu left out: for the words alone */
export function cpuLimit(cores: number, cpu: Cpu | undefined): Fault {
  const words = { kind: 'cpu-limit', summary: `the process has ${cores} of a core` }
  if (cpu === undefined) return words
  let held = 0
  let budgetMs = 0
  let last = { atMs: cpu.nowMs(), usedMs: cpu.usedMs() }
  const stop = cpu.every(lookMs, () => {
    const now = { atMs: cpu.nowMs(), usedMs: cpu.usedMs() }
    const grownMs = Math.min(cores * periodMs, budgetMs + (now.atMs - last.atMs) * cores)
    budgetMs = grownMs - (now.usedMs - last.usedMs)
    last = now
    if (budgetMs >= 0) return
    held++
    cpu.standStill(Math.min(-budgetMs / cores, standMsMax))
  })
  return { ...words, counted: () => held, healed: stop }
}
