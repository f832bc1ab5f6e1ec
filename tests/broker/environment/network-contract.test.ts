import { describe, expect, test } from 'vitest'
import type { Address, Environment, NetworkError, Socket } from '#broker/environment/environment.ts'
import { type Harness, harnesses } from './contracts/harness.ts'

const host = '127.0.0.1'

/** Collects what happens to one socket. */
class Record {
  readonly received: Buffer[] = []
  readonly closed: Promise<NetworkError | undefined>
  #resolveClosed!: (error: NetworkError | undefined) => void
  #waiting: { bytes: number; resolve: () => void } | undefined
  closedTimes = 0
  onData: (chunk: Buffer) => void = () => {}
  onDrain: () => void = () => {}

  constructor() {
    this.closed = new Promise(resolve => (this.#resolveClosed = resolve))
  }

  get text(): string {
    return Buffer.concat(this.received).toString()
  }

  get bytes(): number {
    return this.received.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  until(bytes: number): Promise<void> {
    if (this.bytes >= bytes) return Promise.resolve()
    return new Promise(resolve => (this.#waiting = { bytes, resolve }))
  }

  readonly handlers = {
    opened: () => {},
    data: (chunk: Buffer) => {
      this.received.push(chunk)
      this.onData(chunk)
      if (this.#waiting !== undefined && this.bytes >= this.#waiting.bytes) this.#waiting.resolve()
    },
    drain: () => this.onDrain(),
    closed: (error: NetworkError | undefined) => {
      this.closedTimes++
      this.#resolveClosed(error)
    },
  }
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  readonly clientSide: Record
  readonly serverSide: Record
  readonly address: Address
  close(): Promise<void>
}

async function connected(environment: Environment): Promise<Pair> {
  const serverSide = new Record()
  const clientSide = new Record()
  let accepted!: (socket: Socket) => void
  const accepting = new Promise<Socket>(resolve => (accepted = resolve))
  const listener = await environment.network.listen({ host, port: 0 }, socket => {
    socket.handle(serverSide.handlers)
    accepted(socket)
  })
  const opening = new Promise<void>(resolve => (clientSide.handlers.opened = resolve))
  const client = environment.network.connect(listener.address, clientSide.handlers)
  await opening
  const server = await accepting
  const close = async (): Promise<void> => {
    client.destroy()
    server.destroy()
    await listener.close()
  }
  return { client, server, clientSide, serverSide, address: listener.address, close }
}

function onConnection(
  run: Harness['run'],
  body: (pair: Pair, environment: Environment) => Promise<void>,
): Promise<void> {
  return run(async ({ environment }) => {
    const pair = await connected(environment)
    await body(pair, environment)
    await pair.close()
  })
}

describe.each(harnesses)('network of the $name', ({ run }) => {
  test('bytes arrive in order, both ways, and each end knows the addresses', () =>
    onConnection(run, async ({ client, server, clientSide, serverSide, address }) => {
      client.write([Buffer.from('a'), Buffer.from('bc')])
      client.write([Buffer.from('d')])
      server.write([Buffer.from('reply')])
      await serverSide.until(4)
      await clientSide.until(5)
      expect(serverSide.text).toBe('abcd')
      expect(clientSide.text).toBe('reply')
      expect(client.remote).toEqual(address)
      expect(server.local.port).toBe(address.port)
      expect(server.remote.port).toBe(client.local.port)
    }))

  test('what is written before the connection is open is sent when it is', () =>
    run(async ({ environment }) => {
      const serverSide = new Record()
      const listener = await environment.network.listen({ host, port: 0 }, socket => socket.handle(serverSide.handlers))
      const clientSide = new Record()
      const client = environment.network.connect(listener.address, clientSide.handlers)
      client.write([Buffer.from('early')])
      client.end()
      expect(await serverSide.closed).toBeUndefined()
      expect(await clientSide.closed).toBeUndefined()
      expect(serverSide.text).toBe('early')
      await listener.close()
    }))

  test('end flushes what was written; both ends hear once of an orderly close', () =>
    onConnection(run, async ({ client, clientSide, serverSide }) => {
      const big = Buffer.alloc(3_000_000, 'x')
      client.write([big])
      client.end()
      expect(await serverSide.closed).toBeUndefined()
      expect(await clientSide.closed).toBeUndefined()
      expect(serverSide.bytes).toBe(big.length)
      expect([serverSide.closedTimes, clientSide.closedTimes]).toEqual([1, 1])
    }))

  test('an answer that was written before the peer ended still reaches it', () =>
    onConnection(run, async ({ client, server, clientSide, serverSide }) => {
      serverSide.onData = () => server.write([Buffer.from('answer')])
      client.write([Buffer.from('question')])
      await clientSide.until(6)
      client.end()
      await serverSide.closed
      expect(clientSide.text).toBe('answer')
    }))

  test('destroy reports closed in a later turn, and later writes are ignored', () =>
    onConnection(run, async ({ client, clientSide, serverSide }) => {
      client.destroy()
      expect(clientSide.closedTimes).toBe(0)
      expect(await clientSide.closed).toBeUndefined()
      expect(client.write([Buffer.from('late')])).toBe(true)
      client.end()
      client.destroy()
      await serverSide.closed
      expect([serverSide.text, clientSide.closedTimes]).toEqual(['', 1])
    }))

  test('a connection to a port where nobody listens is refused', () =>
    run(async ({ environment }) => {
      const listener = await environment.network.listen({ host, port: 0 }, socket => socket.destroy())
      const { address } = listener
      await listener.close()
      const clientSide = new Record()
      environment.network.connect(address, clientSide.handlers)
      expect(await clientSide.closed).toMatchObject({ name: 'NetworkError', code: 'ECONNREFUSED' })
    }))

  test('a port can be bound once, and again after close; the message says what to do', () =>
    run(async ({ environment }) => {
      const first = await environment.network.listen({ host, port: 0 }, socket => socket.destroy())
      const refused = environment.network.listen(first.address, socket => socket.destroy())
      await expect(refused).rejects.toMatchObject({ name: 'NetworkError', code: 'EADDRINUSE' })
      await expect(refused).rejects.toThrow(`Cannot listen on ${host}:${first.address.port}: the port is in use`)
      await first.close()
      const second = await environment.network.listen(first.address, socket => socket.destroy())
      await second.close()
    }))

  test('closing a listener leaves its connections alone', () =>
    run(async ({ environment }) => {
      const serverSide = new Record()
      const listener = await environment.network.listen({ host, port: 0 }, socket => {
        socket.handle(serverSide.handlers)
        void listener.close()
      })
      const clientSide = new Record()
      const client = environment.network.connect(listener.address, clientSide.handlers)
      client.write([Buffer.from('one')])
      await serverSide.until(3)
      client.write([Buffer.from('two')])
      await serverSide.until(6)
      client.end()
      await serverSide.closed
    }))

  test('a paused socket gets nothing; write says when to stop, drain when to go on', () =>
    onConnection(run, async ({ client, server, clientSide, serverSide }) => {
      server.pause()
      const chunk = Buffer.alloc(256 * 1024, 'y')
      let written = 0
      // Kernel buffers take some of it; not 64 MB.
      while (written < 64 * 2 ** 20) {
        written += chunk.length
        if (!client.write([chunk])) break
      }
      expect(written).toBeLessThan(64 * 2 ** 20)
      expect(serverSide.bytes).toBe(0)
      const drained = new Promise<void>(resolve => (clientSide.onDrain = resolve))
      server.resume()
      await drained
      await serverSide.until(written)
      expect(serverSide.bytes).toBe(written)
    }))

  test('written is told once, when memory may be used again: the peer gets what was there before', () =>
    onConnection(run, async ({ client, serverSide }) => {
      const bytes = 6_000_000
      const memory = Buffer.alloc(bytes)
      for (let round = 1; round <= 3; round++) {
        memory.fill(round)
        let told = 0
        await new Promise<void>(resolve => {
          client.write([Buffer.of(round), memory], () => {
            told++
            memory.fill(0)
            resolve()
          })
        })
        await serverSide.until(round * (bytes + 1))
        expect(told).toBe(1)
        const received = Buffer.concat(serverSide.received).subarray((round - 1) * (bytes + 1))
        expect(received.equals(Buffer.alloc(bytes + 1, round))).toBe(true)
      }
    }))

  test('written is told too of what a lost connection never took, and of what comes after its end', () =>
    onConnection(run, async ({ client, server, clientSide }) => {
      server.pause()
      let given = 0
      let told = 0
      const chunk = Buffer.alloc(1 << 20)
      const tell = () => void told++
      do given++
      while (client.write([chunk, chunk], tell))
      client.destroy()
      await clientSide.closed
      client.write([chunk], tell)
      expect(told).toBe(given + 1)
    }))

  test('a chunk belongs to whom it is given: later ones do not overwrite it', () =>
    onConnection(run, async ({ client, serverSide }) => {
      const copies: Buffer[] = []
      serverSide.onData = chunk => copies.push(Buffer.from(chunk))
      for (let round = 0; round < 50; round++) {
        client.write([Buffer.alloc(10_000, round)])
        await serverSide.until((round + 1) * 10_000)
      }
      expect(Buffer.concat(serverSide.received).equals(Buffer.concat(copies))).toBe(true)
    }))
})
