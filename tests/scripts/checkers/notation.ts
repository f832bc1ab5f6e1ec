/** Histories written by hand, in Jepsen's notation: who, what, how it ended. An operation that overlaps others is begun and ended by itself. */
import type {
  GroupValue,
  History,
  MicroOp,
  Observation,
  Offset,
  Operation,
  OperationType,
  PartitionName,
  RecordOperation,
  Removal,
  ReplicaLog,
  Value,
} from '#scripts/history/operation.ts'
import type { RecordDetails } from '#scripts/history/recorder.ts'
import type { Validity } from '#scripts/checkers/result.ts'

type F = RecordOperation['f']
type Draft = Operation extends infer T ? (T extends Operation ? Omit<T, 'index' | 'timeMs'> : never) : never

/** One or two entries of a history. */
export type Lines = readonly Draft[]

export const send = (partition: PartitionName, value: Value, offset?: Offset | null): MicroOp =>
  offset === undefined ? ['send', partition, value] : ['send', partition, [offset, value]]

/** `poll({ 'x-0': [[0, 'a']] })` */
export const poll = (records: Readonly<Record<PartitionName, readonly (readonly [Offset, Value])[]>>): MicroOp => [
  'poll',
  records,
]

/** Records at offsets from 0 on. */
export const from0 = (...values: readonly Value[]) => values.map((value, offset) => [offset, value] as const)

function bare(value: readonly MicroOp[]): MicroOp[] {
  return value.map(micro =>
    micro[0] === 'poll' ? ['poll'] : ['send', micro[1], typeof micro[2] === 'string' ? micro[2] : micro[2][1]],
  )
}

function entry(
  process: number,
  type: OperationType,
  f: F,
  value: readonly MicroOp[],
  details: RecordDetails = {},
): Draft {
  return { process, client: `client-${process}`, type, f, value, ...details }
}

export const begin = (process: number, f: F, value: readonly MicroOp[]): Lines => [
  entry(process, 'invoke', f, bare(value)),
]

export const end = (
  process: number,
  type: OperationType,
  f: F,
  value: readonly MicroOp[],
  details?: RecordDetails,
): Lines => [entry(process, type, f, value, details)]

/** An operation that nothing overlaps. */
export const did = (process: number, type: OperationType, f: F, value: readonly MicroOp[], details?: RecordDetails) => [
  ...begin(process, f, value),
  ...end(process, type, f, value, details),
]

export const assign = (process: number, ...value: readonly PartitionName[]): Lines => [
  { process, client: `client-${process}`, type: 'ok', f: 'assign', value },
]

export const subscribe = (process: number, ...value: readonly PartitionName[]): Lines => [
  { process, client: `client-${process}`, type: 'ok', f: 'subscribe', value },
]

export const crash = (process: number): Lines => [
  { process, client: `client-${process}`, type: 'ok', f: 'crash', value: [] },
]

export const group = (
  process: number,
  f: 'joined' | 'revoked' | 'lost' | 'commit',
  value: Partial<GroupValue> = {},
): Lines => [{ process, client: `client-${process}`, type: 'ok', f, value: { group: 'g', partitions: [], ...value } }]

export const phase = (value: string): Lines => [{ process: 'lab', type: 'ok', f: 'phase', value }]

export const fact = (name: string, value: number | string | boolean): Lines => [
  { process: 'lab', type: 'ok', f: 'fact', value: { name, value } },
]

export const fault = (f: string, ...brokers: readonly number[]): Lines => [
  { process: 'nemesis', type: 'invoke', f, value: { brokers, target: 'test' } },
  { process: 'nemesis', type: 'ok', f, value: { brokers, target: 'test' } },
]

/** The cluster as far as it matters: where a log begins; undefined: its leader did not answer. */
export const logStart = (partition: PartitionName, logStartOffset: Offset | undefined): Lines => {
  const value: Observation = {
    brokers: [1],
    reachable: [1],
    controller: 1,
    partitions: {
      [partition]: {
        leader: 1,
        leaderEpoch: 0,
        replicas: [1],
        isr: [1],
        highWatermark: logStartOffset ?? null,
        ...(logStartOffset === undefined ? {} : { logStartOffset }),
        logEndOffsets: {},
      },
    },
  }
  return [{ process: 'observer', type: 'ok', f: 'observe', value }]
}

/** Somebody wants records to leave the beginning of a log. */
export const removal = (topic: string, more: { [Name in keyof Removal]?: Removal[Name] | undefined } = {}): Lines => [
  { process: 'lab', type: 'ok', f: 'removal', value: { topic, by: 'retention.ms=1', ...more } as Removal },
]

/** The whole log of a replica of `x-0`; broker 1 leads. */
export const replica = (broker: number, highWatermark: Offset, ...values: readonly Value[]): Lines =>
  replicaWith({}, broker, highWatermark, ...values)

/** The same with something else about it, e.g. whether it is in sync. */
export const replicaWith = (
  more: Partial<ReplicaLog>,
  broker: number,
  highWatermark: Offset,
  ...values: readonly Value[]
): Lines => {
  const batch = { baseOffset: 0, leaderEpoch: 0, producerId: '-1', producerEpoch: -1, baseSequence: -1 }
  const value = {
    broker,
    partition: x,
    leader: broker === 1,
    logStartOffset: 0,
    highWatermark,
    logEndOffset: values.length,
    complete: true,
    batches: [{ ...batch, records: from0(...values) }],
    ...more,
  }
  return [{ process: 'observer', type: 'ok', f: 'read-replica', value }]
}

/** A full read of everything at the end by a client of its own. */
export const finalRead = (records: Readonly<Record<PartitionName, readonly (readonly [Offset, Value])[]>>): Lines => [
  ...phase('final-read'),
  ...assign(99, ...Object.keys(records)),
  ...did(99, 'ok', 'poll', [poll(records)]),
  ...phase('final-read-complete'),
]

/** Puts entries in a row, ten milliseconds apart. */
export function historyOf(...lines: readonly Lines[]): History {
  return lines.flat().map((draft, index) => ({ index, timeMs: index * 10, ...draft }))
}

export const [x, y] = ['x-0', 'y-0'] as const
export const uncommitted = { isolation: 'read_uncommitted' } as const

/** What is special, the verdict, the history, and what the first case has to say. */
export type Case = readonly [what: string, valid: Validity, history: History, says?: RegExp]

export const sent = (...values: string[]) =>
  values.flatMap((value, offset) => did(0, 'ok', 'send', [send(x, value, offset)]))
export const read = (process: number, ...values: string[]) =>
  did(process, 'ok', 'poll', [poll({ [x]: from0(...values) })])
export const records = (...pairs: readonly (readonly [number, string])[]) => poll({ [x]: pairs })
