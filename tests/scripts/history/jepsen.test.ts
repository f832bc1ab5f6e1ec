import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ednMap, formatEdn, keyword, type Edn } from '#scripts/history/edn.ts'
import { formatJepsen } from '#scripts/history/jepsen.ts'
import type { History } from '#scripts/history/operation.ts'
import { generateTransactions } from '../checkers/transaction-model.ts'
import { assign, crash, did, fact, fault, finalRead, historyOf, logStart, poll, send } from '../checkers/notation.ts'
import { parseEdn, ParsedKeyword, type Parsed } from './edn-parser.ts'

/** Keywords as `':name'`, maps as objects: easy to compare. */
function plain(value: Parsed): unknown {
  if (value instanceof ParsedKeyword) return `:${value.name}`
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, each]) => [String(key), plain(each)]))
  return Array.isArray(value) ? value.map(plain) : value
}

function linesOf(history: History, format: 'kafka' | 'list-append'): Record<string, unknown>[] {
  const text = formatJepsen(history, format)
  expect(text.endsWith('\n') || text === '').toBe(true)
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => plain(parseEdn(line)) as Record<string, unknown>)
}

describe('EDN', () => {
  test('is read back as it was written, whatever strings hold', () => {
    const values = fc.letrec<{ value: Edn }>(tie => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constant(null),
        fc.boolean(),
        fc.integer(),
        fc.string({ unit: 'binary' }),
        fc.string({ unit: fc.constantFrom('"', '\\', '\n', '\t', '\r', ';', ',', '{', 'ü', '🙂') }),
        fc.array(tie('value'), { maxLength: 4 }),
      ),
    })).value
    fc.assert(
      fc.property(values, value => {
        expect(plain(parseEdn(formatEdn(value)))).toEqual(value)
      }),
      { numRuns: 1_000 },
    )
  })

  test('knows keywords and maps', () => {
    const value = ednMap({ type: keyword('ok'), index: 3, nothing: undefined, value: [keyword('send'), 'a"b', null] })
    expect(formatEdn(value)).toBe('{:type :ok, :index 3, :value [:send "a\\"b" nil]}')
  })

  test.each<[string, () => unknown]>([
    ['a keyword with a space', () => keyword('a b')],
    ['infinity', () => formatEdn(Number.POSITIVE_INFINITY)],
    ['an exponent', () => formatEdn(1e300)],
  ])('refuses %s', (_, write) => {
    expect(write).toThrow(/expected/)
  })
})

describe('a history as jepsen.tests.kafka has it', () => {
  const history = historyOf(
    assign(1, 'x-0'),
    did(0, 'ok', 'send', [send('x-0', 'a', 5)]),
    did(0, 'info', 'send', [send('x-0', 'b')]),
    fault('kill', 1),
    did(1, 'ok', 'poll', [poll({ 'x-0': [[5, 'a']] })]),
    did(2, 'ok', 'txn', [send('x-0', 'c', 6), poll({ 'x-0': [[5, 'a']] })], { rebalanced: ['x-0'] }),
    crash(1),
    logStart('x-0', 1),
    fact('lag', 3),
  )

  test('has its operations, with indexes without gaps and times in nanoseconds', () => {
    const entry = (index: number, fields: object) => expect.objectContaining({ ':index': index, ...fields })
    expect(linesOf(history, 'kafka')).toEqual([
      entry(0, { ':type': ':invoke', ':f': ':assign', ':value': ['x-0'], ':process': 1, ':time': 0 }),
      entry(1, { ':type': ':ok', ':f': ':assign', ':entry': 0 }),
      entry(2, { ':type': ':invoke', ':f': ':send', ':value': [[':send', 'x-0', 'a']], ':time': 10_000_000 }),
      entry(3, { ':type': ':ok', ':value': [[':send', 'x-0', [5, 'a']]], ':time': 20_000_000 }),
      entry(4, { ':type': ':invoke' }),
      entry(5, { ':type': ':info', ':value': [[':send', 'x-0', 'b']] }),
      entry(6, {
        ':type': ':info',
        ':process': ':nemesis',
        ':f': ':kill',
        ':value': { ':brokers': [1], ':target': 'test' },
      }),
      entry(7, { ':type': ':info', ':process': ':nemesis' }),
      entry(8, { ':type': ':invoke', ':f': ':poll', ':value': [[':poll']] }),
      entry(9, { ':type': ':ok', ':value': [[':poll', { 'x-0': [[5, 'a']] }]] }),
      entry(10, { ':type': ':invoke', ':f': ':txn', ':value': [[':send', 'x-0', 'c'], [':poll']] }),
      entry(11, { ':type': ':ok', ':f': ':txn', ':rebalance-log': [{ ':keys': ['x-0'] }] }),
      entry(12, { ':type': ':invoke', ':f': ':crash' }),
      entry(13, { ':type': ':info', ':f': ':crash' }),
    ])
  })

  test('pairs every completion with an invocation, in any history', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), seed => {
        const generated = generateTransactions({
          seed,
          partitions: 2,
          clients: 3,
          steps: 60,
          aborts: 20,
          lost: 20,
          retentionEvery: 0,
          uncommitted: true,
        })
        const open = new Set<unknown>()
        let records = 0
        for (const [index, line] of linesOf(generated, 'kafka').entries()) {
          expect(line[':index']).toBe(index)
          if (line[':type'] === ':invoke') {
            expect(open.has(line[':process'])).toBe(false)
            open.add(line[':process'])
          } else if (line[':process'] !== ':nemesis') {
            expect(open.delete(line[':process'])).toBe(true)
            records += JSON.stringify(line[':value']).split('"k').length - 1
          }
        }
        const ours = generated.filter(({ type }) => type !== 'invoke').map(({ value }) => JSON.stringify(value))
        expect(records).toBe(ours.join('').split('"k').length - 1)
      }),
      { numRuns: 100 },
    )
  })
})

