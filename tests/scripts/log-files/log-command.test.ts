/**
 * `./faultline log` on directories that a broker wrote: what is whole is found whole, every kind of damage is named with its place, and a
 * repair leaves a log that is whole again, keeps what it removed, and loses only what it said.
 */
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeDisk } from '#broker/environment/node/disk.ts'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'
import { openPartitionLog } from '#broker/log/partition-log.ts'
import { groupRecords } from '#broker/protocol/records/group/index.ts'
import { encodeMetadataRecord } from '#broker/protocol/records/metadata/frame.ts'
import { encodeCoordinatorKey, encodeVersioned } from '#broker/protocol/records/prefixed.ts'
import { batchesOf, isDamage } from '#scripts/log-files/batches.ts'
import { explainLog } from '#scripts/log-files/explain.ts'
import { filesAt, partitionAt } from '#scripts/log-files/places.ts'
import { main } from '#scripts/main.ts'
import { verifyPlace } from '#scripts/log-files/verify-place.ts'
import { defaultConfig, topicId } from '#tests/broker/log/harness.ts'
import { decodeInternal, sentence } from '#scripts/log-files/words.ts'
import { sampleLog, sampleTime } from './sample-log.ts'
import type { SampleLog } from './sample-log.ts'

let sample: SampleLog
beforeEach(() => {
  sample = sampleLog()
})
afterEach(() => sample.remove())

const at = (name: string): string => path.join(sample.log, name)
const logs = (): string[] =>
  readdirSync(sample.log)
    .filter(name => name.endsWith('.log'))
    .sort()
const lastLog = (): string => at(logs().at(-1)!)
const positionsOf = (file: string) =>
  [...batchesOf(nodeDisk, file)].flatMap(found =>
    isDamage(found) ? [] : [{ position: found.position, batch: found.batch }],
  )

function verify(target = sample.root, options: { records: boolean } = { records: true }) {
  return verifyPlace(nodeDisk, target, { ...options, progress: () => {} })
}

/** Damages only: path relative to the partition, byte, offset. */
function damages(target?: string) {
  return verify(target)
    .problems.filter(({ severity }) => severity === 'damage')
    .map(({ path: file, position, offset, message }) => ({ file: path.basename(file), position, offset, message }))
}

/** Runs the command line, catching what it writes to stdout. */
async function command(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' }
  const writers = [process.stdout, process.stderr].map(stream => ({ stream, write: stream.write.bind(stream) }))
  for (const [index, name] of (['stdout', 'stderr'] as const).entries())
    writers[index]!.stream.write = (chunk: string | Uint8Array) => {
      written[name] += String(chunk)
      return true
    }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const before = signals.map(signal => process.listeners(signal))
  try {
    const code = await main(args)
    return { code, ...written }
  } finally {
    for (const [index, signal] of signals.entries())
      for (const listener of process.listeners(signal))
        if (!before[index]!.includes(listener)) process.off(signal, listener)
    for (const { stream, write } of writers) stream.write = write
  }
}

