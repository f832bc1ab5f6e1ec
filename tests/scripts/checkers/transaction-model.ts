/**
 * A reference model of Kafka with transactions, small enough to be obviously right: logs with open, committed and aborted records, a last
 * stable offset, markers that are written one partition at a time some while after the decision, clients that overlap, do not hear how it
 * ended, go back after an abort or not, readers of committed and of uncommitted records, and retention. Whatever it does must be judged valid.
 */
import { HistoryRecorder, type ClientRecorder } from '#scripts/history/recorder.ts'
import type { History, MicroOp, Offset, PartitionName, PolledRecords, Value } from '#scripts/history/operation.ts'
import { chance } from './model.ts'

export interface TransactionModelOptions {
  readonly seed: number
  readonly partitions: number
  /** Clients with transactions, each with a consumer of its own. */
  readonly clients: number
  readonly steps: number
  /** Of 100 transactions, how many are aborted, and of how many the client never hears. */
  readonly aborts: number
  readonly lost: number
  /** One in this many steps removes the beginning of a log; 0: never. */
  readonly retentionEvery: number
  /** A reader of uncommitted records is about. */
  readonly uncommitted: boolean
}

interface Transaction {
  state: 'open' | 'committed' | 'aborted'
  /** Partitions that have no marker yet. */
  readonly unmarked: Set<Log>
}

interface Log {
  readonly name: PartitionName
  readonly records: { readonly offset: Offset; readonly value: Value; readonly transaction: Transaction | undefined }[]
  start: Offset
  end: Offset
  sends: number
}

interface Client {
  recorder: ClientRecorder
  positions: Map<Log, Offset>
  work: Work | undefined
}

interface Work {
  readonly transaction: Transaction
  readonly done: MicroOp[]
  readonly todo: ('poll' | Log)[]
  readonly before: Map<Log, Offset>
  readonly planned: MicroOp[]
}

export function generateTransactions(options: TransactionModelOptions): History {
  return new Model(options).run()
}

class Model {
  readonly #options: TransactionModelOptions
  readonly #next: (limit: number) => number
  readonly #recorder: HistoryRecorder
  readonly #logs: Log[]
  readonly #later: (() => void)[] = []
  #nowMs = 0
  #values = 0

