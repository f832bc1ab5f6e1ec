/** TCP of the real machine, with or without TLS. */
import { lookup } from 'node:dns'
import { connect, createServer, type Server, type TcpNetConnectOpts } from 'node:net'
import type {
  Address,
  Listener,
  Logger,
  Network,
  Socket,
  SocketHandlers,
  TlsClient,
  TlsServer,
} from '../environment.ts'
import { download } from './download.ts'
import { bindError } from './network-errors.ts'
import { NodeSocket, plainAddress, writeQueueBytes } from './socket.ts'
import { checkTls, connectTls, createTlsServer, type TlsListening } from './tls.ts'

/** @param log told of connections that could not be accepted */
export function nodeNetwork(log: Logger): Network {
  return { listen: (address, accept, tls) => listen(log, address, accept, tls), connect: open, checkTls, download }
}

async function listen(
  log: Logger,
  address: Address,
  accept: (socket: Socket) => void,
  tls: TlsServer | undefined,
): Promise<Listener> {
  if (tls !== undefined) {
    const secured = createTlsServer(log, tls, accept)
    return bound(secured.server, log, address, secured)
  }
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
  return bound(server, log, address)
}

function bound(server: Server, log: Logger, address: Address, secured?: TlsListening): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const refused = (error: Error): void => reject(bindError(error, address))
    server.once('error', refused)
    const bind = (host?: string): void => {
      server.listen({ port: address.port, backlog: 1024, ...(host === undefined ? {} : { host }) }, () => {
        server.off('error', refused)
        resolve(new NodeListener(server, log, secured))
      })
    }
    // Kafka's empty host means every address of this machine.
    if (address.host === '') return bind()
    // Of a name with both, the IPv4 address, as Java takes it: `localhost` is ::1 first in a container, where no client looks for it.
    lookup(address.host, { order: 'ipv4first' }, (error, host) => {
      if (error === null) bind(host)
      else refused(error)
    })
  })
}

class NodeListener implements Listener {
  readonly address: Address
  readonly #server: Server
  readonly #secured: TlsListening | undefined

  constructor(server: Server, log: Logger, secured: TlsListening | undefined) {
    this.#server = server
    this.#secured = secured
    const bound = server.address()
    if (bound === null || typeof bound === 'string') throw new Error('A TCP server without an address')
    this.address = { host: plainAddress(bound.address), port: bound.port }
    // After the bind only accept() can fail, for want of descriptors: the kernel keeps the backlog and the next accept may succeed.
    server.on('error', error => log.error('A connection could not be accepted', { address: this.address, error }))
  }

  renewTls(tls: TlsServer): void {
    if (this.#secured === undefined) throw new Error('a listener without TLS has no keys to renew')
    this.#secured.renew(tls)
  }

  close(): Promise<void> {
    // The callback of close() would wait for every accepted socket; the descriptor itself is closed at once.
    return new Promise(resolve => {
      this.#server.close()
      setImmediate(resolve)
    })
  }
}

function open(address: Address, handlers: SocketHandlers & { opened(): void }, tls?: TlsClient): Socket {
  const options: TcpNetConnectOpts & { highWaterMark: number } = {
    host: address.host,
    port: address.port,
    noDelay: true,
    keepAlive: true,
    allowHalfOpen: true,
    highWaterMark: writeQueueBytes,
  }
  const raw = tls === undefined ? connect(options) : connectTls(options, address, tls)
  const socket = new NodeSocket(raw, address)
  socket.handle(handlers)
  raw.once(tls === undefined ? 'connect' : 'secureConnect', () => {
    if (!socket.isClosed) handlers.opened()
  })
  return socket
}
