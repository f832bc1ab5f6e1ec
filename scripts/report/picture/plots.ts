/** Latency (a point per operation, lines for median and 99th percentile) and throughput, on the axis of the timeline. */
import { at } from '../model/run.ts'
import { outcomes } from '../model/run-data.ts'
import type { Row } from './layout.ts'
import type { Ink, Painter } from './painter.ts'
import type { Scene } from './scene.ts'
import type { LatencyBucket } from './statistics.ts'
import { kindInk } from './client-lanes.ts'
import { roundStep } from './window.ts'
import { numberText } from './words.ts'

const ok = outcomes.indexOf('ok')
const fail = outcomes.indexOf('fail')

/** Latencies are drawn on a logarithmic scale: a failover takes a thousand times as long as a write. */
export function latencyScale({ statistics: { least, most } }: Scene, row: Row): (ms: number) => number {
  const [low, high] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))]
  const [top, bottom] = [row.y + 6, row.y + row.height - 8]
  return ms => bottom - ((Math.log10(Math.max(ms, least)) - low) / Math.max(1, high - low)) * (bottom - top)
}

/** Shorter moments have too few answers to have a 99th percentile, or a rate. */
const shortestMomentMs = 100

/** How long a moment is at this zoom: so many pixels at least. */
export function momentMs({ scale }: Scene, pixels: number): number {
  return Math.max(
    shortestMomentMs,
    roundStep(((scale.window.to - scale.window.from) / (scale.right - scale.left)) * pixels),
  )
}

export function drawLatency(painter: Painter, scene: Scene, row: Row): void {
  const { scale, statistics } = scene
  const y = latencyScale(scene, row)
  for (let power = Math.ceil(Math.log10(statistics.least)); 10 ** power <= statistics.most; power += 1)
    painter.line([scale.left, y(10 ** power), scale.right, y(10 ** power)], 'line')
  points(painter, scene, row, y)
  const step = momentMs(scene, 28)
  const inSight = statistics
    .latency(step)
    .filter(({ fromMs }) => fromMs + step >= scale.window.from && fromMs <= scale.window.to)
  // No line leads over moments in which nobody was answered.
  const pieces: LatencyBucket[][] = []
  inSight.forEach((bucket, index) => {
    const before = inSight[index - 1]
    if (before && bucket.fromMs - before.fromMs < 1.5 * step) pieces.at(-1)?.push(bucket)
    else pieces.push([bucket])
  })
  for (const piece of pieces) {
    // A moment that stands alone is drawn as wide as it is.
    const alone = piece.length === 1
    const lineOf = (pick: 'median' | 'p99') =>
      piece.flatMap(bucket => {
        const [from, to] = [scale(bucket.fromMs), scale(bucket.fromMs + step)]
        const height = y(bucket[pick])
        return alone ? [from, height, to, height] : [(from + to) / 2, height]
      })
    painter.line(lineOf('p99'), 'p99', 2, [6, 3])
    painter.line(lineOf('median'), 'p50', 2)
  }
  for (let power = Math.ceil(Math.log10(statistics.least)); 10 ** power <= statistics.most; power += 1)
    tag(painter, powerText(10 ** power), scale.left + 3, y(10 ** power) + 4, 'soft')
  const last = inSight.at(-1)
  if (!last) return
  const x = Math.min(scale(last.fromMs + step / 2), scale.right) - 30
  tag(painter, 'p99', x, y(last.p99) - 4, 'p99')
  tag(painter, 'p50', x, y(last.median) + 12, 'p50')
}

function powerText(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`
}

function tag(painter: Painter, text: string, x: number, y: number, ink: Ink): void {
  painter.rect(x - 1, y - 9, painter.widthOf(text) + 2, 11, 'card')
  painter.text(text, x, y, ink, { size: 10 })
}

/** What falls into one square of three pixels is drawn once. */
const cell = 3

function points(painter: Painter, { run, scale, statistics }: Scene, row: Row, y: (ms: number) => number): void {
  const columns = Math.ceil((scale.right - scale.left) / cell) + 1
  const taken = new Uint8Array(columns * (Math.ceil(row.height / cell) + 1))
  const rest: number[] = []
  for (const operation of statistics.timed) {
    const end = at(run.end, operation)
    if (end < scale.window.from || end > scale.window.to) continue
    if (at(run.outcome, operation) !== ok) {
      rest.push(operation)
      continue
    }
    const [x, height] = [scale(end), y(end - at(run.start, operation))]
    const place = Math.floor((height - row.y) / cell) * columns + Math.floor((x - scale.left) / cell)
    if (taken[place] === 1) continue
    taken[place] = 1
    painter.rect(x - 1, height - 1, 2, 2, kindInk(run.kindOf(operation)))
  }
  let last = -Infinity
  for (const operation of rest) {
    const x = scale(at(run.end, operation))
    if (x - last < 2) continue
    last = x
    const height = y(at(run.end, operation) - at(run.start, operation))
    const isFailed = at(run.outcome, operation) === fail
    painter.shape(isFailed ? 'cross' : 'diamond', x, height, 3, isFailed ? 'fail' : 'info')
  }
}

/** Acknowledged records as bars, read records as a line, per second. */
export function drawThroughput(painter: Painter, scene: Scene, row: Row): void {
  const { scale, statistics } = scene
  const step = momentMs(scene, 8)
  const { acknowledged, read } = statistics.throughput(step)
  const perSecond = 1_000 / step
  const first = Math.max(0, Math.floor(scale.window.from / step))
  const last = Math.min(acknowledged.length - 1, Math.floor(scale.window.to / step))
  let [written, readMost] = [0, 0]
  for (let moment = first; moment <= last; moment += 1) {
    written = Math.max(written, at(acknowledged, moment))
    readMost = Math.max(readMost, at(read, moment))
  }
  // One client that catches up reads a hundred times as fast as anybody writes: its peak is cut off, and said.
  const most = written === 0 ? readMost : Math.max(written, Math.min(readMost, 3 * written))
  const [top, bottom] = [row.y + 10, row.y + row.height - 6]
  const y = (records: number) => bottom - (records / Math.max(1, most)) * (bottom - top)
  const line: number[] = []
  for (let moment = first; moment <= last; moment += 1) {
    const [from, to] = [scale(moment * step), scale((moment + 1) * step)]
    const height = bottom - y(at(acknowledged, moment))
    if (height > 0) painter.rect(from, bottom - height, Math.max(1, to - from - 1), height, 'send')
    const readHeight = y(Math.min(most, at(read, moment)))
    line.push(from, readHeight, to, readHeight)
  }
  painter.line(line, 'poll', 1.8, [5, 2])
  painter.line([scale.left, bottom, scale.right, bottom], 'soft')
  const cut = readMost > most ? `; read up to ${numberText(readMost * perSecond)}/s` : ''
  tag(painter, `${numberText(most * perSecond)}/s${cut}`, scale.left + 3, top + 8, 'soft')
}
