/**
 * Just enough of a broker for kafkajs to produce against: ApiVersions v0, Metadata v0, Produce v2. It stores every request it appends, so
 * that disk, network and clock of the world are all in use. It stands in for the real node where a test is about the simulator alone.
 */
import type { Environment, Socket } from '#broker/environment/environment.ts'

const versions: readonly (readonly [key: number, from: number, to: number])[] = [
  [0, 2, 2],
  [3, 0, 0],
  [18, 0, 0],
]

export interface FakeBroker {
  readonly appended: number
}

export async function startFakeBroker(environment: Environment, host: string): Promise<FakeBroker> {
  environment.disk.makeDirectory('/log')
  const file = environment.disk.open('/log/data', 'write')
  const state = { appended: 0 }
  const append = (bytes: Buffer): number => {
    file.write([bytes], file.size())
    file.syncLater(() => {})
    return state.appended++
  }
  await environment.network.listen({ host: '', port: 9092 }, socket => serve(socket, host, append))
  return state
}

function serve(socket: Socket, host: string, append: (bytes: Buffer) => number): void {
  let buffered = Buffer.alloc(0)
  socket.handle({
    data(chunk) {
      buffered = Buffer.concat([buffered, chunk])
      while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
        const end = 4 + buffered.readInt32BE(0)
        const frame = buffered.subarray(4, end)
        buffered = buffered.subarray(end)
        const body = answer(frame, host, append)
        const head = Buffer.alloc(8)
        head.writeInt32BE(4 + body.length, 0)
        head.writeInt32BE(frame.readInt32BE(4), 4)
        socket.write([head, body])
      }
    },
    closed() {},
  })
}

function answer(frame: Buffer, host: string, append: (bytes: Buffer) => number): Buffer {
  const key = frame.readInt16BE(0)
  const body = frame.subarray(10 + frame.readInt16BE(8))
  if (key === 18) return Buffer.concat([int16(0), array(versions.map(row => Buffer.concat(row.map(int16))))])
  if (key === 3) return metadata(host)
  return produced(body, append)
}

function metadata(host: string): Buffer {
  const partition = Buffer.concat([int16(0), int32(0), int32(1), array([int32(1)]), array([int32(1)])])
  const topic = Buffer.concat([int16(0), text('events'), array([partition])])
  return Buffer.concat([array([Buffer.concat([int32(1), text(host), int32(9092)])]), array([topic])])
}

function produced(body: Buffer, append: (bytes: Buffer) => number): Buffer {
  const offset = append(body)
  const wide = Buffer.alloc(16)
  wide.writeBigInt64BE(BigInt(offset), 0)
  wide.writeBigInt64BE(-1n, 8)
  const partition = Buffer.concat([int32(0), int16(0), wide])
  return Buffer.concat([array([Buffer.concat([text('events'), array([partition])])]), int32(0)])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function text(value: string): Buffer {
  return Buffer.concat([int16(value.length), Buffer.from(value)])
}

function array(items: readonly Buffer[]): Buffer {
  return Buffer.concat([int32(items.length), ...items])
}
