/** Lanes of the cluster: who was up, who led with which epoch, who was in sync, how far each log had come. */
import type { PartitionData, Series } from '../model/run-data.ts'
import { ticksPerMs } from '../model/run-data.ts'
import { at } from '../model/run.ts'
import type { Row } from './layout.ts'
import type { Box, Ink, Painter } from './painter.ts'
import type { Scene } from './scene.ts'
import type { Scale } from './window.ts'
import { brokerInk, numberText } from './words.ts'

/** The visible part of a span, in pixels; undefined where it is out of sight. */
function across(scale: Scale, fromMs: number, toMs: number): readonly [from: number, to: number] | undefined {
  const from = Math.max(scale(fromMs), scale.left - 2)
  const to = Math.min(Math.max(scale(toMs), scale(fromMs) + 1), scale.right + 2)
  return to < scale.left || from > scale.right ? undefined : [from, to]
}

export function drawBroker(painter: Painter, { run, scale }: Scene, row: Row, index: number): void {
  const broker = run.data.brokers[index]
  for (const [fromMs, toMs, state] of broker?.states ?? []) {
    const span = across(scale, fromMs, toMs)
    if (!span) continue
    const [from, to] = span
    const width = to - from
    painter.rect(from, row.y + 2, width, row.height - 4, `${state}-soft`)
    if (state === 'up') continue
    painter.pattern(from, row.y + 2, width, row.height - 4, state, state === 'down' ? 'stripes' : 'dots')
    painter.frame(from, row.y + 2, width, row.height - 4, state)
    if (painter.widthOf(state) + 12 > width) continue
    painter.rect(from + 3, row.y + 3, painter.widthOf(state) + 6, row.height - 6, 'card')
    painter.text(state, from + 6, row.y + row.height - 5, state)
  }
  for (const [fromMs, toMs, controller] of run.data.controllers) {
    const span = controller === broker?.id ? across(scale, fromMs, toMs) : undefined
    if (!span) continue
    painter.rect(span[0], row.y + row.height / 2 - 2, span[1] - span[0], 4, 'ink')
    if (span[1] - span[0] > 80) {
      const x = Math.max(span[0], scale.left) + 8
      painter.rect(x - 3, row.y + 3, painter.widthOf('controller') + 6, row.height - 6, 'up-soft')
      painter.text('controller', x, row.y + row.height - 5, 'ink')
    }
  }
}

/** Who led: the colour is the broker's, every other epoch is striped, and both are written where there is room. */
export function drawLeader(painter: Painter, { run, scale }: Scene, row: Row, partition: number): void {
  for (const [fromMs, toMs, leader, epoch] of run.data.partitions[partition]?.leaders ?? []) {
    const span = across(scale, fromMs, toMs)
    if (!span) continue
    const [from, to] = span
    const [y, height] = [row.y + 2, row.height - 4]
    const width = Math.max(1, to - from - 1)
    if (leader < 0) {
      painter.frame(from, y, width, height, 'fail')
      painter.pattern(from, y, width, height, 'fail', 'stripes')
      continue
    }
    const ink = brokerInk(leader)
    painter.rect(from, y, width, height, ink)
    if (epoch % 2 === 1) painter.pattern(from, y, width, height, `on-${ink}`, 'stripes')
    const text = [`broker ${leader} · epoch ${epoch}`, `${leader} · e${epoch}`, String(leader)].find(
      words => painter.widthOf(words, { bold: true }) + 14 < to - Math.max(from, scale.left),
    )
    if (text === undefined) continue
    const x = Math.max(from, scale.left) + 6
    painter.rect(x - 3, y, painter.widthOf(text, { bold: true }) + 6, height, ink)
    painter.text(text, x, y + height - 4, `on-${ink}`, { bold: true })
  }
}

/** In sync: a bar in the broker's colour. Out of sync: an empty frame. */
export function drawInSync(
  painter: Painter,
  { run, scale }: Scene,
  row: Row,
  partition: number,
  replica: number,
): void {
  for (const [fromMs, toMs, isr] of run.data.partitions[partition]?.inSync ?? []) {
    const span = across(scale, fromMs, toMs)
    if (!span) continue
    const [from, to] = span
    if (isr.includes(replica)) painter.rect(from, row.y + 1, to - from, row.height - 2, brokerInk(replica))
    else painter.line([from, row.y + row.height / 2, to, row.y + row.height / 2], 'fail', 1, [3, 3])
  }
}

