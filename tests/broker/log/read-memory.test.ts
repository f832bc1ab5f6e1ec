/** What a fetch holds of the pool while it reads many partitions, of which the response has room for few. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ReadMemory } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { MemoryPool } from '#broker/net/memory-pool.ts'
import { asClient, batchOf, defaultConfig, Machine, openLog } from './harness.ts'

const MiB = 1024 * 1024

function logOf(batchesBytes: readonly number[]): SegmentedLog {
  const log = openLog(new Machine(), { config: { ...defaultConfig, segmentBytes: 64 * MiB, maxMessageBytes: 4 * MiB } })
  // The key and the value are the same.
  for (const bytes of batchesBytes)
    expect(log.appendAsLeader(batchOf(['x'.repeat(bytes / 2)]), asClient)).toHaveProperty('appended')
  return log
}

const size = fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 700_000 }))
const read = fc.record({
  fromOffset: fc.nat(4),
  untilOffset: fc.nat(5),
  maxBytes: fc.oneof(fc.nat(100_000), fc.nat(2 * MiB)),
  atLeastOneBatch: fc.boolean(),
})

test('a loan never holds more than twice the records returned, and one read', () => {
  fc.assert(
    fc.property(fc.array(size, { minLength: 5, maxLength: 5 }), fc.array(read, { maxLength: 20 }), (sizes, reads) => {
      const log = logOf(sizes)
      const loan = new MemoryPool().lend()
      let returnedBytes = 0
      const records: { found: Buffer; copy: Buffer }[] = []
      for (const { fromOffset, ...options } of reads) {
        let largestBytes = 0
        const memory: ReadMemory = {
          take: bytes => {
            const taken = loan.take(bytes)
            largestBytes = Math.max(largestBytes, bytes)
            // The pool's sizes are powers of two. The copy of what is used is less than half of the read.
            expect(loan.heldBytes).toBeLessThanOrEqual(2 * returnedBytes + 3 * largestBytes)
            return taken
          },
          release: taken => loan.release(taken),
          giveBack: () => loan.giveBack(),
        }
        const result = log.read(fromOffset, { ...options, memory })
        if ('refused' in result) throw new Error(result.refused)
        returnedBytes += result.records.length
        expect(loan.heldBytes).toBeLessThanOrEqual(2 * returnedBytes)
        records.push({ found: result.records, copy: Buffer.from(result.records) })
        const plain = log.read(fromOffset, options)
        expect('records' in plain && plain.records.equals(result.records)).toBe(true)
      }
      for (const { found, copy } of records) expect(found.equals(copy), 'nobody else wrote into it').toBe(true)
      loan.giveBack()
      expect(loan.heldBytes).toBe(0)
    }),
    { numRuns: 60 },
  )
})

test('a thousand partitions without room for their batch leave nothing behind', () => {
  const log = logOf([600_000, 600_000])
  const loan = new MemoryPool().lend()
  let leftBytes = 1_100_000
  for (let partition = 0; partition < 1000; partition++) {
    const result = log.read(0, { maxBytes: leftBytes, untilOffset: 2, atLeastOneBatch: partition === 0, memory: loan })
    if ('records' in result) leftBytes -= result.records.length
  }
  expect(leftBytes).toBeLessThan(500_000)
  expect(loan.heldBytes).toBe(MiB)
})
