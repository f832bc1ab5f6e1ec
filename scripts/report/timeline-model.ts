/** From a history to what the timeline draws: who was up, who led, who was in sync, what clients did, and how far the logs had come. */
import { measureAvailability, type AckGap } from '../checkers/availability.ts'
import {
  isRecordOperation,
  sendsOf,
  type FaultValue,
  type History,
  type Observation,
  type Operation,
  type PartitionName,
} from '../history/operation.ts'

export interface Span<T> {
  readonly fromMs: number
  toMs: number
  readonly value: T
}

export type BrokerState = 'up' | 'starting' | 'paused' | 'down'

export interface Fault {
  readonly fromMs: number
  readonly toMs: number
  readonly kind: string
  readonly value: FaultValue
}

export interface PartitionLane {
  readonly name: PartitionName
  readonly replicas: readonly number[]
  readonly leaders: readonly Span<{ readonly leader: number; readonly leaderEpoch: number }>[]
  readonly inSync: readonly Span<readonly number[]>[]
  /** `high watermark`, one series per broker, and `last stable offset` where transactions were open. */
  readonly offsets: ReadonlyMap<string, readonly (readonly [timeMs: number, offset: number])[]>
}

export type Outcome = 'ok' | 'fail' | 'info'

export interface ClientLane {
  readonly name: string
  readonly kind: 'producer' | 'consumer'
  readonly operations: readonly {
    readonly fromMs: number
    readonly toMs: number
    readonly outcome: Outcome
    readonly what: string
  }[]
  /** Times at which a process ended and its successor took over. */
  readonly retiredAtMs: readonly number[]
}

export interface Timeline {
  readonly endMs: number
  readonly phases: readonly { readonly atMs: number; readonly name: string }[]
  readonly faults: readonly Fault[]
  readonly brokers: readonly { readonly id: number; readonly states: readonly Span<BrokerState>[] }[]
  readonly controllers: readonly Span<number>[]
  readonly partitions: readonly PartitionLane[]
  readonly clients: readonly ClientLane[]
  readonly gaps: readonly AckGap[]
  /** When each acknowledged record was acknowledged. */
  readonly acknowledged: readonly { readonly atMs: number; readonly records: number }[]
}

export function timelineOf(history: History): Timeline {
  const endMs = Math.max(1, history.at(-1)?.timeMs ?? 1)
  const observations = history.flatMap(operation =>
    operation.process === 'observer' && operation.f === 'observe'
      ? [{ atMs: operation.timeMs, seen: operation.value }]
      : [],
  )
  return {
    endMs,
    phases: history.flatMap(operation =>
      operation.process === 'lab' && operation.f === 'phase' ? [{ atMs: operation.timeMs, name: operation.value }] : [],
    ),
    faults: faultsOf(history),
    brokers: brokersOf(history, endMs),
    controllers: spans(
      observations.map(({ atMs, seen }) => ({ atMs, value: seen.controller })),
      endMs,
    ),
    partitions: partitionsOf(observations, endMs),
    clients: clientsOf(history, endMs),
    gaps: measureAvailability(history).gaps,
    acknowledged: history
      .filter(isRecordOperation)
      .filter(({ f, type }) => f === 'send' && type === 'ok')
      .map(operation => ({ atMs: operation.timeMs, records: sendsOf(operation).length })),
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

function faultsOf(history: History): Fault[] {
  const faults: Fault[] = []
  const open = new Map<string, number>()
  for (const operation of history) {
    if (operation.process !== 'nemesis') continue
    const value = operation.value
    const key = `${operation.f} ${value.brokers.join()} ${value.target}`
    if (operation.type === 'invoke') open.set(key, operation.timeMs)
    else faults.push({ fromMs: open.get(key) ?? operation.timeMs, toMs: operation.timeMs, kind: operation.f, value })
  }
  return faults
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
    if (operation.process === 'nemesis') applyFault(operation, broken)
    else if (operation.process === 'observer' && operation.f === 'observe')
      reachable = new Set(operation.value.reachable)
    else continue
    for (const [id, states] of samples) {
      const value = broken.get(id) ?? (reachable === undefined || reachable.has(id) ? 'up' : 'starting')
      states.push({ atMs: operation.timeMs, value })
    }
  }
  return [...samples].map(([id, states]) => ({ id, states: spans(states, endMs) }))
}

function applyFault(operation: Operation, broken: Map<number, BrokerState>): void {
  const effect = effects[operation.f]
  const state = operation.type === 'invoke' ? effect?.begun : effect?.done
  for (const id of state ? (operation.value as FaultValue).brokers : []) {
    if (state === 'mended') broken.delete(id)
    else broken.set(id, state as BrokerState)
  }
}

function namedBy(operation: Operation): readonly number[] {
  if (operation.process === 'nemesis') return operation.value.brokers
  if (operation.process !== 'observer' || operation.f !== 'observe') return []
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

function clientsOf(history: History, endMs: number): ClientLane[] {
  const lanes = new Map<
    string,
    { name: string; kind: ClientLane['kind']; operations: ClientLane['operations'][number][]; retiredAtMs: number[] }
  >()
  const open = new Map<number, Operation>()
  const finish = (invoked: Operation, toMs: number, outcome: Outcome, what: string) => {
    if (!isRecordOperation(invoked)) return
    const kind = invoked.f === 'poll' ? 'consumer' : 'producer'
    const lane = lanes.get(invoked.client) ?? { name: invoked.client, kind, operations: [], retiredAtMs: [] }
    lanes.set(invoked.client, lane)
    lane.operations.push({ fromMs: invoked.timeMs, toMs, outcome, what })
  }
  for (const operation of history) {
    if (operation.f === 'crash' && 'client' in operation)
      lanes.get(operation.client)?.retiredAtMs.push(operation.timeMs)
    if (!isRecordOperation(operation)) continue
    if (operation.type === 'invoke') {
      open.set(operation.process, operation)
      continue
    }
    const invoked = open.get(operation.process) ?? operation
    open.delete(operation.process)
    const error = operation.error ? ` (${operation.error.code})` : ''
    finish(invoked, operation.timeMs, operation.type, `${operation.f}: ${operation.type}${error}`)
    if (operation.type === 'info') lanes.get(operation.client)?.retiredAtMs.push(operation.timeMs)
  }
  for (const invoked of open.values()) finish(invoked, endMs, 'info', `${invoked.f}: no answer until the end`)
  return [...lanes.values()].sort((a, b) => a.kind.localeCompare(b.kind) * -1 || a.name.localeCompare(b.name))
}
