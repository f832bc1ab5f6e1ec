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
  /** True: an fsync off the event loop, which never blocks the process. */
  readonly later?: boolean
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
  /** How much later an fsync off the event loop is over, ms. */
  laterMs?(call: DiskCall, effects: FaultEffects): number
  /** True: the fsync claims success and does nothing. */
  skipsSync?(call: DiskCall, effects: FaultEffects): boolean
  /** Bytes that space() may still claim to be free. */
  usableBytesMax?(): number
  /** Added to wall time, ms. */
  wallOffsetMs?(nowMs: number): number
  /** True: no byte passes between this process and that peer, in this direction. */
  dropsLink?(remote: Address, direction: 'in' | 'out'): boolean
  /** How often it took effect, of a fault that counts by itself. */
  counted?(): number
  /** It is taken away: gives back what it holds. */
  healed?(): void
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

/** Which calls of a target a fault is about. Left out: each. */
export interface Occasion {
  /** Only the nth from now; 1 is the next. */
  readonly nth?: number
  /** One call in so many, by chance. */
  readonly oneIn?: number
}

/** Counts calls of a target; tells whether the fault is about this one. */
export function occasions({ nth, oneIn = 1 }: Occasion): (effects: FaultEffects) => boolean {
  let seen = 0
  return effects => {
    if (nth !== undefined) return ++seen === nth
    return oneIn === 1 || effects.random.below(oneIn) === 0
  }
}

/** `, number 3 from now`, for summaries. */
export function describeOccasion({ nth, oneIn = 1 }: Occasion): string {
  if (nth !== undefined) return `, number ${nth} from now`
  return oneIn === 1 ? '' : `, one in ${oneIn}`
}

/** As whoever orders a fault says it: to them the fsyncs of files and directories are one kind of call. */
function nameOf(operation: DiskOperation): string {
  return operation === 'sync' || operation === 'syncDirectory' ? 'fsync' : operation
}

/** `write, fsync of /\.log$/`, for summaries. */
export function describeTarget({ operations: calls, ...target }: DiskTarget, otherwise = 'every file call'): string {
  const operations = calls === undefined ? otherwise : [...new Set(calls.map(nameOf))].join(', ')
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
