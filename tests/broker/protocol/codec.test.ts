import { setFlagsFromString } from 'node:v8'
import { describe, expect, it } from 'vitest'
import { codec } from '#broker/protocol/codec.ts'
import { ProtocolError } from '#broker/protocol/errors.ts'
import { fetchRequest, fetchResponse } from '#broker/protocol/messages/01-fetch.ts'
import { listOffsetsRequest } from '#broker/protocol/messages/02-list-offsets.ts'
import { metadataRequest } from '#broker/protocol/messages/03-metadata.ts'
import { apiVersionsResponse } from '#broker/protocol/messages/18-api-versions.ts'
import { initProducerIdRequest } from '#broker/protocol/messages/22-init-producer-id.ts'
import { array, int32, message, offset, string, struct, type Infer, type Input } from '#broker/protocol/schema.ts'
import { parseVersions } from '#broker/protocol/versions.ts'

const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 3, abortedTransactions: null }

describe('a codec', () => {
  it('fills in the default of every field that was left out or that the version lacks', () => {
    const bytes = codec(fetchRequest, 4).encodeToBuffer({ maxWaitMs: 500, minBytes: 1, topics: [] })
    expect(codec(fetchRequest, 4).decode(bytes)).toEqual({
      clusterId: null,
      replicaId: -1,
      replicaState: { replicaId: -1, replicaEpoch: -1 },
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 0x7fffffff,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [],
      forgottenTopicsData: [],
      rackId: '',
    })
  })

  it('refuses a value that the version cannot carry and that the reader would miss', () => {
    const encode = (): unknown =>
      codec(fetchRequest, 14).encode({ maxWaitMs: 1, minBytes: 1, topics: [], replicaState: { replicaId: 3 } })
    expect(encode).toThrow("FetchRequest v14: this version has no field 'replicaState', found a value")
    expect(encode).toThrow(expect.objectContaining({ errorName: 'UNSUPPORTED_VERSION' }))
  })

  it('drops an ignorable value that the version cannot carry', () => {
    const plain = codec(fetchRequest, 4).encodeToBuffer({ maxWaitMs: 1, minBytes: 1, topics: [] })
    expect(
      codec(fetchRequest, 4).encodeToBuffer({ maxWaitMs: 1, minBytes: 1, topics: [], rackId: 'a', sessionId: 4 }),
    ).toEqual(plain)
  })

  it.each([
    [{ maxWaitMs: 2 ** 31, minBytes: 1, topics: [] }, 'maxWaitMs: expected an int32, found 2147483648'],
    [{ maxWaitMs: 1, minBytes: 1, topics: 'all' }, 'topics: expected an array, found "all"'],
    [{ maxWaitMs: 1, minBytes: 1, topics: [null] }, 'topics[0]: expected an object, found null'],
    [{ minBytes: 1, topics: [] }, 'maxWaitMs: expected an int32, found undefined'],
    [
      { maxWaitMs: 1, minBytes: 1, topics: [{ topic: 'é'.repeat(20_000), partitions: [] }] },
      'topics[0].topic: expected a string of at most 32767 bytes, found one of 40000',
    ],
  ])('names the field of a value that does not fit: case %#', (value, expected) => {
    expect(() => codec(fetchRequest, 4).encode(value as never)).toThrow(`FetchRequest v4: ${expected}`)
  })

  it('refuses a version that the message does not have', () => {
    expect(() => codec(fetchRequest, 3)).toThrow('FetchRequest: expected a version from 4 to 18, found 3')
    expect(() => codec(fetchRequest, 19)).toThrow(ProtocolError)
  })

  it('passes record batches through without a copy, both ways', () => {
    const records = Buffer.alloc(4096, 7)
    const chunks = codec(fetchResponse, 12).encode({
      responses: [{ topic: 't', partitions: [{ ...partition, records }] }],
    })
    expect(chunks.some(chunk => chunk.buffer === records.buffer && chunk.length === 4096)).toBe(true)
    const frame = Buffer.concat(chunks)
    const view = codec(fetchResponse, 12).decode(frame).responses[0]?.partitions[0]?.records
    expect(view).toEqual(records)
    expect(view?.buffer).toBe(frame.buffer)
  })

  it('holds a tagged struct together when its content outgrows the chunk', () => {
    const nodeEndpoints = Array.from({ length: 900 }, (_, nodeId) => ({
      nodeId,
      host: `broker-${nodeId}.example`,
      port: 9092,
      rack: null,
    }))
    const bytes = codec(fetchResponse, 16).encodeToBuffer({ responses: [], nodeEndpoints })
    expect(codec(fetchResponse, 16).decode(bytes).nodeEndpoints).toEqual(nodeEndpoints)
  })

  it('keeps INT64_MAX as Infinity and special offsets as they are', () => {
    const topics = [
      {
        name: 't',
        partitions: [Infinity, -1, -2, Number.MAX_SAFE_INTEGER].map(timestamp => ({ partitionIndex: 0, timestamp })),
      },
    ]
    const bytes = codec(listOffsetsRequest, 7).encodeToBuffer({ replicaId: -1, topics })
    expect(bytes.includes(Buffer.from('7fffffffffffffff', 'hex'))).toBe(true)
    expect(
      codec(listOffsetsRequest, 7)
        .decode(bytes)
        .topics[0]?.partitions.map(each => each.timestamp),
    ).toEqual([Infinity, -1, -2, Number.MAX_SAFE_INTEGER])
  })

  it('tells null from empty', () => {
    const all = codec(metadataRequest, 9).encodeToBuffer({ topics: null })
    const none = codec(metadataRequest, 9).encodeToBuffer({ topics: [] })
    expect(codec(metadataRequest, 9).decode(all).topics).toBeNull()
    expect(codec(metadataRequest, 9).decode(none).topics).toEqual([])
  })

  it('gives all decoded objects of a struct one hidden class, whether read or filled in', () => {
    setFlagsFromString('--allow-natives-syntax')
    // oxlint-disable-next-line typescript/no-implied-eval, typescript/no-unsafe-type-assertion
    const haveSameMap = new Function('a', 'b', 'return %HaveSameMap(a, b)') as (a: unknown, b: unknown) => boolean
    setFlagsFromString('--no-allow-natives-syntax')
    const read = (replicaState: Input<typeof fetchRequest>['replicaState']): Infer<typeof fetchRequest> => {
      const side = codec(fetchRequest, 15)
      return side.decode(side.encodeToBuffer({ maxWaitMs: 1, minBytes: 1, topics: [], replicaState }))
    }
    const absent = read(undefined)
    const present = read({ replicaId: 1, replicaEpoch: 2 })
    expect(haveSameMap(absent, present)).toBe(true)
    expect(haveSameMap(absent.replicaState, present.replicaState)).toBe(true)
  })
})

