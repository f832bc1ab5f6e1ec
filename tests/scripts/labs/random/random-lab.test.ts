import { describe, expect, test } from 'vitest'
import type { CheckResult } from '#scripts/checkers/result.ts'
import { documentedFindings, drawLab, forProcesses, parseRandomLab } from '#scripts/labs/random/random-lab.ts'
import { judgeRandom } from '#scripts/labs/random/run-random.ts'
import { check } from '#scripts/checkers/check.ts'
import { begin, did, end, finalRead, from0, historyOf, poll, send, x } from '../../checkers/notation.ts'
import { checkSchedule, needsOf, scheduledKinds } from '#scripts/labs/random/schedule.ts'
import { weakeningNames } from '#scripts/labs/random/weakenings.ts'

const seeds = Array.from({ length: 300 }, (_, seed) => seed)

describe('a lab from a seed', () => {
  test('is the same lab every time, and another one for another seed', () => {
    for (const seed of seeds) expect(drawLab(seed)).toEqual(drawLab(seed))
    expect(new Set(seeds.map(seed => JSON.stringify({ ...drawLab(seed), seed: 0 }))).size).toBe(seeds.length)
  })

  test('can be run, whatever the seed: faults of known kinds that begin within the schedule', () => {
    for (const seed of seeds) {
      const { faults, lengthMs, brokers } = drawLab(seed)
      expect(faults.length).toBeGreaterThan(1)
      expect(() => checkSchedule(faults)).not.toThrow()
      expect(faults.every(({ atMs }) => atMs <= lengthMs)).toBe(true)
      expect(brokers).toBeGreaterThan(2)
    }
    const kinds = new Set(seeds.flatMap(seed => drawLab(seed).faults.map(({ kind }) => kind)))
    expect([...kinds].sort()).toEqual([...scheduledKinds].sort())
  })

  test('promises everything with safe settings, as most labs have, and never has a power failure then', () => {
    const safe = seeds.map(seed => drawLab(seed)).filter(lab => documentedFindings(lab).length === 0)
    expect(safe.length).toBeGreaterThan(seeds.length / 2)
    for (const { acks, unclean, idempotent } of safe)
      expect({ acks, unclean, idempotent }).toEqual({ acks: -1, unclean: false, idempotent: true })
    const strict = safe.filter(({ minInsync }) => minInsync === 2)
    expect(strict.flatMap(({ faults }) => faults).filter(({ kind }) => kind === 'power-failure')).toEqual([])
  })

  test('gives up what it is told to', () => {
    for (const weakening of weakeningNames.filter(name => name !== 'min-insync-1'))
      expect(documentedFindings(drawLab(1, [weakening]))).not.toEqual([])
    expect(drawLab(1, ['acks-1']).acks).toBe(1)
  })

  test('fits processes without a power failure', () => {
    const labs = seeds.map(seed => forProcesses(drawLab(seed)))
    expect(labs.flatMap(({ faults }) => needsOf(faults))).not.toContain('power-failure')
  })

  test('is read back from its file as it was, and nothing else is', () => {
    const lab = drawLab(7)
    expect(parseRandomLab(JSON.stringify(lab))).toEqual(lab)
    const refused: readonly [object, RegExp][] = [
      [{}, /expected a document with format/],
      [{ ...lab, acks: 2 }, /acks: expected 0, 1 or -1, got 2/],
      [{ ...lab, partitions: 'many' }, /partitions: expected a whole number/],
      [{ ...lab, brokers: 0 }, /brokers: expected at least 1, got 0/],
      [{ ...lab, partitions: 0 }, /partitions: expected at least 1, got 0/],
      [{ ...lab, faults: [{ ...lab.faults[0], kind: 'melt' }] }, /fault 0: expected a kind of kill/],
      [{ ...lab, faults: [{ ...lab.faults[0], target: 'leader' }] }, /expected a target like "leader of 0"/],
    ]
    for (const [document, message] of refused) expect(() => parseRandomLab(JSON.stringify(document))).toThrow(message)
  })
})

describe('a random lab is judged by what its settings promise', () => {
  const found = (...names: readonly string[]) => ({
    verdict: names.length === 0 ? ('valid' as const) : ('invalid' as const),
    results: names.map((name): CheckResult => ({ name, valid: false, explanation: 'so', count: 1, cases: [] })),
  })
  const safe = { ...drawLab(1), acks: -1, idempotent: true, minInsync: 2, unclean: false } as const

  test('a loss with acks=1 is documented, with acks=all it is a bug', () => {
    expect(judgeRandom({ ...safe, acks: 1 }, found('lost-write'))).toMatchObject({
      verdict: 'valid',
      documented: ['lost-write'],
    })
    expect(judgeRandom(safe, found('lost-write'))).toMatchObject({ verdict: 'invalid', undocumented: ['lost-write'] })
  })
  test('a duplicate is documented for a producer that is not idempotent, a loss is not', () => {
    const lab = { ...safe, idempotent: false }
    expect(judgeRandom(lab, found('duplicate')).verdict).toBe('valid')
    expect(judgeRandom(lab, found('duplicate', 'unseen'))).toMatchObject({
      verdict: 'invalid',
      documented: ['duplicate'],
      undocumented: ['unseen'],
    })
  })
  test('all that a loss looks like to the checks is documented: records of later leaders lie where lost ones were', () => {
    // Three records were acknowledged, then the log was cut to the first; the client of the third saw no answer and sent it again.
    const history = historyOf(
      did(0, 'ok', 'send', [send(x, 'k:0', 0)]),
      did(0, 'ok', 'send', [send(x, 'k:1', 1)]),
      did(0, 'ok', 'send', [send(x, 'k:2', 2)]),
      begin(1, 'send', [send(x, 'l:0')]),
      did(2, 'ok', 'poll', [poll({ [x]: [...from0('k:0', 'k:1', 'k:2'), [3, 'l:0']] })]),
      did(0, 'ok', 'send', [send(x, 'k:3', 1)]),
      end(1, 'ok', 'send', [send(x, 'l:0', 2)]),
      finalRead({ [x]: from0('k:0', 'k:3', 'l:0') }),
    )
    const { results } = check(history)
    const names = results.filter(({ valid }) => valid === false).map(({ name }) => name)
    expect(names).toEqual(
      expect.arrayContaining(['vanished', 'duplicate', 'log-order', 'nonmonotonic-send', 'key-order']),
    )
    expect(judgeRandom({ ...safe, acks: 1 }, { verdict: 'invalid', results }).undocumented).toEqual([])
  })
  test('replicas that differ are a bug whatever the settings', () => {
    expect(
      judgeRandom({ ...safe, acks: 0, idempotent: false, unclean: true }, found('replica-divergence')).verdict,
    ).toBe('invalid')
  })
  test('a run with trouble is unknown, never a pass', () => {
    expect(judgeRandom(safe, { ...found(), trouble: 'it did not heal' }).verdict).toBe('unknown')
  })
})
