import { describe, expect, test } from 'vitest'
import { brokerOfSeed } from '#simulator/seeds/broker.ts'
import { runPool, type SeedOutcome } from '#simulator/seeds/pool.ts'
import { runSeed } from '#simulator/seeds/run-seed.ts'

const seeds = [1, 2, 3, 4, 5, 6]
const safetyMs = 15_000

describe('seeds', () => {
  test('lose, duplicate and reorder nothing that was acknowledged, and run the same twice', async () => {
    const outcomes: SeedOutcome[] = []
    await runPool({
      tasks: seeds.map(seed => ({ seed, safetyMs })),
      workers: 2,
      goOn: () => true,
      done: outcome => outcomes.push(outcome),
    })
    const failures = outcomes.map(outcome => ('broken' in outcome ? outcome.broken : outcome.report.failure))
    expect(failures.filter(failure => failure !== undefined)).toEqual([])
    // A seed may be hard on its clients; all together they got something done.
    const acknowledged = outcomes.map(outcome => ('report' in outcome ? outcome.report.acknowledged : 0))
    expect(Math.min(...acknowledged)).toBeGreaterThanOrEqual(5)
    expect(acknowledged.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(200)
  })

  test('run the same in another process', async () => {
    const reports: SeedOutcome[] = []
    await runPool({
      tasks: [{ seed: 7, safetyMs: 5000 }],
      workers: 1,
      goOn: () => true,
      done: outcome => reports.push(outcome),
    })
    const here = await runSeed({ seed: 7, safetyMs: 5000, ...brokerOfSeed })
    expect(reports[0]).toMatchObject({ report: { hash: here.hash, events: here.events } })
  })
})
