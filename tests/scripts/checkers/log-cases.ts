/** Histories by hand for the checks of logs and transactions. */
import type { CheckName } from '#scripts/checkers/check.ts'
import {
  begin,
  did,
  end,
  finalRead,
  from0,
  historyOf,
  logStart,
  removal,
  phase,
  poll,
  send,
  x,
  y,
  uncommitted,
  sent,
  read,
  records,
  type Case,
} from './notation.ts'

type Polled = Readonly<Record<string, readonly (readonly [number, string])[]>>

const [c, b, d] = [[0, 'c'] as const, [1, 'b'] as const, [2, 'd'] as const]
/** Three transactions; who reads uncommitted gets everything. */
const peeked = [
  ...did(0, 'ok', 'txn', [send(y, 'c', 0)]),
  ...did(0, 'ok', 'txn', [send(x, 'a', 0), send(y, 'b', 1)]),
  ...did(0, 'ok', 'txn', [send(y, 'd', 2)]),
  ...did(7, 'ok', 'poll', [poll({ [x]: [[0, 'a']], [y]: [c, b, d] })], uncommitted),
]
/** In one of its two partitions a transaction was aborted. */
const halfRead = historyOf(peeked, finalRead({ [x]: [[0, 'a']], [y]: [c, d] }))
const uncommittedToTheEnd = (found: Polled) =>
  historyOf(
    did(0, 'ok', 'txn', [send(x, 'a', 0), send(y, 'b', 0)]),
    did(7, 'ok', 'poll', [poll({ [x]: [[0, 'a']], [y]: [[0, 'b']] })], uncommitted),
    phase('final-read'),
    did(99, 'ok', 'poll', [poll(found)], uncommitted),
    phase('final-read-complete'),
  )

