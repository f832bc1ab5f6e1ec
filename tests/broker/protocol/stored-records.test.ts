import { describe, expect, it } from 'vitest'
import { ProtocolError } from '#broker/protocol/errors.ts'
import { consumerProtocolSubscription } from '#broker/protocol/records/consumer-protocol.ts'
import { groupRecords } from '#broker/protocol/records/group/index.ts'
import { decodeMetadataRecord, encodeMetadataRecord } from '#broker/protocol/records/metadata/frame.ts'
import { metadataRecords } from '#broker/protocol/records/metadata/index.ts'
import {
  coordinatorRecordType,
  decodeCoordinatorKey,
  decodeVersioned,
  encodeCoordinatorKey,
  encodeVersioned,
} from '#broker/protocol/records/prefixed.ts'

/** Hex written in groups, for the reader. */
const spaced = (hex: string): string => hex.replaceAll(' ', '')

describe('a metadata record', () => {
  it('is framed by frame version, type and version, each a varint', () => {
    const record = { name: 'TopicRecord', version: 0, value: { name: 'a', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' } } as const
    const bytes = encodeMetadataRecord(record)
    expect(bytes.toString('hex')).toBe(spaced('010200 0261 00000000000000000000000000000001 00'))
    expect(decodeMetadataRecord(bytes)).toEqual(record)
  })

  it.each([
    ['another frame version', '020200', 'expected frame version 1, found 2'],
    ['a type that Kafka does not have', '010600', 'expected a record type of Kafka 4.3, found 6'],
    ['a version that the type does not have', '010209', 'TopicRecord: expected a version from 0 to 0, found 9'],
    ['bytes behind the body', '01140000ff', 'expected the end, found 1 bytes more'],
  ])('is refused with %s', (_what, hex, expected) => {
    const decode = (): unknown => decodeMetadataRecord(Buffer.from(hex, 'hex'))
    expect(decode).toThrow(ProtocolError)
    expect(decode).toThrow(expected)
  })

  it('of every type has its own number', () => {
    const types = Object.values(metadataRecords).map(record => record.key)
    expect(types).toEqual([
      0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 14, 15, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
    ])
  })
})

describe('a coordinator record', () => {
  const { key, value } = groupRecords.OffsetCommit

  it('has its type in front of the key and its version in front of the value', () => {
    const bytes = encodeCoordinatorKey(key, { group: 'g', topic: 't', partition: 3 })
    expect(bytes.toString('hex')).toBe(spaced('0001 000167 000174 00000003'))
    expect(coordinatorRecordType(bytes)).toBe(1)
    expect(decodeCoordinatorKey(key, bytes)).toEqual({ group: 'g', topic: 't', partition: 3 })
    const stored = encodeVersioned(value, 3, { offset: 7, leaderEpoch: 2, metadata: '', commitTimestamp: 5 })
    expect(stored.readInt16BE(0)).toBe(3)
    expect(decodeVersioned(value, stored)).toMatchObject({ version: 3, value: { offset: 7, leaderEpoch: 2 } })
  })

  it('is refused under another type', () => {
    const bytes = encodeCoordinatorKey(key, { group: 'g', topic: 't', partition: 3 })
    expect(() => decodeCoordinatorKey(groupRecords.GroupMetadata.key, bytes)).toThrow(
      'record type 2 (GroupMetadataKey), found 1',
    )
  })
})

describe('what a consumer says of itself', () => {
  it('is read leniently from a newer consumer: highest version known, rest left alone', () => {
    const known = encodeVersioned(consumerProtocolSubscription, 3, {
      topics: ['t'],
      userData: null,
      generationId: 4,
      rackId: 'r',
    })
    const newer = Buffer.concat([known, Buffer.from('extra')])
    newer.writeInt16BE(9, 0)
    const { version, value } = decodeVersioned(consumerProtocolSubscription, newer, { lenient: true })
    expect([version, value.topics, value.generationId]).toEqual([9, ['t'], 4])
    expect(() => decodeVersioned(consumerProtocolSubscription, newer)).toThrow(ProtocolError)
  })
})
