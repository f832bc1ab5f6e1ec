/** From a history to what was seen of the cluster: who was up, who led, who was in sync, and how far the logs had come. */
import type { FaultOperation, History, Observation, Operation, PartitionName } from '../history/operation.ts'
import { isFault, isObservation, isPhase } from './model/entries.ts'

export interface Span<T> {
  readonly fromMs: number
  toMs: number
  readonly value: T
}

export type BrokerState = 'up' | 'starting' | 'paused' | 'down'

export interface PartitionLane {
  readonly name: PartitionName
  readonly replicas: readonly number[]
  readonly leaders: readonly Span<{ readonly leader: number; readonly leaderEpoch: number }>[]
  readonly inSync: readonly Span<readonly number[]>[]
  /** `high watermark`, one series per broker (log end offset), `last stable offset` and `log start offset` where they differ from the usual. */
  readonly offsets: ReadonlyMap<string, readonly (readonly [timeMs: number, offset: number])[]>
}

export interface Timeline {
  readonly endMs: number
  readonly phases: readonly { readonly atMs: number; readonly name: string }[]
  readonly brokers: readonly { readonly id: number; readonly states: readonly Span<BrokerState>[] }[]
  readonly controllers: readonly Span<number>[]
  readonly partitions: readonly PartitionLane[]
}

export function timelineOf(history: History): Timeline {
  const endMs = Math.max(1, history.at(-1)?.timeMs ?? 1)
  const observations = history.flatMap(operation =>
    isObservation(operation) ? [{ atMs: operation.timeMs, seen: operation.value }] : [],
  )
  return {
    endMs,
    phases: history.flatMap(operation =>
      isPhase(operation) ? [{ atMs: operation.timeMs, name: operation.value }] : [],
    ),
    brokers: brokersOf(history, endMs),
    controllers: spans(
      observations.map(({ atMs, seen }) => ({ atMs, value: seen.controller })),
      endMs,
    ),
    partitions: partitionsOf(observations, endMs),
  }
}

/** Merges samples into spans of equal value. */
function spans<T>(samples: readonly { readonly atMs: number; readonly value: T }[], endMs: number): Span<T>[] {
  const merged: (Span<T> & { key: string })[] = []
  for (const { atMs, value } of samples) {
    const key = JSON.stringify(value)
    const last = merged.at(-1)
    if (last) last.toMs = atMs
    if (last?.key !== key) merged.push({ fromMs: atMs, toMs: atMs, value, key })
  }
  const last = merged.at(-1)
  if (last) last.toMs = endMs
  return merged
}

const effects: Readonly<Record<string, { readonly begun?: BrokerState; readonly done?: BrokerState | 'mended' }>> = {
  kill: { begun: 'down' },
  stop: { done: 'down' },
  'power-failure': { begun: 'down' },
  start: { done: 'mended' },
  restart: { begun: 'down', done: 'mended' },
  pause: { done: 'paused' },
  resume: { done: 'mended' },
}

function brokersOf(history: History, endMs: number): Timeline['brokers'] {
  const ids = new Set<number>()
  for (const operation of history) for (const id of namedBy(operation)) ids.add(id)
  const broken = new Map<number, BrokerState>()
  let reachable: ReadonlySet<number> | undefined
  const samples = new Map<number, { atMs: number; value: BrokerState }[]>(
    [...ids].sort((a, b) => a - b).map(id => [id, [{ atMs: 0, value: 'up' }]]),
  )
  for (const operation of history) {
    if (isFault(operation)) applyFault(operation, broken)
    else if (isObservation(operation)) reachable = new Set(operation.value.reachable)
    else continue
    for (const [id, states] of samples) {
      const value = broken.get(id) ?? (reachable === undefined || reachable.has(id) ? 'up' : 'starting')
      states.push({ atMs: operation.timeMs, value })
    }
  }
  return [...samples].map(([id, states]) => ({ id, states: spans(states, endMs) }))
}

function applyFault(operation: FaultOperation, broken: Map<number, BrokerState>): void {
  const effect = effects[operation.f]
  const state = operation.type === 'invoke' ? effect?.begun : effect?.done
  for (const id of state ? operation.value.brokers : []) {
    if (state === 'mended') broken.delete(id)
    else broken.set(id, state as BrokerState)
  }
}

function namedBy(operation: Operation): readonly number[] {
  if (isFault(operation)) return operation.value.brokers
  if (!isObservation(operation)) return []
  return [...operation.value.brokers, ...operation.value.reachable]
}

function partitionsOf(observations: readonly { atMs: number; seen: Observation }[], endMs: number): PartitionLane[] {
  const names = [...new Set(observations.flatMap(({ seen }) => Object.keys(seen.partitions)))].sort(byNumber)
  return names.map(name => {
    const samples = observations.flatMap(({ atMs, seen }) => {
      const partition = seen.partitions[name]
      return partition ? [{ atMs, partition }] : []
    })
    const offsets = new Map<string, [number, number][]>()
    const add = (series: string, atMs: number, offset: number) => {
      const points = offsets.get(series) ?? []
      offsets.set(series, points)
      points.push([atMs, offset])
    }
    for (const { atMs, partition } of samples) {
      if (partition.highWatermark !== null) add('high watermark', atMs, partition.highWatermark)
      if (partition.lastStableOffset !== undefined) add('last stable offset', atMs, partition.lastStableOffset)
      if (partition.logStartOffset !== undefined) add('log start offset', atMs, partition.logStartOffset)
      for (const [broker, offset] of Object.entries(partition.logEndOffsets)) add(`broker ${broker}`, atMs, offset)
    }
    return {
      name,
      replicas: samples[0]?.partition.replicas.toSorted((a, b) => a - b) ?? [],
      leaders: spans(
        samples.map(({ atMs, partition: { leader, leaderEpoch } }) => ({ atMs, value: { leader, leaderEpoch } })),
        endMs,
      ),
      inSync: spans(
        samples.map(({ atMs, partition }) => ({ atMs, value: partition.isr })),
        endMs,
      ),
      offsets,
    }
  })
}

function byNumber(a: string, b: string): number {
  return Number(a.slice(a.lastIndexOf('-') + 1)) - Number(b.slice(b.lastIndexOf('-') + 1))
}
