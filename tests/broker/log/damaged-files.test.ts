/**
 * Files of a log directory that were damaged while the node was down: bits flipped, cut, zeroed, replaced by garbage, gone. Whatever can be
 * read from the batches is made anew, with a warning that names the file; what nothing can replace stops the start and says what to do.
 */
import { describe, expect, test } from 'vitest'
import type { DirectoryLogManager } from '#broker/log/log-manager.ts'
import { LogDirectoryError } from '#broker/log/meta-properties.ts'
import type { LogConfig } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { buildEndTransactionMarker } from '#broker/protocol/records/batch-build.ts'
import { allRecords } from '#broker/protocol/records/batch-read.ts'
import { Prng } from '#simulator/world/prng.ts'
import { asClient, batchOf, defaultConfig, inspect, Machine, startWallMs, topicId, startManager } from './harness.ts'

const events = { topic: 'events', partition: 0 }
const config: LogConfig = { ...defaultConfig, segmentBytes: 1500, indexIntervalBytes: 150 }

function start(machine: Machine): DirectoryLogManager {
  const options = { clusterId: 'AAAAAAAAAAAAAAAAAAAAbQ', configOf: () => config, brokerEpoch: () => 7 }
  return startManager(machine.environment(), options)
}

type Files = ReadonlyMap<string, Buffer>

function filesOf(machine: Machine): Files {
  const disk = inspect(machine)
  const files = new Map<string, Buffer>()
  const visit = (directory: string): void => {
    for (const { name, kind } of disk.list(directory)) {
      const path = `${directory}/${name}`
      if (kind === 'directory') visit(path)
      else {
        const file = disk.open(path, 'read')
        const bytes = Buffer.alloc(file.size())
        file.read(bytes, 0)
        files.set(path, bytes)
      }
    }
  }
  visit('/data')
  return files
}

function withFiles(files: Files): Machine {
  const machine = new Machine()
  const disk = inspect(machine)
  disk.makeDirectory('/data/events-0')
  for (const [path, bytes] of files) disk.open(path, 'write').write([bytes], 0)
  return machine
}

/** Everything that a client can ask a log for. */
function answers(log: SegmentedLog): unknown {
  const records: string[] = []
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    const result = log.read(offset, { maxBytes: 1, untilOffset: log.logEndOffset, atLeastOneBatch: true })
    if ('refused' in result || result.nextOffset === offset) throw new Error(`nothing at ${offset}`)
    for (const { offset: at, key, value } of allRecords(result.records))
      records.push(`${at} ${String(key)} ${String(value)}`)
    offset = result.nextOffset
  }
  const offsets = Array.from({ length: log.logEndOffset }, (_, offset) => offset)
  return {
    records,
    // Each looked up on its own.
    begins: offsets.map(offset => {
      const found = log.read(offset, { maxBytes: 1, untilOffset: log.logEndOffset, atLeastOneBatch: true })
      return 'baseOffset' in found ? found.baseOffset : -1
    }),
    times: offsets.map(offset => log.findByTimestamp(startWallMs + offset * 100 - 50, log.logEndOffset)?.offset),
    newest: log.findMaxTimestamp(),
    epochs: offsets.map(offset => log.epochAt(offset)),
    ends: [0, 1, 2, 3, 4, 5].map(epoch => log.endOffsetForEpoch(epoch)),
    aborted: log.abortedTransactions(0, log.logEndOffset),
    producers: [...log.producers()].sort((a, b) => Number(a.producerId - b.producerId)),
  }
}

