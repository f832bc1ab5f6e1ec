/** Bytes that no honest peer sends: nothing but a ProtocolError may come of them, and nothing large may be allocated. */
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codec } from '#broker/protocol/codec.ts'
import { ProtocolError } from '#broker/protocol/errors.ts'
import { fetchRequest } from '#broker/protocol/messages/01-fetch.ts'
import { metadataRequest } from '#broker/protocol/messages/03-metadata.ts'
import { findCoordinatorRequest } from '#broker/protocol/messages/10-find-coordinator.ts'
import { Reader } from '#broker/protocol/reader.ts'
import type { Message } from '#broker/protocol/schema.ts'
import { allVersions } from './all-messages.ts'
import { valueOf } from './arbitraries.ts'

/** Undefined when the bytes decode; the ProtocolError when they do not. Anything else is thrown on. */
function refusal(message: Message, version: number, bytes: Buffer): ProtocolError | undefined {
  try {
    codec(message, version).decode(bytes)
    return undefined
  } catch (error) {
    if (error instanceof ProtocolError) return error
    throw error
  }
}

describe('a decoder', () => {
  // A million refusals need no stack traces.
  const { stackTraceLimit } = Error
  beforeAll(() => {
    Error.stackTraceLimit = 0
  })
  afterAll(() => {
    Error.stackTraceLimit = stackTraceLimit
  })

  it('refuses every message that was cut off, wherever the cut is', () => {
    const accepted: string[] = []
    for (const [title, message, version] of allVersions) {
      const side = codec(message, version)
      const [value] = fc.sample(valueOf(message, version), { numRuns: 1, seed: 1 })
      const bytes = side.encodeToBuffer(value as Parameters<typeof side.encode>[0])
      // Of long messages most is payload, one view each: a cut every few bytes is enough there.
      for (let end = 0; end < bytes.length; end += end < 200 ? 1 : 11) {
        if (refusal(message, version, bytes.subarray(0, end)) === undefined) {
          accepted.push(`${title} cut at ${end} of ${bytes.length}`)
        }
      }
    }
    expect(accepted).toEqual([])
  }, 120_000)

  it('refuses bytes behind the message, but leaves them to the owner of a reader', () => {
    const bytes = Buffer.concat([codec(metadataRequest, 1).encodeToBuffer({ topics: [] }), Buffer.from([7])])
    expect(refusal(metadataRequest, 1, bytes)?.message).toContain('expected the end, found 1 bytes more')
    const reader = new Reader(bytes)
    codec(metadataRequest, 1).decode(reader)
    expect(reader.remaining).toBe(1)
  })

  it('answers random bytes with a value or a ProtocolError, never with anything else', () => {
    const versions = fc.constantFrom(...allVersions)
    fc.assert(
      fc.property(versions, fc.uint8Array({ maxLength: 300 }), ([, message, version], array) => {
        refusal(message, version, Buffer.from(array))
      }),
      { numRuns: 5000 },
    )
  })

  it('refuses a count that the remaining bytes cannot hold before it allocates anything', () => {
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < 200; i++) {
      const error = refusal(metadataRequest, 1, Buffer.from('7fffffff00000000', 'hex'))
      expect(error?.message).toBe(
        'MetadataRequest v1: topics: expected 2147483647 elements of at least 2 bytes, found only 4 bytes at byte 4 of 8',
      )
    }
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1024 * 1024)
  })

  it.each([
    ['a count below -1 where an array has to be', metadataRequest, 0, 'fffffffe', 'expected an array, found null'],
    ['a string longer than the frame', findCoordinatorRequest, 0, '7fff61', 'a string of 32767 bytes, found only 1'],
    ['a string length below -1', findCoordinatorRequest, 0, 'fffe', 'expected a string, found null'],
    ['null where a value has to be', findCoordinatorRequest, 0, 'ffff', 'key: expected a string, found null'],
    ['a varint without end', findCoordinatorRequest, 3, 'ffffffffffff', 'a varint of at most 5 bytes'],
  ])('refuses %s and says where', (_what, message, version, hex, expected) => {
    expect(refusal(message, version, Buffer.from(hex, 'hex'))?.message).toContain(expected)
  })

  it.each([
    ['a count', 1, 'fffffff9'],
    ['a compact count', 9, 'ffffffff0f00000000'],
  ])('takes %s below -1 for null where null may be, as Kafka does', (_what, version, hex) => {
    expect(codec(metadataRequest, version).decode(Buffer.from(hex, 'hex')).topics).toBeNull()
  })

  it.each([
    ['longer than Kafka has any, which only a varint length can say', 3, `81800200${'61'.repeat(0x8000)}`],
    ['that would be when it is written again: bytes that are not UTF-8 grow', 0, `4e20${'ff'.repeat(20_000)}`],
  ])('refuses a string %s', (_what, version, hex) => {
    const message = refusal(findCoordinatorRequest, version, Buffer.from(hex, 'hex'))?.message
    expect(message).toContain('expected a string of at most 32767 bytes')
  })

  it('names the path of the field that is bad', () => {
    const value = {
      maxWaitMs: 1,
      minBytes: 1,
      topics: [{ topic: 't', partitions: [{ partition: 0, fetchOffset: 5, partitionMaxBytes: 9 }] }],
    }
    const bytes = codec(fetchRequest, 4).encodeToBuffer(value)
    const at = bytes.indexOf(Buffer.from('0000000000000005', 'hex'))
    bytes.writeBigInt64BE(2n ** 60n, at)
    expect(refusal(fetchRequest, 4, bytes)?.message).toBe(
      `FetchRequest v4: topics[0].partitions[0].fetchOffset: expected a 64-bit number within ±2^53, found ${2n ** 60n}`,
    )
  })

  it('refuses a tagged field whose size does not fit its content', () => {
    const bytes = codec(fetchRequest, 12).encodeToBuffer({
      clusterId: 'abc',
      maxWaitMs: 1,
      minBytes: 1,
      topics: [],
      forgottenTopicsData: [],
    })
    const at = bytes.length - 5
    expect(bytes[at]).toBe(4)
    const longer = Buffer.concat([bytes, Buffer.from([0])])
    longer[at] = 5
    expect(refusal(fetchRequest, 12, longer)?.message).toContain(
      'clusterId: expected the end of a tagged field, found 1 bytes more',
    )
  })

  it('skips tagged fields that it does not know', () => {
    const bytes = codec(findCoordinatorRequest, 3).encodeToBuffer({ key: 'g' })
    expect(bytes.at(-1)).toBe(0)
    const withTag = Buffer.concat([bytes.subarray(0, -1), Buffer.from([1, 99, 2, 8, 9])])
    expect(codec(findCoordinatorRequest, 3).decode(withTag)).toMatchObject({ key: 'g' })
  })
})
