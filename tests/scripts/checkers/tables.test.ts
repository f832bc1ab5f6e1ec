/** Histories by hand, good and bad, for each check; what a check must tell apart. Generated ones are in the neighbouring files. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { bankBalance } from '#scripts/checkers/bank.ts'
import { progressCheck } from '#scripts/checkers/availability.ts'
import { check, everyCheck, figureChecks, type Check, type CheckName } from '#scripts/checkers/check.ts'
import { exactlyOnce } from '#scripts/checkers/pipeline.ts'
import { sendsAcknowledged } from '#scripts/checkers/sends-acknowledged.ts'
import type { Validity } from '#scripts/checkers/result.ts'
import type { History } from '#scripts/history/operation.ts'
import { clientCases } from './client-cases.ts'
import { logCases } from './log-cases.ts'
import {
  begin,
  did,
  end,
  fault,
  finalRead,
  from0,
  group,
  historyOf,
  logStart,
  phase,
  poll,
  removal,
  send,
  x,
  y,
  sent,
  read,
  type Case,
} from './notation.ts'

const cases = { ...logCases, ...clientCases }

describe.each(Object.entries(cases) as [CheckName, readonly Case[]][])('%s', (name, table) => {
  const named = table.map(([what, valid, history, says]) => ({ what, valid, history, says }))
  test.each(named)('$what: $valid', ({ valid, history, says }) => {
    const [result] = check(history, [name]).results
    expect(result).toMatchObject({ name, valid })
    if (valid === false) expect(result?.cases[0]?.slice.length).toBeGreaterThan(0)
    if (says) expect(result?.cases[0]?.explanation).toMatch(says)
  })
})

describe('what Kafka allows is counted, never invalid', () => {
  const interleaved = historyOf(
    begin(0, 'txn', [send(x, 'a'), send(y, 'b')]),
    begin(1, 'txn', [send(x, 'c'), send(y, 'd')]),
    end(0, 'ok', 'txn', [send(x, 'a', 0), send(y, 'b', 1)]),
    end(1, 'ok', 'txn', [send(x, 'c', 1), send(y, 'd', 0)]),
  )
  test.each<[CheckName, History, number]>([
    ['G0', interleaved, 1],
    ['G0-realtime', historyOf(did(0, 'ok', 'send', [send(x, 'a', 1)]), did(1, 'ok', 'send', [send(x, 'b', 0)])), 1],
    [
      'G0-process',
      historyOf(did(0, 'ok', 'send', [send(x, 'a', 1)]), did(0, 'info', 'send', [send(x, 'b', 0)]), read(1, 'b', 'a')),
      1,
    ],
    [
      'G1c-ww',
      historyOf(
        begin(0, 'txn', [send(x, 'a'), ['poll']]),
        begin(1, 'txn', [send(x, 'c'), send(y, 'd')]),
        end(1, 'ok', 'txn', [send(x, 'c', 1), send(y, 'd', 0)]),
        end(0, 'ok', 'txn', [send(x, 'a', 0), poll({ [y]: [[0, 'd']] })]),
      ),
      1,
    ],
    [
      'int-send-skip',
      historyOf(
        sent('a').slice(0, 0),
        did(1, 'ok', 'send', [send(x, 'm', 1)]),
        did(0, 'ok', 'txn', [send(x, 'a', 0), send(x, 'b', 2)]),
      ),
      1,
    ],
    ['G0', historyOf(sent('a', 'b', 'c')), 0],
  ])('%s', (name, history, count) => {
    expect(check(history, [name]).results[0]).toMatchObject({ name, valid: true, count })
  })

  test('pauses of a group are measured', () => {
    const history = historyOf(
      group(0, 'joined', { generation: 1, partitions: [x] }),
      group(0, 'revoked', { partitions: [x] }),
      sent('a'),
      group(1, 'joined', { generation: 2, partitions: [x] }),
    )
    expect(check(history, ['rebalance-pause']).results[0]).toMatchObject({
      valid: true,
      figures: { pauses: 1, 'longest pause, ms': 30 },
    })
  })

  test('every such check is a check', () => {
    expect(everyCheck).toEqual(expect.arrayContaining([...figureChecks]))
  })
})

describe('checks that a lab brings along', () => {
  const pipeline = exactlyOnce({ inputs: ['x'], outputs: ['y'] })
  /** A record of the input at the offset `at`, copied to the output at `place`. */
  const copy = (
    process: number,
    from: string,
    to: string,
    at: number,
    place = at,
    type: 'ok' | 'fail' | 'info' = 'ok',
  ) => [
    ...begin(process, 'txn', [['poll']]),
    ...end(process, type, 'txn', [poll({ [x]: [[at, from]] }), send(y, to, place)]),
  ]
  const bank = bankBalance({ topics: ['x', 'y'], amount: value => Number(value.split('=')[1]) })

  /** A transfer that was committed, as its first half shows; of the other one no place is known. */
  const halfKnown = [
    ...did(0, 'ok', 'send', [send(y, 'e=0', 0)]),
    ...did(3, 'info', 'txn', [send(x, 'a=-5'), send(y, 'b=5')]),
  ]

  const table: readonly (readonly [what: string, Validity, Check, History, says?: RegExp])[] = [
    [
      'once',
      true,
      pipeline,
      historyOf(sent('a', 'b'), copy(1, 'a', 'a', 0), copy(1, 'b', 'b', 1), finalRead({ [y]: from0('a', 'b') })),
    ],
    [
      'again after an abort',
      true,
      pipeline,
      historyOf(
        sent('a'),
        copy(1, 'a', 'a~1', 0, 0, 'fail'),
        copy(2, 'a', 'a~2', 0, 2),
        finalRead({ [y]: [[2, 'a~2']] }),
      ),
    ],
    [
      'not at all',
      false,
      pipeline,
      historyOf(sent('a', 'b'), copy(1, 'a', 'a', 0), finalRead({ [y]: from0('a') })),
      /b went in once and came out 0 times/,
    ],
    [
      'twice',
      false,
      pipeline,
      historyOf(
        sent('a'),
        copy(1, 'a', 'a~1', 0, 0, 'info'),
        copy(2, 'a', 'a~2', 0, 1),
        finalRead({ [y]: from0('a~1', 'a~2') }),
      ),
      /a went in once and came out 2 times/,
    ],
    [
      'from nothing',
      false,
      pipeline,
      historyOf(sent('a'), copy(1, 'a', 'a', 0), finalRead({ [y]: from0('a', 'z') })),
      /z came out and never went in/,
    ],
    ['not yet', 'unknown', pipeline, historyOf(sent('a'), read(1, 'a'))],
    [
      'the total is conserved',
      true,
      bank,
      historyOf(
        did(0, 'ok', 'txn', [send(x, 'a=5', 0), send(y, 'b=-5', 0)]),
        finalRead({ [x]: [[0, 'a=5']], [y]: [[0, 'b=-5']] }),
      ),
    ],
    [
      'a transfer is still on its way to a reader',
      true,
      bank,
      historyOf(
        did(0, 'ok', 'txn', [send(x, 'a=5', 0), send(y, 'b=-5', 0)]),
        did(0, 'ok', 'txn', [send(x, 'c=1', 1), send(y, 'd=-1', 1)]),
        did(1, 'ok', 'poll', [
          poll({
            [x]: [
              [0, 'a=5'],
              [1, 'c=1'],
            ],
            [y]: [[0, 'b=-5']],
          }),
        ]),
      ),
    ],
    [
      'half of a transfer is missing',
      false,
      bank,
      historyOf(
        did(0, 'ok', 'txn', [send(x, 'a=5', 0), send(y, 'b=-5', 1)]),
        did(0, 'ok', 'txn', [send(x, 'c=1', 1), send(y, 'd=-1', 2)]),
        did(2, 'ok', 'txn', [send(y, 'e=0', 0)]),
        did(1, 'ok', 'poll', [
          poll({
            [x]: [
              [0, 'a=5'],
              [1, 'c=1'],
            ],
            [y]: [
              [0, 'e=0'],
              [2, 'd=-1'],
            ],
          }),
        ]),
      ),
      /it did not get b=-5 of y-0/,
    ],
    [
      'half of a transfer is missing, and nobody knows its place',
      false,
      bank,
      historyOf(halfKnown, finalRead({ [x]: [[0, 'a=-5']], [y]: [[0, 'e=0']] })),
      /it did not get b=5 of y-0/,
    ],
    [
      'nobody knows its place, and there was no full read that it could not have escaped',
      true,
      bank,
      historyOf(halfKnown, did(1, 'ok', 'poll', [poll({ [x]: [[0, 'a=-5']], [y]: [[0, 'e=0']] })])),
    ],
    [
      'nobody knows its place, and a reader has not come as far as the full read',
      true,
      bank,
      historyOf(
        halfKnown,
        did(0, 'ok', 'send', [send(y, 'f=0', 2)]),
        phase('final-read'),
        did(1, 'ok', 'poll', [poll({ [x]: [[0, 'a=-5']], [y]: [[0, 'e=0']] })]),
        did(99, 'ok', 'poll', [
          poll({
            [x]: [[0, 'a=-5']],
            [y]: [
              [0, 'e=0'],
              [1, 'b=5'],
              [2, 'f=0'],
            ],
          }),
        ]),
        phase('final-read-complete'),
      ),
    ],
    [
      'nobody knows its place, and retention may have removed it',
      true,
      bank,
      historyOf(
        halfKnown,
        did(0, 'ok', 'send', [send(y, 'f=0', 2)]),
        finalRead({
          [x]: [[0, 'a=-5']],
          [y]: [
            [0, 'e=0'],
            [2, 'f=0'],
          ],
        }),
        removal('y'),
        logStart(y, 2),
      ),
    ],
    [
      'a transfer that may have failed is there as little as it can be',
      true,
      bank,
      historyOf(
        did(0, 'ok', 'txn', [send(x, 'c=0', 0), send(y, 'e=0', 0)]),
        did(3, 'info', 'txn', [send(x, 'a=-5'), send(y, 'b=5')]),
        finalRead({ [x]: [[0, 'c=0']], [y]: [[0, 'e=0']] }),
      ),
    ],
    [
      'an aborted half counts',
      false,
      bank,
      historyOf(
        did(0, 'fail', 'txn', [send(x, 'a=5'), send(y, 'b=-5')]),
        did(2, 'ok', 'txn', [send(x, 'c=0', 1), send(y, 'e=0', 0)]),
        did(1, 'ok', 'poll', [
          poll({
            [x]: [
              [0, 'a=5'],
              [1, 'c=0'],
            ],
            [y]: [[0, 'e=0']],
          }),
        ]),
      ),
      /it got a=5, which was not committed/,
    ],
    [
      'writers go on while a broker is down',
      true,
      progressCheck({ shortestMs: 10 }),
      historyOf(fault('kill', 1), sent('a', 'b'), fault('start', 1)),
    ],
    [
      'writers stand still',
      false,
      progressCheck({ shortestMs: 10 }),
      historyOf(fault('kill', 1), did(0, 'info', 'send', [send(x, 'a')]), fault('start', 1), sent('b')),
      /after kill 1 .*0 sends were acknowledged/,
    ],
  ]
  test.each(table.map(([what, valid, own, history, says]) => ({ what, valid, own, history, says })))(
    '$what: $valid',
    ({ valid, own, history, says }) => {
      const [result] = check(history, [own]).results
      expect(result).toMatchObject({ valid })
      if (says) expect(result?.cases[0]?.explanation).toMatch(says)
    },
  )
})

test('docs/checkers.md names every check', () => {
  const page = readFileSync(new URL('../../../docs/checkers.md', import.meta.url), 'utf8')
  const rows = page.split('\n').filter(line => line.startsWith('| `'))
  const named = rows.flatMap(row => [...(row.split('|')[1] as string).matchAll(/`([\w-]+)`/g)].map(match => match[1]))
  const expected = [...everyCheck, sendsAcknowledged.name]
  expect(new Set(named)).toEqual(new Set<string | undefined>(expected))
  expect(named).toHaveLength(expected.length)
})
