/**
 * One client's connection: frames in, replies out in the order of the requests (protocol guide, "Network"). A request whose answer takes
 * time holds back only the replies behind it on this connection. Reading stops while too many requests wait or the peer does not take
 * its replies, so that nobody can make us queue without limit.
 */
import type { Environment, NetworkError, Socket, Timer } from '../environment/environment.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { FrameSlab } from './framer.ts'
import type { ReplyHolder, UnsentReplies } from './unsent-replies.ts'

/** A whole response frame, size included, or undefined where the protocol has none (Produce with acks=0). */
export type Reply = ReplyChunks | undefined

export interface ReplyChunks extends ReadonlyArray<Uint8Array> {
  /** Runs once: the memory of the chunks is not needed any more, because they have been written or never will be. */
  readonly written?: () => void
}

export interface ConnectionOptions {
  readonly maxFrameBytes: number
  readonly maxQueued: number
  readonly idleMs: number
  /** Handles one request, whose bytes are good until the call returns; a ProtocolError, thrown or rejected, closes the connection. */
  readonly serve: (frame: Buffer) => Reply | Promise<Reply>
  readonly closed: () => void
  /** Shared with other connections. */
  readonly unsent: UnsentReplies
}

/** Replies that wait, for the one before them or to be written, may hold so much memory before no further request is begun. */
const heldBytesMax = 1 << 20

interface Slot {
  reply: Reply
  ready: boolean
}

function bytesOf(reply: Reply): number {
  return reply?.reduce((sum, { length }) => sum + length, 0) ?? 0
}

export class Connection implements ReplyHolder {
  readonly #environment: Environment
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #frames: FrameSlab
  readonly #slots: Slot[] = []
  readonly #waiting: Buffer[] = []
  #open = true
  /** Takes no more requests; ends when the replies that are due have been written. */
  #closing = false
  #writable = true
  /** See ReplyHolder. */
  unsentBytes = 0
  handedBytes = 0
  /** Of whole writes. */
  #writtenBytes = 0
  /** Bytes of the replies that are ready and have to wait. */
  #heldBytes = 0
  #paused = false
  #lastActiveMs: number
  #idleTimer: Timer | undefined
  /** Came when there were connections enough: see `hold`. */
  #held = false
  #mute: { readonly untilMs: number; readonly timer: Timer } | undefined
  /** Replies gathered while a chunk is worked through, written at once. */
  #outbox: Uint8Array[] | undefined
  #outboxBytes = 0
  /** Whom to tell when the outbox has been written. */
  #outboxWritten: (() => void)[] = []

  constructor(environment: Environment, socket: Socket, options: ConnectionOptions) {
    this.#environment = environment
    this.#socket = socket
    this.#options = options
    this.#frames = new FrameSlab(options.maxFrameBytes)
    this.#lastActiveMs = environment.clock.monotonicMs()
    socket.handle({
      data: chunk => this.#guard(() => this.#receive(emit => this.#frames.push(chunk, emit))),
      into: {
        space: () => this.#frames.space(),
        filled: count => this.#guard(() => this.#receive(emit => this.#frames.filled(count, emit))),
      },
      drain: () => {
        this.#writable = true
        this.#guard(() => this.#proceed())
      },
      closed: error => this.#closed(error),
    })
    options.unsent.enter(this)
    this.#watchIdle(options.idleMs)
  }

  get isOpen(): boolean {
    return this.#open
  }

  get client(): string {
    const { host, port } = this.#socket.remote
    return `${host}:${port}`
  }

  get takenBytes(): number {
    return this.#socket.takenBytes ?? this.#writtenBytes
  }

