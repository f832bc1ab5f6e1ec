/** The kinds of faults of a node's disk: what they are called, which parameters they take, and how one is made. */
import type { DiskOperation, DiskTarget, Occasion } from './fault.ts'
import { bitFlip } from './bit-flip.ts'
import { crashAt } from './crash-at.ts'
import { failingDisk } from './failing-disk.ts'
import { fullDisk } from './full-disk.ts'
import type { NodeFaultKind } from './kind.ts'
import {
  checkExpression,
  choice,
  count,
  type NumberParameter,
  type Parameter,
  type Parameters,
  type TextParameter,
} from './parameters.ts'
import { proveBitFlip, proveCrash, proveError, proveFull, proveSlow } from './proofs.ts'
import { callMsMax, slowDisk } from './slow-disk.ts'
import { tornWrite } from './torn-write.ts'

/** As people say it, and what calls that are. */
const operationsByName: Readonly<Record<string, readonly DiskOperation[]>> = {
  read: ['read'],
  write: ['write'],
  fsync: ['sync', 'syncDirectory'],
  open: ['open'],
  rename: ['rename'],
  truncate: ['truncate'],
  remove: ['remove'],
}
const operationNames = Object.keys(operationsByName)

const on = (names: string): TextParameter => ({
  name: 'on',
  summary: `which file calls, with commas: ${operationNames.join(', ')}`,
  type: 'text',
  default: names,
  check: text =>
    text.split(',').every(name => operationNames.includes(name)) ? undefined : `some of ${operationNames.join(', ')}`,
})

const path: Parameter = {
  name: 'path',
  summary: 'regular expression for the path of the file; left out: every file of the node',
  type: 'text',
  optional: true,
  check: checkExpression,
}

const nth: NumberParameter = { ...count('nth', 'only the nth such call from now'), max: 1e9 }
const oneIn: NumberParameter = { ...count('one-in', 'one such call in so many, by chance; left out: each'), max: 1e9 }
/** A process that ends at some call needs to know which; the next is the first. */
const nthCall: NumberParameter = {
  name: 'nth',
  summary: 'at which call from now',
  type: 'number',
  unit: 'count',
  default: 1,
  min: 1,
  max: 1e9,
  whole: true,
}

/** A process that stands still for longer in one call could not even be told to heal. */
const blockedMs = (name: string, summary: string): NumberParameter => ({
  name,
  summary,
  type: 'number',
  unit: 'ms',
  default: 0,
  min: 0,
  max: callMsMax,
})

export function operationsOf(text: unknown): readonly DiskOperation[] {
  return String(text)
    .split(',')
    .flatMap(name => operationsByName[name] ?? [])
}

function targetOf(parameters: Parameters): DiskTarget {
  const expression = parameters['path']
  return {
    ...(parameters['on'] === undefined ? {} : { operations: operationsOf(parameters['on']) }),
    ...(expression === undefined ? {} : { path: new RegExp(String(expression)) }),
  }
}

function occasionOf(parameters: Parameters): Occasion {
  return {
    ...(parameters['nth'] === undefined ? {} : { nth: Number(parameters['nth']) }),
    ...(parameters['one-in'] === undefined ? {} : { oneIn: Number(parameters['one-in']) }),
  }
}

const notBoth = (parameters: Parameters): string | undefined =>
  parameters['nth'] !== undefined && parameters['one-in'] !== undefined
    ? '--nth and --one-in cannot be meant together'
    : undefined

const slow: NodeFaultKind = {
  name: 'slow-disk',
  summary: 'file calls take longer, as on a throttled or dying disk; an fsync in the background is over later',
  heals: 'the next call is as quick as before',
  expect:
    'everything gets slow with its leader: acks take longer, followers fall behind and may leave the in-sync set; nothing is lost',
  lasts: 'machine',
  parameters: [
    blockedMs('delay', 'each call takes so much longer'),
    { ...blockedMs('jitter', 'up to this much more, by chance'), whole: true },
    {
      name: 'rate',
      summary: 'what reads and writes pass at most; no call takes more than 2 s for it',
      type: 'number',
      unit: 'bytes/s',
      optional: true,
      min: 1_000,
      max: 1e12,
    },
    on('write,fsync'),
    path,
  ],
  problem: ({ delay, jitter, rate }) =>
    Number(delay) + Number(jitter) > callMsMax
      ? `--delay and --jitter together are at most ${callMsMax} ms`
      : Number(delay) + Number(jitter) === 0 && rate === undefined
        ? 'it needs --delay, --jitter or --rate'
        : undefined,
  make: parameters =>
    slowDisk({
      ...targetOf(parameters),
      delayMs: Number(parameters['delay']),
      jitterMs: Number(parameters['jitter']),
      mostMs: callMsMax,
      ...(parameters['rate'] === undefined ? {} : { bytesPerSecond: Number(parameters['rate']) }),
    }),
  prove: proveSlow,
}