describe('a declaration', () => {
  it('has the types of its fields: omittable where there is a default, a tag or a range of versions', () => {
    const declared = message({
      name: 'Sample',
      kind: 'data',
      versions: '0-1',
      flexible: 'none',
      fields: {
        id: int32(),
        note: string({ nullable: '0+', default: null }),
        ends: array({ versions: '1+' }, offset()),
        inner: struct({ a: int32() }),
      },
    })
    const input: Input<typeof declared> = { id: 1, inner: { a: 2 } }
    const output: Infer<typeof declared> = codec(declared, 1).decode(codec(declared, 1).encodeToBuffer(input))
    expect(output).toEqual({ id: 1, note: null, ends: [], inner: { a: 2 } })
    // @ts-expect-error a field without a default must be given
    const incomplete: Input<typeof declared> = { id: 1 }
    expect(() => codec(declared, 0).encode(incomplete)).toThrow('inner: expected an object, found undefined')
  })

  it('says which version is still unstable', () => {
    expect([initProducerIdRequest.maxVersion, initProducerIdRequest.latestStable]).toEqual([6, 5])
    expect([apiVersionsResponse.maxVersion, apiVersionsResponse.latestStable]).toEqual([4, 4])
  })

  it('reads version ranges as Kafka writes them', () => {
    expect(['0+', '2-4', '3', 'none'].map(parseVersions)).toEqual([
      { min: 0, max: 32767 },
      { min: 2, max: 4 },
      { min: 3, max: 3 },
      { min: 0, max: -1 },
    ])
    expect(() => parseVersions('3..4')).toThrow("version range '3..4'")
  })
})
