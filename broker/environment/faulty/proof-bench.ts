/**
 * Where a fault shows that it works before the node feels it: a twin of it, with a plan of its own, in front of the same disk, on a file that
 * nobody else uses. No count of the real fault (`nth`) is used up by that, and no file of the node is touched.
 */
import { DiskError, type DiskErrorCode, type DiskFile, type Environment } from '../environment.ts'
import { FaultPlan } from './fault-plan.ts'
import type { DiskOperation, Fault } from './fault.ts'
import { faultyEnvironment, type FaultRuntime } from './faulty-environment.ts'
import type { Parameters } from './parameters.ts'

export interface BenchParts {
  /** Without faults. */
  readonly base: Environment
  /** As the node sees it. */
  readonly decorated: Environment
  readonly runtime: FaultRuntime
  /** Path of a file that may be made and removed. */
  readonly scratch: string
  readonly make: (parameters: Parameters) => Fault
  /** By how much the other faults of the node move its wall clock at a monotonic time, ms. */
  readonly otherOffsetMs: (nowMs: number) => number
  /** What the process had in memory before the fault was there; undefined where nobody counts it. */
  readonly residentBytesBefore: number | undefined
}

/** How one file call went. */
export interface Call {
  readonly operation: DiskOperation
  readonly bytes: number
  readonly tookMs: number
  readonly error?: DiskErrorCode
  /** It would have ended the process, and how. */
  readonly crashed?: string
}

/** How often clocks are compared until nothing comes in between. */
const looksMax = 100

/** Stands in for the end of the process. */
class TwinCrash extends Error {}

export class ProofBench {
  readonly #parts: BenchParts

  constructor(parts: BenchParts) {
    this.#parts = parts
  }

  get runtime(): FaultRuntime {
    return this.#parts.runtime
  }

  get residentBytesBefore(): number | undefined {
    return this.#parts.residentBytesBefore
  }

  /** How far this fault alone puts the wall clock that the node reads ahead of the machine's, ms. */
  clockOffsetMs(): number {
    const { base, decorated, otherOffsetMs } = this.#parts
    const others = () => otherOffsetMs(base.clock.monotonicMs())
    for (let look = 1; ; look++) {
      const before = { wallMs: base.clock.wallMs(), othersMs: others() }
      const seenMs = decorated.clock.wallMs()
      const isSteady = base.clock.wallMs() - before.wallMs <= 1 && Math.abs(others() - before.othersMs) <= 1
      // A machine that is busy may stand still between two looks, and another fault may just have jumped.
      if (isSteady || look === looksMax) return seenMs - before.wallMs - before.othersMs
    }
  }

  nowMs(): number {
    return this.#parts.base.clock.monotonicMs()
  }

  wait(ms: number): Promise<void> {
    return new Promise(resolve => void this.#parts.base.timers.after(ms, resolve))
  }

  /** The next turn of the event loop: what blocks the process has ended by then. */
  turn(): Promise<void> {
    return new Promise(resolve => this.#parts.base.timers.soon(resolve))
  }

  /** File calls without the fault, then with a twin that has these parameters. */
  async compare(
    parameters: Parameters,
    work: (probe: DiskProbe) => Promise<Call>,
  ): Promise<{ readonly before: Call; readonly now: Call; readonly content: Buffer }> {
    const { base, runtime, scratch, make } = this.#parts
    const plan = new FaultPlan(base.random)
    const crash = (reason: string): never => {
      throw new TwinCrash(reason)
    }
    const environment = faultyEnvironment(base, plan, { ...runtime, crash })
    const probe = new DiskProbe(environment, scratch, () => this.turn())
    try {
      probe.open()
      const before = await work(probe)
      plan.add(make(parameters))
      const now = await work(probe)
      plan.healAll()
      return { before, now, content: probe.content(base) }
    } finally {
      plan.healAll()
      probe.close()
      base.disk.remove(scratch)
      base.disk.remove(`${scratch}.moved`)
    }
  }
}

export class DiskProbe {
  readonly #environment: Environment
  readonly #path: string
  readonly #turn: () => Promise<void>
  #file: DiskFile | undefined

  constructor(environment: Environment, path: string, turn: () => Promise<void>) {
    this.#environment = environment
    this.#path = path
    this.#turn = turn
  }

  open(): void {
    this.#file = this.#environment.disk.open(this.#path, 'write')
    this.#file.write([Buffer.alloc(4096)], 0)
  }

  close(): void {
    this.#file?.close()
  }

  /** What a reader without faults finds. */
  content({ disk }: Environment): Buffer {
    if (disk.stat(this.#path) === undefined) return Buffer.alloc(0)
    const file = disk.open(this.#path, 'read')
    try {
      const bytes = Buffer.alloc(file.size())
      return bytes.subarray(0, file.read(bytes, 0))
    } finally {
      file.close()
    }
  }

  /** One call on the probe's file; `target` are the zeros that are written, or what is read into. */
  async perform(operation: DiskOperation, target: Buffer = Buffer.alloc(4096)): Promise<Call> {
    const { clock } = this.#environment
    const beganMs = clock.monotonicMs()
    let outcome: { error?: DiskErrorCode; crashed?: string } = {}
    try {
      this.#call(operation, target)
      await this.#turn()
    } catch (error) {
      if (error instanceof DiskError) outcome = { error: error.code }
      else if (error instanceof TwinCrash) outcome = { crashed: error.message }
      else throw error
    }
    return { operation, bytes: target.length, tookMs: clock.monotonicMs() - beganMs, ...outcome }
  }

  #call(operation: DiskOperation, target: Buffer): void {
    const { disk } = this.#environment
    const file = this.#file
    if (file === undefined) throw new Error('the probe has no file yet')
    switch (operation) {
      case 'read':
        return void file.read(target, 0)
      case 'write':
        return file.write([target], 0)
      case 'sync':
      case 'syncDirectory':
        return file.sync()
      case 'open':
        return disk.open(this.#path, 'read').close()
      case 'truncate':
        return file.truncate(4096)
      case 'rename':
        disk.rename(this.#path, `${this.#path}.moved`)
        return disk.rename(`${this.#path}.moved`, this.#path)
      case 'remove':
        return disk.remove(`${this.#path}.moved`)
      case 'list':
      case 'stat':
      case 'makeDirectory':
      case 'space':
      case 'size':
        throw new Error(`no fault is about ${operation} alone`)
    }
  }

  usableBytes(): number {
    return this.#environment.disk.space(this.#path).usableBytes
  }
}
