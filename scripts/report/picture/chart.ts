/** The whole timeline: lanes below each other on one axis of time, faults as bars across all of them. */
import type { FaultData } from '../model/run-data.ts'
import { drawClient, drawMarks } from './client-lanes.ts'
import { drawBroker, drawGroup, drawInSync, drawLeader, drawOffsets } from './cluster-lanes.ts'
import type { Row } from './layout.ts'
import type { Painter } from './painter.ts'
import { drawLatency, drawThroughput } from './plots.ts'
import type { Scene } from './scene.ts'
import { ticks, timeLabel } from './window.ts'

export function drawChart(painter: Painter, scene: Scene): void {
  const { layout, scale } = scene
  painter.within(scale.left, 0, scale.right - scale.left, layout.height, () => {
    backdrop(painter, scene)
    for (const row of layout.rows) drawRow(painter, scene, row)
  })
  for (const row of layout.rows) label(painter, scene, row)
}

function label(painter: Painter, { layout }: Scene, row: Row): void {
  if (row.label === '') return
  if (row.kind === 'heading') painter.text(row.label, 0, row.y + row.height - 8, 'ink', { bold: true, size: 12 })
  else {
    const tall = row.kind === 'latency' || row.kind === 'throughput' || row.kind === 'group' || row.kind === 'faults'
    const y = tall ? row.y + 13 : row.y + row.height / 2 + 4
    painter.text(fitted(painter, row.label, layout.left - 10), layout.left - 8, y, 'soft', { align: 'right' })
  }
}

/** A text that is too long loses its beginning: the end of a name tells partitions and threads apart. */
export function fitted(painter: Painter, text: string, width: number): string {
  if (painter.widthOf(text) <= width) return text
  let rest = text
  while (rest.length > 2 && painter.widthOf(`…${rest}`) > width) rest = rest.slice(1)
  return `…${rest}`
}

function drawRow(painter: Painter, scene: Scene, row: Row): void {
  switch (row.kind) {
    case 'axis':
      return axis(painter, scene, row)
    case 'steps':
      return steps(painter, scene, row)
    case 'faults':
      return faults(painter, scene, row)
    case 'broker':
      return drawBroker(painter, scene, row, row.index)
    case 'leader':
      return drawLeader(painter, scene, row, row.partition)
    case 'in-sync':
      return drawInSync(painter, scene, row, row.partition, row.replica)
    case 'offsets':
      return drawOffsets(painter, scene, row, row.partition)
    case 'client':
      return drawClient(painter, scene, row, row.client)
    case 'group':
      return drawGroup(painter, scene, row, row.index)
    case 'marks':
      return drawMarks(painter, scene, row)
    case 'latency':
      return drawLatency(painter, scene, row)
    case 'throughput':
      return drawThroughput(painter, scene, row)
    case 'heading':
      return
  }
}

/** Pixels between two ticks. */
const tickSpace = 90

/** Lines of time and bars of faults through all lanes. */
function backdrop(painter: Painter, { layout, scale, run }: Scene): void {
  const top = layout.rows.find(({ kind }) => kind === 'heading')?.y ?? 0
  for (const fault of run.data.faults) {
    const [from, to] = [scale(fault.fromMs), scale(fault.toMs)]
    if (to < scale.left || from > scale.right) continue
    if (fault.mends) {
      painter.line([from, top, from, layout.height], 'mend', 1, [2, 4])
      continue
    }
    painter.rect(from, top, Math.max(1, to - from), layout.height - top, 'fault-band')
    painter.line([from, top, from, layout.height], 'fault', 1)
    if (fault.mended) painter.line([to, top, to, layout.height], 'fault', 1, [4, 3])
  }
  for (const ms of ticks(scale.window, (scale.right - scale.left) / tickSpace))
    painter.line([scale(ms), top, scale(ms), layout.height], 'line', 1)
}

function axis(painter: Painter, { scale }: Scene, row: Row): void {
  const places = ticks(scale.window, (scale.right - scale.left) / tickSpace)
  const step = (places[1] ?? scale.window.to) - (places[0] ?? scale.window.from)
  for (const ms of places)
    painter.text(timeLabel(ms, step), scale(ms), row.y + 14, 'soft', {
      align: scale(ms) < scale.left + 20 ? 'left' : 'center',
    })
}

const quiet = new Set(['final-read-complete', 'workload'])

/** Steps of the script: a line where one begins, and its name as far as there is room. */
function steps(painter: Painter, { scale, run }: Scene, row: Row): void {
  const phases = run.data.phases.filter(([, name]) => !quiet.has(name))
  phases.forEach(([atMs, name], index) => {
    const from = Math.max(scale(atMs), scale.left)
    const to = Math.min(scale(phases[index + 1]?.[0] ?? run.data.endMs), scale.right)
    if (to <= scale.left || from >= scale.right) return
    painter.rect(from, row.y + 1, Math.max(1, to - from - 1), row.height - 3, index % 2 === 0 ? 'band' : 'line')
    const text = `${index + 1} ${name}`
    if (to - from < 18) return
    const most = to - from - 8
    painter.within(from, row.y, to - from, row.height, () => painter.text(text, from + 4, row.y + 13, 'ink'))
    if (painter.widthOf(text) > most) painter.rect(to - 2, row.y + 1, 1, row.height - 3, 'soft')
  })
}

function faults(painter: Painter, { scale, run }: Scene, row: Row & { kind: 'faults' }): void {
  row.lanes.forEach((lane, number) => {
    const y = row.y + number * 18
    for (const [place, index] of lane.entries()) {
      const fault = run.data.faults[index] as FaultData
      const next = run.data.faults[lane[place + 1] ?? -1]
      const room = Math.min(next ? scale(next.fromMs) : scale.right, scale.right)
      faultBar(painter, fault, scale(fault.fromMs), scale(fault.toMs), y, room)
    }
  })
}

function faultBar(painter: Painter, fault: FaultData, from: number, to: number, y: number, room: number): void {
  const width = Math.max(3, to - from)
  painter.rect(from, y + 2, width, 14, 'fault-soft')
  painter.pattern(from, y + 2, width, 14, 'fault', 'stripes')
  painter.frame(from, y + 2, width, 14, 'fault')
  const text = faultName(fault)
  const textWidth = painter.widthOf(text)
  const x = Math.max(from, 0) + 4
  if (textWidth + 8 > room - from) return
  painter.rect(x - 2, y + 3, textWidth + 4, 12, 'card')
  painter.text(text, x, y + 13, 'fault')
}

export function faultName({ kind, brokers, failed }: FaultData): string {
  return `${kind}${brokers.length === 0 ? '' : ` ${brokers.join(',')}`}${failed === undefined ? '' : ' (failed)'}`
}
