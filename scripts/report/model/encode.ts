/** From a history to the columns that a report holds of it. */
import type { History } from '../../history/operation.ts'
import { timelineOf, type Span } from '../timeline-model.ts'
import { encodeOperations, Names } from './encode-operations.ts'
import { brief, clientEntry, isFault, isObservation, isPhase, isReplicaLog, removalInWords } from './entries.ts'
import { faultsOf } from './faults.ts'
import { placesOf } from './record-places.ts'
import { ticksPerMs, type MarkData, type PartitionData, type RunData, type Series } from './run-data.ts'

export function encodeRun(name: string, history: History): RunData {
  const timeline = timelineOf(history)
  const { endMs } = timeline
  const places = placesOf(history)
  const partitionNames = new Names()
  for (const { name } of timeline.partitions) partitionNames.numberOf(name)
  for (const partition of [...places.keys()].sort()) partitionNames.numberOf(partition)
  const { operations, clients, marks } = encodeOperations(history, endMs, partitionNames, places)
  const lanes = new Map(timeline.partitions.map(lane => [lane.name, lane]))
  return {
    name,
    endMs,
    phases: timeline.phases.map(({ atMs, name }) => [atMs, name] as const),
    faults: faultsOf(history, endMs),
    brokers: timeline.brokers.map(({ id, states }) => ({ id, states: states.map(flat) })),
    controllers: timeline.controllers.map(flat),
    partitions: partitionNames.list.map((name): PartitionData => {
      const lane = lanes.get(name)
      const records = places.get(name)
      return {
        name,
        replicas: lane?.replicas ?? [],
        leaders: lane?.leaders.map(({ fromMs, toMs, value }) => [fromMs, toMs, value.leader, value.leaderEpoch]) ?? [],
        inSync: lane?.inSync.map(flat) ?? [],
        series: [...(lane?.offsets ?? [])].map(([name, points]) => seriesOf(name, points)),
        ...(records?.columns ?? { runs: [], values: [] }),
        contested: records?.contested ?? [],
        repeated: records?.repeated ?? [],
      }
    }),
    clients,
    groups: lagsOf(history),
    marks: [...marks, ...strangersIn(history)].sort((a, b) => a.index - b.index),
    operations,
  }
}

function flat<T>({ fromMs, toMs, value }: Span<T>): [number, number, T] {
  return [fromMs, toMs, value]
}

/** Longer than this without an observation, and a line would claim what nobody saw. */
const gapMs = 2_500

/** Of a stretch of equal values the first and the last point are enough. */
export function seriesOf(name: string, points: readonly (readonly [timeMs: number, value: number])[]): Series {
  const time: number[] = []
  const value: number[] = []
  const gaps: number[] = []
  let ticks = 0
  const add = (ms: number, number: number) => {
    const at = Math.round(ms * ticksPerMs)
    time.push(at - ticks)
    value.push(number)
    ticks = at
  }
  points.forEach(([ms, number], index) => {
    const previous = points[index - 1]
    const next = points[index + 1]
    const isGap = previous !== undefined && ms - previous[0] > gapMs
    const isEnd = next === undefined || next[0] - ms > gapMs
    if (isGap) gaps.push(time.length)
    if (previous?.[1] !== number || next?.[1] !== number || isGap || isEnd) add(ms, number)
  })
  return { name, of: seriesKind(name), time, value, gaps }
}

function seriesKind(name: string): Series['of'] {
  if (name === 'high watermark') return 'hw'
  if (name === 'last stable offset') return 'lso'
  if (name === 'log start offset') return 'start'
  return name.startsWith('broker ') ? Number(name.slice('broker '.length)) : 'lag'
}

function lagsOf(history: History): Series[] {
  const lags = new Map<string, [number, number][]>()
  for (const operation of history) {
    if (!isObservation(operation)) continue
    for (const [group, { lag }] of Object.entries(operation.value.groups ?? {})) {
      if (lag === null) continue
      const points = lags.get(group) ?? []
      lags.set(group, points)
      points.push([operation.timeMs, lag])
    }
  }
  return [...lags].map(([group, points]) => seriesOf(group, points))
}

/** A fact: something that a script measured or saw. */
function isNamed(value: unknown): value is { readonly name: string; readonly value: unknown } {
  return typeof (value as { name?: unknown } | null)?.name === 'string'
}

/** Facts, and entries that are of no kind this version draws. */
function strangersIn(history: History): MarkData[] {
  return history.flatMap((operation): MarkData[] => {
    if (clientEntry(operation) || 'client' in operation || isPhase(operation)) return []
    if (isFault(operation) || isObservation(operation) || isReplicaLog(operation)) return []
    const removal = removalInWords(operation)
    if (removal !== undefined) return [{ atMs: operation.timeMs, index: operation.index, text: removal }]
    const { index, timeMs, process, f, value } = operation as {
      index: number
      timeMs: number
      process: unknown
      f: string
      value: unknown
    }
    if (process === 'lab' && isNamed(value))
      return [{ atMs: timeMs, index, text: `${value.name}: ${brief(value.value)}` }]
    return [{ atMs: timeMs, index, text: `${brief(process)}: ${f} ${brief(value)}` }]
  })
}
