import { describe, expect, it } from 'vitest'
import { apis, apiByKey, apiByName } from '#broker/protocol/apis.ts'
import { codec } from '#broker/protocol/codec.ts'
import { errorCode, errorMessage, errorName, errorTable } from '#broker/protocol/errors.ts'
import {
  decodeRequestHeader,
  decodeResponseHeader,
  encodeRequestFrame,
  encodeResponseFrame,
  requestHeaderVersion,
  responseHeaderVersion,
} from '#broker/protocol/headers.ts'
import { fetchResponse } from '#broker/protocol/messages/01-fetch.ts'
import { metadataRequest } from '#broker/protocol/messages/03-metadata.ts'
import { apiVersionsRequest, apiVersionsResponse } from '#broker/protocol/messages/18-api-versions.ts'
import { messages, messagesOf, type ApiName } from '#broker/protocol/messages/index.ts'
import { Reader } from '#broker/protocol/reader.ts'
import { Writer } from '#broker/protocol/writer.ts'

/** Hex written in groups, for the reader. */
const spaced = (hex: string): string => hex.replaceAll(' ', '')

describe('a frame', () => {
  it('of a request has the size, the header of the version and the body', () => {
    const frame = Buffer.concat(
      encodeRequestFrame({ version: 3, correlationId: 9, clientId: 'me' }, apiVersionsRequest, {
        clientSoftwareName: 'x',
        clientSoftwareVersion: '1',
      }),
    )
    expect(frame.toString('hex')).toBe(spaced('00000012 00120003 00000009 00026d65 00 0278 0231 00'))
    const reader = new Reader(frame, 4)
    expect(decodeRequestHeader(reader)).toEqual({
      requestApiKey: 18,
      requestApiVersion: 3,
      correlationId: 9,
      clientId: 'me',
    })
    expect(codec(apiVersionsRequest, 3).decode(reader)).toEqual({ clientSoftwareName: 'x', clientSoftwareVersion: '1' })
    expect(reader.remaining).toBe(0)
  })

  it('of a response to ApiVersions has the old header in every version (KIP-511)', () => {
    const frame = Buffer.concat(
      encodeResponseFrame({ version: 4, correlationId: 7 }, apiVersionsResponse, { errorCode: 0, apiKeys: [] }),
    )
    expect(frame.toString('hex')).toBe(spaced('0000000c 00000007 0000 01 00000000 00'))
    expect(decodeResponseHeader(new Reader(frame, 4), { key: 18, version: 4 })).toEqual({ correlationId: 7 })
  })

  it('counts the bytes that it passes by reference', () => {
    const records = Buffer.alloc(5000)
    const partitions = [{ partitionIndex: 0, errorCode: 0, highWatermark: 1, abortedTransactions: null, records }]
    const chunks = encodeResponseFrame({ version: 12, correlationId: 1 }, fetchResponse, {
      responses: [{ topic: 't', partitions }],
    })
    const frame = Buffer.concat(chunks)
    expect(chunks.length).toBe(3)
    expect(frame.readInt32BE(0)).toBe(frame.length - 4)
  })

  it('has the right size also when a tagged field outgrew the first chunk', () => {
    const nodeEndpoints = Array.from({ length: 300 }, (_, nodeId) => ({ nodeId, host: 'broker.example', port: 9092 }))
    const header = { version: 16, correlationId: 77 }
    const frame = Buffer.concat(encodeResponseFrame(header, fetchResponse, { responses: [], nodeEndpoints }))
    expect([frame.readInt32BE(0), frame.readInt32BE(4)]).toEqual([frame.length - 4, 77])
    const reader = new Reader(frame, 4)
    decodeResponseHeader(reader, { key: 1, version: 16 })
    expect(codec(fetchResponse, 16).decode(reader).nodeEndpoints).toHaveLength(300)
  })

  it('accepts a client id that is null, and a header of an unknown API', () => {
    const frame = Buffer.concat(
      encodeRequestFrame({ version: 9, correlationId: 1, clientId: null }, metadataRequest, { topics: null }),
    )
    expect(decodeRequestHeader(new Reader(frame, 4)).clientId).toBeNull()
    expect(decodeRequestHeader(new Reader(Buffer.from('03e7006300000005ffff', 'hex')))).toEqual({
      requestApiKey: 999,
      requestApiVersion: 99,
      correlationId: 5,
      clientId: null,
    })
  })

  it.each([
    [0, 8, 1, 0],
    [0, 9, 2, 1],
    [1, 12, 2, 1],
    [17, 1, 1, 0],
    [18, 3, 2, 0],
    [58, 0, 2, 1],
  ])('of API %i v%i has request header v%i and response header v%i', (key, version, request, response) => {
    expect([requestHeaderVersion(key, version), responseHeaderVersion(key, version)]).toEqual([request, response])
  })
})

describe('the table of APIs', () => {
  it('says the same as the declarations', () => {
    expect(Object.keys(messages)).toEqual(apis.map(api => api.name))
    for (const api of apis) {
      const { request, response } = messages[api.name as ApiName]
      for (const message of [request, response]) {
        const stable = Math.min(message.latestStable, request.latestStable)
        expect([message.name, message.key, message.minVersion, message.maxVersion, stable]).toEqual([
          message.name,
          api.key,
          api.minVersion,
          api.maxVersion,
          api.latestStable,
        ])
        expect([message.name, message.flexible.max < 0 ? Infinity : message.flexible.min]).toEqual([
          message.name,
          api.firstFlexible,
        ])
      }
    }
  })

  it('finds an API by key and by name, and has none that went with ZooKeeper', () => {
    expect(apiByKey(1)).toBe(apiByName('Fetch'))
    expect(apiByName('Fetch')?.listeners).toBe('both')
    expect([4, 5, 6, 7, 93, -1].map(apiByKey)).toEqual(Array.from({ length: 6 }).fill(undefined))
    expect(messagesOf(7)).toBeUndefined()
    expect(messagesOf(18)?.response).toBe(apiVersionsResponse)
  })
})

describe('the table of errors', () => {
  it('has every code from -1 to 133 once, and finds the name of each', () => {
    const codes = Object.values(errorTable).map(entry => entry.code)
    expect([...codes].sort((a, b) => a - b)).toEqual(Array.from({ length: 135 }, (_, index) => index - 1))
    for (const name of Object.keys(errorTable) as (keyof typeof errorTable)[])
      expect(errorName(errorCode(name))).toBe(name)
  })

  it('takes a code from the future for an unknown error', () => {
    expect(errorName(9999)).toBe('UNKNOWN_SERVER_ERROR')
    expect(errorMessage('NOT_ENOUGH_REPLICAS')).toContain('min.insync.replicas')
  })

  it('does not call a failure definite when the records may have been appended', () => {
    const definite = (
      [
        'NOT_ENOUGH_REPLICAS',
        'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
        'REQUEST_TIMED_OUT',
        'NOT_LEADER_OR_FOLLOWER',
        'NONE',
      ] as const
    ).map(name => errorTable[name].definite)
    expect(definite).toEqual([true, false, false, false, false])
  })
})

describe('varints', () => {
  it.each([0, -1, 1, 63, -64, 64, 300, -(2 ** 31), 2 ** 31 - 1])('carry %i', value => {
    const writer = new Writer()
    writer.varint(value)
    expect(new Reader(writer.finishBuffer()).varint()).toBe(value)
  })

  it.each([0, -1, 1, 2 ** 40, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])('of 64 bits carry %i', value => {
    const writer = new Writer()
    writer.varlong(value)
    expect(new Reader(writer.finishBuffer()).varlong()).toBe(value)
  })
})
