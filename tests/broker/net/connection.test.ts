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
    this.nowMs += durationMs
    const due = this.#timers.filter(each => each.atMs <= this.nowMs)
    this.#timers = this.#timers.filter(each => each.atMs > this.nowMs)
    for (const { run } of due) run()
  }
}

class FakeSocket {
  handlers: SocketHandlers | undefined
  readonly remote = { host: '10.0.0.1', port: 1 }
  readonly local = { host: '10.0.0.2', port: 2 }
  readonly written: Uint8Array[] = []
  isPaused = false
  isDestroyed = false
  handle(handlers: SocketHandlers): void {
    this.handlers = handlers
  }
  takesAll = true
  write(chunks: readonly Uint8Array[]): boolean {
    this.written.push(...chunks)
    return this.takesAll
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
    unsent = new UnsentReplies()
  })

  function connect(idleMs = -1): Connection {
    const environment = { clock: time.clock, timers: time.timers } as unknown as Environment
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
    socket.handlers?.drain?.()
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
    if (how === 'drains') socket.handlers?.drain?.()
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
