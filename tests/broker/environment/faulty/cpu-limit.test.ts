import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cpuLimit, type Cpu } from '#broker/environment/faulty/cpu-limit.ts'

/** A process that has an event loop and nothing to do but what it is given, on a machine without other users. */
class Machine implements Cpu {
  #nowMs = 1_000
  #usedMs = 70
  #stoodStillMs = 0
  readonly #looks: { readonly periodMs: number; readonly run: () => void; nextMs: number }[] = []

  usedMs = () => this.#usedMs
  nowMs = () => this.#nowMs
  stoodStillMs = () => this.#stoodStillMs

  standStill(delayMs: number): void {
    this.#nowMs += delayMs
    this.#stoodStillMs += delayMs
  }

  every(periodMs: number, run: () => void): () => void {
    const look = { periodMs, run, nextMs: this.#nowMs + periodMs }
    this.#looks.push(look)
    return () => void this.#looks.splice(this.#looks.indexOf(look), 1)
  }

  /** One event that takes so much processor time, on so many threads. */
  work(ms: number, threads = 1): void {
    this.#nowMs += ms
    this.#usedMs += ms * threads
    this.#turn()
  }

  rest(ms: number): void {
    for (const endMs = this.#nowMs + ms; this.#nowMs < endMs;) {
      this.#nowMs++
      this.#turn()
    }
  }

  #turn(): void {
    for (const look of [...this.#looks]) {
      if (look.nextMs > this.#nowMs) continue
      look.nextMs = this.#nowMs + look.periodMs
      look.run()
    }
  }
}

describe('a process that has so much of a core', () => {
  test('gets no more than that, whatever it has to do, and all of it where it has enough to do', () => {
    const pieces = fc.array(fc.double({ min: 0.1, max: 40, noNaN: true }), { minLength: 50, maxLength: 400 })
    fc.assert(
      fc.property(fc.double({ min: 0.05, max: 0.95, noNaN: true }), pieces, (cores, work) => {
        const machine = new Machine()
        const fault = cpuLimit(cores, machine)
        const began = { atMs: machine.nowMs(), usedMs: machine.usedMs() }
        for (const ms of work) machine.work(ms)
        // What the last event overdrew is paid back by standing still, however long that takes.
        for (let before = -1; before !== machine.stoodStillMs();) {
          before = machine.stoodStillMs()
          machine.rest(6)
        }
        const tookMs = machine.nowMs() - began.atMs
        const usedMs = machine.usedMs() - began.usedMs
        expect(usedMs).toBeLessThanOrEqual(cores * tookMs + 5 + 1e-6)
        expect(usedMs).toBeGreaterThan(cores * tookMs - 50)
        expect(fault.counted?.()).toBeGreaterThan(0)
      }),
    )
  })

  test('stands still for the work of all its threads, and saves up no more than a period', () => {
    const machine = new Machine()
    cpuLimit(0.5, machine)
    machine.rest(10_000)
    expect(machine.stoodStillMs()).toBe(0)
    // Of 50 ms that are saved 40 are used, then 40 of the 10 that are left and the 5 that came.
    machine.work(10, 4)
    expect(machine.stoodStillMs()).toBe(0)
    machine.work(10, 4)
    const owedMs = 40 - 10 - 5
    expect(machine.stoodStillMs()).toBeCloseTo(owedMs / 0.5, 6)
  })

  test('has events also while it owes much, and nothing holds it when it is healed', () => {
    const machine = new Machine()
    const fault = cpuLimit(0.05, machine)
    machine.work(500)
    expect(machine.stoodStillMs()).toBe(1_000)
    fault.healed?.()
    machine.work(500)
    expect(machine.stoodStillMs()).toBe(1_000)
    expect(cpuLimit(0.2, undefined).summary).toBe('the process has 0.2 of a core')
  })
})
