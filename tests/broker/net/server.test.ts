/** Which connections the listeners of a node take. Source: KIP-402 (max.connections), KIP-226 (changed while the broker runs). */
import { expect, it } from 'vitest'
import type { Environment, Socket, SocketHandlers } from '#broker/environment/environment.ts'
import { Server } from '#broker/net/listener.ts'

class FakeSocket implements Socket {
  readonly remote = { host: '10.0.0.1', port: 1 }
  readonly local = { host: '10.0.0.2', port: 9092 }
  handlers: SocketHandlers | undefined
  isDestroyed = false
  handle(handlers: SocketHandlers): void {
    this.handlers = handlers
  }
  write(): boolean {
    return true
  }
  pause(): void {}
  resume(): void {}
  end(): void {
    this.destroy()
  }
  destroy(): void {
    if (this.isDestroyed) return
    this.isDestroyed = true
    this.handlers?.closed(undefined)
  }
}

it('beyond max.connections, as it is at that moment, a connection is let go', async () => {
  let accept: (socket: Socket) => void = () => {
    throw new Error('nobody listens')
  }
  const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet }
  const environment = {
    clock: { monotonicMs: () => 0, wallMs: () => 0 },
    timers: { after: () => ({ cancel: () => {} }), soon: (run: () => void) => run() },
    log: quiet,
    network: {
      listen: (address: object, accepted: typeof accept) => {
        accept = accepted
        return Promise.resolve({ address, close: () => Promise.resolve() })
      },
    },
  } as unknown as Environment
  let limit = 2
  const server = new Server(environment, {
    maxFrameBytes: 1000,
    maxQueued: 10,
    maxConnections: () => limit,
    idleMs: 60_000,
    serve: () => undefined,
  })
  await server.listen({ name: 'PLAINTEXT', host: '10.0.0.2', port: 9092, securityProtocol: 'PLAINTEXT' }, 'broker')
  const connect = (): FakeSocket => {
    const socket = new FakeSocket()
    accept(socket)
    return socket
  }
  const first = connect()
  expect([first, connect(), connect()].map(({ isDestroyed }) => isDestroyed)).toEqual([false, false, true])
  limit = 3
  expect([connect(), connect()].map(({ isDestroyed }) => isDestroyed)).toEqual([false, true])
  limit = 1
  first.destroy()
  expect(connect().isDestroyed).toBe(true)
  expect(server.connectionCount).toBe(2)
})
