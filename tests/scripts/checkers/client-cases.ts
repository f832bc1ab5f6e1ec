/** Histories by hand for the checks of what single clients and groups see and do. */
import type { CheckName } from '#scripts/checkers/check.ts'
import { offsetReset } from '#scripts/checkers/committed-offsets.ts'
import {
  assign,
  crash,
  did,
  fact,
  group,
  historyOf,
  logStart,
  removal,
  replica,
  replicaWith,
  send,
  subscribe,
  x,
  y,
  uncommitted,
  sent,
  read,
  records,
  type Case,
} from './notation.ts'

const abc = ['a', 'b', 'c'] as const
const written = sent(...abc)

export const clientCases: Partial<Record<CheckName, readonly Case[]>> = {
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
      historyOf(removal('x'), sent('a', 'b', 'c'), did(1, 'ok', 'poll', [records([0, 'a'], [2, 'c'])]), logStart(x, 2)),
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
        removal('x'),
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
    [
      'who keeps a partition through a rebalance has it in the next generation, as a commit after the other was given it shows',
      false,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x, y] }),
        group(0, 'revoked', { generation: 1, partitions: [y] }),
        group(1, 'joined', { generation: 2, partitions: [x, y] }),
        group(0, 'commit', { generation: 2, offsets: { [x]: 3 } }),
      ),
      /In generation 2 of group g, x-0 was given to entry 2 .* while entry 0 .*, as entry 3 .* tells/,
    ],
    [
      'and as a commit before shows',
      false,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x, y] }),
        group(0, 'revoked', { generation: 1, partitions: [y] }),
        group(0, 'commit', { generation: 2, offsets: { [x]: 3 } }),
        group(1, 'joined', { generation: 2, partitions: [x, y] }),
      ),
      /In generation 2 of group g, x-0 was given to entry 3 .* while entry 0 .*, as entry 2 .* tells/,
    ],
    [
      'and as it shows by giving up another partition',
      false,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x, y] }),
        group(1, 'joined', { generation: 2, partitions: [x] }),
        group(0, 'revoked', { generation: 2, partitions: [y] }),
      ),
      /x-0 was given to entry 1 .*, as entry 2 .* tells/,
    ],
    [
      'a commit in an old generation shows it when both had it then',
      false,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x] }),
        group(1, 'joined', { generation: 2, partitions: [x, y] }),
        group(1, 'commit', { generation: 4, offsets: { [x]: 2 } }),
        group(0, 'commit', { generation: 3, offsets: { [x]: 3 } }),
      ),
      /In generation 2 /,
    ],
    [
      'what it had given up before is not its own in the next generation',
      true,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x, y] }),
        group(0, 'revoked', { generation: 1, partitions: [y] }),
        group(1, 'joined', { generation: 2, partitions: [y] }),
        group(0, 'commit', { generation: 2, offsets: { [x]: 3 } }),
        group(1, 'commit', { generation: 3, offsets: { [y]: 3 } }),
        group(0, 'commit', { generation: 3, offsets: { [x]: 4 } }),
      ),
    ],
    [
      'what it gives up with the next generation is nobody else’s in it',
      true,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x, y] }),
        group(1, 'joined', { generation: 2, partitions: [y] }),
        group(0, 'revoked', { generation: 2, partitions: [y] }),
      ),
    ],
    [
      'a commit in an old generation is of no other owner',
      true,
      historyOf(
        group(0, 'joined', { generation: 1, partitions: [x] }),
        group(1, 'joined', { generation: 2, partitions: [x] }),
        group(0, 'commit', { generation: 1, offsets: { [x]: 3 } }),
      ),
    ],
    [
      'a client that came back as another member, and has not noticed what it lost',
      true,
      historyOf(
        group(0, 'joined', { generation: 1, member: 'a', partitions: [x] }),
        group(1, 'joined', { generation: 3, member: 'b', partitions: [x] }),
        group(0, 'commit', { generation: 3, member: 'c', offsets: { [x]: 3 } }),
        group(0, 'lost', { generation: 3, member: 'c', partitions: [x] }),
      ),
    ],
    [
      'nobody tells a generation',
      'unknown',
      historyOf(group(0, 'joined', { partitions: [x] }), group(1, 'joined', { partitions: [x] })),
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
        removal('x'),
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
  'replica-divergence': [
    ['no logs', 'unknown', historyOf(sent('a'))],
    ['nothing below the high watermark', 'unknown', historyOf(sent('a'), replica(1, 0, 'a'), replica(2, 0, 'b'))],
    ['the same below it', true, historyOf(sent('a'), replica(1, 1, 'a'), replica(2, 1, 'a'))],
    [
      'one in sync has all, and has not heard yet that it is committed',
      true,
      historyOf(written, replica(1, 3, ...abc), replicaWith({ inSync: true }, 2, 2, ...abc)),
    ],
    [
      'one that is behind is not in sync, or nobody knows',
      true,
      historyOf(
        written,
        replica(1, 3, ...abc),
        replica(2, 3, ...abc),
        replicaWith({ inSync: false }, 3, 0),
        replica(4, 1, 'a'),
      ),
    ],
    [
      'one in sync is behind what a replica says that does not lead',
      true,
      historyOf(written, replica(2, 3, ...abc), replicaWith({ inSync: true }, 3, 1, 'a')),
    ],
  ],
  progress: [['no fault', 'unknown', historyOf(sent('a'))]],
}
