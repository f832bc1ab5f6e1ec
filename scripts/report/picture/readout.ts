/** What lies under the pointer: the operation, and lines of text that say what is there. */
import { at, type Run } from '../model/run.ts'
import { outcomes, ticksPerMs, type FaultData, type Series } from '../model/run-data.ts'
import { faultName } from './chart.ts'
import { rowAt, type Row } from './layout.ts'
import { latencyScale, momentMs } from './plots.ts'
import { nearest, type Scene } from './scene.ts'
import { numberText, offsetsText, outcomeWords, stateWords, timeText } from './words.ts'

export interface Readout {
  readonly atMs: number
  readonly lines: readonly string[]
  /** The operation under the pointer. */
  readonly operation?: number
}

/** How far beside an operation a pointer may be, in pixels. */
const tolerance = 5

export function readoutAt(scene: Scene, x: number, y: number): Readout | undefined {
  const { scale, layout } = scene
  if (x < scale.left || x > scale.right || y < 0 || y >= layout.height) return undefined
  const atMs = scale.invert(x)
  const row = rowAt(layout, y)
  const operation = row && operationAt(scene, row, x, y, atMs)
  const lines = row ? (operation === undefined ? rowLines(scene, row, atMs) : operationLines(scene.run, operation)) : []
  const faults = scene.run.data.faults.filter(fault => !fault.mends && atMs >= fault.fromMs && atMs <= fault.toMs)
  return {
    atMs,
    lines: [timeText(atMs), ...lines, ...(faults.length > 0 ? [`at work: ${faults.map(faultName).join('; ')}`] : [])],
    ...(operation === undefined ? {} : { operation }),
  }
}

function operationAt(scene: Scene, row: Row, x: number, y: number, atMs: number): number | undefined {
  const { run, scale, shown } = scene
  if (row.kind === 'client') {
    const found = nearest(run, row.client, atMs, shown)
    if (found === undefined) return undefined
    const isNear = x >= scale(at(run.start, found)) - tolerance && x <= scale(at(run.end, found)) + tolerance
    return isNear ? found : undefined
  }
  if (row.kind !== 'latency') return undefined
  const height = latencyScale(scene, row)
  let best: { operation: number; distance: number } | undefined
  for (const operation of scene.statistics.timed) {
    const dx = scale(at(run.end, operation)) - x
    if (Math.abs(dx) > tolerance) continue
    const distance = Math.hypot(dx, height(at(run.end, operation) - at(run.start, operation)) - y)
    if (distance <= tolerance && distance < (best?.distance ?? Infinity)) best = { operation, distance }
  }
  return best?.operation
}

/** `send by producer-0: ok, 12.5 ms`, and where its records are. */
export function operationLines(run: Run, operation: number, most = 4): string[] {
  const lasted = at(run.end, operation) - at(run.start, operation)
  const outcome = outcomeWords[run.outcomeOf(operation)]
  const error = run.errorOf(operation)
  const touches = run.touchesOf(operation)
  const lines = touches.slice(0, most).map(({ action, partition, offset, values }) => {
    const where = `${run.partition(partition)?.name ?? '?'} at ${offsetsText(offset, values.length)}`
    const what = values.length === 1 ? values[0] : `${values.length} records, ${values[0]} … ${values.at(-1)}`
    return `${action} ${where}: ${what}`
  })
  return [
    `${run.kindOf(operation)} by ${run.clientOf(operation)}: ${outcome}, ${timeText(lasted)}`,
    ...lines,
    ...(touches.length > most ? [`and ${touches.length - most} more`] : []),
    ...(error === undefined ? [] : [error]),
  ]
}

function rowLines(scene: Scene, row: Row, atMs: number): string[] {
  const { data } = scene.run
  switch (row.kind) {
    case 'steps': {
      const step = data.phases.findLast(([fromMs]) => fromMs <= atMs)
      return step ? [`step: ${step[1]}`] : []
    }
    case 'faults':
      return data.faults.filter(fault => touchesTime(fault, atMs)).map(faultLine)
    case 'broker': {
      const broker = data.brokers[row.index]
      const state = broker?.states.find(holds(atMs))?.[2] ?? 'up'
      const controls = data.controllers.find(holds(atMs))?.[2] === broker?.id
      return [`${row.label}: ${stateWords[state] ?? state}${controls ? ', active controller' : ''}`]
    }
    case 'leader':
    case 'in-sync':
    case 'offsets':
      return partitionLines(scene, row.partition, atMs)
    case 'group':
      return seriesLines(data.groups.slice(row.index, row.index + 1), atMs)
    case 'marks':
      return nearbyMarks(scene, atMs)
    case 'throughput':
      return throughputLines(scene, atMs)
    case 'latency':
      return latencyLines(scene, atMs)
    case 'client':
      return [row.label]
    case 'axis':
    case 'heading':
      return []
  }
}