/** Dashes tell the lines apart where colours do not. */
const styles: Readonly<
  Record<string, { readonly ink: Ink; readonly width: number; readonly dash: readonly number[] }>
> = {
  hw: { ink: 'ink', width: 1.2, dash: [3, 5] },
  lso: { ink: 'ink', width: 1.5, dash: [1, 3] },
  start: { ink: 'soft', width: 1, dash: [2, 2, 6, 2] },
  lag: { ink: 'poll', width: 1.8, dash: [] },
}

function styleOf(series: Series): { ink: Ink; width: number; dash: readonly number[] } {
  const known = styles[series.of]
  if (known) return { ...known }
  const id = Number(series.of)
  return { ink: brokerInk(id), width: 1.8, dash: [[], [8, 2], [4, 2]][(id - 1) % 3] ?? [] }
}

export function drawOffsets(painter: Painter, scene: Scene, row: Row, partition: number): void {
  const data = scene.run.data.partitions[partition] as PartitionData
  const series = [...data.series].sort((a, b) => Number(typeof a.of === 'string') - Number(typeof b.of === 'string'))
  drawSeries(painter, scene, row, series)
  // Which offsets are contested is no matter of time: the order view shows them, here is only said how many there are.
  if (data.contested.length === 0) return
  const text = `${data.contested.length} contested offset${data.contested.length === 1 ? '' : 's'}`
  painter.shape('cross', scene.scale.left + 52, row.y + 13, 3, 'fail')
  painter.text(text, scene.scale.left + 60, row.y + 17, 'fail', { size: 10 })
}

export function drawGroup(painter: Painter, scene: Scene, row: Row, index: number): void {
  const series = scene.run.data.groups[index]
  if (series) drawSeries(painter, scene, row, [series])
}

/** The highest and lowest value in sight decide the scale, so that zooming in shows small steps. */
function drawSeries(painter: Painter, { scale }: Scene, row: Row, series: readonly Series[]): void {
  const box: Box = { x: scale.left, y: row.y + 6, width: scale.right - scale.left, height: row.height - 12 }
  const [least, most] = rangeIn(series, scale.window.from, scale.window.to)
  const y = (value: number) => box.y + box.height - ((value - least) / Math.max(1, most - least)) * box.height
  painter.frame(box.x, box.y, box.width, box.height, 'line')
  for (const one of series) {
    const { ink, width, dash } = styleOf(one)
    for (const points of staircases(one, scale, y)) painter.line(points, ink, width, dash)
  }
  painter.text(numberText(most), box.x + 3, box.y + 10, 'soft', { size: 10 })
  painter.text(numberText(least), box.x + 3, box.y + box.height - 2, 'soft', { size: 10 })
}

export function rangeIn(
  series: readonly Series[],
  fromMs: number,
  toMs: number,
): readonly [least: number, most: number] {
  let [least, most] = [Infinity, -Infinity]
  for (const { time, value } of series) {
    let ticks = 0
    let before: number | undefined
    time.forEach((step, index) => {
      ticks += step
      const ms = ticks / ticksPerMs
      const number = at(value, index)
      if (ms < fromMs) before = number
      else if (ms <= toMs || before === undefined) [least, most] = [Math.min(least, number), Math.max(most, number)]
    })
    if (before !== undefined) [least, most] = [Math.min(least, before), Math.max(most, before)]
  }
  return Number.isFinite(least) ? [least, most] : [0, 1]
}

/** A value holds until the next one is seen; where nothing was seen for a while, the line ends. Points on one pixel are drawn once. */
function staircases(series: Series, scale: Scale, y: (value: number) => number): number[][] {
  const pieces: number[][] = []
  let piece: number[] = []
  let ticks = 0
  const gaps = new Set(series.gaps)
  let [lastX, lastY] = [-Infinity, NaN]
  series.time.forEach((step, index) => {
    ticks += step
    if (index === 0 || gaps.has(index)) pieces.push((piece = []))
    const [x, height] = [scale(ticks / ticksPerMs), y(at(series.value, index))]
    if (piece.length > 0 && x - lastX < 0.5 && height === lastY) return
    if (piece.length > 0 && height !== lastY) piece.push(x, lastY)
    piece.push(x, height)
    ;[lastX, lastY] = [x, height]
  })
  return pieces.filter(
    points => points.length > 2 && at(points, points.length - 2) >= scale.left && at(points, 0) <= scale.right,
  )
}
