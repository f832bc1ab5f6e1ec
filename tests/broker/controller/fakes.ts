/** Time, quorum and peers for tests of the drivers: nothing happens until the test lets it. */
import type { Address, Environment, Logger, Timer } from '#broker/environment/environment.ts'
import { NetworkError } from '#broker/environment/environment.ts'
import type { RequestClient } from '#broker/net/client.ts'
import type { LeaderAndEpoch, MetadataListener, MetadataQuorum } from '#broker/raft/raft.ts'
import { seededRandom } from './harness.ts'

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
}

export class FakeTime {
  nowMs = 1_000
  halted: string | undefined
  readonly warnings: { readonly message: string; readonly fields: unknown }[] = []
  #queue: { atMs: number; order: number; run: () => void }[] = []
  #order = 0
  readonly environment: Environment

  constructor() {
    const after = (delayMs: number, run: () => void): Timer => {
      const entry = { atMs: this.nowMs + delayMs, order: this.#order++, run }
      this.#queue.push(entry)
      return { cancel: () => (this.#queue = this.#queue.filter(other => other !== entry)) }
    }
    this.environment = {
      clock: { monotonicMs: () => this.nowMs, wallMs: () => this.nowMs },
      timers: { after, soon: (run: () => void) => void after(0, run) },
      random: seededRandom(5),
      log: { ...silent, warn: (message: string, fields: unknown) => this.warnings.push({ message, fields }) },
      halt: (reason: string) => {
        this.halted = reason
      },
    } as unknown as Environment
  }

  /** Lets promises that are ready go on. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  }

  /** Lets time pass, timer by timer. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms
    await this.settle()
    for (;;) {
      const next = this.#queue
        .filter(({ atMs }) => atMs <= untilMs)
        .sort((first, second) => first.atMs - second.atMs || first.order - second.order)[0]
      if (next === undefined) break
      this.#queue = this.#queue.filter(entry => entry !== next)
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.run()
      await this.settle()
    }
    this.nowMs = untilMs
  }
}

/** A quorum of one whose records are committed when the test says so. */
export class FakeQuorum implements MetadataQuorum {
  leader: LeaderAndEpoch = { leaderId: undefined, epoch: 0 }
  readonly log: { epoch: number; value: Buffer }[] = []
  highWatermark = 0
  autoCommit = true
  #listener: MetadataListener | undefined

  start(listener: MetadataListener): void {
    this.#listener = listener
  }
  stop(): Promise<void> {
    return Promise.resolve()
  }
  leaderAddress(): Address | undefined {
    return this.leader.leaderId === undefined ? undefined : { host: 'controller', port: this.leader.leaderId }
  }
  get logEndOffset(): number {
    return this.log.length
  }

  elect(leaderId: number | undefined): void {
    this.leader = { leaderId, epoch: this.leader.epoch + 1 }
    this.#listener?.leaderChanged(this.leader)
  }

  /** Uncommitted records are lost. */
  truncate(): void {
    this.log.length = this.highWatermark
  }

  propose(epoch: number, records: readonly Buffer[]) {
    if (epoch !== this.leader.epoch) return undefined
    const baseOffset = this.log.length
    for (const value of records) this.log.push({ epoch, value })
    if (this.autoCommit) this.commit()
    return { baseOffset, lastOffset: this.log.length - 1 }
  }

  commit(): void {
    const baseOffset = this.highWatermark
    if (baseOffset === this.log.length) return
    this.highWatermark = this.log.length
    const lastOffset = this.log.length - 1
    const records = this.log.slice(baseOffset).map(({ value }) => value)
    this.#listener?.committed({ baseOffset, lastOffset, epoch: this.leader.epoch, appendTimeMs: 0, records })
  }
}

export interface SentRequest {
  readonly to: Address
  readonly apiKey: number
  readonly body: Record<string, unknown>
}

/** Answers from a list of answers, the last one for ever. An answer of text is a lost connection. */
export class FakeClient implements RequestClient {
  readonly sent: SentRequest[] = []
  readonly answers: (object | string)[]
  constructor(...answers: (object | string)[]) {
    this.answers = answers
  }
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as in the interface
  send<Response>(to: Address, apiKey: number, body: object): Promise<{ response: Response; version: number }> {
    this.sent.push({ to, apiKey, body: body as Record<string, unknown> })
    const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0]
    if (answer === undefined || typeof answer === 'string') {
      return Promise.reject(new NetworkError('ECONNRESET', answer ?? 'no answer was prepared'))
    }
    return Promise.resolve({ response: answer as Response, version: 0 })
  }
  close(): void {}
}
