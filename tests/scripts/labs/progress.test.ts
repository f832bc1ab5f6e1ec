import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { inOrder } from '#scripts/labs/chapters.ts'
import { isDone, progressFile, readProgress, rememberRun } from '#scripts/labs/progress.ts'
import type { LabResult } from '#scripts/labs/result.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'faultline-progress-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const result = (verdict: LabResult['verdict'], chosen?: number): LabResult => ({
  lab: '07-acks-matrix',
  summary: '',
  question: '',
  prediction: { choices: ['a', 'b'], answer: 1, ...(chosen === undefined ? {} : { chosen }) },
  watch: [],
  explanation: '',
  reading: [],
  runtime: 'process',
  engine: 'apache-kafka',
  engineVersion: '3.9.1',
  seed: 1,
  startedAt: '2026-01-02T03:04:05.000Z',
  durationMs: 1,
  verdict,
  reason: '',
  variants: [],
})

describe('what was done of the labs', () => {
  test('is nothing at first, then the last verdict and the first prediction', () => {
    const file = join(folder, 'deep', 'labs.json')
    expect(readProgress(file)).toEqual({})
    rememberRun(result('unknown'), file)
    rememberRun(result('invalid', 0), file)
    rememberRun(result('valid', 1), file)
    const progress = readProgress(file)
    expect(progress).toEqual({
      '07-acks-matrix': {
        runs: 3,
        prediction: 'wrong',
        verdict: 'valid',
        engine: 'apache-kafka:3.9.1',
        runtime: 'process',
        lastRunAt: '2026-01-02T03:04:05.000Z',
      },
    })
    expect(isDone(progress['07-acks-matrix'])).toBe(true)
    expect(isDone(progress['00-durability'])).toBe(false)
  })

  test('is not guessed from a file that is something else, and such a file is left alone', () => {
    const file = join(folder, 'labs.json')
    for (const text of ['', 'null', '{"labs":{}}', '{"format":"faultline-lab-progress","version":2,"labs":{}}']) {
      writeFileSync(file, text)
      expect(() => readProgress(file)).toThrow(/is not what the toolkit wrote/)
      expect(() => rememberRun(result('valid'), file)).toThrow(/is not what the toolkit wrote/)
      expect(readFileSync(file, 'utf8')).toBe(text)
    }
  })

  test('lies in the state directory of the user; a relative one is none', () => {
    expect(progressFile({ XDG_STATE_HOME: '/x' })).toBe('/x/faultline/labs.json')
    expect(progressFile({ XDG_STATE_HOME: 'x' })).toMatch(/\.local\/state\/faultline\/labs\.json$/)
  })
})

test('labs are taught chapter by chapter, the easy ones first', () => {
  const labs = [
    { name: '13-a' },
    { name: '07-b', difficulty: 3 },
    { name: '11-c', difficulty: 1 },
    { name: '01-d' },
    { name: 'mine', chapter: 'replication', difficulty: 2 },
  ] as const
  const order = inOrder(labs).map(
    ({ chapter, labs: found }) => `${chapter}: ${found.map(({ name }) => name).join(' ')}`,
  )
  expect(order).toEqual(['the log: 01-d', 'replication: 11-c mine 07-b', 'transactions and streams: 13-a'])
})
