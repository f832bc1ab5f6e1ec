import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allChecks, check, combine, guarded, type CheckName } from '#scripts/checkers/check.ts'
import { analyse } from '#scripts/checkers/analysis.ts'
import { chance, generate, type ModelOptions } from './model.ts'
import { mutations } from './mutations.ts'

const options: fc.Arbitrary<ModelOptions> = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  partitions: fc.integer({ min: 1, max: 3 }),
  producers: fc.integer({ min: 1, max: 3 }),
  consumers: fc.integer({ min: 1, max: 2 }),
  steps: fc.integer({ min: 60, max: 200 }),
  lostResponses: fc.constantFrom(0, 10, 30),
  failures: fc.constantFrom(0, 10),
  holeEvery: fc.constantFrom(0, 3),
  replicaLogs: fc.constant(true),
})

/** Everything that promises something: `availability` only measures, and it takes transactions to break the first two (`transactions.test.ts`). */
const promises = allChecks.filter(name => !['G1c', 'G1c-process', 'availability'].includes(name))

describe('histories of a correct Kafka', () => {
  test('are valid by every check, with lost responses, late effects, failures and holes in the offsets', () => {
    fc.assert(
      fc.property(options, settings => {
        const verdict = check(generate(settings))
        // Short histories may lack what a check needs (nothing acknowledged, no key written twice); nothing may be called invalid.
        expect(verdict.results.filter(result => result.valid === false)).toEqual([])
      }),
      { numRuns: 150 },
    )
  })

  test('give no unknown result when there is enough to judge', () => {
    const history = generate({
      seed: 1,
      partitions: 2,
      producers: 2,
      consumers: 2,
      steps: 300,
      lostResponses: 10,
      failures: 10,
      holeEvery: 0,
      replicaLogs: true,
    })
    expect(check(history)).toMatchObject({ valid: true })
  })
})

describe('a broken promise is caught by name', () => {
  test.each(promises)('%s', name => {
    const mutation = mutations[name]
    if (!mutation) throw new Error(`no mutation breaks ${name}`)
    let broken = 0
    fc.assert(
      fc.property(options, settings => {
        const mutated = mutation(generate(settings), chance(settings.seed + 1))
        if (!mutated) return
        broken += 1
        const [result] = check(mutated, [name]).results
        expect(result).toMatchObject({ name, valid: false })
        expect(result?.count).toBeGreaterThan(0)
        expect(result?.cases[0]?.explanation).toMatch(/t-\d/)
      }),
      { numRuns: 60 },
    )
    expect(broken).toBeGreaterThan(20)
  })

  test('every check that promises something of all logs has a mutation', () => {
    expect(Object.keys(mutations).sort()).toEqual([...promises].sort())
  })
})

describe('the verdict', () => {
  test('is unknown when a checker throws, and the other checks still answer', () => {
    const analysis = analyse([])
    expect(
      guarded(() => {
        throw new TypeError('oops')
      }, analysis),
    ).toBeInstanceOf(TypeError)
    expect(combine([true, 'unknown'])).toBe('unknown')
    expect(combine([true, 'unknown', false])).toBe(false)
    expect(combine([true, true])).toBe(true)
    expect(combine([])).toBe('unknown')
  })

  test('is unknown, never valid, for a run in which nothing happened', () => {
    for (const name of [
      'lost-write',
      'unseen',
      'poll-skip',
      'key-order',
      'replica-divergence',
      'availability',
    ] satisfies CheckName[]) {
      expect(check([], [name])).toMatchObject({ valid: 'unknown', results: [{ name }] })
    }
  })

  test('is unknown when the workload wrote a value twice, and says so', () => {
    const history = [
      ...generate({
        seed: 3,
        partitions: 1,
        producers: 1,
        consumers: 1,
        steps: 9,
        lostResponses: 0,
        failures: 0,
        holeEvery: 0,
        replicaLogs: false,
      }),
    ]
    const again = history.find(operation => operation.f === 'send' && operation.type === 'invoke')
    if (again) history.push({ ...again, index: history.length })
    const verdict = check(history, ['lost-write'])
    expect(verdict.valid).toBe('unknown')
    expect(verdict.results[0]?.explanation).toMatch(/values must be unique per partition/)
  })

  test('takes time in proportion to the history', () => {
    const history = generate({
      seed: 5,
      partitions: 3,
      producers: 3,
      consumers: 2,
      steps: 30_000,
      lostResponses: 5,
      failures: 1,
      holeEvery: 5,
      replicaLogs: false,
    })
    expect(check(history).results.filter(({ valid }) => valid === false)).toEqual([])
  })
})
