import { describe, expect, test } from 'vitest'
import { errorTable, type ErrorName } from '#broker/protocol/errors.ts'
import type { Cluster } from '#scripts/cluster/cluster.ts'
import { Calls, RefusedError } from '#scripts/workload/transactions/calls.ts'

/** A clock that sleeps at once. */
function calls(): { readonly calls: Calls; readonly nowMs: () => number } {
  let nowMs = 0
  const clock = { nowMs: () => nowMs, sleep: (ms: number) => Promise.resolve(void (nowMs += ms)) }
  return { calls: new Calls({ clock, bootstrap: [] } as unknown as Cluster), nowMs: clock.nowMs }
}

/** One answer after the other; an error without an answer is thrown. */
function answering(...answers: readonly (ErrorName | Error)[]) {
  let next = 0
  return {
    ask: () => {
      const answer = answers[Math.min(next++, answers.length - 1)] as ErrorName | Error
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(errorTable[answer].code)
    },
    asked: () => next,
  }
}

describe('asking patiently', () => {
  const errorOf = (code: number) => code

  test('goes on after what a client repeats: no answer, another coordinator, a transaction that is just ending', async () => {
    const { ask, asked } = answering(new Error('closed'), 'NOT_COORDINATOR', 'CONCURRENT_TRANSACTIONS', 'NONE')
    expect(await calls().calls.patiently('EndTxn', ask, errorOf)).toBe(0)
    expect(asked()).toBe(4)
  })

  test.each([
    [['CONCURRENT_TRANSACTIONS', 'PRODUCER_FENCED'], false],
    // These may come after the coordinator has appended PrepareCommit.
    [['COORDINATOR_NOT_AVAILABLE', 'PRODUCER_FENCED'], true],
    [['NOT_COORDINATOR', 'PRODUCER_FENCED'], true],
    [['COORDINATOR_LOAD_IN_PROGRESS', 'PRODUCER_FENCED'], true],
    [[new Error('closed'), 'PRODUCER_FENCED'], true],
  ] as const)('ends at a refusal, and says whether an attempt before may have happened: %s', async (answers, may) => {
    const { ask, asked } = answering(...answers)
    const refused = await calls()
      .calls.patiently('EndTxn', ask, errorOf)
      .catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(RefusedError)
    expect(refused).toMatchObject({ what: 'EndTxn', code: 'PRODUCER_FENCED', mayHaveHappened: may })
    expect(asked()).toBe(2)
  })

  test('gives up after a minute, with what was answered last', async () => {
    const { calls: patient, nowMs } = calls()
    const { ask } = answering('COORDINATOR_NOT_AVAILABLE')
    await expect(patient.patiently('InitProducerId', ask, errorOf)).rejects.toThrow(
      'InitProducerId: not within 60000 ms, at last COORDINATOR_NOT_AVAILABLE',
    )
    expect(nowMs()).toBeGreaterThanOrEqual(60_000)
  })
})