describe('a history for Elle’s list-append', () => {
  test('reads what the client has polled so far, and what lies below where it began', () => {
    const history = historyOf(
      did(0, 'ok', 'send', [send('x-0', 'a', 0)]),
      did(0, 'ok', 'txn', [send('x-0', 'b', 1), send('y-0', 'c', 0)]),
      did(3, 'fail', 'txn', [send('x-0', 'z')]),
      did(1, 'ok', 'poll', [poll({ 'x-0': [[0, 'a']] })]),
      did(1, 'ok', 'poll', [poll({ 'x-0': [[1, 'b']] })]),
      did(2, 'ok', 'poll', [poll({ 'x-0': [[1, 'b']] })]),
      finalRead({
        'x-0': [
          [0, 'a'],
          [1, 'b'],
        ],
        'y-0': [[0, 'c']],
      }),
    )
    const lines = linesOf(history, 'list-append')
    expect(lines.every(line => line[':f'] === ':txn')).toBe(true)
    expect(lines.filter(line => line[':type'] === ':ok').map(line => line[':value'])).toEqual([
      [[':append', 'x-0', 'a']],
      [
        [':append', 'x-0', 'b'],
        [':append', 'y-0', 'c'],
      ],
      [[':r', 'x-0', ['a']]],
      [[':r', 'x-0', ['a', 'b']]],
      [[':r', 'x-0', ['a', 'b']]],
      [
        [':r', 'x-0', ['a', 'b']],
        [':r', 'y-0', ['c']],
      ],
    ])
    expect(lines.find(line => line[':process'] === 1)).toMatchObject({
      ':type': ':invoke',
      ':value': [[':r', 'x-0', null]],
    })
  })

  test('shows what a client skipped, and what it saw otherwise', () => {
    const history = historyOf(
      did(0, 'ok', 'send', [send('x-0', 'a', 0)]),
      did(0, 'ok', 'send', [send('x-0', 'b', 1)]),
      did(0, 'ok', 'send', [send('x-0', 'c', 2)]),
      did(1, 'ok', 'poll', [
        poll({
          'x-0': [
            [0, 'a'],
            [2, 'c'],
          ],
        }),
      ]),
      did(2, 'ok', 'poll', [
        poll({
          'x-0': [
            [0, 'a'],
            [1, 'x'],
            [2, 'c'],
          ],
        }),
      ]),
    )
    expect(
      linesOf(history, 'list-append')
        .slice(-4)
        .map(line => line[':value']),
    ).toEqual([
      [[':r', 'x-0', null]],
      [[':r', 'x-0', ['a', 'c']]],
      [[':r', 'x-0', null]],
      [[':r', 'x-0', ['a', 'x', 'c']]],
    ])
  })
})
