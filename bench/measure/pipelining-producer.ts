/**
 * A producer that costs next to nothing: one request, prepared once, written again and again to one connection with several in flight,
 * without a copy. What it measures is the broker, not a client. Produce v3, acks=1.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { realClock } from '#scripts/cluster/clock.ts'
import { Reader, Writer } from '#scripts/cluster/wire-format.ts'
import type { Endpoint } from '#scripts/cluster/wire.ts'
import { failure } from '#scripts/errors.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'

export interface Flow {
  readonly seconds: number
  readonly bytes: number
  readonly records: number
  /** Longest time between two acknowledgements. */
  readonly longestGapMs: number
}

export interface FlowOptions {
  readonly batchBytes: number
  readonly recordBytes: number
  readonly totalBytes: number
  readonly signal: AbortSignal
}

const IN_FLIGHT = 5
/** What a record costs beyond its value: lengths, deltas, attributes. */
const RECORD_OVERHEAD_BYTES = 8

/** Sends batches of at most `batchBytes` until `totalBytes` are acknowledged. */
export async function pipeline(endpoint: Endpoint, topic: string, options: FlowOptions): Promise<Flow> {
  const value = Buffer.alloc(options.recordBytes, 'x')
  const recordsPerBatch = Math.floor((options.batchBytes - 61) / (options.recordBytes + RECORD_OVERHEAD_BYTES))
  const batch = buildBatch(
    Array.from({ length: recordsPerBatch }, () => ({ value })),
    { timestamp: Date.now() },
  )
  const total = Math.ceil(options.totalBytes / batch.length)
  const socket = connect({ host: endpoint.host, port: endpoint.port, noDelay: true, signal: options.signal })
  try {
    const { seconds, longestGapMs } = await flow(socket, produceFrame(topic, batch), total)
    return { seconds, longestGapMs, bytes: total * batch.length, records: total * recordsPerBatch }
  } finally {
    socket.destroy()
  }
}

/** All requests have the same correlation id: the answers of one connection come in order. */
function flow(
  socket: Socket,
  frame: Buffer,
  total: number,
): Promise<{ readonly seconds: number; readonly longestGapMs: number }> {
  return new Promise((resolve, reject) => {
    let sent = 0
    let answered = 0
    let longestGapMs = 0
    let startMs = 0
    let lastMs = 0
    let received: Buffer = Buffer.alloc(0)
    const send = () => {
      if (sent++ < total) socket.write(frame)
    }
    const onAnswer = (answer: Buffer) => {
      const errorCode = errorCodeOf(answer)
      if (errorCode !== 0) reject(failure(`A request of ${frame.length} bytes was refused: error ${errorCode}.`))
      const nowMs = realClock.nowMs()
      longestGapMs = Math.max(longestGapMs, nowMs - lastMs)
      lastMs = nowMs
      if (++answered === total) resolve({ seconds: (nowMs - startMs) / 1000, longestGapMs })
      else send()
    }
    socket.on('connect', () => {
      startMs = lastMs = realClock.nowMs()
      for (let lane = 0; lane < IN_FLIGHT; lane++) send()
    })
    socket.on('data', (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
        const end = 4 + received.readInt32BE(0)
        onAnswer(received.subarray(4, end))
        received = received.subarray(end)
      }
    })
    socket.on('error', reject)
    socket.on('close', () => reject(failure(`The broker closed the connection after ${answered} of ${total} answers.`)))
  })
}

function produceFrame(topic: string, batch: Buffer): Buffer {
  const body = new Writer()
    .int16(0)
    .int16(3)
    .int32(1)
    .string('bench')
    .nullString()
    .int16(1)
    .int32(30_000)
    .array([topic], (name, writer) =>
      writer.string(name).array([0], (index, w) => w.int32(index).int32(batch.length).bytes(batch)),
    )
    .toBuffer()
  return new Writer().int32(body.length).bytes(body).toBuffer()
}

function errorCodeOf(answer: Buffer): number {
  const reader = new Reader(answer)
  reader.int32() // correlation id
  const [codes] = reader.array(r => {
    r.string()
    return r.array(p => {
      p.int32()
      const errorCode = p.int16()
      p.int64() // base offset
      p.int64() // log append time
      return errorCode
    })
  })
  return codes?.[0] ?? -1
}
