/** One cleaning of one log: what stays, what goes, and what nobody may notice. */
import { describe, expect, test } from 'vitest'
import type { LogConfig } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { buildBatch, buildEndTransactionMarker } from '#broker/protocol/records/batch-build.ts'
import type { BatchOptions, RecordInput } from '#broker/protocol/records/batch-build.ts'
import { batches, compressionNames } from '#broker/protocol/records/batch.ts'
import type { BatchView } from '#broker/protocol/records/batch.ts'
import { asClient, Machine, openLog, startWallMs } from '../harness.ts'
import { clean, compacted, lastValues, readAll, readCommitted } from './harness.ts'

function open(machine: Machine, config: Partial<LogConfig> = {}): SegmentedLog {
  const log = openLog(machine, { config: { ...compacted, ...config } })
  log.updateConfig({ ...compacted, ...config })
  return log
}

function append(log: SegmentedLog, records: readonly RecordInput[], options: BatchOptions = {}): void {
  const result = log.appendAsLeader(buildBatch(records, { timestamp: startWallMs, ...options }), asClient)
  if (!('appended' in result)) throw new Error(`refused: ${JSON.stringify(result)}`)
  log.setHighWatermark(log.logEndOffset)
}

function end(log: SegmentedLog, type: 'abort' | 'commit', producerId: bigint): void {
  const marker = buildEndTransactionMarker(type, {
    producerId,
    producerEpoch: 0,
    coordinatorEpoch: 0,
    timestamp: startWallMs,
  })
  const result = log.appendAsLeader(marker, { ...asClient, origin: 'coordinator' })
  if (!('appended' in result)) throw new Error(`refused: ${JSON.stringify(result)}`)
  log.setHighWatermark(log.logEndOffset)
}

/** Closes the active segment, so that all before may be cleaned. */
function roll(log: SegmentedLog): void {
  const before = log.segmentOffsets.length
  while (log.segmentOffsets.length === before) append(log, [{ key: 'filler', value: 'x'.repeat(700) }])
}

const offsetsOf = (log: SegmentedLog, key: string): number[] =>
  readAll(log).flatMap(record => (record.key === key ? [record.offset] : []))

function allBatches(log: SegmentedLog): BatchView[] {
  const found: BatchView[] = []
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    const result = log.read(offset, { maxBytes: 1_000_000, untilOffset: Infinity, atLeastOneBatch: true })
    if ('refused' in result) throw new Error(result.refused)
    found.push(...batches(result.records))
    offset = result.nextOffset
  }
  return found
}

