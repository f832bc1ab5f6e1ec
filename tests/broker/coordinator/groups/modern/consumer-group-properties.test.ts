/** What holds in a consumer group whatever its members do and whatever is lost on the way, for random topics, subscriptions and assignors. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { act, World } from './consumer-world.ts'

describe('in a consumer group, whatever happens,', () => {
  it.each([
    { assignmentIntervalMs: 0, assignors: ['uniform'] },
    { assignmentIntervalMs: 0, assignors: ['range'] },
    { assignmentIntervalMs: 3000, assignors: ['uniform', 'range', 'range'] },
  ])(
    'no partition has two owners, epochs never go back, the log holds all of it, and everybody is served in the end (%o)',
    options => {
      fc.assert(
        fc.property(fc.array(act, { maxLength: 60 }), acts => {
          const world = new World(options)
          for (const each of acts) world.do(each)
          world.settle()
          expect(() => world.checkServed()).not.toThrow()
        }),
        { numRuns: 60 },
      )
    },
  )
})
