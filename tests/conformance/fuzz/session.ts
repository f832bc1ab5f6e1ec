/**
 * Sends one case over a connection of its own, an ApiVersions request behind it, and waits for what the broker makes of them: the answer to the second
 * proves that the first is done with, also where it has no answer (Produce with acks=0).
 */
import { connect } from 'node:net'
import { codec } from '#broker/protocol/codec.ts'
import { decodeResponseHeader } from '#broker/protocol/headers.ts'
import { messagesOf } from '#broker/protocol/messages/index.ts'
import { Framer } from '#broker/net/framer.ts'
import { Reader } from '#broker/protocol/reader.ts'
import { caseCorrelationId, type FuzzCase } from './cases.ts'

const lastCorrelationId = 2
/** ApiVersions v0 with no client id. */
const lastRequest = Buffer.from('0000000a0012000000000002ffff', 'hex')

/** 'silent': neither an answer nor the end of the connection within the time. */
export interface Outcome {
  readonly end: 'answered' | 'closed' | 'silent'
  /** The answer to the case, without its length; undefined when there was none. */
  readonly response: Buffer | undefined
  /** Of our side, by which the broker's log names the connection. */
  readonly localPort: number | undefined
}

export function send(fuzz: FuzzCase, port: number, withinMs: number): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    const framer = new Framer(100 << 20)
    let response: Buffer | undefined
    let localPort: number | undefined
    const finish = (end: Outcome['end']): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ end, response, localPort })
    }
    const timer = setTimeout(() => finish('silent'), withinMs)
    socket.on('connect', () => {
      localPort = socket.localPort
      socket.write(Buffer.concat([fuzz.frame, lastRequest]))
    })
    socket.on('data', (chunk: Buffer) => {
      framer.push(chunk, frame => {
        const correlationId = frame.length < 4 ? undefined : frame.readInt32BE(0)
        if (correlationId === caseCorrelationId && response === undefined) response = Buffer.from(frame)
        else if (correlationId === lastCorrelationId) finish('answered')
      })
    })
    // A broker that cuts us off may do so with a reset; one that no longer listens is another matter.
    socket.on('error', error => {
      if (localPort !== undefined) return
      clearTimeout(timer)
      reject(error)
    })
    socket.on('close', () => finish('closed'))
  })
}

/** Where Kafka, too, has no better word: a share fetch before its group was told of the partition. */
const rightly = /operation on uninitialized share partition not allowed/

/** Where a response says UNKNOWN_SERVER_ERROR, which is what Kafka says when it met a bug. */
export function unknownServerError(value: unknown, path: string): string | undefined {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return undefined
  for (const [name, inner] of Object.entries(value)) {
    if (/errorCode$/i.test(name) && inner === -1) {
      const said = (value as Readonly<Record<string, unknown>>)[name.replace(/Code$/, 'Message')]
      const message = typeof said === 'string' ? said : 'no message'
      if (!rightly.test(message)) return `${path}${name} is UNKNOWN_SERVER_ERROR (${message})`
    }
    const found = unknownServerError(inner, `${path}${name}.`)
    if (found !== undefined) return found
  }
  return undefined
}

/** Why a response is not what the version of the API promises; undefined when it is. */
export function flaw(fuzz: FuzzCase, response: Buffer): string | undefined {
  const exchange = messagesOf(fuzz.apiKey)
  if (exchange === undefined) return 'there is no such API'
  try {
    const reader = new Reader(response)
    decodeResponseHeader(reader, { key: fuzz.apiKey, version: fuzz.version })
    const answer = codec(exchange.response, fuzz.version).decode(reader)
    reader.expectEnd()
    return unknownServerError(answer, '')
  } catch (error) {
    return (error as Error).message
  }
}