  constructor(options: TransactionModelOptions) {
    this.#options = options
    this.#next = chance(options.seed)
    this.#recorder = new HistoryRecorder({ nowMs: () => (this.#nowMs += this.#next(4)) })
    this.#logs = Array.from({ length: options.partitions }, (_, index) => ({
      name: `t-${index}`,
      records: [],
      start: 0,
      end: 0,
      sends: 0,
    }))
  }

  run(): History {
    this.#recorder.phase('workload')
    const clients = Array.from({ length: this.#options.clients }, () => this.#client('worker'))
    const reader = this.#options.uncommitted ? this.#client('peeper') : undefined
    for (let step = 0; step < this.#options.steps; step += 1) {
      this.#step(clients[this.#next(clients.length)] as Client)
      if (reader && this.#next(5) === 0) this.#pollAlone(reader, true)
      if (this.#next(3) === 0) this.#happen()
      if (this.#options.retentionEvery > 0 && this.#next(this.#options.retentionEvery) === 0) this.#retain()
    }
    for (const client of clients) while (client.work) this.#step(client)
    while (this.#later.length > 0) this.#happen()
    this.#recorder.phase('final-read')
    const last = this.#client('final-reader')
    while (this.#logs.some(log => (last.positions.get(log) ?? 0) < log.end)) this.#pollAlone(last, false)
    this.#recorder.phase('final-read-complete')
    this.#observe()
    return this.#recorder.history
  }

  #client(name: string): Client {
    const recorder = this.#recorder.client(name)
    recorder.partitions(
      'assign',
      this.#logs.map(log => log.name),
    )
    return { recorder, positions: new Map(), work: undefined }
  }

  /** Something that was decided reaches a log. */
  #happen(): void {
    const [effect] = this.#later.splice(this.#next(this.#later.length || 1), 1)
    effect?.()
  }

  #step(client: Client): void {
    if (!client.work) {
      if (this.#next(4) === 0) this.#sendAlone(client)
      else this.#begin(client)
      return
    }
    const task = client.work.todo.shift()
    if (task === undefined) this.#end(client, client.work)
    else if (task === 'poll') client.work.done.push(['poll', this.#poll(client, false)])
    else client.work.done.push(this.#append(task, this.#valueOf(client.work, task), client.work.transaction))
  }

  #value(): Value {
    return `k${this.#next(3)}:${this.#values++}`
  }

  #valueOf(work: Work, log: Log): Value {
    const at = work.planned.findIndex(micro => micro[0] === 'send' && micro[1] === log.name)
    const [micro] = work.planned.splice(at, 1)
    return micro?.[2] as Value
  }

  #sendAlone(client: Client): void {
    const log = this.#logs[this.#next(this.#logs.length)] as Log
    const value = this.#value()
    client.recorder.invoke('send', [['send', log.name, value]])
    client.recorder.complete('ok', [this.#append(log, value, undefined)])
  }

  #begin(client: Client): void {
    const todo = Array.from({ length: 1 + this.#next(4) }, () =>
      this.#next(2) === 0 ? 'poll' : (this.#logs[this.#next(this.#logs.length)] as Log),
    )
    const planned = todo.map((task): MicroOp => (task === 'poll' ? ['poll'] : ['send', task.name, this.#value()]))
    client.recorder.invoke('txn', planned, { transactionalId: `id-${client.recorder.process}` })
    client.work = {
      transaction: { state: 'open', unmarked: new Set() },
      done: [],
      todo,
      before: new Map(client.positions),
      planned: planned.filter(micro => micro[0] === 'send'),
    }
  }

  #end(client: Client, work: Work): void {
    client.work = undefined
    const luck = this.#next(100)
    const aborts = luck < this.#options.aborts
    const lost = !aborts && luck < this.#options.aborts + this.#options.lost
    const decide = (state: 'committed' | 'aborted') => {
      work.transaction.state = state
      for (const log of work.transaction.unmarked) {
        this.#later.push(() => {
          work.transaction.unmarked.delete(log)
          log.end += 1
        })
      }
    }
    if (lost) {
      // It may be committed now, be aborted now, or hang until its coordinator aborts it.
      const fate = this.#next(3)
      if (fate < 2) decide(fate === 0 ? 'committed' : 'aborted')
      else this.#later.push(() => decide('aborted'))
      // Nor is it always told where its records are.
      client.recorder.complete('info', this.#next(2) === 0 ? work.done : work.done.map(bare))
      Object.assign(client, this.#client('worker'))
      return
    }
    decide(aborts ? 'aborted' : 'committed')
    client.recorder.complete(aborts ? 'fail' : 'ok', work.done)
    if (aborts && this.#next(2) === 0) client.positions = work.before
  }

  #append(log: Log, value: Value, transaction: Transaction | undefined): MicroOp {
    const offset = log.end++
    log.records.push({ offset, value, transaction })
    transaction?.unmarked.add(log)
    return ['send', log.name, [offset, value]]
  }

  #lastStable(log: Log): Offset {
    const open = log.records.find(({ transaction }) => transaction?.unmarked.has(log) === true)
    return open?.offset ?? log.end
  }

  #poll(client: Client, uncommitted: boolean): PolledRecords {
    const polled: Record<PartitionName, [Offset, Value][]> = {}
    for (const log of this.#logs) {
      if (this.#next(2) === 0) continue
      const from = Math.max(client.positions.get(log) ?? 0, log.start)
      const to = Math.min(from + 1 + this.#next(8), uncommitted ? log.end : this.#lastStable(log))
      client.positions.set(log, Math.max(from, to))
      const records = log.records
        .filter(({ offset }) => offset >= from && offset < to)
        .filter(({ transaction }) => uncommitted || transaction?.state !== 'aborted')
      if (records.length > 0) polled[log.name] = records.map(({ offset, value }) => [offset, value])
    }
    return polled
  }

  #pollAlone(client: Client, uncommitted: boolean): void {
    client.recorder.invoke('poll', [['poll']])
    const details = uncommitted ? ({ isolation: 'read_uncommitted' } as const) : {}
    client.recorder.complete('ok', [['poll', this.#poll(client, uncommitted)]], undefined, details)
  }

  #retain(): void {
    const log = this.#logs[this.#next(this.#logs.length)] as Log
    log.start = Math.max(log.start, this.#next(this.#lastStable(log) + 1))
    this.#recorder.removal({ topic: 't', by: 'retention.ms=1' })
    if (this.#next(2) === 0) this.#observe()
  }

  #observe(): void {
    const partitions = Object.fromEntries(
      this.#logs.map(log => [
        log.name,
        {
          leader: 1,
          leaderEpoch: 0,
          replicas: [1],
          isr: [1],
          highWatermark: log.end,
          ...(log.start > 0 ? { logStartOffset: log.start } : {}),
          logEndOffsets: { '1': log.end },
        },
      ]),
    )
    this.#recorder.observe({ brokers: [1], reachable: [1], controller: 1, partitions })
  }
}

/** A send that names no offset. */
export function bare(micro: MicroOp): MicroOp {
  return micro[0] === 'send' && typeof micro[2] !== 'string' ? ['send', micro[1], micro[2][1]] : micro
}