export const logCases: Partial<Record<CheckName, readonly Case[]>> = {
  'lost-write': [
    ['everything was read', true, historyOf(sent('a', 'b'), read(1, 'a', 'b'))],
    ['the tail was not read yet', true, historyOf(sent('a', 'b'), read(1, 'a'))],
    [
      'a record below what was read is missing',
      false,
      historyOf(sent('a', 'b', 'c'), did(1, 'ok', 'poll', [records([0, 'a'], [2, 'c'])])),
      /b was acknowledged at offset 1 .*Around it in the log: 0 a, \[1 b, never read\], 2 c\./,
    ],
    [
      'retention removed it',
      true,
      historyOf(removal('x'), sent('a', 'b', 'c'), logStart(x, 2), did(1, 'ok', 'poll', [records([2, 'c'])])),
    ],
    [
      'the log begins behind it, and nobody had wanted that',
      false,
      historyOf(removal('y'), sent('a', 'b', 'c'), logStart(x, 2), did(1, 'ok', 'poll', [records([2, 'c'])])),
      /a was acknowledged at offset 0/,
    ],
    [
      'more was removed than had been asked for',
      false,
      historyOf(
        sent('a', 'b', 'c'),
        removal('x', { partition: x, before: 1 }),
        logStart(x, 2),
        did(1, 'ok', 'poll', [records([2, 'c'])]),
      ),
      /b was acknowledged at offset 1/,
    ],
    [
      'an indefinite transaction is there in part, so the rest must be',
      false,
      historyOf(
        did(0, 'info', 'txn', [send(x, 'a', 0), send(y, 'b', 0)]),
        did(1, 'ok', 'txn', [send(y, 'c', 1)]),
        did(2, 'ok', 'poll', [poll({ [x]: [[0, 'a']], [y]: [[1, 'c']] })]),
      ),
      /b must have been written/,
    ],
    [
      'an indefinite send to two partitions is not atomic',
      true,
      historyOf(
        did(0, 'info', 'send', [send(x, 'a', 0), send(y, 'b', 0)]),
        did(1, 'ok', 'send', [send(y, 'c', 1)]),
        did(2, 'ok', 'poll', [poll({ [x]: [[0, 'a']], [y]: [[1, 'c']] })]),
      ),
    ],
    [
      'who reads uncommitted proves no commit',
      true,
      historyOf(
        did(0, 'info', 'txn', [send(x, 'a', 0), send(y, 'b', 0)]),
        did(1, 'ok', 'send', [send(y, 'c', 1)]),
        did(2, 'ok', 'poll', [poll({ [x]: [[0, 'a']], [y]: [[1, 'c']] })], uncommitted),
      ),
    ],
    [
      'only who reads uncommitted saw it, before a final read as committed',
      false,
      halfRead,
      /b was acknowledged at offset 1 of y-0 .*d was read at the higher offset 2, but b was never read as committed/,
    ],
    [
      'only who reads uncommitted saw it, and nobody came to the end as committed',
      true,
      historyOf(peeked, did(1, 'ok', 'poll', [poll({ [x]: [[0, 'a']], [y]: [d] })])),
    ],
    ['nothing was acknowledged', 'unknown', historyOf(did(0, 'info', 'send', [send(x, 'a')]), read(1, 'a'))],
  ],
  unseen: [
    ['everything was read', true, historyOf(sent('a'), finalRead({ [x]: from0('a') }))],
    ['the tail is not there', false, historyOf(sent('a', 'b'), finalRead({ [x]: from0('a') })), /b was acknowledged/],
    ['the final read did not get through', 'unknown', historyOf(sent('a'), phase('final-read'))],
    ['the final read was never reached', 'unknown', historyOf(sent('a'), phase('final-read-incomplete'))],
    ['nobody says anything about a final read', false, historyOf(sent('a')), /a was acknowledged/],
    [
      'only who reads uncommitted saw half of a transaction',
      false,
      halfRead,
      /b was acknowledged .* and nobody ever read it as committed/,
    ],
    [
      'and the half is at the end of its partition',
      false,
      historyOf(peeked, finalRead({ [x]: [[0, 'a']], [y]: [c, b] })),
      /d was acknowledged/,
    ],
    ['and all of it is there', true, historyOf(peeked, finalRead({ [x]: [[0, 'a']], [y]: [c, b, d] }))],
    [
      'who reads uncommitted goes on while the final read is as committed',
      false,
      historyOf(
        did(0, 'ok', 'txn', [send(x, 'a', 0), send(y, 'b', 0)]),
        did(7, 'ok', 'poll', [poll({ [x]: [[0, 'a']] })], uncommitted),
        phase('final-read'),
        did(7, 'ok', 'poll', [poll({ [y]: [[0, 'b']] })], uncommitted),
        did(99, 'ok', 'poll', [poll({ [x]: [[0, 'a']] })]),
        phase('final-read-complete'),
      ),
    ],
    ['the final read is of uncommitted records', true, uncommittedToTheEnd({ [x]: [[0, 'a']], [y]: [[0, 'b']] })],
    ['and does not find half of a transaction', false, uncommittedToTheEnd({ [x]: [[0, 'a']], [y]: [] })],
    [
      'the final read is of uncommitted records, while a transaction polls as committed',
      true,
      historyOf(
        did(0, 'ok', 'txn', [send(x, 'a', 0), send(y, 'b', 0)]),
        phase('final-read'),
        did(0, 'ok', 'txn', [poll({ [x]: [[0, 'a']] })]),
        did(99, 'ok', 'poll', [poll({ [x]: [[0, 'a']], [y]: [[0, 'b']] })], uncommitted),
        phase('final-read-complete'),
      ),
    ],
    [
      'a send is there once anybody has read it',
      true,
      historyOf(sent('a'), did(7, 'ok', 'poll', [records([0, 'a'])], uncommitted), finalRead({ [x]: [] })),
    ],
    [
      'a committed transaction left a write out, so it never sent it',
      true,
      historyOf(
        begin(0, 'txn', [send(x, 'a'), send(x, 'b')]),
        end(0, 'ok', 'txn', [send(x, 'a', 0)]),
        finalRead({ [x]: from0('a') }),
      ),
    ],
  ],
  vanished: [
    ['it is still there', true, historyOf(sent('a'), read(1, 'a'), finalRead({ [x]: from0('a') }))],
    [
      'it is gone',
      false,
      historyOf(sent('a', 'b'), read(1, 'a', 'b'), finalRead({ [x]: from0('a') })),
      /b was read at offset 1/,
    ],
    [
      'an aborted transaction was read by who reads uncommitted',
      true,
      historyOf(
        sent('a'),
        did(1, 'fail', 'txn', [send(x, 'b')]),
        did(2, 'ok', 'poll', [records([0, 'a'], [1, 'b'])], uncommitted),
        finalRead({ [x]: from0('a') }),
      ),
    ],
    [
      'a committed transaction was read by who reads uncommitted, and half of it is gone',
      false,
      halfRead,
      /b was read at offset 1 of y-0/,
    ],
    [
      'a transaction of unknown outcome was read by who reads uncommitted, and is gone',
      true,
      historyOf(
        sent('a'),
        did(1, 'info', 'txn', [send(x, 'b')]),
        did(2, 'ok', 'poll', [records([0, 'a'], [1, 'b'])], uncommitted),
        finalRead({ [x]: from0('a') }),
      ),
    ],
  ],
  'log-start': [
    ['logs begin at 0', true, historyOf(sent('a'), logStart(x, 0))],
    ['no leader ever answered', 'unknown', historyOf(sent('a'), logStart(x, undefined))],
    ['retention moved it', true, historyOf(removal('x'), logStart(x, 2))],
    ['a variant had said so of every topic', true, historyOf(removal('', { topic: undefined }), logStart(x, 2))],
    ['somebody asked for it', true, historyOf(removal('x', { partition: x, before: 2 }), logStart(x, 2))],
    [
      'nobody wanted it',
      false,
      historyOf(sent('a', 'b', 'c'), logStart(x, 2)),
      /begins at offset 2 .* nothing was to be/,
    ],
    ['another topic has retention', false, historyOf(removal('y'), logStart(x, 2))],
    [
      'it went further than was asked for',
      false,
      historyOf(removal('x', { partition: x, before: 1 }), logStart(x, 2)),
      /only what lies below offset 1/,
    ],
    ['nobody looked', 'unknown', historyOf(sent('a'))],
  ],
  'torn-transaction': [
    [
      'both parts are there',
      true,
      historyOf(
        did(0, 'ok', 'txn', [send(x, 'a', 0), send(y, 'b', 0)]),
        finalRead({ [x]: [[0, 'a']], [y]: [[0, 'b']] }),
      ),
    ],
    [
      'one part is there, and the other was seen by who reads uncommitted',
      false,
      halfRead,
      /sent a to x-0 and b to y-0.* the other is not there as committed/,
    ],
    ['neither is', true, historyOf(did(0, 'info', 'txn', [send(x, 'a'), send(y, 'b')]), finalRead({ [x]: [] }))],
    [
      'one part is there, and the place of the other is unknown',
      false,
      historyOf(did(0, 'info', 'txn', [send(x, 'a'), send(y, 'b')]), finalRead({ [x]: [[0, 'a']] })),
      /sent a to x-0 and b to y-0/,
    ],
    [
      'what is missing was removed by retention',
      true,
      historyOf(
        did(0, 'ok', 'txn', [send(x, 'a', 0), send(y, 'b', 0)]),
        removal('y'),
        logStart(y, 1),
        finalRead({ [x]: [[0, 'a']], [y]: [] }),
      ),
    ],
    ['there are no transactions', 'unknown', historyOf(sent('a'), finalRead({ [x]: from0('a') }))],
  ],
  compaction: [
    [
      'superseded values went',
      true,
      historyOf(
        sent('k:0', 'l:0', 'k:1'),
        finalRead({
          [x]: [
            [1, 'l:0'],
            [2, 'k:1'],
          ],
        }),
      ),
    ],
    ['nothing was cleaned yet', true, historyOf(sent('k:0', 'k:1'), finalRead({ [x]: from0('k:0', 'k:1') }))],
    [
      'the last value of a key is gone',
      false,
      historyOf(sent('k:0', 'k:1', 'l:0'), finalRead({ [x]: [[2, 'l:0']] })),
      /The last value of key k .* is k:1 at offset 1 .* finds nothing/,
    ],
    [
      'an old value is the last one',
      false,
      historyOf(
        sent('k:0', 'k:1', 'l:0'),
        finalRead({
          [x]: [
            [0, 'k:0'],
            [2, 'l:0'],
          ],
        }),
      ),
      /finds k:0 at offset 0 as its last/,
    ],
    [
      'a key was deleted, tombstone and all',
      true,
      historyOf(sent('k:0', 'k:-1', 'l:0'), finalRead({ [x]: [[2, 'l:0']] })),
    ],
    [
      'the tombstone is still there',
      true,
      historyOf(
        sent('k:0', 'k:-1', 'l:0'),
        finalRead({
          [x]: [
            [1, 'k:-1'],
            [2, 'l:0'],
          ],
        }),
      ),
    ],
    [
      'a deleted key came back',
      false,
      historyOf(
        sent('k:0', 'k:-1', 'l:0'),
        finalRead({
          [x]: [
            [0, 'k:0'],
            [2, 'l:0'],
          ],
        }),
      ),
      /was deleted by k:-1 .*it came back/,
    ],
    [
      'a later value of unknown outcome counts when it is there',
      true,
      historyOf(sent('k:0'), did(1, 'info', 'send', [send(x, 'k:1')]), finalRead({ [x]: [[1, 'k:1']] })),
    ],
    [
      'a tombstone of unknown outcome, which nobody saw, may have deleted it',
      true,
      historyOf(
        did(0, 'ok', 'send', [send(x, 'k:0', 0)]),
        did(1, 'info', 'send', [send(x, 'k:-1')]),
        did(0, 'ok', 'send', [send(x, 'k:2', 2)]),
        did(0, 'ok', 'send', [send(x, 'l:3', 3)]),
        finalRead({ [x]: [[3, 'l:3']] }),
      ),
    ],
    [
      'a tombstone of unknown outcome was seen below the last value',
      false,
      historyOf(
        did(0, 'ok', 'send', [send(x, 'k:0', 0)]),
        did(1, 'info', 'send', [send(x, 'k:-1')]),
        did(2, 'ok', 'poll', [records([1, 'k:-1'])]),
        did(0, 'ok', 'send', [send(x, 'k:2', 2)]),
        did(0, 'ok', 'send', [send(x, 'l:3', 3)]),
        finalRead({ [x]: [[3, 'l:3']] }),
      ),
      /The last value of key k .* is k:2 at offset 2 .* finds nothing/,
    ],
    [
      'a tombstone of unknown outcome was seen above the last value',
      true,
      historyOf(
        did(0, 'ok', 'send', [send(x, 'k:0', 0)]),
        did(1, 'info', 'send', [send(x, 'k:-1')]),
        did(2, 'ok', 'poll', [records([1, 'k:-1'])]),
        finalRead({ [x]: [] }),
      ),
    ],
    [
      'of two tombstones of unknown outcome one was not seen',
      true,
      historyOf(
        did(1, 'info', 'send', [send(x, 'k:-1')]),
        did(2, 'ok', 'poll', [records([0, 'k:-1'])]),
        did(0, 'ok', 'send', [send(x, 'k:2', 1)]),
        did(3, 'info', 'send', [send(x, 'k:-3')]),
        finalRead({ [x]: [] }),
      ),
    ],
    ['there was no full read', 'unknown', historyOf(sent('k:0'))],
  ],
  duplicate: [
    ['each is there once', true, historyOf(sent('a', 'b'), read(1, 'a', 'b'))],
    ['one is there twice', false, historyOf(sent('a'), read(1, 'a', 'a')), /a is at offsets 0 and 1/],
  ],
  'inconsistent-offsets': [
    ['readers agree', true, historyOf(sent('a'), read(1, 'a'), read(2, 'a'))],
    ['readers differ', false, historyOf(read(1, 'a'), read(2, 'b')), /Offset 0 of x-0 holds a and b/],
    [
      'writers were told the same',
      false,
      historyOf(did(0, 'ok', 'send', [send(x, 'a', 3)]), did(1, 'ok', 'send', [send(x, 'b', 3)])),
    ],
    [
      'a transaction of unknown outcome that nobody read proves nothing',
      true,
      historyOf(did(0, 'info', 'txn', [send(x, 'a', 3)]), did(1, 'ok', 'send', [send(x, 'b', 3)])),
    ],
  ],
  'log-order': [
    ['each comes after what was known', true, historyOf(sent('a', 'b'), read(1, 'a', 'b'))],
    [
      'overlapping sends may come in any order',
      true,
      historyOf(
        begin(0, 'send', [send(x, 'a')]),
        did(1, 'ok', 'send', [send(x, 'b', 1)]),
        end(0, 'ok', 'send', [send(x, 'a', 0)]),
      ),
    ],
    [
      'one lies below what had been acknowledged before',
      false,
      historyOf(did(0, 'ok', 'send', [send(x, 'a', 5)]), did(1, 'ok', 'send', [send(x, 'b', 3)])),
      /b is at offset 3 .* offset 5 was known there/,
    ],
    [
      'one lies below what had been read before',
      false,
      historyOf(
        sent('a'),
        did(2, 'ok', 'poll', [records([0, 'a'], [7, 'c'])]),
        did(1, 'ok', 'send', [send(x, 'b', 3)]),
      ),
    ],
    ['no place is known', 'unknown', historyOf(did(0, 'ok', 'send', [send(x, 'a', null)]))],
  ],
  'garbage-read': [
    ['somebody wrote it', true, historyOf(sent('a'), read(1, 'a'))],
    ['nobody wrote it', false, historyOf(sent('a'), read(1, 'a', 'b')), /read "b" at offset 1/],
    [
      'a pipeline that was cut off may have',
      'unknown',
      historyOf(begin(0, 'txn', [['poll']]), sent('a').slice(0, 0), read(1, 'b')),
    ],
  ],
  'aborted-read': [
    ['nobody read it', true, historyOf(did(0, 'fail', 'txn', [send(x, 'a')]), sent('b'), read(1, 'b'))],
    [
      'somebody read it',
      false,
      historyOf(did(0, 'fail', 'txn', [send(x, 'a')]), read(1, 'a')),
      /had definitely failed/,
    ],
    [
      'an aborted transaction was read by who reads uncommitted',
      true,
      historyOf(did(0, 'fail', 'txn', [send(x, 'a')]), did(1, 'ok', 'poll', [records([0, 'a'])], uncommitted)),
    ],
    [
      'a send that failed was read by who reads uncommitted',
      false,
      historyOf(did(0, 'fail', 'send', [send(x, 'a')]), did(1, 'ok', 'poll', [records([0, 'a'])], uncommitted)),
    ],
  ],
  'precommitted-read': [
    [
      'it polled what others sent',
      true,
      historyOf(sent('a'), did(1, 'ok', 'txn', [send(x, 'b', 1), records([0, 'a'])])),
    ],
    [
      'it polled its own',
      false,
      historyOf(did(1, 'ok', 'txn', [send(x, 'b', 0), records([0, 'b'])])),
      /sent b to x-0 and polled it/,
    ],
    [
      'it may when it reads uncommitted',
      'unknown',
      historyOf(did(1, 'ok', 'txn', [send(x, 'b', 0), records([0, 'b'])], uncommitted)),
    ],
  ],
  G1c: [
    [
      'two transactions read each other',
      false,
      historyOf(
        begin(0, 'txn', [send(x, 'a'), ['poll']]),
        begin(1, 'txn', [send(y, 'b'), ['poll']]),
        end(0, 'ok', 'txn', [send(x, 'a', 0), poll({ [y]: [[0, 'b']] })]),
        end(1, 'ok', 'txn', [send(y, 'b', 0), poll({ [x]: [[0, 'a']] })]),
      ),
      /T1 < T2, because T1 sent .* which T2 polled .*However, T2 < T1, because .*: a contradiction\./,
    ],
    [
      'three do, and one of them never heard how it ended',
      true,
      historyOf(
        begin(0, 'txn', [send(x, 'a'), ['poll']]),
        begin(1, 'txn', [send(y, 'b'), ['poll']]),
        end(0, 'info', 'txn', [send(x, 'a', 0), poll({ [y]: [[0, 'b']] })]),
        end(1, 'ok', 'txn', [send(y, 'b', 0), poll({ [x]: [[0, 'a']] })]),
      ),
    ],
    [
      'one reads the other',
      true,
      historyOf(
        did(0, 'ok', 'txn', [send(x, 'a', 0)]),
        did(1, 'ok', 'txn', [send(y, 'b', 0), poll({ [x]: [[0, 'a']] })]),
      ),
    ],
    [
      'who reads uncommitted may',
      true,
      historyOf(
        begin(0, 'txn', [send(x, 'a'), ['poll']]),
        begin(1, 'txn', [send(y, 'b'), ['poll']]),
        end(0, 'ok', 'txn', [send(x, 'a', 0), poll({ [y]: [[0, 'b']] })], uncommitted),
        end(1, 'ok', 'txn', [send(y, 'b', 0), poll({ [x]: [[0, 'a']] })], uncommitted),
      ),
    ],
  ],
  'G1c-process': [
    [
      'a client read what it wrote only afterwards',
      false,
      historyOf(read(0, 'a'), did(0, 'info', 'send', [send(x, 'a')])),
      /process 0 \(client-0\) did T\d first/,
    ],
    ['it read what it had written', true, historyOf(sent('a'), read(0, 'a'))],
  ],
  'G1c-realtime': [
    [
      'somebody read what was sent only later',
      false,
      historyOf(read(1, 'a'), did(0, 'ok', 'send', [send(x, 'a', 0)])),
      /had ended \(entry 1\) .*before T\d began \(entry 2\)/,
    ],
    [
      'over three clients',
      false,
      historyOf(
        did(0, 'ok', 'txn', [send(x, 'a', 0), poll({ [y]: [[0, 'b']] })]),
        did(1, 'ok', 'poll', [poll({ [x]: [[0, 'a']] })]),
        did(2, 'ok', 'send', [send(y, 'b', 0)]),
      ),
    ],
    [
      'the send was still under way',
      true,
      historyOf(begin(0, 'send', [send(x, 'a')]), read(1, 'a'), end(0, 'ok', 'send', [send(x, 'a', 0)])),
    ],
  ],
}
