import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Environment, SocketHandlers } from '#broker/environment/environment.ts'
import { Connection, type Reply } from '#broker/net/connection.ts'
import { MemoryPool, type Loan } from '#broker/net/memory-pool.ts'
import { UnsentReplies } from '#broker/net/unsent-replies.ts'

const KiB = 1024
const MiB = 1024 * KiB
const sizes = fc.oneof(
  fc.integer({ min: 1, max: 5 * MiB }),
  fc.constantFrom(1, 16 * KiB - 1, 16 * KiB, 16 * KiB + 1, MiB, MiB + 1, 4 * MiB, 4 * MiB + 1),
)

/** Whether two buffers have a byte in common. */
function overlap(left: Buffer, right: Buffer): boolean {
  if (left.buffer !== right.buffer) return false
  return left.byteOffset < right.byteOffset + right.length && right.byteOffset < left.byteOffset + left.length
}

describe('a pool of memory', () => {
  it('lends no byte to two at once, and keeps no more than 4 MiB, whatever is taken and given back', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ loan: fc.nat(4), bytes: sizes }) },
      { weight: 1, arbitrary: fc.record({ loan: fc.nat(4), bytes: fc.constantFrom('one', 'all') }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        const pool = new MemoryPool()
        const loans = Array.from({ length: 5 }, () => ({ loan: pool.lend(), held: [] as Buffer[] }))
        for (const { loan: index, bytes } of steps) {
          const { loan, held } = loans[index]!
          if (bytes === 'all') {
            loan.giveBack()
            held.length = 0
            expect(loan.heldBytes).toBe(0)
          } else if (bytes === 'one') {
            const taken = held.shift()
            if (taken === undefined) continue
            loan.release(taken)
            // Nothing comes back twice.
            loan.release(taken)
          } else {
            const taken = loan.take(bytes)
            expect(taken.length).toBe(bytes)
            for (const other of loans.flatMap(each => each.held)) expect(overlap(taken, other)).toBe(false)
            held.push(taken)
          }
          expect(pool.idleBytes).toBeLessThanOrEqual(4 * MiB)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('lends again what was given back, and only once', () => {
    const pool = new MemoryPool()
    const first = pool.lend()
    const memory = first.take(MiB)
    first.giveBack()
    first.giveBack()
    expect(pool.idleBytes).toBe(MiB)
    const second = pool.lend()
    expect(second.take(MiB - 1).buffer).toBe(memory.buffer)
    expect(second.take(MiB).buffer).not.toBe(memory.buffer)
    expect(first.isUsed).toBe(false)
  })
})

/** A machine that takes its time: it looks at the bytes, by reference, only when it is told to. */
class SlowSocket {
  handlers: SocketHandlers | undefined
  readonly remote = { host: '10.0.0.1', port: 1 }
  readonly local = { host: '10.0.0.2', port: 2 }
  readonly #queued: { chunks: readonly Uint8Array[]; written: (() => void) | undefined }[] = []
  /** Of each reply: the mark it was made with, and its first and last byte when they went out. */
  readonly sent: { readonly mark: number; readonly bytes: readonly [number, number] }[] = []
  handle(handlers: SocketHandlers): void {
    this.handlers = handlers
  }
  write(chunks: readonly Uint8Array[], written?: () => void): boolean {
    this.#queued.push({ chunks, written })
    return true
  }
  get isBusy(): boolean {
    return this.#queued.length > 0
  }

  takeOne(): void {
    const next = this.#queued.shift()
    const chunks = next?.chunks ?? []
    for (let at = 0; at < chunks.length; at += 2) {
      const memory = chunks[at + 1]!
      this.sent.push({ mark: chunks[at]![0]!, bytes: [memory[0]!, memory.at(-1)!] })
    }
    next?.written?.()
  }
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {
    for (const { written } of this.#queued.splice(0)) written?.()
    this.handlers?.closed(undefined)
  }
}

interface Pending {
  readonly loan: Loan
  readonly answer: (reply: Reply) => void
}

function replyOf(loan: Loan, mark: number, bytes: number): Reply {
  const memory = loan.take(bytes).fill(mark)
  return Object.assign([Buffer.of(mark), memory], { written: () => loan.giveBack() })
}

const environment = {
  clock: { monotonicMs: () => 0 },
  timers: { after: () => ({ cancel: () => undefined }) },
} as unknown as Environment

describe('a reply in lent memory', () => {
  it('is on the wire as it was made, however answers, writes and losses of connections interleave', async () => {
    const steps = fc.array(
      fc.oneof(
        {
          weight: 4,
          arbitrary: fc.record({ kind: fc.constantFrom('ask', 'askAndWait', 'answer', 'take'), on: fc.nat(2) }),
        },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose'), on: fc.nat(2) }) },
      ),
      { minLength: 1, maxLength: 60 },
    )
    await fc.assert(
      fc.asyncProperty(steps, async list => {
        const pool = new MemoryPool()
        let mark = 0
        const connections = [0, 1, 2].map(() => {
          const socket = new SlowSocket()
          const pending: Pending[] = []
          let waits = false
          const serve = (): Reply | Promise<Reply> => {
            const loan = pool.lend()
            if (waits) return new Promise(resolve => pending.push({ loan, answer: resolve }))
            return replyOf(loan, mark, 64 * KiB)
          }
          const options = {
            maxFrameBytes: 100,
            unsent: new UnsentReplies(environment),
            maxQueued: 1_000,
            idleMs: -1,
            serve,
            closed: () => undefined,
          }
          const connection = new Connection(environment, socket, options)
          const ask = (isSlow: boolean): void => {
            waits = isSlow
            mark = (mark + 1) % 251
            socket.handlers?.data(Buffer.from([0, 0, 0, 1, mark]))
          }
          return { socket, pending, connection, ask }
        })
        for (const { kind, on } of list) {
          const { socket, pending, connection, ask } = connections[on]!
          if (kind === 'take') socket.takeOne()
          else if (kind === 'lose') connection.destroy()
          else if (kind === 'answer') {
            // The last one first: its reply has to wait for those before it.
            mark = (mark + 1) % 251
            const last = pending.pop()
            last?.answer(replyOf(last.loan, mark, 64 * KiB))
            await Promise.resolve()
          } else if (connection.isOpen) ask(kind === 'askAndWait')
        }
        for (const { socket } of connections) {
          while (socket.isBusy) socket.takeOne()
          for (const { mark, bytes } of socket.sent) expect(bytes).toEqual([mark, mark])
        }
      }),
      { numRuns: 200 },
    )
  })

  it('is given back when it is written, when its connection is lost before, and when it comes too late', async () => {
    const pool = new MemoryPool()
    const socket = new SlowSocket()
    const answers: ((reply: Reply) => void)[] = []
    const serve = (): Promise<Reply> => new Promise(resolve => answers.push(resolve))
    const options = {
      maxFrameBytes: 100,
      unsent: new UnsentReplies(environment),
      maxQueued: 10,
      idleMs: -1,
      serve,
      closed: () => undefined,
    }
    const connection = new Connection(environment, socket, options)
    for (const mark of [1, 2, 3, 4]) socket.handlers?.data(Buffer.from([0, 0, 0, 1, mark]))
    answers[0]?.(replyOf(pool.lend(), 1, MiB))
    await Promise.resolve()
    expect(pool.idleBytes).toBe(0)
    socket.takeOne()
    expect(pool.idleBytes).toBe(MiB)
    const [loan2, loan3, loan4] = [pool.lend(), pool.lend(), pool.lend()]
    // Waits for the one before it.
    answers[2]?.(replyOf(loan3, 3, MiB))
    await Promise.resolve()
    expect(pool.idleBytes).toBe(0)
    connection.destroy()
    expect(loan3.isUsed).toBe(false)
    answers[1]?.(replyOf(loan2, 2, MiB))
    answers[3]?.(replyOf(loan4, 4, MiB))
    await Promise.resolve()
    await Promise.resolve()
    expect([loan2.isUsed, loan4.isUsed]).toEqual([false, false])
    expect(pool.idleBytes).toBe(2 * MiB)
  })
})
