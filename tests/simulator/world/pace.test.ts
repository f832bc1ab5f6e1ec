import { expect, it } from 'vitest'
import type { Pace } from '#simulator/world/pace.ts'
import { World } from '#simulator/world/world.ts'

/** Real time that passes when the test says so. */
class HandPace implements Pace {
  #nowUs = 0
  #resume: (() => void) | undefined

  nowUs(): number {
    return this.#nowUs
  }

  wait(_timeUs: number | undefined, resume: () => void): void {
    this.#resume = resume
  }

  wake(): void {
    const resume = this.#resume
    this.#resume = undefined
    if (resume !== undefined) setImmediate(resume)
  }

  async pass(ms: number): Promise<void> {
    this.#nowUs += ms * 1000
    this.wake()
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
  }
}

it('virtual time follows the pace, and what comes from outside happens at the real moment', async () => {
  const pace = new HandPace()
  const world = new World({ seed: 1 })
  const happened: string[] = []
  const done = Promise.withResolvers<void>()
  const run = world.run(() => done.promise, { pace })
  world.schedule('control', undefined, 10_000, () => happened.push(`timer at ${world.nowMs}`))
  await pace.pass(9)
  expect(happened).toEqual([])
  world.inject(() => happened.push(`outside at ${world.nowMs}`))
  await pace.pass(0)
  expect(happened).toEqual(['outside at 9'])
  await pace.pass(5)
  expect(happened).toEqual(['outside at 9', 'timer at 10'])
  world.inject(() => done.resolve())
  await pace.pass(0)
  await run
})

it('a world without a pace hears nothing from outside', () => {
  expect(() => new World({ seed: 1 }).inject(() => undefined)).toThrow('only a world with a pace')
})
