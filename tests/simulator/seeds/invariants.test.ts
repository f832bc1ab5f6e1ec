import { describe, expect, test } from 'vitest'
import { CommittedLog } from '#simulator/seeds/committed-log.ts'
import { LogReader } from '#simulator/seeds/log-reader.ts'
import { World } from '#simulator/world/world.ts'

/** Header of a record batch v2, and a body of that many bytes. */
function batch(options: { baseOffset: number; records: number; epoch: number; crc: number; body?: number }): Buffer {
  const bytes = Buffer.alloc(61 + (options.body ?? 10))
  bytes.writeBigInt64BE(BigInt(options.baseOffset), 0)
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt32BE(options.epoch, 12)
  bytes.writeUInt32BE(options.crc, 17)
  bytes.writeInt32BE(options.records - 1, 23)
  return bytes
}

describe('the log reader', () => {
  const machine = new World({ seed: 1 }).node('m')
  const { disk } = machine.start()
  disk.makeDirectory('/log')
  const put = (name: string, batches: readonly Buffer[]): void => {
    const file = disk.open(`/log/${name}`, 'write')
    file.write(batches, file.size())
    file.close()
  }
  put('00000000000000000000.log', [
    batch({ baseOffset: 0, records: 3, epoch: 1, crc: 11 }),
    batch({ baseOffset: 3, records: 1, epoch: 1, crc: 12 }),
  ])
  put('00000000000000000004.log', [batch({ baseOffset: 4, records: 2, epoch: 2, crc: 13 }), Buffer.alloc(30)])

  test('finds batches across segments by offset, and goes on from the last one', () => {
    const reader = new LogReader(machine.disk, ['/log'])
    const offsets = (from: number, until: number): number[] =>
      [...reader.batches(from, until)].map(({ baseOffset }) => baseOffset)
    expect(offsets(0, 3)).toEqual([0])
    expect(offsets(2, 6)).toEqual([0, 3, 4])
    expect(offsets(3, 100)).toEqual([3, 4])
    put('00000000000000000004.log', [])
    expect([...reader.batches(4, 6)]).toEqual([{ baseOffset: 4, nextOffset: 6, epoch: 2, crc: 13 }])
    expect(offsets(0, 6)).toEqual([0, 3, 4])
  })

  test('finds nothing where there is no log', () => {
    expect([...new LogReader(machine.disk, ['/none']).batches(0, 10)]).toEqual([])
  })
})

describe('the committed log', () => {
  test('takes the same batch from every replica, and refuses another one at its offset', () => {
    const log = new CommittedLog('events-0')
    const first = { baseOffset: 5, nextOffset: 7, epoch: 3, crc: 99 }
    log.add(first, 'node-1')
    log.add(first, 'node-2')
    expect(() => log.add({ ...first, crc: 98 }, 'node-3')).toThrow(
      'events-0: offset 5 is committed with epoch 3, CRC 99, up to 7 on node-1, and with epoch 3, CRC 98, up to 7 on node-3',
    )
    expect(() => log.add({ ...first, epoch: 4 }, 'node-3')).toThrow('with epoch 4')
  })
})
