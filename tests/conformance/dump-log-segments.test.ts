/**
 * Apache Kafka's DumpLogSegments reads the directories this broker writes and finds nothing wrong: logs, both indexes,
 * producer snapshots, the transaction index; after a clean close, as a kill leaves them, after the recovery from it,
 * and after truncation.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { logConfig } from '../../bench/measure/log-config.ts'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'
import type { AppendRequest, LogConfig } from '#broker/log/log.ts'
import { openPartitionLog } from '#broker/log/partition-log.ts'
import type { PartitionLogOptions } from '#broker/log/partition-log-options.ts'
import { buildBatch, buildEndTransactionMarker } from '#broker/protocol/records/batch-build.ts'
import type { BatchOptions } from '#broker/protocol/records/batch-build.ts'

const jars =
  process.env['KAFKA_JARS'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'apache-kafka', '4.3.1')
const missing = !existsSync(jars)
  ? `no Kafka jars in ${jars}: set KAFKA_JARS to a folder that has them`
  : spawnSync('java', ['-version']).error !== undefined
    ? 'no java on PATH'
    : undefined
if (missing !== undefined) console.warn(`SKIPPED dump-log-segments: ${missing}`)

const root = mkdtempSync(join(tmpdir(), 'faultline-dump-'))
const wallMs = 1_760_000_000_000

const config: LogConfig = {
  ...logConfig,
  segmentBytes: 40_000,
  segmentMs: Infinity,
  indexIntervalBytes: 1024,
}

function open(name: string, options: Partial<PartitionLogOptions> = {}) {
  return openPartitionLog({
    environment: nodeEnvironment({ logTo: () => {} }),
    directory: join(root, `${name}-0`),
    topicPartition: { topic: name, partition: 0 },
    topicId: 'AAAAAAAAAAAAAAAAAAAAAQ',
    config,
    cleanShutdown: false,
    ...options,
  })
}

type Log = ReturnType<typeof open>

function append(log: Log, count: number, options: BatchOptions = {}, request: Partial<AppendRequest> = {}): number {
  const from = log.logEndOffset
  const records = Array.from({ length: count }, (_, index) => ({
    // Out of order within the batch, so that the largest timestamp is not the last.
    timestamp: wallMs + from * 10 - (index % 3),
    key: index % 4 === 0 ? null : `key-${from + index}`,
    value: index % 5 === 4 ? null : `value-${from + index}-${'x'.repeat((from * 7 + index * 13) % 120)}`,
    headers:
      index % 6 === 0
        ? [
            { key: 'trace', value: `t${index}` },
            { key: 'none', value: null },
          ]
        : [],
  }))
  const result = log.appendAsLeader(buildBatch(records, options), {
    origin: 'client',
    leaderEpoch: 4,
    wallMs,
    ...request,
  })
  if (!('appended' in result)) throw new Error(`refused: ${JSON.stringify(result)}`)
  return count
}

/** A mixture of codecs and producers over several segments. */
function fill(log: Log): number {
  let records = 0
  for (let round = 0; round < 60; round++) {
    records += append(log, 1 + (round % 9))
    records += append(log, 7, { producerId: 1000n, producerEpoch: 2, baseSequence: round * 7 })
    records += append(log, 20, { compression: round % 2 === 0 ? 'gzip' : 'zstd' })
  }
  return records
}

interface Dump {
  readonly out: string
  readonly err: string
}

function dump(files: readonly string[], ...flags: string[]): Dump {
  const result = spawnSync(
    'java',
    ['-cp', `${jars}/*`, 'org.apache.kafka.tools.DumpLogSegments', ...flags, '--files', files.join(',')],
    {
      encoding: 'utf8',
      maxBuffer: 256 * 1024 * 1024,
    },
  )
  const err = result.stderr
    .replaceAll(/^.*(SLF4J|WARNING|log4j|StatusLogger).*$\n?/gim, '')
    // Kafka 4.3's tool expects every segment to begin at offset 0 and says so of any that does not, Kafka's own
    // included.
    .replaceAll(/^Non-consecutive offsets in .*\/0*(\d+)\.log\n  -1 is followed by \1\n/gm, '')
  return { out: result.stdout, err }
}

const files = (name: string, ...suffixes: string[]) =>
  readdirSync(join(root, `${name}-0`))
    .filter(file => suffixes.some(suffix => file.endsWith(suffix)))
    .sort()
    .map(file => join(root, `${name}-0`, file))

/** What each scenario holds, by name. */
const expected = new Map<string, number>()