/** A log with everything, stopped cleanly or killed. */
function prepare(isClean: boolean): { readonly files: Files; readonly answers: unknown } {
  const machine = new Machine()
  const manager = start(machine)
  const log = manager.getOrCreate(events, topicId, config) as SegmentedLog
  for (let index = 0; index < 40; index++) {
    const leaderEpoch = Math.floor(index / 12) + 1
    const producerId = BigInt(index % 3)
    const timestamp = startWallMs + log.logEndOffset * 100
    const producer = { producerId, producerEpoch: 0, transactional: true, timestamp }
    if (index % 5 === 4)
      log.appendAsLeader(
        buildEndTransactionMarker(index % 2 === 0 ? 'abort' : 'commit', { ...producer, coordinatorEpoch: 1 }),
        { ...asClient, origin: 'coordinator', leaderEpoch },
      )
    else {
      const known = log.producers().find(each => each.producerId === producerId)
      const baseSequence = (known?.lastSequence ?? -1) + 1
      log.appendAsLeader(batchOf([`v${index}`, 'more'], { ...producer, baseSequence }), { ...asClient, leaderEpoch })
    }
    if (index === 30) log.flush()
  }
  machine.turn()
  manager.checkpoint(() => log.logEndOffset)
  machine.turn()
  const expected = answers(log)
  if (isClean) manager.close(() => log.logEndOffset)
  machine.kill()
  return { files: filesOf(machine), answers: expected }
}

interface Damage {
  readonly name: string
  /** Undefined: the file is gone. */
  apply(bytes: Buffer): Buffer | undefined
}

const wrecks: readonly Damage[] = [
  { name: 'zeroed', apply: bytes => Buffer.alloc(bytes.length) },
  { name: 'garbage', apply: bytes => new Prng(3).bytes(bytes.length) },
  {
    name: 'half zeroed',
    apply: bytes =>
      Buffer.concat([bytes.subarray(0, bytes.length >> 1), Buffer.alloc(bytes.length - (bytes.length >> 1))]),
  },
  {
    name: 'first half garbage',
    apply: bytes => Buffer.concat([new Prng(4).bytes(bytes.length >> 1), bytes.subarray(bytes.length >> 1)]),
  },
  { name: 'cut to half', apply: bytes => bytes.subarray(0, bytes.length >> 1) },
  { name: 'one byte short', apply: bytes => bytes.subarray(0, Math.max(0, bytes.length - 1)) },
  { name: 'with garbage behind', apply: bytes => Buffer.concat([bytes, new Prng(5).bytes(33)]) },
  { name: 'emptied', apply: () => Buffer.alloc(0) },
  { name: 'gone', apply: () => undefined },
]

function flips(bytes: Buffer, every: number): Damage[] {
  const found: Damage[] = []
  for (let bit = 0; bit < bytes.length * 8; bit += every)
    found.push({
      name: `bit ${bit} flipped`,
      apply(original) {
        const copy = Buffer.from(original)
        copy[bit >> 3] = copy[bit >> 3]! ^ (1 << (bit & 7))
        return copy
      },
    })
  return found
}

interface Outcome {
  readonly what: 'refused' | 'warned' | 'silent'
  readonly says: string
}

function startWith(files: Files, expected: unknown): Outcome {
  const machine = withFiles(files)
  let manager: DirectoryLogManager
  try {
    manager = start(machine)
  } catch (error) {
    if (!(error instanceof LogDirectoryError)) throw error
    return { what: 'refused', says: error.message }
  }
  const log = manager.getOrCreate(events, topicId, config) as SegmentedLog
  expect(log.topicId).toBe(topicId)
  expect(answers(log)).toEqual(expected)
  // And it goes on.
  expect(log.appendAsLeader(batchOf(['next']), { ...asClient, leaderEpoch: 9 })).toHaveProperty('appended')
  const warnings = machine.logged.filter(({ fields }) => JSON.stringify(fields ?? {}).includes('/data'))
  const named = warnings.filter(({ message }) =>
    /damaged|Rebuilding|do not agree|does not agree|Cutting|points nowhere/.test(message),
  )
  return named.length > 0
    ? { what: 'warned', says: named.map(({ message, fields }) => `${message} ${JSON.stringify(fields)}`).join('\n') }
    : { what: 'silent', says: '' }
}

