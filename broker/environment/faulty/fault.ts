/**
 * What a fault is: a small named value with hooks into the calls of an Environment. A fault decides nothing about targets or schedules;
 * whoever adds it to a plan does. It must count a hit only when it really changed something: that is the proof that it took effect.
 */
import type { Address, Random } from '../environment.ts'

export type DiskOperation =
  | 'open'
  | 'list'
  | 'stat'
  | 'makeDirectory'
  | 'rename'
  | 'remove'
  | 'syncDirectory'
  | 'space'
  | 'size'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'

export interface DiskCall {
  readonly operation: DiskOperation
  readonly path: string
  /** Bytes read or written, 0 for other calls. */
  readonly bytes: number
}

/** What a fault may do besides throwing a DiskError. */
export interface FaultEffects {
  readonly random: Random
  /** Monotonic ms. */
  nowMs(): number
  /** Blocks the process for that long, as a slow call does. */
  stall(delayMs: number): void
  /** Ends the process as a crash does; never returns. */
  crash(reason: string): never
  /** Counts that the fault took effect. */
  hit(): void
}

/** What is really written, and what happens then. */
export interface ChangedWrite {
  readonly chunks: readonly Uint8Array[]
  readonly after?: () => void
}

export interface Fault {
  readonly kind: string
  /** One English line with the parameters, for lists and reports. */
  readonly summary: string
  /** Before a file call: throws a DiskError to refuse it, stalls to slow it down. */
  beforeCall?(call: DiskCall, effects: FaultEffects): void
  /** After a file call that worked. */
  afterCall?(call: DiskCall, effects: FaultEffects): void
  /** Undefined: the write goes on unchanged. */
  changeWrite?(call: DiskCall, chunks: readonly Uint8Array[], effects: FaultEffects): ChangedWrite | undefined
  /** May change the bytes that were read. */
  changeRead?(call: DiskCall, bytes: Uint8Array, effects: FaultEffects): void
  /** True: the fsync claims success and does nothing. */
  skipsSync?(call: DiskCall, effects: FaultEffects): boolean
  /** Bytes that space() may still claim to be free. */
  usableBytesMax?(): number
  /** Added to wall time, ms. */
  wallOffsetMs?(nowMs: number): number
  /** True: no byte passes between this process and that peer, in this direction. */
  dropsLink?(remote: Address, direction: 'in' | 'out'): boolean
}

/** Which file calls a disk fault is about. Left out: all. */
export interface DiskTarget {
  readonly operations?: readonly DiskOperation[]
  /** Matched against the whole path. */
  readonly path?: RegExp
}

export function targets(target: DiskTarget, call: DiskCall): boolean {
  if (target.operations !== undefined && !target.operations.includes(call.operation)) return false
  return target.path === undefined || target.path.test(call.path)
}

/** `write, sync of /\.log$/`, for summaries. */
export function describeTarget(target: DiskTarget, otherwise = 'every file call'): string {
  const operations = target.operations?.join(', ') ?? otherwise
  return target.path === undefined ? operations : `${operations} of ${String(target.path)}`
}

/** The first `bytes` bytes of all chunks together. */
export function firstBytes(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const first: Uint8Array[] = []
  let left = bytes
  for (const chunk of chunks) {
    if (left <= 0) break
    first.push(chunk.length <= left ? chunk : chunk.subarray(0, left))
    left -= chunk.length
  }
  return first
}