beforeAll(() => {
  if (missing !== undefined) return
  const clean = open('clean')
  expected.set('clean', fill(clean))
  clean.close()

  // A process that was killed closes nothing: this log is just left behind.
  expected.set('killed', fill(open('killed')))

  const torn = open('recovered')
  const before = fill(torn)
  const last = files('recovered', '.log').at(-1)!
  append(torn, 3)
  truncateSync(last, statSync(last).size - 5)
  const recovered = open('recovered')
  if (recovered.logEndOffset !== before) throw new Error(`recovered up to ${recovered.logEndOffset}, not ${before}`)
  expected.set('recovered', before + append(recovered, 5))

  const truncated = open('truncated')
  const all = fill(truncated)
  truncated.truncateTo(Math.floor(all / 2))
  expected.set('truncated', truncated.logEndOffset + append(truncated, 9, {}, { leaderEpoch: 5 }))
  truncated.close()

  const stamped = open('stamped', { config: { ...config, messageTimestampType: 'LogAppendTime' } })
  let count = 0
  for (let round = 0; round < 200; round++) count += append(stamped, 5, {}, { wallMs: wallMs + round })
  expected.set('stamped', count)
  stamped.close()

  expected.set('transactions', transactions())
})

function transactions(): number {
  const log = open('transactions')
  let count = 0
  for (const [round, type] of (['commit', 'abort', 'abort', 'commit'] as const).entries()) {
    const producer = { producerId: 77n, producerEpoch: 1 }
    count += append(log, 4, { ...producer, baseSequence: round * 4, transactional: true })
    const marker = buildEndTransactionMarker(type, { ...producer, coordinatorEpoch: 3, timestamp: wallMs })
    const ended = log.appendAsLeader(marker, { origin: 'coordinator', leaderEpoch: 4, wallMs })
    if (!('appended' in ended)) throw new Error(`refused: ${JSON.stringify(ended)}`)
    count++
  }
  count += append(log, 2, { producerId: 78n, producerEpoch: 0, baseSequence: 0, transactional: true })
  log.close()
  return count
}

afterAll(() => rmSync(root, { recursive: true, force: true }))

const complaints =
  /Mismatches|isvalid: false|invalid bytes|Non-consecutive|not found in the log|mismatch|Exception|rror:/i

describe.skipIf(missing !== undefined)('DumpLogSegments', () => {
  test('every log is whole, batch by batch and record by record', () => {
    const { out, err } = dump(
      [...expected.keys()].flatMap(name => files(name, '.log')),
      '--deep-iteration',
      '--print-data-log',
    )
    expect({ err, complaint: complaints.exec(out)?.[0] }).toEqual({ err: '', complaint: undefined })
    const counts = new Map<string, number>()
    for (const section of out.split(/^Dumping /m).slice(1)) {
      const name = /\/(\w+)-0\/\d+\.log/.exec(section)![1]!
      counts.set(name, (counts.get(name) ?? 0) + (section.match(/^\| offset: /gm) ?? []).length)
    }
    expect(Object.fromEntries(counts)).toEqual(Object.fromEntries(expected))
    expect(files('clean', '.log').length).toBeGreaterThan(1)
  })

  test('every index points to the batches and timestamps it says', () => {
    const indexes = [...expected.keys()].flatMap(name => files(name, '.index', '.timeindex'))
    const { out, err } = dump(indexes)
    expect({ err, complaint: complaints.exec(out)?.[0] }).toEqual({ err: '', complaint: undefined })
    expect(out.match(/^offset: \d+ position: /gm)!.length).toBeGreaterThan(100)
    expect(out.match(/^timestamp: \d+ offset: /gm)!.length).toBeGreaterThan(20)
  })

  test('every index passes the check by which Kafka decides to rebuild it, also as a kill left it', () => {
    const indexes = [...expected.keys()].flatMap(name => files(name, '.index', '.timeindex'))
    const { out, err } = dump(indexes, '--index-sanity-check')
    expect({ err, complaint: complaints.exec(out)?.[0] }).toEqual({ err: '', complaint: undefined })
    expect((out.match(/passed sanity check\.|is empty\.$/gm) ?? []).length).toBe(indexes.length)
  })

  test('producer snapshots and the transaction index say what the log holds', () => {
    const { out, err } = dump([...expected.keys()].flatMap(name => files(name, '.snapshot', '.txnindex')))
    expect({ err, complaint: complaints.exec(out)?.[0] }).toEqual({ err: '', complaint: undefined })
    expect(out).toContain('producerId: 1000 producerEpoch: 2 coordinatorEpoch: -1')
    expect(out).toContain('lastSequence: 419')
    expect(out).toContain(
      'producerId: 78 producerEpoch: 0 coordinatorEpoch: -1 currentTxnFirstOffset: OptionalLong[20]',
    )
    expect(out).toContain('version: 0 producerId: 77 firstOffset: 5 lastOffset: 9 lastStableOffset: 10')
    expect(out.match(/^version: 0 producerId: 77/gm)).toHaveLength(2)
  })
})
