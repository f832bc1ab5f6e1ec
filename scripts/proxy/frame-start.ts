/**
 * The first bytes of a frame: as much as the proxy reads of every request and response, and no more. Kafka's request header, v0 to v2, has the
 * same beginning in all versions; a response begins with its correlation id.
 */
import { apiByKey } from '#broker/protocol/apis.ts'
import type { Way } from './model.ts'

export interface FrameStart {
  /** Whole frame, length prefix included. */
  readonly frameBytes: number
  readonly correlationId: number
  /** Of a request; -1 on the way back. */
  readonly apiKey: number
  readonly apiVersion: number
  /** Of a request, null when it has none; undefined when nobody asked for it. */
  readonly clientId: string | null | undefined
  /** False: a produce request with acks=0, which nobody answers. */
  readonly isAnswered: boolean
}

export class NotKafkaError extends Error {}

const lengthBytes = 4
const responseStartBytes = lengthBytes + 4
const clientIdLengthAt = lengthBytes + 8
const clientIdAt = clientIdLengthAt + 2
const frameBytesMax = 2 ** 31 - 1
const produceKey = 0
/** To find acks, at most so many bytes of a request may have to be there. */
const acksWithinBytes = 64 * 1024

/**
 * Undefined: more bytes are needed. Throws NotKafkaError where no frame can begin.
 *
 * @param withClientId  read the client id too, which makes a string
 */
export function decodeFrameStart(way: Way, bytes: Buffer, at: number, withClientId: boolean): FrameStart | undefined {
  const there = bytes.length - at
  if (there < lengthBytes) return undefined
  const length = bytes.readInt32BE(at)
  if (length < 0 || length > frameBytesMax - lengthBytes) throw new NotKafkaError(`a frame of ${length} bytes`)
  const frameBytes = lengthBytes + length
  return way === 'request'
    ? requestStart(bytes, at, { frameBytes, withClientId })
    : responseStart(bytes, at, frameBytes)
}

function responseStart(bytes: Buffer, at: number, frameBytes: number): FrameStart | undefined {
  if (frameBytes < responseStartBytes) throw new NotKafkaError(`a response of ${frameBytes} bytes`)
  if (bytes.length - at < responseStartBytes) return undefined
  const correlationId = bytes.readInt32BE(at + lengthBytes)
  return { frameBytes, correlationId, apiKey: -1, apiVersion: -1, clientId: undefined, isAnswered: true }
}

function requestStart(
  bytes: Buffer,
  at: number,
  { frameBytes, withClientId }: { readonly frameBytes: number; readonly withClientId: boolean },
): FrameStart | undefined {
  // The first form of SASL sends bare tokens in frames; they may have any length.
  if (frameBytes < clientIdAt) return bytes.length - at < frameBytes ? undefined : strange(frameBytes)
  const there = Math.min(bytes.length - at, frameBytes)
  if (there < clientIdAt) return undefined
  const clientIdBytes = bytes.readInt16BE(at + clientIdLengthAt)
  const headerBytes = clientIdAt + Math.max(0, clientIdBytes)
  if (headerBytes > frameBytes) return strange(frameBytes)
  if (there < headerBytes) return undefined
  const apiKey = bytes.readInt16BE(at + lengthBytes)
  const apiVersion = bytes.readInt16BE(at + lengthBytes + 2)
  let isAnswered = true
  if (apiKey === produceKey) {
    const acks = acksOf(bytes.subarray(at, at + there), headerBytes, apiVersion)
    if (acks === undefined && there < Math.min(frameBytes, acksWithinBytes)) return undefined
    isAnswered = acks !== 0
  }
  const correlationId = bytes.readInt32BE(at + lengthBytes + 4)
  const read = () =>
    clientIdBytes < 0 ? null : bytes.toString('utf8', at + clientIdAt, at + clientIdAt + clientIdBytes)
  return { frameBytes, correlationId, apiKey, apiVersion, clientId: withClientId ? read() : undefined, isAnswered }
}

/** A frame without a request header: counted, never matched. */
function strange(frameBytes: number): FrameStart {
  return { frameBytes, correlationId: -1, apiKey: -1, apiVersion: -1, clientId: undefined, isAnswered: false }
}

/** Undefined: not there yet, or not readable. The transactional id comes first, then acks. */
function acksOf(frame: Buffer, headerBytes: number, version: number): number | undefined {
  const isFlexible = version >= (apiByKey(produceKey)?.firstFlexible ?? Infinity)
  if (!isFlexible) {
    if (frame.length < headerBytes + 2) return undefined
    const at = headerBytes + 2 + Math.max(0, frame.readInt16BE(headerBytes))
    return frame.length < at + 2 ? undefined : frame.readInt16BE(at)
  }
  // Tagged fields of the header: nobody sends any with Produce; where somebody does, the answer counts as expected.
  if (frame.length < headerBytes + 2) return undefined
  if (frame[headerBytes] !== 0) return 1
  const { value, end } = unsignedVarint(frame, headerBytes + 1)
  if (end === undefined) return undefined
  const at = end + Math.max(0, value - 1)
  return frame.length < at + 2 ? undefined : frame.readInt16BE(at)
}

function unsignedVarint(bytes: Buffer, at: number): { value: number; end: number | undefined } {
  let value = 0
  for (let index = 0; index < 5; index++) {
    const byte = bytes[at + index]
    if (byte === undefined) return { value: 0, end: undefined }
    value += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return { value, end: at + index + 1 }
  }
  return { value: 0, end: at + 5 }
}
