/**
 * Writes a history while a run goes on. It owns the index, the time and the process numbers, and refuses what the form forbids (a
 * completion without invocation, a retired process that goes on): a history that breaks them would make every verdict worthless.
 */
import type {
  ClientOperation,
  FactValue,
  FaultValue,
  GroupOperation,
  GroupValue,
  History,
  MicroOp,
  Observation,
  Operation,
  OperationError,
  OperationType,
  RecordOperation,
  Removal,
  ReplicaLog,
} from './operation.ts'

/** The only thing the recorder wants from the world. `cluster.clock` fits; in the simulator it is virtual. */
export interface HistoryClock {
  nowMs(): number
}

/** `Omit` that keeps the members of a union apart. */
type OmitEach<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
type Draft = OmitEach<Operation, 'index' | 'timeMs'>

export type Completion = 'ok' | 'fail' | 'info'

/** What a record operation tells beside its records. */
export type RecordDetails = Pick<RecordOperation, 'transactionalId' | 'commits' | 'isolation' | 'rebalanced'>

export class HistoryRecorder {
  readonly #clock: HistoryClock
  readonly #startMs: number
  readonly #operations: Operation[] = []
  readonly #listeners: ((operation: Operation) => void)[] = []
  #nextProcess = 0

  constructor(clock: HistoryClock) {
    this.#clock = clock
    this.#startMs = clock.nowMs()
  }

  /** Everything so far. The array grows while the run goes on. */
  get history(): History {
    return this.#operations
  }

  /** Milliseconds since the start of the run, to a tenth. */
  get nowMs(): number {
    return Math.round((this.#clock.nowMs() - this.#startMs) * 10) / 10
  }

  /** Calls `listener` with every entry from now on, e.g. to show progress or to write a file along. */
  listen(listener: (operation: Operation) => void): void {
    this.#listeners.push(listener)
  }

  /** A new client instance: the only way to get a process number. */
  client(name: string): ClientRecorder {
    return new ClientRecorder(this, this.#nextProcess++, name)
  }

  /** Records a fault around its action; the action answers what it hit. A thrown error is recorded as `info` and thrown on. */
  async fault<T extends FaultValue>(kind: string, planned: FaultValue, action: () => Promise<T>): Promise<T> {
    this.append({ process: 'nemesis', type: 'invoke', f: kind, value: planned })
    try {
      const done = await action()
      this.append({
        process: 'nemesis',
        type: 'ok',
        f: kind,
        value: { brokers: done.brokers, target: done.target, ...detail(done) },
      })
      return done
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.append({
        process: 'nemesis',
        type: 'info',
        f: kind,
        value: planned,
        error: { code: 'FAULT_FAILED', message, definite: false },
      })
      throw error
    }
  }

  observe(value: Observation): void {
    this.append({ process: 'observer', type: 'ok', f: 'observe', value })
  }

  replicaLog(value: ReplicaLog): void {
    this.append({ process: 'observer', type: 'ok', f: 'read-replica', value })
  }

  phase(value: string): void {
    this.append({ process: 'lab', type: 'ok', f: 'phase', value })
  }

  /** What a check of the lab's own looks at. A name may come again: the last value counts. */
  fact(name: string, value: FactValue): void {
    this.append({ process: 'lab', type: 'ok', f: 'fact', value: { name, value } })
  }

  /** Records may leave the beginning of logs, and nobody is to miss them. */
  removal(value: Removal): void {
    this.append({ process: 'lab', type: 'ok', f: 'removal', value })
  }

  append(draft: Draft): Operation {
    const operation = { index: this.#operations.length, timeMs: this.nowMs, ...draft } as Operation
    this.#operations.push(operation)
    for (const listener of this.#listeners) listener(operation)
    return operation
  }
}

function detail({ detail, hidden }: FaultValue): Pick<FaultValue, 'detail' | 'hidden'> {
  return { ...(detail === undefined ? {} : { detail }), ...(hidden === undefined ? {} : { hidden }) }
}

/** One client instance's hand on the history: one operation at a time, nothing after `info` or `crash`. */
export class ClientRecorder {
  readonly process: number
  readonly client: string
  readonly #recorder: HistoryRecorder
  #open: RecordOperation['f'] | undefined
  #retired = false

  constructor(recorder: HistoryRecorder, process: number, client: string) {
    this.#recorder = recorder
    this.process = process
    this.client = client
  }

  /** True after an indefinite completion: close the client, and ask the recorder for a new one. */
  get retired(): boolean {
    return this.#retired
  }

  invoke(f: RecordOperation['f'], value: readonly MicroOp[], details: RecordDetails = {}): void {
    if (this.#retired)
      throw new Error(`process ${this.process} (${this.client}) is retired and cannot invoke ${f}: start a new one`)
    if (this.#open)
      throw new Error(`process ${this.process} (${this.client}) invoked ${f} while its ${this.#open} is open`)
    this.#open = f
    this.#append('invoke', f, value, details)
  }

  complete(type: Completion, value: readonly MicroOp[], error?: OperationError, details: RecordDetails = {}): void {
    const f = this.#open
    if (!f) throw new Error(`process ${this.process} (${this.client}) completed an operation that it had not invoked`)
    this.#open = undefined
    if (type === 'info') this.#retired = true
    this.#append(type, f, value, details, error)
  }

  /** Which partitions the client reads from now on. */
  partitions(f: 'assign' | 'subscribe', value: readonly string[]): void {
    this.#client(f, value)
  }

  /** What the client did as the member of a group, or was told. */
  group(f: GroupOperation['f'], value: GroupValue, type: Completion = 'ok'): void {
    this.#recorder.append({ process: this.process, client: this.client, type, f, value })
  }

  /** The client instance is gone, on purpose or not. */
  crash(): void {
    if (this.#retired) return
    this.#retired = true
    this.#client('crash', [])
  }

  #client(f: ClientOperation['f'], value: readonly string[]): void {
    this.#recorder.append({ process: this.process, client: this.client, type: 'ok', f, value })
  }

  #append(
    type: OperationType,
    f: RecordOperation['f'],
    value: readonly MicroOp[],
    details: RecordDetails,
    error?: OperationError,
  ): void {
    const { process, client } = this
    this.#recorder.append({ process, client, type, f, value, ...details, ...(error ? { error } : {}) })
  }
}
