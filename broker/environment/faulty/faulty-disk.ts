/** A Disk with the plan's faults in front of it. */
import { DiskError } from '../environment.ts'
import type { DirectoryEntry, Disk, DiskFile, DiskLock, Timers } from '../environment.ts'
import type { ActiveFault, FaultPlan } from './fault-plan.ts'
import type { DiskCall, DiskOperation, FaultEffects } from './fault.ts'

type EffectsOf = (active: ActiveFault) => FaultEffects

export class FaultyDisk implements Disk {
  readonly #base: Disk
  readonly #calls: FaultyCalls

  constructor(parts: {
    readonly base: Disk
    readonly timers: Timers
    readonly plan: FaultPlan
    readonly effectsOf: EffectsOf
  }) {
    this.#base = parts.base
    this.#calls = new FaultyCalls(parts.plan, parts.timers, parts.effectsOf)
  }

  open(path: string, mode: 'read' | 'write'): DiskFile {
    const file = this.#calls.around('open', path, () => this.#base.open(path, mode))
    return new FaultyFile(file, this.#calls)
  }

  list(path: string): DirectoryEntry[] {
    return this.#calls.around('list', path, () => this.#base.list(path))
  }

  stat(path: string): ReturnType<Disk['stat']> {
    return this.#calls.around('stat', path, () => this.#base.stat(path))
  }

  makeDirectory(path: string): void {
    this.#calls.around('makeDirectory', path, () => this.#base.makeDirectory(path))
  }

  rename(from: string, to: string): void {
    this.#calls.around('rename', from, () => this.#base.rename(from, to))
  }

  remove(path: string): void {
    this.#calls.around('remove', path, () => this.#base.remove(path))
  }

  syncDirectory(path: string): void {
    this.#calls.around('syncDirectory', path, () => {
      if (!this.#calls.skipsSync('syncDirectory', path)) this.#base.syncDirectory(path)
    })
  }

  syncDirectoryLater(path: string, done: (error: DiskError | undefined) => void): void {
    this.#calls.later('syncDirectory', path, done, ended => this.#base.syncDirectoryLater(path, ended))
  }

  lock(path: string): DiskLock {
    return this.#base.lock(path)
  }

  openFileLimit(): number | undefined {
    return this.#base.openFileLimit?.()
  }

  space(path: string): { totalBytes: number; usableBytes: number } {
    const { totalBytes, usableBytes } = this.#calls.around('space', path, () => this.#base.space(path))
    return { totalBytes, usableBytes: Math.min(usableBytes, this.#calls.usableBytesMax()) }
  }
}

class FaultyFile implements DiskFile {
  readonly #base: DiskFile
  readonly #calls: FaultyCalls

  constructor(base: DiskFile, calls: FaultyCalls) {
    this.#base = base
    this.#calls = calls
  }

  get path(): string {
    return this.#base.path
  }

  size(): number {
    return this.#calls.around('size', this.path, () => this.#base.size())
  }

  read(target: Uint8Array, position: number): number {
    if (this.#calls.isEmpty) return this.#base.read(target, position)
    const call: DiskCall = { operation: 'read', path: this.path, bytes: target.length }
    this.#calls.before(call)
    const count = this.#base.read(target, position)
    this.#calls.changeRead(call, target.subarray(0, count))
    this.#calls.after(call)
    return count
  }

  write(chunks: readonly Uint8Array[], position: number): void {
    if (this.#calls.isEmpty) return this.#base.write(chunks, position)
    let bytes = 0
    for (const chunk of chunks) bytes += chunk.length
    const call: DiskCall = { operation: 'write', path: this.path, bytes }
    this.#calls.before(call)
    this.#calls.write(call, chunks, changed => this.#base.write(changed, position))
    this.#calls.after(call)
  }

  truncate(bytes: number): void {
    this.#calls.around('truncate', this.path, () => this.#base.truncate(bytes))
  }

  sync(): void {
    this.#calls.around('sync', this.path, () => {
      if (!this.#calls.skipsSync('sync', this.path)) this.#base.sync()
    })
  }

  syncLater(done: (error: DiskError | undefined) => void): void {
    this.#calls.later('sync', this.path, done, ended => this.#base.syncLater(ended))
  }

  close(): void {
    this.#base.close()
  }
}

/** Asks every active fault about one call. */
class FaultyCalls {
  readonly timers: Timers
  readonly #plan: FaultPlan
  readonly #effectsOf: EffectsOf

  constructor(plan: FaultPlan, timers: Timers, effectsOf: EffectsOf) {
    this.timers = timers
    this.#plan = plan
    this.#effectsOf = effectsOf
  }

  get isEmpty(): boolean {
    return this.#plan.isEmpty
  }

  around<T>(operation: DiskOperation, path: string, run: () => T): T {
    if (this.isEmpty) return run()
    const call: DiskCall = { operation, path, bytes: 0 }
    this.before(call)
    const result = run()
    this.after(call)
    return result
  }

  /** One fsync off the event loop. A refusal comes later too, as the caller expects it. */
  later(
    operation: 'sync' | 'syncDirectory',
    path: string,
    done: (error: DiskError | undefined) => void,
    run: (ended: (error: DiskError | undefined) => void) => void,
  ): void {
    if (this.isEmpty) return run(done)
    const call: DiskCall = { operation, path, bytes: 0, later: true }
    let refused: DiskError | undefined
    try {
      this.before(call)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      refused = error
    }
    if (refused !== undefined) return run(() => done(refused))
    const over = (error: DiskError | undefined): void => {
      if (error === undefined) this.after(call)
      done(error)
    }
    const laterMs = this.laterMs(call)
    const end = (error: DiskError | undefined): void => {
      if (laterMs > 0) this.timers.after(laterMs, () => over(error))
      else over(error)
    }
    if (this.skipsSync(operation, path)) this.timers.soon(() => end(undefined))
    else run(end)
  }

  before(call: DiskCall): void {
    for (const active of this.#plan.list()) active.fault.beforeCall?.(call, this.#effectsOf(active))
  }

  after(call: DiskCall): void {
    for (const active of this.#plan.list()) active.fault.afterCall?.(call, this.#effectsOf(active))
  }

  write(call: DiskCall, chunks: readonly Uint8Array[], run: (chunks: readonly Uint8Array[]) => void): void {
    let changed = chunks
    const afterwards: (() => void)[] = []
    for (const active of this.#plan.list()) {
      const change = active.fault.changeWrite?.(call, changed, this.#effectsOf(active))
      if (change === undefined) continue
      changed = change.chunks
      if (change.after !== undefined) afterwards.push(change.after)
    }
    run(changed)
    for (const after of afterwards) after()
  }

  changeRead(call: DiskCall, bytes: Uint8Array): void {
    for (const active of this.#plan.list()) active.fault.changeRead?.(call, bytes, this.#effectsOf(active))
  }

  skipsSync(operation: 'sync' | 'syncDirectory', path: string): boolean {
    const call: DiskCall = { operation, path, bytes: 0 }
    return this.#plan.list().some(active => active.fault.skipsSync?.(call, this.#effectsOf(active)) ?? false)
  }

  laterMs(call: DiskCall): number {
    let sum = 0
    for (const active of this.#plan.list()) sum += active.fault.laterMs?.(call, this.#effectsOf(active)) ?? 0
    return sum
  }

  usableBytesMax(): number {
    let least = Infinity
    for (const { fault } of this.#plan.list()) least = Math.min(least, fault.usableBytesMax?.() ?? Infinity)
    return least
  }
}
