/** Sockets of a command that say whom it waits for: a broker behind a black hole is as silent as a command that hangs. */
import type { ISocketFactory } from 'kafkajs'
import { directSocket } from '../cluster/wire-socket.ts'

export interface SilenceOptions {
  readonly note: (message: string) => void
  /** How long an answer may take before it is worth a line. */
  readonly afterMs?: number
  readonly socketFactory?: ISocketFactory | undefined
}

/** A socket factory as of kafkajs. Each address is told of once. */
export function tellingSilence({
  note,
  afterMs = 1_000,
  socketFactory = directSocket,
}: SilenceOptions): ISocketFactory {
  const told = new Set<string>()
  return args => {
    const address = `${args.host}:${args.port}`
    const socket = socketFactory(args)
    let timer: NodeJS.Timeout | undefined
    const waits = () => {
      if (told.has(address)) return
      timer ??= setTimeout(() => {
        if (told.has(address)) return
        told.add(address)
        note(`Waiting for the broker at ${address}, which has not answered for ${afterMs / 1_000} s …`)
      }, afterMs).unref()
    }
    const heard = () => {
      clearTimeout(timer)
      timer = undefined
    }
    waits()
    for (const event of ['connect', 'data', 'close'] as const) socket.on(event, heard)
    const write = socket.write.bind(socket) as (...given: unknown[]) => boolean
    socket.write = (...given: unknown[]) => {
      waits()
      return write(...given)
    }
    return socket
  }
}