function holds(atMs: number) {
  return ([fromMs, toMs]: readonly [number, number, unknown]) => atMs >= fromMs && atMs <= toMs
}

function touchesTime({ fromMs, toMs }: FaultData, atMs: number): boolean {
  return atMs >= fromMs && atMs <= toMs
}

export function faultLine(fault: FaultData): string {
  const lasted = fault.toMs - fault.fromMs
  const end = fault.mended
    ? `undone after ${timeText(lasted)}`
    : lasted > 0 && fault.toMs > fault.doneMs
      ? 'never undone'
      : ''
  return [`${faultName(fault)} (${fault.target})`, `at ${timeText(fault.fromMs)}`, fault.detail, end, fault.failed]
    .filter(text => text !== undefined && text !== '')
    .join(', ')
}

function partitionLines({ run }: Scene, partition: number, atMs: number): string[] {
  const data = run.data.partitions[partition]
  if (!data) return []
  const leader = data.leaders.find(([fromMs, toMs]) => atMs >= fromMs && atMs <= toMs)
  const isr = data.inSync.find(holds(atMs))?.[2]
  const led = leader && leader[2] >= 0 ? `led by broker ${leader[2]}, epoch ${leader[3]}` : 'no leader'
  return [
    `${data.name}: ${led}`,
    ...(isr === undefined ? [] : [`in sync: ${isr.join(', ') || 'nobody'}`]),
    ...seriesLines(data.series, atMs),
  ]
}

const seriesWords: Readonly<Record<string, string>> = {
  hw: 'high watermark',
  lso: 'last stable offset',
  start: 'log start offset',
}

function seriesLines(series: readonly Series[], atMs: number): string[] {
  return series.flatMap(one => {
    const value = valueAt(one, atMs)
    if (value === undefined) return []
    const name = seriesWords[one.of] ?? (one.of === 'lag' ? `lag of ${one.name}` : `log end offset, ${one.name}`)
    return [`${name}: ${numberText(value)}`]
  })
}

/** The value that was seen last. */
export function valueAt({ time, value }: Series, atMs: number): number | undefined {
  let ticks = 0
  let found: number | undefined
  for (const [index, step] of time.entries()) {
    ticks += step
    if (ticks / ticksPerMs > atMs) break
    found = value[index]
  }
  return found
}

function nearbyMarks({ run, scale }: Scene, atMs: number): string[] {
  const near = run.data.marks.filter(
    ({ client, atMs: markMs }) => client === undefined && Math.abs(scale(markMs) - scale(atMs)) <= tolerance,
  )
  return near.slice(0, 3).map(({ index, text }) => `#${index} ${text}`)
}

function throughputLines(scene: Scene, atMs: number): string[] {
  const step = momentMs(scene, 8)
  const { acknowledged, read } = scene.statistics.throughput(step)
  const moment = Math.min(acknowledged.length - 1, Math.floor(atMs / step))
  const rate = (records: number) => numberText((records * 1_000) / step)
  return [
    `acknowledged: ${rate(acknowledged[moment] ?? 0)} records/s`,
    `read: ${rate(read[moment] ?? 0)} records/s (over ${timeText(step)})`,
  ]
}

function latencyLines(scene: Scene, atMs: number): string[] {
  const step = momentMs(scene, 28)
  const bucket = scene.statistics.latency(step).find(({ fromMs }) => atMs >= fromMs && atMs < fromMs + step)
  if (!bucket) return [`no ${outcomes[0]} answer within ${timeText(step)}`]
  return [
    `p50 ${timeText(bucket.median)}, p99 ${timeText(bucket.p99)}`,
    `of ${numberText(bucket.count)} answers within ${timeText(step)}`,
  ]
}