describe('verify', () => {
  test('finds nothing wrong with what a broker wrote and closed', () => {
    const verified = verify()
    expect(verified.problems).toEqual([])
    expect(verified.partitions[0]!.log).toMatchObject({ logStartOffset: 0, logEndOffset: 207, records: 207 })
    expect(logs().length).toBeGreaterThan(2)
  })

  const flip = (file: string, position: number): void => {
    const bytes = readFileSync(file)
    bytes[position] = bytes[position]! ^ 0x40
    writeFileSync(file, bytes)
  }

  test('names a torn tail, with the byte and the offset', () => {
    const last = positionsOf(lastLog()).at(-1)!
    truncateSync(lastLog(), last.position + 30)
    expect(damages()).toMatchObject([{ position: last.position, offset: 206 }, ...damages().slice(1)])
    expect(damages()[0]!.message).toContain('30 bytes are too few for the header')
  })

  test('names a flipped bit in the middle, and the offsets that are damaged', () => {
    const [, second] = positionsOf(at(logs()[0]!))
    flip(at(logs()[0]!), second!.position + 70)
    expect(damages()).toMatchObject([{ file: logs()[0], position: second!.position, offset: second!.batch.baseOffset }])
    expect(damages()[0]!.message).toMatch(/CRC .* its header says offsets 2 to 3.*undamaged batches follow/)
  })

  test('is not led astray by a length that was damaged: what follows is found again', () => {
    const [, second, third] = positionsOf(at(logs()[0]!))
    flip(at(logs()[0]!), second!.position + 9)
    const found = [...batchesOf(nodeDisk, at(logs()[0]!))].find(isDamage)
    expect(found).toMatchObject({
      position: second!.position,
      bytes: second!.batch.sizeBytes,
      followedBy: third!.batch.baseOffset,
    })
  })

  test.each([
    ['.index', 4, /points to byte|does not rise|says offset/],
    ['.timeindex', 3, /says \d+ is the largest timestamp|does not rise/],
    ['.snapshot', 20, /another checksum/],
    ['.txnindex', 9, /says producer .* the batches say producer 77/],
  ])('names a %s that does not say what the batches say', (suffix, byte, message) => {
    const name = readdirSync(sample.log).filter(file => file.endsWith(suffix) && statSync(at(file)).size > 0)[0]!
    flip(at(name), byte)
    const found = damages()
    expect(found).toMatchObject([{ file: name }])
    expect(found[0]!.message).toMatch(message)
    expect(damages(at(name))).toMatchObject([{ file: name }])
    expect(damages(lastLog())).toEqual([])
  })

  test('names epochs and checkpoints that cannot be', () => {
    writeFileSync(at('leader-epoch-checkpoint'), '0\n1\n9 0\n')
    writeFileSync(path.join(sample.root, 'recovery-point-offset-checkpoint'), '0\n1\norders 0 9999\n')
    writeFileSync(path.join(sample.root, 'log-start-offset-checkpoint'), 'nonsense')
    expect(damages()).toMatchObject([
      { file: 'leader-epoch-checkpoint', message: 'says epoch 9 of offset 0, which epoch 4 wrote' },
      { file: 'log-start-offset-checkpoint' },
      { file: 'recovery-point-offset-checkpoint', offset: 9999 },
    ])
  })

  test.each([
    [105, '0\n2\n4 105\n5 200\n'],
    [200, '0\n1\n5 200\n'],
    [202, '0\n1\n5 202\n'],
  ])('does not ask for epochs below the log start offset, %i', (logStart, epochs) => {
    writeFileSync(at('leader-epoch-checkpoint'), epochs)
    expect(damages()).toMatchObject([{ file: 'leader-epoch-checkpoint' }])
    writeFileSync(path.join(sample.root, 'log-start-offset-checkpoint'), `0\n1\norders 0 ${logStart}\n`)
    expect(damages()).toEqual([])
  })

  test('says once that indexes end in space that was allocated in advance', () => {
    const indexes = readdirSync(sample.log).filter(name => name.endsWith('index') && !name.endsWith('.txnindex'))
    for (const name of indexes) appendFileSync(at(name), Buffer.alloc(name.endsWith('.timeindex') ? 36 : 24))
    const found = verify().problems
    expect(found).toMatchObject([{ severity: 'note', path: sample.root }])
    expect(found[0]?.message).toContain(`${indexes.length} indexes end in entries of zeros`)
    // Asked about one of them, it says so of that one.
    expect(verify(at(indexes[0]!)).problems).toMatchObject([{ severity: 'note', path: at(indexes[0]!) }])
  })

  test('says what it did, and ends with 1 when something is damaged', async () => {
    expect(await command('log', 'verify', sample.root)).toMatchObject({ code: 0 })
    flip(at(logs()[0]!), 70)
    const { code, stdout } = await command('log', 'verify', sample.root, '--json')
    expect([code, (JSON.parse(stdout) as { isDamaged: boolean }).isDamaged]).toEqual([1, true])
  })
})

