import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { runPool, type SeedOutcome } from '#simulator/seeds/pool.ts'

const workerFile = fileURLToPath(new URL('./spinning-worker.ts', import.meta.url))

describe('a run that goes round in promise callbacks', () => {
  test('ends with the virtual time, the event and the functions it stands at, and the next seed is run', async () => {
    const outcomes: SeedOutcome[] = []
    await runPool({
      tasks: [1, 2].map(seed => ({ seed, safetyMs: undefined })),
      workers: 1,
      goOn: () => true,
      done: outcome => outcomes.push(outcome),
      workerFile,
    })
    expect(outcomes).toHaveLength(2)
    const [stuck, fine] = outcomes
    expect(stuck).toMatchObject({ seed: 1, broken: expect.stringContaining('(control) at 1500 ms of virtual time') })
    expect(stuck).toMatchObject({ broken: expect.stringMatching(/no progress for 0\.4 s.*spinning-worker\.ts:\d+/) })
    expect(fine).toEqual({ seed: 2, report: {} })
  })
})