describe('a cleaning', () => {
  test('keeps the newest record of each key, with offset, timestamp, value and headers, and the end of the log', () => {
    const machine = new Machine()
    const log = open(machine)
    for (let round = 0; round < 6; round++) {
      for (const key of ['a', 'b', 'c']) {
        append(log, [
          { key, value: `${key}${round}`, timestamp: startWallMs + round, headers: [{ key: 'h', value: `${round}` }] },
          { key: `${key}-once-${round}`, value: 'once' },
        ])
      }
    }
    roll(log)
    const before = readAll(log)
    const end = log.logEndOffset
    const stats = clean(machine, log)
    const after = readAll(log)
    expect(lastValues(after)).toEqual(lastValues(before))
    expect(after.filter(({ key }) => key === 'a')).toEqual([before.findLast(({ key }) => key === 'a')])
    expect(after.length).toBeLessThan(before.length)
    for (const record of after) expect(before).toContainEqual(record)
    expect(log.logEndOffset).toBe(end)
    expect(stats.endOffset).toBe(log.segmentOffsets.at(-1))
    expect(stats.segmentsAfter).toBeLessThanOrEqual(stats.segmentsBefore)
    expect(log.sizeBytes).toBeLessThan(end * 100)
  })

  test.each(compressionNames)('cleans batches compressed with %s, and keeps the codec', compression => {
    const machine = new Machine()
    const log = open(machine)
    for (let round = 0; round < 10; round++) {
      const records = ['a', 'b', `c${round}`].map(key => ({ key, value: `${key}.${round}.${'y'.repeat(100)}` }))
      append(log, records, { compression })
    }
    roll(log)
    const before = readAll(log)
    clean(machine, log)
    expect(lastValues(readAll(log))).toEqual(lastValues(before))
    expect(offsetsOf(log, 'a')).toEqual([27])
    const first = allBatches(log)[0]!
    expect([first.baseOffset, first.lastOffset, first.recordsCount]).toEqual([0, 2, 1])
    expect(compressionNames[first.compressionId]).toBe(compression)
    expect(first.crc).toBe(first.computeCrc())
  })

  test('passes a batch of which nothing goes on as it is', () => {
    const machine = new Machine()
    const log = open(machine)
    append(log, [{ key: 'a', value: '1' }], { compression: 'gzip' })
    append(log, [{ key: 'b', value: '1' }])
    roll(log)
    const before = allBatches(log).map(({ bytes }) => bytes.toString('hex'))
    clean(machine, log)
    expect(
      allBatches(log)
        .map(({ bytes }) => bytes.toString('hex'))
        .slice(0, 2),
    ).toEqual(before.slice(0, 2))
  })

  test('drops a tombstone only in a cleaning after delete.retention.ms', () => {
    const machine = new Machine()
    const log = open(machine)
    append(log, [{ key: 'a', value: '1' }])
    append(log, [
      { key: 'a', value: null },
      { key: 'b', value: '2', timestamp: startWallMs + 5 },
    ])
    roll(log)
    clean(machine, log)
    expect(offsetsOf(log, 'a')).toEqual([1])
    const marked = allBatches(log).find(({ baseOffset }) => baseOffset === 1)!
    expect(marked.attributes & 0x40).toBe(0x40)
    expect(marked.baseTimestamp).toBe(startWallMs + machine.nowMs + compacted.deleteRetentionMs)
    expect(readAll(log).find(({ key }) => key === 'b')).toMatchObject({ timestamp: startWallMs + 5, value: '2' })
    machine.advance(compacted.deleteRetentionMs - 1)
    roll(log)
    clean(machine, log)
    expect(offsetsOf(log, 'a')).toEqual([1])
    machine.advance(1)
    roll(log)
    clean(machine, log)
    expect(offsetsOf(log, 'a')).toEqual([])
    expect(readAll(log).find(({ key }) => key === 'b')).toMatchObject({ offset: 2, timestamp: startWallMs + 5 })
  })

  test('does not start the time of a tombstone that the table did not reach: older values may still be before it', () => {
    const machine = new Machine()
    const log = open(machine, { segmentBytes: 1024 * 1024 })
    append(log, [{ key: 'late', value: '1' }])
    for (let key = 0; key < 30; key++) append(log, [{ key: `k${key}`, value: '1' }])
    append(log, [{ key: 'late', value: null }])
    log.updateConfig({ ...compacted, segmentBytes: 2000 })
    roll(log)
    const { endOffset } = clean(machine, log, { mapBytes: 24 * 16 })
    expect(endOffset).toBeLessThan(31)
    expect(offsetsOf(log, 'late')).toEqual([0, 31])
    expect(allBatches(log).find(({ baseOffset }) => baseOffset === 31)!.attributes & 0x40).toBe(0)
  })

  test('drops records without a key, and says how many', () => {
    const machine = new Machine()
    const log = open(machine, { cleanupPolicy: ['delete'] })
    append(log, [{ value: 'no key' }, { key: 'a', value: '1' }])
    roll(log)
    log.updateConfig(compacted)
    expect(clean(machine, log).invalidRecords).toBe(1)
    expect(readAll(log).map(({ key }) => key)).not.toContain(null)
  })

  test('drops aborted records, and their marker when nothing is left of the transaction and its time has come', () => {
    const machine = new Machine()
    const log = open(machine)
    append(log, [{ key: 'a', value: 'old' }])
    append(log, [{ key: 'a', value: 'aborted' }], {
      producerId: 5n,
      producerEpoch: 0,
      baseSequence: 0,
      transactional: true,
    })
    end(log, 'abort', 5n)
    append(log, [{ key: 'b', value: '1' }], { producerId: 6n, producerEpoch: 0, baseSequence: 0, transactional: true })
    end(log, 'commit', 6n)
    append(log, [{ key: 'b', value: '2' }], { producerId: 6n, producerEpoch: 0, baseSequence: 1, transactional: true })
    end(log, 'commit', 6n)
    roll(log)
    const markers = (): number[] => allBatches(log).flatMap(each => (each.isControl ? [each.baseOffset] : []))
    const check = (): void => {
      const values = lastValues(readCommitted(log))
      expect([values.get('a'), values.get('b')]).toEqual(['old', '2'])
      expect(readAll(log).map(({ value }) => value)).not.toContain('aborted')
    }
    clean(machine, log)
    check()
    // The last batch of producer 5 stays, empty, and with it its marker; the first transaction of 6 has lost all its data just now.
    expect(markers()).toEqual([2, 4, 6])
    roll(log)
    clean(machine, log)
    check()
    expect(markers()).toEqual([2, 4, 6])
    machine.advance(compacted.deleteRetentionMs)
    log.expireProducers(Infinity, 0)
    roll(log)
    clean(machine, log)
    check()
    expect(markers()).toEqual([2, 6])
    // Producer 5 is forgotten, so its empty batch went with that cleaning; its marker may go after this one and its time.
    roll(log)
    clean(machine, log)
    machine.advance(compacted.deleteRetentionMs)
    roll(log)
    clean(machine, log)
    check()
    expect(markers()).toEqual([6])
    expect(log.abortedTransactions(0, 1000)).toEqual([])
  })

  test('does not touch what an open transaction may still decide', () => {
    const machine = new Machine()
    const log = open(machine)
    append(log, [{ key: 'a', value: '1' }])
    roll(log)
    append(log, [{ key: 'a', value: '2' }], { producerId: 5n, producerEpoch: 0, baseSequence: 0, transactional: true })
    const open1 = log.logEndOffset - 1
    roll(log)
    append(log, [{ key: 'a', value: '3' }])
    roll(log)
    clean(machine, log)
    expect(offsetsOf(log, 'a')).toEqual([0, open1, expect.any(Number)])
    end(log, 'abort', 5n)
    roll(log)
    clean(machine, log)
    expect(
      readCommitted(log)
        .filter(({ key }) => key === 'a')
        .map(({ value }) => value),
    ).toEqual(['3'])
  })

  test('keeps the last batch of each living producer, emptied, so that its sequence goes on after a restart', () => {
    const machine = new Machine()
    const log = open(machine)
    append(
      log,
      [
        { key: 'a', value: '1' },
        { key: 'b', value: '1' },
      ],
      { producerId: 9n, producerEpoch: 0, baseSequence: 41 },
    )
    append(log, [
      { key: 'a', value: '2' },
      { key: 'b', value: '2' },
    ])
    roll(log)
    clean(machine, log)
    const kept = allBatches(log).find(({ producerId }) => producerId === 9n)!
    expect([kept.recordsCount, kept.lastSequence, kept.baseOffset, kept.lastOffset]).toEqual([0, 42, 0, 1])
    machine.kill()
    const again = open(machine)
    expect(again.producers()).toMatchObject([{ producerId: 9n, lastSequence: 42 }])
  })

  test('leaves the newest record to be found by its timestamp, also behind an emptied batch that was newer', () => {
    const machine = new Machine()
    const log = open(machine)
    const producer = { producerId: 9n, producerEpoch: 0, baseSequence: 0 }
    append(log, [{ key: 'a', value: '1', timestamp: startWallMs + 500 }], producer)
    append(log, [{ key: 'b', value: '1', timestamp: startWallMs + 100 }])
    append(log, [{ key: 'a', value: '2', timestamp: startWallMs }])
    roll(log)
    expect(log.findMaxTimestamp()?.offset).toBe(0)
    clean(machine, log)
    expect(allBatches(log)[0]).toMatchObject({ baseOffset: 0, recordsCount: 0 })
    expect(log.findMaxTimestamp()).toMatchObject({ offset: 1, timestamp: startWallMs + 100 })
    expect(log.findByTimestamp(startWallMs + 50, log.logEndOffset)?.offset).toBe(1)
  })

  test('takes several rounds when the table is full, and comes further each time', () => {
    const machine = new Machine()
    const log = open(machine)
    for (let round = 0; round < 5; round++)
      for (let key = 0; key < 30; key++) append(log, [{ key: `k${key}`, value: `${round}` }])
    roll(log)
    const before = lastValues(readAll(log))
    let checkpoint = 0
    let rounds = 0
    for (; checkpoint < log.segmentOffsets.at(-1)!; rounds++) {
      const { endOffset } = clean(machine, log, { checkpoint, mapBytes: 24 * 16 })
      expect(endOffset).toBeGreaterThan(checkpoint)
      checkpoint = endOffset
      expect(lastValues(readAll(log))).toEqual(before)
    }
    expect(rounds).toBeGreaterThan(5)
    expect(readAll(log).filter(({ key }) => key!.startsWith('k'))).toHaveLength(30)
  })

  test('given up in the middle, leaves no file behind and the log as it was', () => {
    const machine = new Machine()
    const log = open(machine)
    for (let round = 0; round < 40; round++) append(log, [{ key: 'a', value: `${round}${'z'.repeat(50)}` }])
    roll(log)
    const before = readAll(log)
    for (let at = 0; at < 12; at++) {
      clean(machine, log, { sliceCost: 200, goesOn: step => step < at })
      expect(lastValues(readAll(log))).toEqual(lastValues(before))
      const names = machine.currentDisk!.list(log.directory).map(({ name }) => name)
      expect(names.filter(name => name.endsWith('.cleaned') || name.endsWith('.swap'))).toEqual([])
    }
  })
})
