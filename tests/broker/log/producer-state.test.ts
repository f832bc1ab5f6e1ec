/**
 * Idempotent and transactional producers in one partition: duplicates, sequences, epochs, snapshots, open transactions.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeProducerSnapshot, encodeProducerSnapshot } from '#broker/log/producer-snapshots.ts'
import type { AppendOrigin, AppendResult } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { buildEndTransactionMarker } from '#broker/protocol/records/batch-build.ts'
import { asClient, batchOf, defaultConfig, inspect, logDirectory, Machine, openLog, startWallMs } from './harness.ts'

interface Send {
  readonly epoch?: number
  readonly sequence: number
  readonly records?: number
  readonly transactional?: boolean
  readonly origin?: AppendOrigin
}

function send(
  log: SegmentedLog,
  { epoch = 0, sequence, records = 1, transactional = false, origin = 'client' }: Send,
): string {
  const batch = batchOf(
    Array.from({ length: records }, (_, index) => `${sequence + index}`),
    { producerId: 9n, producerEpoch: epoch, baseSequence: sequence, transactional },
  )
  return outcome(log.appendAsLeader(batch, { ...asClient, origin }))
}

function outcome(result: AppendResult): string {
  if ('appended' in result) return `appended ${result.appended.firstOffset}`
  return 'duplicate' in result
    ? `duplicate ${result.duplicate.firstOffset}-${result.duplicate.lastOffset}`
    : result.refused
}

function end(log: SegmentedLog, type: 'abort' | 'commit', coordinatorEpoch = 1, epoch = 0): string {
  const marker = buildEndTransactionMarker(type, {
    producerId: 9n,
    producerEpoch: epoch,
    coordinatorEpoch,
    timestamp: startWallMs,
  })
  return outcome(log.appendAsLeader(marker, { ...asClient, origin: 'coordinator' }))
}

describe('sequences', () => {
  test('a batch that is in the log already is acknowledged with the offsets it has, up to five batches back', () => {
    const log = openLog(new Machine())
    for (let index = 0; index < 7; index++)
      expect(send(log, { sequence: index * 2, records: 2 })).toBe(`appended ${index * 2}`)
    expect(send(log, { sequence: 12, records: 2 })).toBe('duplicate 12-13')
    expect(send(log, { sequence: 4, records: 2 })).toBe('duplicate 4-5')
    expect(send(log, { sequence: 2, records: 2 })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(send(log, { sequence: 12, records: 1 })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(log.logEndOffset).toBe(14)
  })

  test('a gap is refused, the next in line accepted', () => {
    const log = openLog(new Machine())
    expect(send(log, { sequence: 0, records: 3 })).toBe('appended 0')
    expect(send(log, { sequence: 4 })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(send(log, { sequence: 3 })).toBe('appended 3')
  })

  test('an unknown producer may begin anywhere, a new epoch only at 0', () => {
    const log = openLog(new Machine())
    expect(send(log, { sequence: 100 })).toBe('appended 0')
    expect(send(log, { epoch: 1, sequence: 101 })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(send(log, { epoch: 1, sequence: 0 })).toBe('appended 1')
    expect(send(log, { epoch: 0, sequence: 101 })).toBe('INVALID_PRODUCER_EPOCH')
  })

  test('sequences go on at 0 after 2^31 - 1', () => {
    const log = openLog(new Machine())
    expect(send(log, { sequence: 2 ** 31 - 2, records: 2 })).toBe('appended 0')
    expect(send(log, { sequence: 0 })).toBe('appended 2')
    const wrapped = openLog(new Machine())
    expect(send(wrapped, { sequence: 2 ** 31 - 1, records: 3 })).toBe('appended 0')
    expect(send(wrapped, { sequence: 2 ** 31 - 1, records: 3 })).toBe('duplicate 0-2')
    expect(send(wrapped, { sequence: 2 })).toBe('appended 3')
  })

  test('a coordinator only needs a good epoch', () => {
    const log = openLog(new Machine())
    expect(send(log, { epoch: 2, sequence: 5, origin: 'coordinator' })).toBe('appended 0')
    expect(send(log, { epoch: 2, sequence: 5, origin: 'coordinator' })).toBe('appended 1')
    expect(send(log, { epoch: 1, sequence: 5, origin: 'coordinator' })).toBe('INVALID_PRODUCER_EPOCH')
  })

  test('a producer that was silent for producer.id.expiration.ms is forgotten', () => {
    const log = openLog(new Machine(), { producerIdExpirationMs: () => 1000 })
    send(log, { sequence: 0 })
    log.expireProducers(startWallMs + 999, 1000)
    expect(log.producers()).toHaveLength(1)
    log.expireProducers(startWallMs + 1000, 1000)
    expect(log.producers()).toEqual([])
  })
})

describe('after a restart', () => {
  test.each(['clean', 'killed'])('duplicates and sequences are known as before (%s)', how => {
    const machine = new Machine()
    const config = { ...defaultConfig, segmentBytes: 500 }
    const log = openLog(machine, { config })
    for (let index = 0; index < 20; index++) send(log, { epoch: 3, sequence: index })
    const before = log.producers()
    if (how === 'clean') log.close()
    else machine.kill()
    const again = openLog(machine, { config, cleanShutdown: how === 'clean' })
    expect(again.producers()).toEqual(before)
    expect(send(again, { epoch: 3, sequence: 19 })).toBe('duplicate 19-19')
    expect(send(again, { epoch: 3, sequence: 20 })).toBe('appended 20')
  })

  test('a damaged snapshot is replaced by replaying the log', () => {
    const machine = new Machine()
    const config = { ...defaultConfig, segmentBytes: 500 }
    const log = openLog(machine, { config })
    for (let index = 0; index < 20; index++) send(log, { sequence: index })
    const before = log.producers()
    machine.kill()
    const disk = inspect(machine)
    for (const { name } of disk.list(logDirectory)) {
      if (name.endsWith('.snapshot')) disk.open(`${logDirectory}/${name}`, 'write').write([Buffer.from([1])], 12)
    }
    expect(openLog(machine, { config }).producers()).toEqual(before)
  })

  test('truncation takes back what producers wrote', () => {
    const log = openLog(new Machine(), { config: { ...defaultConfig, segmentBytes: 500 } })
    for (let index = 0; index < 20; index++) send(log, { sequence: index })
    log.truncateTo(13)
    expect(log.producers()).toMatchObject([{ lastSequence: 12 }])
    expect(send(log, { sequence: 13 })).toBe('appended 13')
  })
})

describe('transactions', () => {
  test('the first unstable offset is that of the earliest transaction that is open or ended above the high watermark', () => {
    const log = openLog(new Machine())
    send(log, { sequence: 0 })
    expect(log.firstUnstableOffset()).toBeUndefined()
    send(log, { sequence: 1, transactional: true })
    send(log, { sequence: 2, transactional: true })
    expect(log.firstUnstableOffset()).toBe(1)
    expect(send(log, { sequence: 3 })).toBe('INVALID_TXN_STATE')
    expect(end(log, 'abort')).toBe('appended 3')
    expect(log.firstUnstableOffset()).toBe(1)
    log.setHighWatermark(3)
    expect(log.firstUnstableOffset()).toBe(1)
    log.setHighWatermark(4)
    expect(log.firstUnstableOffset()).toBeUndefined()
    expect(log.abortedTransactions(0, 10)).toEqual([
      { producerId: 9n, firstOffset: 1, lastOffset: 3, lastStableOffset: 4 },
    ])
    expect(end(log, 'commit', 0)).toBe('TRANSACTION_COORDINATOR_FENCED')
  })

  test('an open transaction survives a kill', () => {
    const machine = new Machine()
    const log = openLog(machine, { config: { ...defaultConfig, segmentBytes: 400 } })
    for (let index = 0; index < 10; index++) send(log, { sequence: index, transactional: true })
    machine.kill()
    const again = openLog(machine)
    expect(again.firstUnstableOffset()).toBe(0)
    expect(end(again, 'commit')).toBe('appended 10')
    again.setHighWatermark(11)
    expect(again.firstUnstableOffset()).toBeUndefined()
  })
})

test('a producer snapshot has the bytes of the ProducerSnapshot schema, version 1', () => {
  const producer = {
    producerId: 1n,
    producerEpoch: 2,
    coordinatorEpoch: 3,
    lastTimestamp: 4,
    currentTxnFirstOffset: 5,
    batches: [{ lastSequence: 6, lastOffset: 7, offsetDelta: 1, timestamp: 4 }],
  }
  const bytes = encodeProducerSnapshot([producer])
  expect(bytes.toString('hex')).toBe(
    `0001${bytes.subarray(2, 6).toString('hex')}00000001` +
      '0000000000000001' +
      '0002' +
      '00000006' +
      '0000000000000007' +
      '00000001' +
      '0000000000000004' +
      '00000003' +
      '0000000000000005',
  )
  expect(decodeProducerSnapshot(bytes)).toEqual([producer])
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= flip
      expect(decodeProducerSnapshot(damaged)).toBeUndefined()
    }),
  )
})
