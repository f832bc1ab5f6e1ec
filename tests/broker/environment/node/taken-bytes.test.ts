/** What a socket of the real machine says about a write that its peer takes slowly: progress within the write, not only at its end. */
import { readFileSync } from 'node:fs'
import { connect, type Socket as RawSocket } from 'node:net'
import path from 'node:path'
import { connect as connectTls } from 'node:tls'
import { expect, test } from 'vitest'
import type { Logger, ReceiveMemory, Socket } from '#broker/environment/environment.ts'
import { nodeNetwork } from '#broker/environment/node/network.ts'

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }
const writtenBytes = 64 << 20
const polled = { timeout: 120_000 }

/** A peer that reads so many bytes, and then nothing. */
function readBytes(peer: RawSocket, bytes: number): Promise<void> {
  return new Promise(resolve => {
    let left = bytes
    peer.on('data', chunk => {
      left -= chunk.length
      if (left > 0) return
      peer.removeAllListeners('data')
      peer.pause()
      resolve()
    })
    peer.resume()
  })
}

const fixture = (name: string): string =>
  readFileSync(path.join(import.meta.dirname, '../../security/authentication/fixtures', name), 'utf8')

test.each(['chunks', 'memory of its own', 'TLS'])(
  '%s: grows while one large write is taken, and stands still while not',
  async how => {
    const into: ReceiveMemory = { space: () => Buffer.alloc(64), filled: () => {} }
    const accepted = Promise.withResolvers<Socket>()
    const accept = (socket: Socket): void => {
      socket.handle({ data: () => {}, closed: () => {}, ...(how === 'chunks' ? {} : { into }) })
      accepted.resolve(socket)
    }
    const tls = {
      privateKey: fixture('server.key'),
      certificateChain: fixture('server.pem'),
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      clientAuth: 'none',
      handshakeTimeoutMs: 60_000,
    } as const
    const address = { host: '127.0.0.1', port: 0 }
    const listener = await nodeNetwork(silent).listen(address, accept, how === 'TLS' ? tls : undefined)
    const { port } = listener.address
    const peer =
      how === 'TLS' ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }) : connect(port, '127.0.0.1')
    peer.pause()
    const socket = await accepted.promise
    let isWritten = false
    const atFirst = socket.takenBytes!
    if (how !== 'TLS') expect(atFirst).toBe(0)
    socket.write([Buffer.alloc(1000), Buffer.alloc(writtenBytes - 1000)], () => (isWritten = true))
    let before = -1
    for (let round = 1; round <= 3; round++) {
      await readBytes(peer, 8 << 20)
      // The peer has them, so this machine took them; how many more its buffers hold is its own affair.
      await expect.poll(() => socket.takenBytes, polled).toBeGreaterThanOrEqual(atFirst + round * (8 << 20))
      expect(socket.takenBytes).toBeGreaterThan(before)
      expect(isWritten).toBe(false)
      before = socket.takenBytes!
    }
    peer.resume()
    await expect.poll(() => isWritten, polled).toBe(true)
    if (how === 'TLS') expect(socket.takenBytes).toBeGreaterThan(writtenBytes)
    else expect(socket.takenBytes).toBe(writtenBytes)
    socket.destroy()
    peer.destroy()
    await listener.close()
  },
)