describe('repair', () => {
  const opened = () => {
    const log = openPartitionLog({
      environment: nodeEnvironment({ logTo: () => {} }),
      directory: sample.log,
      topicPartition: { topic: 'orders', partition: 0 },
      topicId,
      config: defaultConfig,
      cleanShutdown: true,
      recoveryPoint: 0,
    })
    const end = log.logEndOffset
    log.release()
    return end
  }

  test('asks nobody where nobody can answer: it shows the plan and changes nothing', async () => {
    truncateSync(lastLog(), statSync(lastLog()).size - 5)
    const before = readFileSync(lastLog())
    const { code, stderr } = await command('log', 'repair', sample.root)
    expect(code).toBe(2)
    expect(stderr).toContain('This would be done:')
    expect(stderr).toContain('Nothing was changed')
    expect(readFileSync(lastLog()).equals(before)).toBe(true)
  })

  test('cuts a torn tail, rebuilds what was derived from it, and keeps the bytes', async () => {
    const last = positionsOf(lastLog()).at(-1)!
    truncateSync(lastLog(), statSync(lastLog()).size - 5)
    const torn = readFileSync(lastLog()).subarray(last.position)
    const backup = path.join(path.dirname(sample.root), 'kept')
    expect(await command('log', 'repair', sample.root, '--yes', '--backup', backup)).toMatchObject({ code: 0 })
    expect(damages()).toEqual([])
    expect(opened()).toBe(206)
    const kept = readdirSync(path.join(backup, 'orders-0')).find(name => name.includes('.bytes-'))!
    expect(readFileSync(path.join(backup, 'orders-0', kept)).equals(torn)).toBe(true)
    expect(existsSync(path.join(sample.root, '.lock'))).toBe(false)
  })

  test('makes indexes, snapshots, transaction indexes, epochs and checkpoints anew', async () => {
    const names = readdirSync(sample.log)
    for (const suffix of ['.index', '.snapshot', '.txnindex'])
      writeFileSync(at(names.find(name => name.endsWith(suffix) && statSync(at(name)).size > 0)!), Buffer.alloc(41, 7))
    for (const suffix of ['.timeindex']) rmSync(at(names.find(name => name.endsWith(suffix))!))
    writeFileSync(at('leader-epoch-checkpoint'), '0\n1\n9 0\n')
    writeFileSync(path.join(sample.root, 'recovery-point-offset-checkpoint'), '0\n1\norders 0 9999\n')
    expect(damages().length).toBeGreaterThanOrEqual(6)
    expect(await command('log', 'repair', sample.root, '--yes')).toMatchObject({ code: 0 })
    expect(damages()).toEqual([])
    expect(readFileSync(path.join(sample.root, 'recovery-point-offset-checkpoint'), 'utf8')).toContain('orders 0 207')
    expect(readFileSync(at('leader-epoch-checkpoint'), 'utf8')).toBe('0\n2\n4 0\n5 200\n')
    expect(opened()).toBe(207)
  })

  test('takes a damaged batch out of the middle only when told to, and says which offsets are lost', async () => {
    const first = at(logs()[0]!)
    const [, second] = positionsOf(first)
    const bytes = readFileSync(first)
    bytes[second!.position + 80]! ^= 1
    writeFileSync(first, bytes)
    const refused = await command('log', 'repair', sample.root, '--yes')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('--set-aside-damaged-batches takes them out, and loses offsets 2 to 3')
    expect(readFileSync(first).equals(bytes)).toBe(true)
    const done = await command('log', 'repair', sample.log, '--yes', '--set-aside-damaged-batches')
    expect(done.code).toBe(0)
    expect(done.stdout).toContain('offsets 2 to 3 are LOST here')
    expect(damages()).toEqual([])
    expect(
      positionsOf(first)
        .map(({ batch }) => batch.baseOffset)
        .slice(0, 3),
    ).toEqual([0, 4, 6])
    expect(opened()).toBe(207)
  })

  test('refuses while a broker has the directory, and a backup inside of it', async () => {
    const lock = nodeDisk.lock(path.join(sample.root, '.lock'))
    lock.release()
    // Our own process may take its lock again; a broker's is another process, here the parent of this one.
    writeFileSync(path.join(sample.root, '.lock'), `pid=${process.ppid} began=\n`)
    const refused = await command('log', 'repair', sample.root, '--yes')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(`process ${process.ppid} holds it`)
    rmSync(path.join(sample.root, '.lock'))
    const inside = await command('log', 'repair', sample.root, '--yes', '--backup', path.join(sample.root, 'backup'))
    expect([inside.code, inside.stderr.includes('would lie in the data directory')]).toEqual([2, true])
  })
})

