import { describe, expect, test } from 'vitest'
import { apis } from '#broker/protocol/apis.ts'
import { codec } from '#broker/protocol/codec.ts'
import { decodeResponseHeader } from '#broker/protocol/headers.ts'
import { messagesOf } from '#broker/protocol/messages/index.ts'
import { Reader } from '#broker/protocol/reader.ts'
import { shapeOf, type Shape, type ShapeField, type ShapeType } from '#broker/protocol/shape.ts'
import { canAnswerWithError, errorFrame, overwriteWithError, responseFrame } from '#scripts/proxy/error-answer.ts'

type Struct = Record<string, unknown>
const error = { code: 6, message: 'injected', place: 'parts' } as const

/** A message with two elements in every array and something in every field. */
function sample(shape: Shape): Struct {
  return Object.fromEntries(
    shape.fields.map(field => [field.name, field.present ? sampleValue(field, field.type) : field.makeDefault()]),
  )
}

function sampleValue(field: ShapeField, type: ShapeType): unknown {
  switch (type.kind) {
    case 'array':
      return [0, 1].map(step => {
        if (type.element.kind === 'struct') return sample(type.element.shape)
        return sampleValue(field, type.element) === 'text' ? `text-${step}` : sampleValue(field, type.element)
      })
    case 'struct':
      return sample(type.shape)
    case 'string':
      return 'text'
    case 'uuid':
      return 'AAAAAAAAAAAAAAAAAAAAAQ'
    case 'bytes':
    case 'records':
      return Buffer.from('bytes')
    case 'bool':
      return false
    case 'int64':
      return 1n
    default:
      return /error/i.test(field.name) ? 0 : 1
  }
}

/** All error codes in a decoded response, however deep. */
function codesIn(value: unknown): number[] {
  if (Array.isArray(value)) return value.flatMap(codesIn)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return []
  return Object.entries(value).flatMap(([name, inner]) =>
    (name === 'errorCode' || name === 'partitionErrorCode') && typeof inner === 'number' ? [inner] : codesIn(inner),
  )
}

const versions = apis.flatMap(api =>
  Array.from({ length: api.maxVersion - api.minVersion + 1 }, (_, step) => ({
    name: `${api.name} v${api.minVersion + step}`,
    key: api.key,
    version: api.minVersion + step,
  })),
)

function decoded(frame: Buffer, key: number, version: number): { correlationId: number; body: Struct } {
  expect(frame.readInt32BE(0)).toBe(frame.length - 4)
  const reader = new Reader(frame.subarray(4))
  const { correlationId } = decodeResponseHeader(reader, { key, version })
  const body = codec(messagesOf(key)!.response, version).decode(reader) as Struct
  reader.expectEnd()
  return { correlationId, body }
}

describe('an error in place of an answer', () => {
  test.each(versions)('to $name is a response of that version that says it', ({ key, version }) => {
    const { request } = messagesOf(key)!
    const asked = codec(request, version).decode(
      codec(request, version).encodeToBuffer(sample(shapeOf(request, version))),
    )
    const frame = errorFrame({ apiKey: key, version, correlationId: 77 }, asked, error)
    expect(frame).toBeDefined()
    const { correlationId, body } = decoded(frame!, key, version)
    expect(correlationId).toBe(77)
    expect(codesIn(body)).toContain(6)
  })

  test.each(versions)('from the node to $name says it everywhere it can', ({ key, version }) => {
    const { response } = messagesOf(key)!
    const given = codec(response, version).decode(
      codec(response, version).encodeToBuffer(sample(shapeOf(response, version))),
    )
    const value = given as Struct
    expect(overwriteWithError(response, { version, response: value, error, isMeant: undefined })).toBe(true)
    const { body } = decoded(responseFrame({ apiKey: key, version, correlationId: 1 }, value), key, version)
    expect(codesIn(body)).toContain(6)
  })

  test('is possible for every API', () => {
    expect(apis.filter(api => !canAnswerWithError(api.key)).map(api => api.name)).toEqual([])
  })

  test('stands at each partition that a produce request names, and nowhere else', () => {
    const request = {
      acks: -1,
      timeoutMs: 1,
      transactionalId: null,
      topicData: [
        {
          name: 'a',
          partitionData: [
            { index: 3, records: null },
            { index: 4, records: null },
          ],
        },
        { name: 'b', partitionData: [{ index: 0, records: null }] },
      ],
    }
    const frame = errorFrame({ apiKey: 0, version: 9, correlationId: 1 }, request, error)
    const { body } = decoded(frame!, 0, 9)
    const partition = (index: number) => ({ index, errorCode: 6, baseOffset: -1, errorMessage: 'injected' })
    expect(body['responses']).toMatchObject([
      { name: 'a', partitionResponses: [partition(3), partition(4)] },
      { name: 'b', partitionResponses: [partition(0)] },
    ])
  })

  test('stands at the top where the request names no part, and where that is asked for', () => {
    const none = errorFrame({ apiKey: 1, version: 12, correlationId: 1 }, { topics: [] }, error)
    expect(decoded(none!, 1, 12).body).toMatchObject({ errorCode: 6, responses: [] })
    const topics = [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partitions: [{ partitionIndex: 0 }] }]
    const parts = errorFrame({ apiKey: 56, version: 3, correlationId: 1 }, { topics }, error)
    expect(decoded(parts!, 56, 3).body).toMatchObject({ errorCode: 0, topics: [{ partitions: [{ errorCode: 6 }] }] })
    const top = errorFrame({ apiKey: 56, version: 3, correlationId: 1 }, { topics }, { ...error, place: 'top' })
    expect(decoded(top!, 56, 3).body).toMatchObject({ errorCode: 6, topics: [] })
  })

  test('is not made up where the version has no place for it', () => {
    expect(errorFrame({ apiKey: 3, version: 9, correlationId: 1 }, { topics: null }, error)).toBeUndefined()
  })

  test('leaves alone the topics that are not meant', () => {
    const { response } = messagesOf(1)!
    const topic = (name: string) => ({
      topic: name,
      partitions: [{ partitionIndex: 0, errorCode: 0, highWatermark: 9, records: Buffer.from('r') }],
    })
    const value = { responses: [topic('a'), topic('b')] } as Struct
    const isMeant = (struct: Struct) => struct['topic'] === 'b'
    expect(overwriteWithError(response, { version: 12, response: value, error, isMeant })).toBe(true)
    expect(value['responses']).toMatchObject([
      { topic: 'a', partitions: [{ errorCode: 0, highWatermark: 9, records: Buffer.from('r') }] },
      { topic: 'b', partitions: [{ errorCode: 6, highWatermark: -1, records: null }] },
    ])
  })
})