const suffixes = ['.index', '.timeindex', '.txnindex', '.snapshot'] as const

/** Whole entries of a transaction index can be lost, or say something else, without a trace: the format has no checksum. */
const withoutTrace = ['cut to half', 'emptied', 'gone']

describe.each([
  ['after a clean stop', true],
  ['after a kill', false],
])('%s', (_how, isClean) => {
  const { files, answers: expected } = prepare(isClean)
  const paths = [...files.keys()]

  test('without damage nothing is said', () => {
    expect(startWith(files, expected)).toEqual({ what: 'silent', says: '' })
  })

  test.each(suffixes)('%s files are rebuilt, whatever is wrong with them', suffix => {
    const chosen = paths.filter(path => path.endsWith(suffix))
    expect(chosen.length).toBeGreaterThan(0)
    let warned = 0
    for (const path of chosen) {
      const bytes = files.get(path)!
      const damages =
        suffix === '.txnindex'
          ? wrecks.filter(({ name }) => !withoutTrace.includes(name))
          : [...wrecks, ...flips(bytes, suffix === '.snapshot' ? 29 : 23)]
      for (const damage of damages) {
        const damaged = damage.apply(bytes)
        const changed = new Map(files)
        if (damaged === undefined) changed.delete(path)
        else changed.set(path, damaged)
        let outcome: Outcome
        try {
          outcome = startWith(changed, expected)
        } catch (error) {
          throw new Error(`${path} ${damage.name}: ${String(error)}`, { cause: error })
        }
        if (outcome.what === 'warned') warned++
        expect([path, damage.name, outcome.what]).not.toEqual([path, damage.name, 'refused'])
      }
    }
    // After a kill what belongs to the recovered part is not even looked at.
    if (isClean || suffix === '.index' || suffix === '.timeindex') expect(warned).toBeGreaterThan(0)
  })

  test.each([
    'leader-epoch-checkpoint',
    'partition.metadata',
    'recovery-point-offset-checkpoint',
    'replication-offset-checkpoint',
    'log-start-offset-checkpoint',
    '.kafka_cleanshutdown',
  ])('%s is not trusted when it makes no sense, and that is said', name => {
    const path = paths.find(each => each.endsWith(`/${name}`))
    if (name === '.kafka_cleanshutdown' && !isClean) return expect(path).toBeUndefined()
    expect(path).toBeDefined()
    const bytes = files.get(path!)!
    for (const damage of wrecks) {
      const damaged = damage.apply(bytes)
      const changed = new Map(files)
      if (damaged === undefined) changed.delete(path!)
      else changed.set(path!, damaged)
      const { what, says } = startWith(changed, expected)
      // Missing or empty is how they are at the beginning; a final line end is no content.
      const isBeginning = damaged === undefined || damaged.length === 0 || damage.name === 'one byte short'
      if (isBeginning) continue
      expect([damage.name, what]).toEqual([damage.name, 'warned'])
      expect(says).toContain(name === 'leader-epoch-checkpoint' || name.includes('checkpoint') ? name : path)
    }
  })

  test('meta.properties that makes no sense stops the start, names the file and the way out', () => {
    const path = '/data/meta.properties'
    const bytes = files.get(path)!
    let refused = 0
    for (const damage of [...wrecks.filter(({ name }) => name !== 'gone'), ...flips(bytes, 11)]) {
      const damaged = damage.apply(bytes)!
      const outcome = startWith(new Map([...files, [path, damaged]]), expected)
      if (outcome.what !== 'refused') continue
      refused++
      expect(outcome.says).toContain('/data')
      expect(outcome.says).toMatch(/Write it again|belongs to/)
    }
    expect(refused).toBeGreaterThan(20)
    const zeroed = startWith(new Map([...files, [path, Buffer.alloc(bytes.length)]]), expected)
    expect(zeroed).toMatchObject({ what: 'refused', says: expect.stringContaining('empty the directory') })
  })
})