describe('dump and explain', () => {
  test('show every batch, record, entry and file', async () => {
    const { code, stdout } = await command('log', 'dump', sample.root, '--records', '--json')
    const files = JSON.parse(stdout) as { path: string; kind: string; entries: Record<string, unknown>[] }[]
    expect(code).toBe(0)
    expect([...new Set(files.map(({ kind }) => kind))].sort()).toEqual([
      'checkpoint',
      'epochs',
      'index',
      'log',
      'properties',
      'snapshot',
      'timeindex',
      'txnindex',
    ])
    const batches = files.filter(({ kind }) => kind === 'log').flatMap(({ entries }) => entries)
    const records = batches.flatMap(batch => batch['records'] as { offset: number; headers: unknown[] }[])
    expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 207 }, (_, offset) => offset))
    expect(records[0]).toMatchObject({ key: 'k0', headers: [{ key: 'trace', value: 't0' }] })
    expect(batches.at(-2)).toMatchObject({ isControl: true, records: [{ decoded: { type: 'abort marker' } }] })
  })

  test('tell the fate of transactions, the epochs and what the indexes point to', () => {
    const text = [...explainLog(nodeDisk, partitionAt(nodeDisk, sample.log), { batches: 500 })].join('\n')
    for (const said of [
      'Partition 0 of the topic orders: 207 records',
      'A transaction is open since offset 206',
      'epoch 4 from offset 0, epoch 5 from offset 200',
      'was ABORTED by the marker at offset 203',
      'It is part of a transaction that was committed',
      'is still open: read_committed consumers wait',
      'abort marker: the transaction of this producer is aborted (coordinator epoch 3)',
      '2 aborted transactions ended here',
      'The first says: the batch that ends with offset',
    ])
      expect(text).toContain(said)
  })

  test('tell internal topics in words, and why a record cannot be read', () => {
    const record = (key: Buffer | null, value: Buffer | null) => ({ offset: 0, timestamp: 0, key, value, headers: [] })
    const said = (topic: string, key: Buffer | null, value: Buffer | null) =>
      sentence(decodeInternal({ topic, partition: 0 }, record(key, value))!)
    const { OffsetCommit } = groupRecords
    const key = encodeCoordinatorKey(OffsetCommit.key, { group: 'readers', topic: 'orders', partition: 3 })
    const committed = { offset: 42, leaderEpoch: 1, metadata: '', commitTimestamp: sampleTime }
    expect(said('__consumer_offsets', key, encodeVersioned(OffsetCommit.value, 3, committed))).toBe(
      'group readers has read orders-3 up to offset 42',
    )
    expect(said('__consumer_offsets', key, null)).toBe('group readers has no committed offset for orders-3 any more')
    const topic = { name: 'orders', topicId }
    const created = encodeMetadataRecord({ name: 'TopicRecord', version: 0, value: topic })
    expect(said('__cluster_metadata', null, created)).toBe(`topic orders exists, with id ${topicId}`)
    expect(said('__cluster_metadata', null, Buffer.from('garbage'))).toMatch(
      /cannot be read: metadata record: expected/,
    )
    expect(said('__consumer_offsets', Buffer.from([0]), null)).toMatch(/^coordinator record, which cannot be read/)
    expect(decodeInternal({ topic: 'orders', partition: 0 }, record(key, null))).toBeUndefined()
  })

  test.each([
    ['nothing', 'missing', 'There is nothing at'],
    ['another file', 'package.json', 'is no file of a log'],
    ['an empty directory', 'empty', 'holds no log'],
  ])('of %s say what was expected', async (_, name, message) => {
    writeFileSync(path.join(sample.root, '..', 'package.json'), '{}')
    nodeDisk.makeDirectory(path.join(sample.root, '..', 'empty'))
    for (const verb of ['dump', 'verify', 'repair', 'explain']) {
      const { code, stderr } = await command('log', verb, path.join(sample.root, '..', name))
      expect([verb, code, stderr.includes(message)]).toEqual([verb, 2, true])
    }
  })

  test('of old formats and garbage name what they found, and go on', async () => {
    const file = at('00000000000000009000.log')
    const old = Buffer.alloc(80)
    old.writeInt32BE(60, 8)
    old[16] = 1
    writeFileSync(file, old)
    const found = damages()
    expect(found[0]).toMatchObject({ file: '00000000000000009000.log', position: 0 })
    expect(found[0]!.message).toContain('a message in the old format with magic 1')
    writeFileSync(file, Buffer.alloc(300))
    expect(damages()[0]!.message).toContain('zeros where a batch should begin')
    writeFileSync(file, Buffer.from('x'.repeat(300)))
    const { code, stdout } = await command('log', 'dump', file)
    expect([code, stdout.includes('magic 120 where 2 was expected')]).toEqual([1, true])
    expect(filesAt(nodeDisk, sample.root).length).toBeGreaterThan(10)
  })
})