const full: NodeFaultKind = {
  name: 'full-disk',
  summary: 'there is no space left: at once, or when so many bytes more were written (ENOSPC)',
  heals: 'there is as much space as there is; what was refused was never written',
  expect:
    'partitions led there refuse records (KAFKA_STORAGE_ERROR) and clients try again; reading goes on, groups and transactions whose coordinator is there wait; after the heal the same producers succeed',
  lasts: 'machine',
  parameters: [
    {
      name: 'after',
      summary: 'so much still fits',
      type: 'number',
      unit: 'bytes',
      default: 0,
      min: 0,
      max: 1e15,
      whole: true,
    },
  ],
  make: parameters => fullDisk({ afterBytes: Number(parameters['after']) }),
  prove: proveFull,
}

const error: NodeFaultKind = {
  name: 'disk-error',
  summary: 'file calls fail with EIO, as on a disk with a broken sector or a lost controller',
  heals: 'calls work again; a log directory that went offline comes back with the next start of the node',
  expect:
    'the log directory goes offline and others take over its leaders; with no other directory the node ends, as Apache Kafka does',
  lasts: 'machine',
  mayEndNode: true,
  parameters: [
    on('write,fsync'),
    path,
    nth,
    oneIn,
    choice('code', 'the error', ['EIO', 'EROFS', 'EACCES', 'EMFILE', 'ENOSPC', 'EDQUOT']),
  ],
  problem: notBoth,
  make: parameters =>
    failingDisk({
      ...targetOf(parameters),
      ...occasionOf(parameters),
      code: parameters['code'] as 'EIO' | 'EROFS' | 'EACCES' | 'EMFILE' | 'ENOSPC' | 'EDQUOT',
    }),
  prove: proveError,
}

const crash: NodeFaultKind = {
  name: 'crash-at',
  summary: 'the process ends (SIGKILL) right before or after the nth file call: between any two steps of an update',
  heals: 'the process no longer ends there; one that has ended is started again',
  expect: 'a node that is killed at that very place: it recovers its log, and no acknowledged record is gone',
  lasts: 'once',
  parameters: [on('write'), path, nthCall, choice('when', 'before the call or after it', ['before', 'after'])],
  make: parameters =>
    crashAt({
      ...targetOf(parameters),
      nth: Number(parameters['nth']),
      when: parameters['when'] as 'before' | 'after',
    }),
  prove: proveCrash,
}

const torn: NodeFaultKind = {
  name: 'torn-write',
  summary: 'the process ends (SIGKILL) in the middle of the nth write, whose first part is in the file',
  heals: 'the process no longer ends there; one that has ended is started again and cuts the half record off',
  expect: 'recovery drops the torn batch, which was never acknowledged, or has it from the other replicas',
  lasts: 'once',
  parameters: [
    path,
    nthCall,
    {
      name: 'keep',
      summary: 'how much of it reaches the file; left out: by chance',
      type: 'number',
      unit: 'bytes',
      optional: true,
      min: 0,
      max: 1e9,
      whole: true,
    },
  ],
  make: parameters =>
    tornWrite({
      ...targetOf(parameters),
      nth: Number(parameters['nth']),
      ...(parameters['keep'] === undefined ? {} : { keepBytes: Number(parameters['keep']) }),
    }),
  prove: proveCrash,
}

const flip: NodeFaultKind = {
  name: 'bit-flip',
  summary: 'one bit of what is read, or of what is written to the disk, is wrong, and nobody says so',
  heals:
    'bytes are right again; what was written wrong stays wrong until it is written anew, and what was found damaged is not looked at again before the next start',
  expect:
    'checksums find it: of closed segments, and of what it had at its start, the broker refuses a damaged batch to readers (CORRUPT_MESSAGE); newer ones it sends as they are, as Apache Kafka does, and the reader finds it; recovery cuts it off or copies it again',
  lasts: 'machine',
  parameters: [choice('on', 'what is wrong', ['read', 'write']), path, nth, oneIn],
  problem: notBoth,
  make: parameters => {
    const { path: expression } = targetOf({ ...parameters, on: 'read' })
    return bitFlip({
      on: parameters['on'] as 'read' | 'write',
      ...(expression === undefined ? {} : { path: expression }),
      ...occasionOf(parameters),
    })
  },
  prove: proveBitFlip,
}

export const diskKinds: readonly NodeFaultKind[] = [slow, full, error, crash, torn, flip]
