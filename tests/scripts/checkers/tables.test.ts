/** Histories by hand, good and bad, for each check; what a check must tell apart. Generated ones are in the neighbouring files. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { bankBalance } from '#scripts/checkers/bank.ts'
import { progressCheck } from '#scripts/checkers/availability.ts'
import { check, everyCheck, figureChecks, type Check, type CheckName } from '#scripts/checkers/check.ts'
import { offsetReset } from '#scripts/checkers/committed-offsets.ts'
import { exactlyOnce } from '#scripts/checkers/pipeline.ts'
import type { Validity } from '#scripts/checkers/result.ts'
import type { History } from '#scripts/history/operation.ts'
import {
  assign,
  begin,
  crash,
  did,
  end,
  fact,
  fault,
  finalRead,
  from0,
  group,
  historyOf,
  logStart,
  phase,
  poll,
  send,
  subscribe,
} from './notation.ts'

const [x, y] = ['x-0', 'y-0']
const uncommitted = { isolation: 'read_uncommitted' } as const

type Case = readonly [what: string, valid: Validity, history: History, says?: RegExp]

const sent = (...values: string[]) => values.flatMap((value, offset) => did(0, 'ok', 'send', [send(x, value, offset)]))
const read = (process: number, ...values: string[]) => did(process, 'ok', 'poll', [poll({ [x]: from0(...values) })])
const records = (...pairs: readonly (readonly [number, string])[]) => poll({ [x]: pairs })

const cases: Partial<Record<CheckName, readonly Case[]>> = {
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
      historyOf(sent('a', 'b', 'c'), logStart(x, 2), did(1, 'ok', 'poll', [records([2, 'c'])])),
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
    ['nothing was acknowledged', 'unknown', historyOf(did(0, 'info', 'send', [send(x, 'a')]), read(1, 'a'))],
  ],
  unseen: [
    ['everything was read', true, historyOf(sent('a'), finalRead({ [x]: from0('a') }))],
    ['the tail is not there', false, historyOf(sent('a', 'b'), finalRead({ [x]: from0('a') })), /b was acknowledged/],
    ['the final read did not get through', 'unknown', historyOf(sent('a'), phase('final-read'))],
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
  'int-nonmonotonic-poll': [
    ['it goes on', true, historyOf(read(1, 'a', 'b'))],
    ['it goes back', false, historyOf(did(1, 'ok', 'poll', [records([1, 'b'], [0, 'a'])])), /went back from offset 1/],
    ['the partition moved', true, historyOf(did(1, 'ok', 'poll', [records([1, 'b'], [0, 'a'])], { rebalanced: [x] }))],
    [
      'over two polls of one transaction',
      false,
      historyOf(did(1, 'ok', 'txn', [records([1, 'b']), records([0, 'a'])])),
    ],
  ],
  'int-poll-skip': [
    ['offsets have holes', true, historyOf(did(1, 'ok', 'poll', [records([0, 'a'], [5, 'b'])]))],
    [
      'a record is left out',
      false,
      historyOf(sent('a', 'b', 'c'), did(1, 'ok', 'poll', [records([0, 'a'], [2, 'c'])])),
      /left out 1 record, e.g. b/,
    ],
    [
      'an aborted one is',
      true,
      historyOf(
        did(0, 'fail', 'txn', [send(x, 'b')]),
        did(2, 'ok', 'poll', [records([0, 'a'], [1, 'b'], [2, 'c'])], uncommitted),
        did(1, 'ok', 'poll', [records([0, 'a'], [2, 'c'])]),
      ),
    ],
    [
      'retention took it',
      true,
      historyOf(sent('a', 'b', 'c'), did(1, 'ok', 'poll', [records([0, 'a'], [2, 'c'])]), logStart(x, 2)),
    ],
  ],
  'nonmonotonic-poll': [
    ['it goes on', true, historyOf(assign(1, x), read(1, 'a'), did(1, 'ok', 'poll', [records([1, 'b'])]))],
    ['it begins again', false, historyOf(assign(1, x), read(1, 'a', 'b'), read(1, 'a', 'b')), /went back/],
    [
      'it was assigned anew in between, with other partitions',
      true,
      historyOf(assign(1, x), read(1, 'a'), assign(1, y), assign(1, x), read(1, 'a')),
    ],
    ['a group may move partitions', true, historyOf(subscribe(1, x), read(1, 'a'), read(1, 'a'))],
    [
      'a transaction failed, and it went back',
      true,
      historyOf(
        assign(1, x),
        read(1, 'a'),
        did(1, 'fail', 'txn', [records([1, 'b'])]),
        did(1, 'ok', 'txn', [records([1, 'b'])]),
      ),
    ],
    [
      'a transaction failed, and it did not',
      true,
      historyOf(
        assign(1, x),
        read(1, 'a'),
        did(1, 'fail', 'txn', [records([1, 'b'])]),
        did(1, 'ok', 'txn', [records([2, 'c'])]),
      ),
    ],
    [
      'a transaction failed, and it went back too far',
      false,
      historyOf(assign(1, x), read(1, 'a'), did(1, 'fail', 'txn', [records([1, 'b'])]), read(1, 'a')),
    ],
  ],
  'poll-skip': [
    [
      'it goes on',
      true,
      historyOf(assign(1, x), sent('a', 'b'), read(1, 'a'), did(1, 'ok', 'poll', [records([1, 'b'])])),
    ],
    [
      'it leaves one out',
      false,
      historyOf(assign(1, x), sent('a', 'b', 'c'), read(1, 'a'), did(1, 'ok', 'poll', [records([2, 'c'])])),
    ],
    [
      'a group may',
      true,
      historyOf(subscribe(1, x), sent('a', 'b', 'c'), read(1, 'a'), did(1, 'ok', 'poll', [records([2, 'c'])])),
    ],
    [
      'retention took it',
      true,
      historyOf(
        assign(1, x),
        sent('a', 'b', 'c'),
        read(1, 'a'),
        logStart(x, 2),
        did(1, 'ok', 'poll', [records([2, 'c'])]),
      ),
    ],
  ],
  'int-nonmonotonic-send': [
    ['in order', true, historyOf(did(0, 'ok', 'txn', [send(x, 'a', 0), send(x, 'b', 5)]))],
    ['the other way round', false, historyOf(did(0, 'ok', 'txn', [send(x, 'a', 1), send(x, 'b', 0)])), /before a/],
  ],
  'nonmonotonic-send': [
    ['in order', true, historyOf(sent('a', 'b'))],
    [
      'the other way round',
      false,
      historyOf(did(0, 'ok', 'send', [send(x, 'a', 1)]), did(0, 'ok', 'send', [send(x, 'b', 0)])),
    ],
    ['two clients', true, historyOf(did(0, 'ok', 'send', [send(x, 'a', 1)]), did(1, 'ok', 'send', [send(x, 'b', 0)]))],
  ],
  'key-order': [
    ['in order', true, historyOf(sent('k:0', 'k:1'))],
    [
      'the other way round',
      false,
      historyOf(did(0, 'ok', 'send', [send(x, 'k:0', 1)]), did(1, 'ok', 'send', [send(x, 'k:1', 0)])),
    ],
    ['no key twice', 'unknown', historyOf(sent('k:0', 'l:0'))],
  ],
  'group-ownership': [
    [
      'partitions are shared out',
      true,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x] }),
        group(1, 'joined', { generation: 1, partitions: [y] }),
      ),
    ],
    [
      'two have one in a generation',
      false,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x] }),
        group(1, 'joined', { generation: 1, partitions: [x] }),
      ),
      /In generation 1 of group g, x-0 was given/,
    ],
    [
      'one does not know of the next generation yet',
      true,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x] }),
        group(1, 'joined', { generation: 2, partitions: [x] }),
      ),
    ],
    [
      'it was given up first',
      true,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x] }),
        group(0, 'revoked', { generation: 1, partitions: [x] }),
        group(1, 'joined', { generation: 1, partitions: [x] }),
      ),
    ],
    [
      'the owner died',
      true,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x] }),
        crash(0),
        group(1, 'joined', { generation: 1, partitions: [x] }),
      ),
    ],
    ['no group', 'unknown', historyOf(sent('a'))],
  ],
  'committed-offsets': [
    [
      'the next owner begins where the group stands',
      true,
      historyOf(
        sent('a', 'b', 'c'),
        group(0, 'joined', { generation: 1, partitions: [x] }),
        read(0, 'a', 'b'),
        group(0, 'commit', { offsets: { [x]: 2 } }),
        crash(0),
        group(1, 'joined', { generation: 2, partitions: [x] }),
        did(1, 'ok', 'poll', [records([2, 'c'])]),
      ),
    ],
    [
      'the next owner begins below',
      false,
      historyOf(
        sent('a', 'b', 'c'),
        group(0, 'joined', { generation: 1, partitions: [x] }),
        group(0, 'commit', { offsets: { [x]: 2 } }),
        crash(0),
        group(1, 'joined', { generation: 2, partitions: [x] }),
        read(1, 'a'),
      ),
      /began at offset 0 .*reads again/,
    ],
    [
      'the next owner leaves out a record',
      false,
      historyOf(
        sent('a', 'b', 'c'),
        group(0, 'joined', { generation: 1, partitions: [x] }),
        group(0, 'commit', { offsets: { [x]: 1 } }),
        crash(0),
        group(1, 'joined', { generation: 2, partitions: [x] }),
        did(1, 'ok', 'poll', [records([2, 'c'])]),
      ),
      /leaves out/,
    ],
    [
      'a commit of unknown outcome leaves both open',
      true,
      historyOf(
        sent('a', 'b', 'c'),
        group(0, 'joined', { generation: 1, partitions: [x] }),
        group(0, 'commit', { offsets: { [x]: 1 } }),
        did(0, 'info', 'txn', [records([1, 'b'])], { commits: { group: 'g', offsets: { [x]: 2 } } }),
        crash(0),
        group(1, 'joined', { generation: 2, partitions: [x] }),
        did(1, 'ok', 'poll', [records([2, 'c'])]),
      ),
    ],
    [
      'a member goes back by itself',
      false,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x] }),
        group(0, 'commit', { offsets: { [x]: 2 } }),
        group(0, 'commit', { offsets: { [x]: 1 } }),
      ),
      /it went back without a reset/,
    ],
    [
      'on request',
      true,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x] }),
        group(0, 'commit', { offsets: { [x]: 2 } }),
        fact(offsetReset('g'), 0),
        group(0, 'commit', { offsets: { [x]: 1 } }),
      ),
    ],
    [
      'retention removed what was committed',
      true,
      historyOf(
        sent('a', 'b', 'c'),
        group(0, 'joined', { generation: 1, partitions: [x] }),
        group(0, 'commit', { offsets: { [x]: 1 } }),
        crash(0),
        logStart(x, 2),
        group(1, 'joined', { generation: 2, partitions: [x] }),
        did(1, 'ok', 'poll', [records([2, 'c'])]),
      ),
    ],
    [
      'a late word of who lost the partition',
      true,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x] }),
        group(1, 'joined', { generation: 2, partitions: [x] }),
        group(1, 'commit', { offsets: { [x]: 5 } }),
        group(0, 'commit', { offsets: { [x]: 2 } }),
      ),
    ],
    ['no commits', 'unknown', historyOf(sent('a'))],
  ],
  'replica-divergence': [['no logs', 'unknown', historyOf(sent('a'))]],
  progress: [['no fault', 'unknown', historyOf(sent('a'))]],
}

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
  expect([...named].sort()).toEqual([...everyCheck].sort())
})