  /** Closes at once; requests in progress lose their replies. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** Begins no further request for so long: what comes meanwhile waits, and reading stops (KIP-219). The longest wait counts. */
  mute(durationMs: number): void {
    const untilMs = this.#environment.clock.monotonicMs() + durationMs
    if (!this.#open || durationMs <= 0 || untilMs <= (this.#mute?.untilMs ?? -1)) return
    this.#mute?.timer.cancel()
    const timer = this.#environment.timers.after(durationMs, () => {
      this.#mute = undefined
      this.#guard(() => this.#proceed())
    })
    this.#mute = { untilMs, timer }
    this.#adjustReading()
  }

  /** Reads nothing and begins nothing until `release`. */
  hold(): void {
    this.#held = true
    this.#adjustReading()
  }

  release(): void {
    this.#held = false
    this.#lastActiveMs = this.#environment.clock.monotonicMs()
    this.#guard(() => this.#proceed())
  }

  proceed(): void {
    this.#guard(() => this.#proceed())
  }

  /** Monotonic ms when bytes came or went last. */
  get lastActiveMs(): number {
    return this.#lastActiveMs
  }

  /** Longest frame that is accepted from now on. */
  limitFrames(maxBytes: number): void {
    this.#frames.limit(maxBytes)
  }

  closeAfterReplies(): void {
    this.#closing = true
    this.#waiting.length = 0
    this.#endIfDue()
  }

  #endIfDue(): void {
    if (this.#closing && this.#open && this.#slots.length === 0) this.#socket.end()
  }

  #receive(read: (emit: (request: Buffer) => void) => void): void {
    this.#lastActiveMs = this.#environment.clock.monotonicMs()
    this.#outbox = []
    try {
      read(request => {
        if (this.#closing) return
        // Kept beyond this turn, so not as a view of memory that is read into again.
        if (this.#full() || this.#options.unsent.isFull || this.#waiting.length > 0)
          this.#waiting.push(Buffer.from(request))
        else this.#begin(request)
      })
    } finally {
      this.#flushOutbox()
      this.#endIfDue()
    }
    this.#proceed()
  }

  #full(): boolean {
    return (
      !this.#writable ||
      this.#mute !== undefined ||
      this.#held ||
      this.#slots.length >= this.#options.maxQueued ||
      this.#heldBytes + this.#outboxBytes > heldBytesMax
    )
  }

  #begin(request: Buffer): void {
    const slot: Slot = { reply: undefined, ready: false }
    this.#slots.push(slot)
    const result = this.#options.serve(request)
    if (result instanceof Promise) {
      result.then(
        reply => this.#guard(() => this.#finish(slot, reply)),
        (error: unknown) => this.#fail(error),
      )
    } else this.#finish(slot, result)
  }

  #finish(slot: Slot, reply: Reply): void {
    if (!this.#open) return reply?.written?.()
    slot.reply = reply
    slot.ready = true
    const bytes = bytesOf(reply)
    this.#heldBytes += bytes
    this.#hold(bytes)
    const gathering = this.#outbox !== undefined
    this.#outbox ??= []
    while (this.#slots[0]?.ready === true) {
      const done = this.#slots.shift()
      if (done?.reply === undefined) continue
      const bytes = bytesOf(done.reply)
      this.#heldBytes -= bytes
      this.#outboxBytes += bytes
      this.#outbox.push(...done.reply)
      if (done.reply.written !== undefined) this.#outboxWritten.push(done.reply.written)
    }
    if (gathering) return
    this.#flushOutbox()
    this.#endIfDue()
    this.#proceed()
  }

  #flushOutbox(): void {
    const chunks = this.#outbox
    const bytes = this.#outboxBytes
    this.#outbox = undefined
    this.#outboxBytes = 0
    if (chunks === undefined || chunks.length === 0) return
    const told = this.#outboxWritten
    if (told.length > 0) this.#outboxWritten = []
    const written = () => {
      for (const tell of told) tell()
      this.handedBytes -= bytes
      this.#writtenBytes += bytes
      this.#release(bytes)
    }
    this.handedBytes += bytes
    if (!this.#open) return written()
    this.#lastActiveMs = this.#environment.clock.monotonicMs()
    if (!this.#socket.write(chunks, written)) this.#writable = false
  }

  #hold(bytes: number): void {
    if (bytes === 0) return
    this.unsentBytes += bytes
    this.#options.unsent.add(bytes)
  }

  #release(bytes: number): void {
    this.unsentBytes -= bytes
    this.#options.unsent.remove(bytes)
  }

  /** Begins requests that had to wait. */
  #proceed(): void {
    const { unsent } = this.#options
    while (this.#open && this.#waiting.length > 0 && !this.#full()) {
      if (unsent.isFull) {
        unsent.await(this)
        break
      }
      const request = this.#waiting.shift()
      if (request !== undefined) this.#begin(request)
    }
    this.#adjustReading()
  }

  #adjustReading(): void {
    const pause = this.#waiting.length > 0 || this.#full()
    if (!this.#open || pause === this.#paused) return
    this.#paused = pause
    if (pause) this.#socket.pause()
    else this.#socket.resume()
  }

  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (!this.#open) return
    const { client } = this
    if (!(error instanceof ProtocolError)) {
      // A bug that one frame can reach must cost one connection, not the broker.
      this.#environment.log.error('closed a connection because its request met a bug', {
        client,
        error,
      })
      this.#socket.destroy()
      return
    }
    this.#environment.log.warn('closed a connection that broke the protocol', {
      client,
      reason: error.message,
    })
    this.#socket.destroy()
  }

  #closed(error: NetworkError | undefined): void {
    if (!this.#open) return
    this.#open = false
    this.#idleTimer?.cancel()
    this.#mute?.timer.cancel()
    this.#waiting.length = 0
    for (const { reply } of this.#slots.splice(0)) {
      reply?.written?.()
      this.#release(bytesOf(reply))
    }
    this.#options.unsent.leave(this)
    if (error !== undefined)
      this.#environment.log.debug('connection lost', { client: this.#socket.remote.host, reason: error.message })
    this.#options.closed()
  }

  #watchIdle(delayMs: number): void {
    if (this.#options.idleMs < 0) return
    this.#idleTimer = this.#environment.timers.after(delayMs, () => {
      const idleMs = this.#environment.clock.monotonicMs() - this.#lastActiveMs
      // Also when a reply is due: nobody may hold a connection with a request that waits for ever.
      if (idleMs >= this.#options.idleMs) this.#socket.destroy()
      else this.#watchIdle(Math.max(1, this.#options.idleMs - idleMs))
    })
  }
}
