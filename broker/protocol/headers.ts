/**
 * Request and response headers, and whole frames: the int32 size, the header in the version that the API's version asks for, the body.
 *
 * Quirks: the client id keeps its int16 length in the flexible header, and the response to ApiVersions always has header v0, so that both
 * sides can read them before they know each other's versions (KIP-511, KIP-482).
 */
import { apiByKey } from './apis.ts'
import { codec } from './codec.ts'
import type { Reader } from './reader.ts'
import { int16, int32, message, string, type EncodableFields, type Fields, type Infer, type Message } from './schema.ts'
import { Writer } from './writer.ts'

export const requestHeader = message({
  name: 'RequestHeader',
  kind: 'data',
  versions: '0-2',
  flexible: '2+',
  fields: {
    requestApiKey: int16(),
    requestApiVersion: int16(),
    /** Chosen by the client; comes back in the response. */
    correlationId: int32(),
    clientId: string({ versions: '1+', nullable: '1+', flexible: 'none', default: '', ignorable: true }),
  },
})
export type RequestHeader = Infer<typeof requestHeader>

export const responseHeader = message({
  name: 'ResponseHeader',
  kind: 'data',
  versions: '0-1',
  flexible: '1+',
  fields: { correlationId: int32() },
})
export type ResponseHeader = Infer<typeof responseHeader>

const apiVersionsKey = 18

/** Header version of a request. An unknown key counts as not flexible: its header's first fields can be read all the same. */
export function requestHeaderVersion(key: number, version: number): number {
  return version >= (apiByKey(key)?.firstFlexible ?? Infinity) ? 2 : 1
}

/** Header version of a response. */
export function responseHeaderVersion(key: number, version: number): number {
  if (key === apiVersionsKey) return 0
  return version >= (apiByKey(key)?.firstFlexible ?? Infinity) ? 1 : 0
}

/** Reads the header at the front of a request frame (the size is already off) and leaves the reader at the body. */
export function decodeRequestHeader(reader: Reader): RequestHeader {
  const { position } = reader
  const key = reader.int16()
  const version = reader.int16()
  reader.position = position
  return codec(requestHeader, requestHeaderVersion(key, version)).decode(reader)
}

/** Reads the header at the front of a response frame to a request of this key and version. */
export function decodeResponseHeader(
  reader: Reader,
  api: { readonly key: number; readonly version: number },
): ResponseHeader {
  return codec(responseHeader, responseHeaderVersion(api.key, api.version)).decode(reader)
}

/** A whole request frame, size included. */
export function encodeRequestFrame<F extends Fields>(
  header: { readonly version: number; readonly correlationId: number; readonly clientId: string | null },
  body: Message<F>,
  value: EncodableFields<F>,
): Buffer[] {
  const writer = new Writer()
  writer.int32(0)
  codec(requestHeader, requestHeaderVersion(body.key, header.version)).write(writer, {
    requestApiKey: body.key,
    requestApiVersion: header.version,
    correlationId: header.correlationId,
    clientId: header.clientId,
  })
  return finishFrame(writer, body, header.version, value)
}

/** A whole response frame, size included, to a request of this version. */
export function encodeResponseFrame<F extends Fields>(
  header: { readonly version: number; readonly correlationId: number },
  body: Message<F>,
  value: EncodableFields<F>,
): Buffer[] {
  const writer = new Writer()
  writer.int32(0)
  codec(responseHeader, responseHeaderVersion(body.key, header.version)).write(writer, header)
  return finishFrame(writer, body, header.version, value)
}

function finishFrame<F extends Fields>(
  writer: Writer,
  body: Message<F>,
  version: number,
  value: EncodableFields<F>,
): Buffer[] {
  codec(body, version).write(writer, value)
  const size = writer.bytes - 4
  writer.patchFirstInt32(size)
  return writer.finish()
}
