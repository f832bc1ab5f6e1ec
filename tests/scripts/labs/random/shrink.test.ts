import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { drawLab, type RandomLab } from '#scripts/labs/random/random-lab.ts'
import { runRandomLab } from '#scripts/labs/random/run-random.ts'
import type { ScheduledFault } from '#scripts/labs/random/schedule.ts'
import { shrink } from '#scripts/labs/random/shrink.ts'

const fault = (atMs: number): ScheduledFault => ({ atMs, kind: 'kill', target: 'node 1', forMs: 3_000 })

describe('a lab is made smaller', () => {
  test('until no fault can be left out, whichever faults it takes', async () => {
    const cases = fc
      .integer({ min: 1, max: 12 })
      .chain(count =>
        fc.tuple(fc.constant(count), fc.uniqueArray(fc.integer({ min: 0, max: count - 1 }), { maxLength: 3 })),
      )
    await fc.assert(
      fc.asyncProperty(cases, async ([count, needed]) => {
        const faults = Array.from({ length: count }, (_, index) => ({ ...fault(1_000), target: `node ${index}` }))
        const wanted = needed.map(index => `node ${index}`)
        const fails = (lab: RandomLab) => wanted.every(target => lab.faults.some(each => each.target === target))
        const { lab, complete } = await shrink({ ...drawLab(1), faults }, { fails: async each => fails(each) })
        expect(complete).toBe(true)
        expect(lab.faults.map(({ target }) => target).sort()).toEqual(wanted.sort())
      }),
    )
  })

  test('in clients, partitions, controllers and time, for as long as it fails', async () => {
    const before = {
      ...drawLab(1),
      brokers: 5,
      controllers: 3,
      partitions: 3,
      producers: 3,
      consumers: 2,
      lengthMs: 15_000,
    }
    const faults = [{ ...fault(5_000), target: 'leader of 2' }]
    const asked: RandomLab[] = []
    const fails = async (lab: RandomLab) => {
      asked.push(lab)
      return lab.producers >= 2 && lab.faults.length === 1 && (lab.faults[0]?.forMs ?? 0) >= 700
    }
    const { lab, runs } = await shrink({ ...before, faults }, { fails })
    expect(lab).toMatchObject({ brokers: 3, controllers: 0, partitions: 1, producers: 2, consumers: 0 })
    expect(lab.faults).toEqual([{ ...fault(300), target: 'leader of 0', forMs: 800 }])
    expect(lab.lengthMs).toBeLessThan(4_000)
    // Nothing is run twice.
    expect(new Set(asked.map(each => JSON.stringify(each))).size).toBe(asked.length)
    expect(runs).toBe(asked.length)
  })

  test('only as often as it may run, and says that there was more to try', async () => {
    const faults = Array.from({ length: 10 }, (_, index) => fault(index * 100))
    const options = { fails: async (lab: RandomLab) => lab.faults.length >= 4, runsMax: 3 }
    const { lab, runs, complete } = await shrink({ ...drawLab(1), faults }, options)
    expect({ runs, complete }).toEqual({ runs: 3, complete: false })
    expect(lab.faults.length).toBeGreaterThanOrEqual(4)
  })
})

describe('on the simulator', () => {
  const losing: RandomLab = {
    format: 'faultline-random-lab',
    version: 1,
    seed: 1,
    brokers: 3,
    controllers: 0,
    partitions: 1,
    producers: 1,
    consumers: 0,
    acks: 1,
    idempotent: false,
    minInsync: 2,
    unclean: false,
    faults: [
      { atMs: 300, kind: 'stop', target: 'follower of 0', forMs: 300 },
      { atMs: 1_000, kind: 'pause', target: 'followers of 0', forMs: 1_500 },
      { atMs: 2_000, kind: 'kill', target: 'leader of 0', forMs: 4_000 },
    ],
    lengthMs: 6_500,
  }

  test('what acks=1 loses comes down to frozen followers and a dead leader, and is lost again', async () => {
    const run = async (lab: RandomLab) => await runRandomLab(lab, { runtime: simulatedRuntime })
    const outcomes = new Map<string, Awaited<ReturnType<typeof run>>>()
    const fails = async (lab: RandomLab) => {
      const outcome = await run(lab)
      outcomes.set(JSON.stringify(lab), outcome)
      return outcome.documented.includes('lost-write')
    }
    expect(await fails(losing)).toBe(true)
    const { lab } = await shrink(losing, { fails, runsMax: 5 })
    expect(lab.faults.map(({ kind, target }) => `${kind} ${target}`)).toEqual([
      'pause followers of 0',
      'kill leader of 0',
    ])
    expect(await run(lab)).toEqual(outcomes.get(JSON.stringify(lab)))
  }, 300_000)
})
