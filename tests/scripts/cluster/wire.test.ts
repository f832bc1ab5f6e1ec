import { createServer, type AddressInfo, type Socket } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { crc32c, Reader, Writer } from '#scripts/cluster/wire-format.ts'
import { recordBatch } from '#scripts/cluster/wire-requests.ts'
import { WireClient } from '#scripts/cluster/wire.ts'

describe('the wire format', () => {
  test('has the check value of CRC-32C', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
  })

  test('gives back what was written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        fc.string(),
        fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        (varint, text, numbers, long) => {
          const written = new Writer()
            .unsignedVarint(varint)
            .compactString(text)
            .string(text)
            .array(numbers, (value, writer) => writer.int32(value))
            .int64(long)
          const reader = new Reader(written.toBuffer())
          expect(reader.unsignedVarint()).toBe(varint)
          expect(reader.compactString()).toBe(text)
          expect(reader.string()).toBe(text)
          expect(reader.array(r => r.int32())).toEqual(numbers)
          expect(reader.int64()).toBe(long)
        },
      ),
    )
  })

  test('refuses a message that ends too early', () => {
    const bytes = new Writer().string('hello').toBuffer()
    expect(() => new Reader(bytes.subarray(0, 4)).string()).toThrow(RangeError)
  })

  test('makes a record batch whose length and checksum are right', () => {
    const batch = recordBatch(Buffer.from('value'))
    expect(batch.readInt32BE(8)).toBe(batch.length - 12)
    expect(batch.readInt8(16)).toBe(2)
    expect(batch.readUInt32BE(17)).toBe(crc32c(batch.subarray(21)))
    expect(batch.includes('value')).toBe(true)
  })
})

describe('the wire client', () => {
  const open: { close(): void }[] = []
  afterEach(() => open.splice(0).forEach(resource => resource.close()))

  async function serve(answer: (socket: Socket, chunk: Buffer) => void): Promise<number> {
    const server = createServer(socket => {
      socket.on('data', (chunk: Buffer) => answer(socket, chunk))
      open.push({ close: () => socket.destroy() })
    })
    open.push(server)
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }

  test('says the client id that it is given, by which brokers count quotas; else that of the toolkit', async () => {
    const ids: string[] = []
    const port = await serve((socket, chunk) => {
      const header = new Reader(chunk.subarray(8))
      const correlationId = header.int32()
      ids.push(header.string())
      const answer = new Writer().int32(correlationId).toBuffer()
      socket.write(Buffer.concat([new Writer().int32(answer.length).toBuffer(), answer]))
    })
    for (const options of [{ clientId: 'orders' }, {}]) {
      const client = await WireClient.open({ host: '127.0.0.1', port }, options)
      open.push(client)
      await client.request(18, 0, new Writer())
    }
    expect(ids).toEqual(['orders', 'faultline-toolkit'])
  })

  test('puts together answers that come in pieces', async () => {
    const port = await serve((socket, chunk) => {
      const body = new Writer().int32(chunk.readInt32BE(8)).int32(42).toBuffer()
      const frame = new Writer().int32(body.length).bytes(body).toBuffer()
      for (const byte of frame) socket.write(Buffer.of(byte))
    })
    const client = await WireClient.open({ host: '127.0.0.1', port })
    open.push(client)
    expect((await client.request(18, 0, new Writer())).int32()).toBe(42)
  })

  test('rejects what is open when the other side closes', async () => {
    const port = await serve(socket => socket.destroy())
    const client = await WireClient.open({ host: '127.0.0.1', port })
    await expect(client.request(18, 0, new Writer())).rejects.toThrow(`127.0.0.1:${port}`)
    expect(client.isOpen).toBe(false)
  })

  test('rejects when nobody listens', async () => {
    await expect(WireClient.open({ host: '127.0.0.1', port: 1 })).rejects.toThrow()
  })
})
