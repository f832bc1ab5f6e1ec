/**
 * What a report holds of one run, as columns: a run of a hundred thousand operations is some numbers per operation, not an object. Written by
 * `encode.ts`, read in the page by `run.ts`.
 */

/** `open`: it had no answer when the run ended. */
export const outcomes = ['ok', 'fail', 'info', 'open'] as const
export type Outcome = (typeof outcomes)[number]

/** What an operation did to a partition. */
export const actions = ['send', 'poll'] as const
export type Action = (typeof actions)[number]

/** Times of operations are in tenths of a millisecond, as the recorder writes them. */
export const ticksPerMs = 10

export interface OperationColumns {
  /** What `kind` counts in: `send`, `poll`, `txn`, … */
  readonly kinds: readonly string[]
  /** `CODE: message`; `error` counts in it from 1, 0 is no error. */
  readonly errors: readonly string[]
  /** Per operation, in the order of invocation; clients, processes, kinds, outcomes. */
  readonly client: readonly number[]
  readonly process: readonly number[]
  readonly kind: readonly number[]
  readonly outcome: readonly number[]
  /** Ticks since the operation before began. */
  readonly start: readonly number[]
  /** Ticks. */
  readonly duration: readonly number[]
  /** Entries of the history since that of the operation before. */
  readonly invoked: readonly number[]
  /** Entries from invocation to completion; 0 where there is only one entry. */
  readonly completed: readonly number[]
  readonly error: readonly number[]
  /** How many touches belong to the operation; they follow each other in the four columns below. */
  readonly touches: readonly number[]
  /** Per touch: a run of records in one partition, one offset after the other. `offset` is -1 where nobody knows it. */
  readonly action: readonly number[]
  readonly partition: readonly number[]
  readonly offset: readonly number[]
  readonly count: readonly number[]
  /** Values of the touches whose values are not those that `values` of the partition names. */
  readonly explicit: readonly (readonly [touch: number, values: readonly string[]])[]
  /** What an operation of a kind that this version does not know carried, as text. */
  readonly notes: readonly (readonly [operation: number, text: string])[]
}

export interface Series {
  readonly name: string
  /** `hw`, `lso`, `start` (of the log), `lag`; or the broker whose log end offset it is. */
  readonly of: 'hw' | 'lso' | 'start' | 'lag' | number
  /** Ticks, each since the one before. */
  readonly time: readonly number[]
  readonly value: readonly number[]
  /** Times (index into `time`) before which nothing was known for a while, so that no line leads there. */
  readonly gaps: readonly number[]
}

export interface ContestedOffset {
  readonly offset: number
  readonly values: readonly string[]
}

export interface PartitionData {
  readonly name: string
  readonly replicas: readonly number[]
  readonly leaders: readonly (readonly [fromMs: number, toMs: number, leader: number, epoch: number])[]
  readonly inSync: readonly (readonly [fromMs: number, toMs: number, isr: readonly number[]])[]
  readonly series: readonly Series[]
  /** Which value lies at which offset, as first seen: runs of offsets, and the values of all runs one after the other. */
  readonly runs: readonly (readonly [first: number, count: number])[]
  readonly values: readonly string[]
  /** Offsets at which more than one value was seen. */
  readonly contested: readonly ContestedOffset[]
  /** Offsets of values that lie at several offsets. */
  readonly repeated: readonly number[]
}

export interface FaultData {
  readonly kind: string
  readonly fromMs: number
  /** When it had taken effect. */
  readonly doneMs: number
  /** When it was undone, or the end of the run. */
  readonly toMs: number
  readonly brokers: readonly number[]
  readonly target: string
  readonly detail?: string
  /** Whether somebody undid it in the run. */
  readonly mended: boolean
  /** It mends something else (`start`, `resume`, `heal-…`). */
  readonly mends: boolean
  /** Why it could not be applied. */
  readonly failed?: string
}

export interface MarkData {
  readonly atMs: number
  readonly index: number
  readonly client?: number
  readonly text: string
}

export interface RunData {
  readonly name: string
  readonly endMs: number
  readonly phases: readonly (readonly [atMs: number, name: string])[]
  readonly faults: readonly FaultData[]
  readonly brokers: readonly {
    readonly id: number
    readonly states: readonly (readonly [fromMs: number, toMs: number, state: string])[]
  }[]
  readonly controllers: readonly (readonly [fromMs: number, toMs: number, id: number])[]
  readonly partitions: readonly PartitionData[]
  readonly clients: readonly { readonly name: string; readonly retiredAtMs: readonly number[] }[]
  /** Lag of each watched group. */
  readonly groups: readonly Series[]
  /** Assignments, crashes, and entries of kinds that this version does not know. */
  readonly marks: readonly MarkData[]
  readonly operations: OperationColumns
}
