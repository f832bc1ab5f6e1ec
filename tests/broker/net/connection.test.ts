import { beforeEach, describe, expect, it } from 'vitest'
import type { Environment, SocketHandlers } from '#broker/environment/environment.ts'
import { Connection, type Reply } from '#broker/net/connection.ts'
import { UnsentReplies } from '#broker/net/unsent-replies.ts'

const MiB = 1 << 20

/** Time that stands still until it is told to go on. */
class FakeTime {
  nowMs = 0
  #timers: { readonly atMs: number; readonly run: () => void }[] = []

  readonly clock = { monotonicMs: () => this.nowMs }
  readonly timers = {
    after: (delayMs: number, run: () => void) => {
      const timer = { atMs: this.nowMs + delayMs, run }
      this.#timers.push(timer)
      return { cancel: () => void (this.#timers = this.#timers.filter(each => each !== timer)) }
    },
  }

  pass(durationMs: number): void {
    const untilMs = this.nowMs + durationMs
    for (;;) {
      const next = this.#timers.filter(each => each.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter(each => each !== next)
      this.nowMs = next.atMs
      next.run()
    }
    this.nowMs = untilMs
  }
}

function environmentOf({ clock, timers }: FakeTime): Environment {
  return { clock, timers, log: { warn: () => undefined, debug: () => undefined } } as unknown as Environment
}

class FakeSocket {
  handlers: SocketHandlers | undefined
  readonly remote: { readonly host: string; readonly port: number }
  readonly local = { host: '10.0.0.2', port: 2 }
  readonly written: Uint8Array[] = []
  isPaused = false
  isDestroyed = false
  handle(handlers: SocketHandlers): void {
    this.handlers = handlers
  }
  takesAll = true
  /** Undefined: it tells of whole writes alone. */
  takenBytes: number | undefined
  readonly #untaken: (() => void)[] = []
  constructor(port = 1) {
    this.remote = { host: '10.0.0.1', port }
  }
  write(chunks: readonly Uint8Array[], written?: () => void): boolean {
    this.written.push(...chunks)
    if (written !== undefined) {
      if (this.takesAll) written()
      else this.#untaken.push(written)
    }
    return this.takesAll
  }
  /** The peer takes the oldest reply that waits. */
  takeOne(): void {
    this.#untaken.shift()?.()
  }
  drain(): void {
    while (this.#untaken.length > 0) this.takeOne()
    this.handlers?.drain?.()
  }
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
  end(): void {
    this.destroy()
  }
  destroy(): void {
    this.isDestroyed = true
    this.handlers?.closed(undefined)
    while (this.#untaken.length > 0) this.takeOne()
  }
  get bytesWritten(): number {
    return this.written.reduce((sum, { length }) => sum + length, 0)
  }
}

const request = Buffer.from([0, 0, 0, 1, 7])

describe('a connection', () => {
  let time: FakeTime
  let socket: FakeSocket
  let begun: number
  let unsent: UnsentReplies
  let replies: ((count: number) => Reply | Promise<Reply>)[]

  beforeEach(() => {
    time = new FakeTime()
    socket = new FakeSocket()
    begun = 0
    replies = []
    unsent = new UnsentReplies(environmentOf(time))
  })

  function connect(idleMs = -1): Connection {
    const environment = environmentOf(time)
    const serve = (): Reply | Promise<Reply> => (replies[begun++] ?? replies.at(-1))?.(begun)
    const options = { maxFrameBytes: 100, maxQueued: 500, idleMs, serve, closed: () => undefined, unsent }
    return new Connection(environment, socket, options)
  }

  it('begins no more requests while large replies wait for the one before them', async () => {
    let answerFirst: (reply: Reply) => void = () => undefined
    const first = new Promise<Reply>(resolve => (answerFirst = resolve))
    replies = [() => first, () => [Buffer.alloc(MiB)]]
    connect()
    socket.handlers?.data(Buffer.concat(Array.from({ length: 100 }, () => request)))
    // The one that waits, one MiB that is held, and one more byte of it than may be.
    expect(begun).toBeLessThanOrEqual(3)
    expect(socket.isPaused).toBe(true)
    answerFirst([Buffer.from('first')])
    await first
    await Promise.resolve()
    expect(begun).toBe(100)
    expect(socket.bytesWritten).toBe(99 * MiB + 5)
    expect(socket.isPaused).toBe(false)
  })

  it('begins no more requests of one chunk while their replies are not taken', () => {
    replies = [() => [Buffer.alloc(MiB)]]
    socket.takesAll = false
    connect()
    socket.handlers?.data(Buffer.concat(Array.from({ length: 100 }, () => request)))
    expect(begun).toBe(2)
    socket.takesAll = true
    socket.drain()
    expect(begun).toBe(100)
    expect(socket.isPaused).toBe(false)
  })

  it.each(['drains', 'closes'])('counts what its peer does not take, until it %s', how => {
    const plentyBytes = unsent.roomBytes
    replies = [() => [Buffer.alloc(MiB)]]
    connect()
    socket.handlers?.data(request)
    expect(unsent.roomBytes).toBe(plentyBytes)
    socket.takesAll = false
    socket.handlers?.data(request)
    expect(unsent.roomBytes).toBe(plentyBytes - MiB)
    if (how === 'drains') socket.drain()
    else socket.destroy()
    expect(unsent.roomBytes).toBe(plentyBytes)
  })

  it('that waits for a reply longer than connections.max.idle.ms is closed, as in Kafka', () => {
    replies = [() => new Promise<Reply>(() => undefined)]
    connect(1_000)
    socket.handlers?.data(request)
    time.pass(999)
    expect(socket.isDestroyed).toBe(false)
    time.pass(1)
    expect(socket.isDestroyed).toBe(true)
  })

  it('that sends a byte now and then is not idle', () => {
    connect(1_000)
    for (const byte of request.subarray(0, 4)) {
      time.pass(900)
      socket.handlers?.data(Buffer.from([byte]))
    }
    expect(socket.isDestroyed).toBe(false)
    time.pass(1_000)
    expect(socket.isDestroyed).toBe(true)
  })
})

describe('200 connections whose peers take nothing', () => {
  const fullBytes = 128 * MiB
  let time: FakeTime
  let unsent: UnsentReplies
  let begun: number
  let heldBytesMax: number

  /** Asks for a reply of a MiB, `count` times. */
  function connect(port: number, takesAll: boolean, count = 5, replyBytes = MiB): FakeSocket {
    const socket = new FakeSocket(port)
    socket.takesAll = takesAll
    const serve = (): Reply => {
      begun++
      return [Buffer.allocUnsafe(replyBytes)]
    }
    const options = { maxFrameBytes: 100, maxQueued: 500, idleMs: -1, serve, closed: () => undefined, unsent }
    const connection = new Connection(environmentOf(time), socket, options)
    const socketHandlers = socket.handlers!
    for (let asked = 0; asked < count && connection.isOpen; asked++) {
      socketHandlers.data(request)
      heldBytesMax = Math.max(heldBytesMax, fullBytes - unsent.roomBytes)
    }
    return socket
  }

  beforeEach(() => {
    time = new FakeTime()
    unsent = new UnsentReplies(environmentOf(time))
    begun = 0
    heldBytesMax = 0
  })

  it('have no more than 128 MiB held for them, in all', () => {
    const sockets = Array.from({ length: 200 }, (_, port) => connect(port, false))
    expect(begun).toBe(128)
    for (let second = 0; second < 20; second++) {
      time.pass(1000)
      heldBytesMax = Math.max(heldBytesMax, begun * MiB - sockets.filter(each => each.isDestroyed).length * MiB)
    }
    expect(heldBytesMax).toBeLessThanOrEqual(fullBytes)
    expect(unsent.isFull).toBe(false)
  })

  it('make others wait for a second at most: then they are closed until half is free', () => {
    const first = connect(0, false, 1)
    time.pass(1)
    const stuck = Array.from({ length: 127 }, (_, index) => connect(1 + index, false, 1))
    expect(unsent.isFull).toBe(true)
    const taking = connect(1000, true, 1)
    time.pass(999)
    expect([taking.bytesWritten, first.isDestroyed]).toEqual([0, false])
    time.pass(1)
    expect([taking.bytesWritten, first.isDestroyed]).toEqual([MiB, true])
    expect(stuck.map(each => each.isDestroyed)).toEqual(stuck.map((_, index) => index < 63))
  })

  it('are closed largest first', () => {
    const small = Array.from({ length: 64 }, (_, port) => connect(port, false, 1))
    const large = Array.from({ length: 32 }, (_, port) => connect(100 + port, false, 1, 2 * MiB))
    connect(1000, true, 1)
    time.pass(1000)
    expect(large.map(each => each.isDestroyed)).toEqual(large.map(() => true))
    expect(small.some(each => each.isDestroyed)).toBe(false)
  })

  it('are not closed while a reply goes out, however slowly', () => {
    const stuck = Array.from({ length: 64 }, (_, port) => connect(port, false, 1))
    const slow = Array.from({ length: 64 }, (_, port) => connect(100 + port, false, 1))
    for (const socket of slow) socket.takenBytes = 0
    const waits = connect(1000, true, 1)
    for (let seconds = 0; seconds < 3; seconds += 0.5) {
      for (const socket of slow) socket.takenBytes! += 1
      time.pass(500)
    }
    expect(slow.some(each => each.isDestroyed)).toBe(false)
    expect(stuck.every(each => each.isDestroyed)).toBe(true)
    expect(waits.bytesWritten).toBe(MiB)
    // Enough again that somebody has to wait, and this time they take nothing any more.
    Array.from({ length: 64 }, (_, port) => connect(200 + port, true, 1))
    const more = Array.from({ length: 64 }, (_, port) => connect(300 + port, false, 1))
    expect(connect(1001, true, 1).bytesWritten).toBe(0)
    time.pass(1500)
    expect([...slow, ...more].filter(each => each.isDestroyed)).toHaveLength(64)
  })

  it('are not closed for replies that wait for the one before them, which nobody could take', () => {
    const holding = Array.from({ length: 128 }, (_, port) => {
      const socket = new FakeSocket(port)
      let asked = 0
      const serve = (): Reply | Promise<Reply> =>
        asked++ === 0 ? new Promise<Reply>(() => undefined) : [Buffer.allocUnsafe(MiB)]
      const options = { maxFrameBytes: 100, maxQueued: 500, idleMs: -1, serve, closed: () => undefined, unsent }
      const connection = new Connection(environmentOf(time), socket, options)
      socket.handlers!.data(Buffer.concat([request, request]))
      expect(connection.unsentBytes).toBe(MiB)
      return socket
    })
    expect(unsent.isFull).toBe(true)
    connect(1000, true, 1)
    time.pass(10_000)
    expect(holding.some(each => each.isDestroyed)).toBe(false)
  })

  it('are not closed while nobody has to wait, or while they take something now and then', () => {
    const sockets = Array.from({ length: 128 }, (_, port) => connect(port, false, 1))
    time.pass(60_000)
    expect(sockets.some(each => each.isDestroyed)).toBe(false)
    sockets[0]!.takeOne()
    const two = connect(0, false, 2)
    const waits = connect(1, true, 1)
    expect(waits.bytesWritten).toBe(0)
    sockets[1]!.takeOne()
    expect(waits.bytesWritten).toBe(MiB)
    expect(two.isDestroyed).toBe(false)
  })
})
