import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { lossySocketFactory } from '#scripts/workload/lossy-socket.ts'

const produce = 0
const fetch = 1

/** What a socket of kafkajs needs; remembers what was written and whether it was destroyed. */
class FakeSocket extends EventEmitter {
  readonly written: Buffer[] = []
  destroyed = false
  write(chunk: Buffer): boolean {
    this.written.push(chunk)
    return true
  }
  destroy(): void {
    this.destroyed = true
  }
}

function request(apiKey: number, correlationId: number): Buffer {
  const frame = Buffer.alloc(12)
  frame.writeInt32BE(8)
  frame.writeInt16BE(apiKey, 4)
  frame.writeInt32BE(correlationId, 8)
  return frame
}

function response(correlationId: number): Buffer {
  const frame = Buffer.alloc(10)
  frame.writeInt32BE(6)
  frame.writeInt32BE(correlationId, 4)
  return frame
}

/** A lossy socket that loses the Produce responses for which `lose` says so. */
function open(lose: (produceRequest: number) => boolean) {
  const inner = new FakeSocket()
  let asked = 0
  const random = { below: () => (lose(asked++) ? 0 : 1), bytes: () => Buffer.alloc(0) }
  const socket = lossySocketFactory(
    { random, loseOneIn: 5 },
    () => inner as unknown as Socket,
  )({ host: 'h', port: 1, ssl: undefined as never, onConnect: () => undefined })
  const seen: string[] = []
  socket.on('data', (chunk: Buffer) => seen.push(`${chunk.length} bytes`))
  socket.on('end', () => seen.push('end'))
  return { inner, socket, seen }
}

describe('a socket that loses acknowledgements', () => {
  test('passes requests on, loses the chosen Produce response, and looks like a peer that closed', () => {
    const { inner, socket, seen } = open(nth => nth === 1)
    socket.write(request(produce, 1))
    inner.emit('data', response(1))
    socket.write(request(fetch, 2))
    socket.write(request(produce, 3))
    inner.emit('data', Buffer.concat([response(2), response(3)]))
    expect(inner.written).toHaveLength(3)
    expect(seen).toEqual(['10 bytes', '10 bytes', 'end'])
    expect(inner.destroyed).toBe(true)
  })

  test('loses nothing else, however the bytes are cut', () => {
    const { inner, socket, seen } = open(() => false)
    socket.write(request(produce, 1))
    const bytes = Buffer.concat([response(1), response(9)])
    for (const byte of bytes) inner.emit('data', Buffer.of(byte))
    expect(seen).toEqual(['10 bytes', '10 bytes'])
    expect(inner.destroyed).toBe(false)
  })
})
