/**
 * Notices a run that stands still. Code that goes round in promise callbacks never gives the thread back, so no timer of the same thread
 * can see it: a thread of its own looks at memory where the world notes each event before it runs it. After `stallMs` of real time at
 * one event it names the event and the code that runs, and ends the process.
 */
import { writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { eventKindOf } from '../world/event-queue.ts'
import type { World } from '../world/world.ts'

/** An event takes microseconds; this is a machine that is very busy with other things, and more. */
export const stallMs = 60_000

/** What the main thread notes: whether a run is under way, which event it is at, when, of what kind, on which machine (-1: none). */
const cell = { active: 0, event: 1, timeUs: 2, kind: 3, machine: 4, count: 5 } as const

export interface WatchedBy {
  readonly memory: SharedArrayBuffer
  /** File descriptor that the report goes to. */
  readonly reportTo: number
  readonly stallMs: number
}

export class Watchdog {
  readonly #cells: Float64Array

  constructor(options: { readonly reportTo: number; readonly stallMs?: number }) {
    const memory = new SharedArrayBuffer(cell.count * Float64Array.BYTES_PER_ELEMENT)
    this.#cells = new Float64Array(memory)
    const workerData: WatchedBy = { memory, reportTo: options.reportTo, stallMs: options.stallMs ?? stallMs }
    const thread = new Worker(new URL('./watching-thread.ts', import.meta.url), { workerData })
    thread.unref()
  }

  /** Watches that world's events from now on. */
  watch(world: World): void {
    const cells = this.#cells
    cells[cell.active] = 1
    world.beforeEvent(({ timeUs, number, kindNumber, machineIndex }) => {
      cells[cell.event] = number
      cells[cell.timeUs] = timeUs
      cells[cell.kind] = kindNumber
      cells[cell.machine] = machineIndex
    })
  }

  /** Nothing runs any more that should make progress. */
  rest(): void {
    this.#cells[cell.active] = 0
  }
}

export interface Standstill {
  readonly event: number
  readonly timeMs: number
  readonly what: string
}

/** Reads the memory; undefined while nothing runs. */
export function standing(memory: SharedArrayBuffer): Standstill | undefined {
  const cells = new Float64Array(memory)
  if (cells[cell.active] !== 1) return undefined
  const machine = cells[cell.machine] ?? -1
  const kind = eventKindOf(cells[cell.kind] ?? 0)
  return {
    event: cells[cell.event] ?? 0,
    timeMs: (cells[cell.timeUs] ?? 0) / 1000,
    what: machine < 0 ? kind : `${kind} of machine ${machine}`,
  }
}

/** Written at once: the process ends with the next statement. */
export function reportStandstill(reportTo: number, at: Standstill, options: { stallMs: number; code: string }): void {
  const { event, timeMs, what } = at
  writeSync(
    reportTo,
    `no progress for ${options.stallMs / 1000} s of real time: event ${event} (${what}) at ${timeMs} ms of virtual time does not come ` +
      `to its end, its code goes round in promise callbacks or a loop: ${options.code}\n`,
  )
}
