/**
 * A network that loses acknowledgements: the broker gets the Produce request and answers, but the connection breaks before the answer
 * reaches the client. It stands between kafkajs and the real (or virtual) socket; the broker notices nothing but a closed connection.
 *
 * Only whole frames are passed on, so exactly the chosen response is lost and none that came before it.
 */
import type { Socket } from 'node:net'
import type { ISocketFactory } from 'kafkajs'
import type { Random } from '#broker/environment/environment.ts'
import { directSocket } from '../cluster/wire-socket.ts'

export interface LossyOptions {
  readonly random: Random
  /** One Produce response in this many is lost. */
  readonly loseOneIn: number
  /** Told each time a response is lost. */
  readonly lost?: () => void
}

const produceKey = 0

/** A socket factory for kafkajs on top of another one (default: TCP or TLS). */
export function lossySocketFactory(options: LossyOptions, inner: ISocketFactory = directSocket): ISocketFactory {
  return args => makeLossy(inner(args), options)
}

function makeLossy(socket: Socket, { random, loseOneIn, lost }: LossyOptions): Socket {
  const doomed = new Set<number>()
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
  const emit = socket.emit.bind(socket) as (event: string, ...args: unknown[]) => boolean
  let received: Buffer = Buffer.alloc(0)
  const receive = (chunk: Buffer): boolean => {
    received = Buffer.concat([received, chunk])
    const { whole, rest, cut } = takeFrames(received, doomed)
    received = rest
    const delivered = whole.length === 0 || emit('data', whole)
    if (cut) {
      lost?.()
      // As if the peer had closed: kafkajs listens to `end` and `error`, and would not notice a socket that is only destroyed.
      emit('end')
      socket.destroy()
    }
    return delivered
  }
  return Object.assign(socket, {
    write(chunk: Uint8Array | string, ...rest: unknown[]): boolean {
      const request = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : Buffer.from(chunk)
      const sent = request.length >= 12 && request.readInt16BE(4) === produceKey
      if (sent && random.below(loseOneIn) === 0) doomed.add(request.readInt32BE(8))
      return write(chunk, ...rest)
    },
    emit(event: string, ...args: unknown[]): boolean {
      return event === 'data' ? receive(args[0] as Buffer) : emit(event, ...args)
    },
  })
}

/** The whole frames at the start of what was received, up to the first whose correlation id is doomed. */
function takeFrames(received: Buffer, doomed: ReadonlySet<number>): { whole: Buffer; rest: Buffer; cut: boolean } {
  let at = 0
  while (at + 8 <= received.length) {
    const end = at + 4 + received.readInt32BE(at)
    if (end > received.length) break
    if (doomed.has(received.readInt32BE(at + 4)))
      return { whole: received.subarray(0, at), rest: Buffer.alloc(0), cut: true }
    at = end
  }
  return { whole: received.subarray(0, at), rest: received.subarray(at), cut: false }
}
