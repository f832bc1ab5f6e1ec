/** TCP of the real machine. */
import { connect, createServer, type Server, type TcpNetConnectOpts } from 'node:net'
import type { Address, Listener, Logger, Network, Socket, SocketHandlers } from '../environment.ts'
import { bindError } from './network-errors.ts'
import { NodeSocket, plainAddress, writeQueueBytes } from './socket.ts'

/** @param log told of connections that could not be accepted */
export function nodeNetwork(log: Logger): Network {
  return { listen: (address, accept) => listen(log, address, accept), connect: open }
}

function listen(log: Logger, address: Address, accept: (socket: Socket) => void): Promise<Listener> {
  const server = createServer({
    noDelay: true,
    keepAlive: true,
    allowHalfOpen: true,
    highWaterMark: writeQueueBytes,
    pauseOnConnect: true,
  })
  server.on('connection', socket => {
    const remote = { host: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 }
    accept(new NodeSocket(socket, remote))
  })
  return new Promise((resolve, reject) => {
    const refused = (error: Error): void => reject(bindError(error, address))
    server.once('error', refused)
    server.listen({ port: address.port, backlog: 1024, ...hostToBind(address.host) }, () => {
      server.off('error', refused)
      resolve(new NodeListener(server, log))
    })
  })
}

/** Kafka's empty host means every address of this machine. */
function hostToBind(host: string): { host?: string } {
  return host === '' ? {} : { host }
}

class NodeListener implements Listener {
  readonly address: Address
  readonly #server: Server

  constructor(server: Server, log: Logger) {
    this.#server = server
    const bound = server.address()
    if (bound === null || typeof bound === 'string') throw new Error('A TCP server without an address')
    this.address = { host: plainAddress(bound.address), port: bound.port }
    // After the bind only accept() can fail, for want of descriptors: the kernel keeps the backlog and the next accept may succeed.
    server.on('error', error => log.error('A connection could not be accepted', { address: this.address, error }))
  }

  close(): Promise<void> {
    // The callback of close() would wait for every accepted socket; the descriptor itself is closed at once.
    return new Promise(resolve => {
      this.#server.close()
      setImmediate(resolve)
    })
  }
}

function open(address: Address, handlers: SocketHandlers & { opened(): void }): Socket {
  const options: TcpNetConnectOpts & { highWaterMark: number } = {
    host: address.host,
    port: address.port,
    noDelay: true,
    keepAlive: true,
    allowHalfOpen: true,
    highWaterMark: writeQueueBytes,
  }
  const raw = connect(options)
  const socket = new NodeSocket(raw, address)
  socket.handle(handlers)
  raw.once('connect', () => {
    if (!socket.isClosed) handlers.opened()
  })
  return socket
}
