/**
 * The order view of a partition: one row per operation that touched it, in the order of time, one column per offset. What is written and read
 * in order makes a staircase; a read that falls behind it, a step back, or an offset that two writes claim is seen at once.
 */
import { at, type Run } from '../model/run.ts'
import { outcomes } from '../model/run-data.ts'
import type { Box, Painter } from './painter.ts'
import { scaleOf, ticks, type Bounds, type Scale, type Window } from './window.ts'
import { offsetsText, outcomeWords } from './words.ts'

const ok = outcomes.indexOf('ok')
const fail = outcomes.indexOf('fail')

export class OrderLook {
  readonly run: Run
  readonly partition: number
  /** Operations that touched the partition at a known offset, in order. */
  readonly operations: Uint32Array
  readonly rowBounds: Bounds
  readonly offsetBounds: Bounds
  rows: Window
  offsets: Window
  marked: ReadonlySet<number> = new Set()
  selected: number | undefined

  constructor(run: Run, partition: number) {
    this.run = run
    this.partition = partition
    const operations: number[] = []
    let [least, most] = [Infinity, -Infinity]
    for (let operation = 0; operation < run.length; operation += 1) {
      let touched = false
      for (const { from, to } of cellsOf(run, operation, partition)) {
        touched = true
        ;[least, most] = [Math.min(least, from), Math.max(most, to)]
      }
      if (touched) operations.push(operation)
    }
    this.operations = Uint32Array.from(operations)
    this.rowBounds = { from: 0, to: Math.max(1, operations.length), least: Math.min(5, Math.max(1, operations.length)) }
    this.offsetBounds =
      operations.length === 0
        ? { from: 0, to: 1, least: 1 }
        : { from: least, to: most, least: Math.min(5, most - least) }
    this.rows = { from: this.rowBounds.from, to: this.rowBounds.to }
    this.offsets = { from: this.offsetBounds.from, to: this.offsetBounds.to }
  }

  /** The row of an operation. */
  rowOf(operation: number): number | undefined {
    let [low, high] = [0, this.operations.length - 1]
    while (low <= high) {
      const middle = (low + high) >> 1
      const found = at(this.operations, middle)
      if (found === operation) return middle
      if (found < operation) low = middle + 1
      else high = middle - 1
    }
    return undefined
  }

  scales(box: Box): { x: Scale; y: Scale } {
    return {
      x: scaleOf(this.offsets, box.x + gutter.left, box.x + box.width - gutter.right),
      y: scaleOf(this.rows, box.y + gutter.top, box.y + box.height - gutter.bottom),
    }
  }

  /** The operation at a place of the picture, with what it did there. */
  operationAt(box: Box, px: number, py: number): { readonly operation: number; readonly offset: number } | undefined {
    const { x, y } = this.scales(box)
    if (px < x.left || px > x.right || py < y.left || py > y.right) return undefined
    const offset = Math.floor(x.invert(px))
    const row = Math.floor(y.invert(py))
    const near = Math.max(1, Math.ceil(4 / (y(1) - y(0))))
    let best: { operation: number; distance: number } | undefined
    for (let candidate = row - near; candidate <= row + near; candidate += 1) {
      const operation = this.operations[candidate]
      if (operation === undefined) continue
      for (const { from, to } of cellsOf(this.run, operation, this.partition)) {
        const beside = Math.max(x(from) - px, px - x(to), 0)
        const distance = beside + Math.abs(y(candidate + 0.5) - py)
        if (beside <= 6 && distance < (best?.distance ?? Infinity)) best = { operation, distance }
      }
    }
    return best && { operation: best.operation, offset }
  }
}

const gutter = { left: 62, right: 8, top: 24, bottom: 8 }

interface Cells {
  readonly touch: number
  readonly isSend: boolean
  readonly from: number
  /** Exclusive. */
  readonly to: number
}

function* cellsOf(run: Run, operation: number, partition: number): Generator<Cells> {
  const last = at(run.touchFrom, operation + 1)
  for (let touch = at(run.touchFrom, operation); touch < last; touch += 1) {
    const from = at(run.touchOffset, touch)
    if (at(run.touchPartition, touch) !== partition || from < 0) continue
    yield { touch, isSend: at(run.touchAction, touch) === 0, from, to: from + at(run.touchCount, touch) }
  }
}

export function drawOrder(painter: Painter, look: OrderLook, box: Box): void {
  const { x, y } = look.scales(box)
  for (const offset of ticks(look.offsets, (x.right - x.left) / 70)) {
    if (!Number.isInteger(offset)) continue
    painter.text(String(offset), x(offset + 0.5), box.y + 12, 'soft', { align: 'center' })
    painter.line([x(offset), box.y + gutter.top, x(offset), y.right], 'line')
  }
  painter.text('time ↓', box.x, box.y + 12, 'soft')
  for (const row of ticks(look.rows, (y.right - y.left) / 40)) {
    const operation = look.operations[Math.floor(row)]
    if (operation !== undefined)
      painter.text(`${(at(look.run.start, operation) / 1_000).toFixed(2)} s`, x.left - 6, y(row) + 10, 'soft', {
        align: 'right',
        size: 10,
      })
  }
  painter.within(x.left, box.y, x.right - x.left, box.height, () => {
    columnsOfNote(painter, look, x, box, y.right)
    rows(painter, look, x, y)
  })
}

/** Offsets at which more than one value was seen: a band through all rows and a mark at its head. Values that are there twice: a ring. */
function columnsOfNote(painter: Painter, look: OrderLook, x: Scale, box: Box, bottom: number): void {
  const data = look.run.partition(look.partition)
  let [last, drawnTo] = [-Infinity, -Infinity]
  for (const { offset } of data?.contested ?? []) {
    const [from, to] = [x(offset), x(offset + 1)]
    if (to < x.left || from > x.right || to - drawnTo < 1) continue
    drawnTo = to
    painter.rect(from, box.y + gutter.top, Math.max(1, to - from), bottom - box.y - gutter.top, 'fault-band')
    if (from - last < 6) continue
    last = from
    painter.shape('cross', (from + to) / 2, box.y + 19, 3.5, 'fail')
  }
  last = -Infinity
  for (const offset of data?.repeated ?? []) {
    const middle = x(offset + 0.5)
    if (middle < x.left || middle > x.right || middle - last < 6) continue
    last = middle
    painter.shape('ring', middle, box.y + 19, 3, 'fail')
  }
}

function rows(painter: Painter, look: OrderLook, x: Scale, y: Scale): void {
  const { run, partition, operations } = look
  const cellHeight = y(1) - y(0)
  const cellWidth = x(1) - x(0)
  const contested = new Set(run.partition(partition)?.contested.map(({ offset }) => offset))
  const first = Math.max(0, Math.floor(look.rows.from))
  const last = Math.min(operations.length, Math.ceil(look.rows.to))
  // What falls on the same pixels is drawn once: a hundred thousand rows cost as much as there is room for.
  const columns = Math.ceil(x.right - x.left) + 1
  const taken = cellHeight < 1 ? new Uint8Array(columns * (Math.ceil(y.right - y.left) + 1)) : undefined
  for (let row = first; row < last; row += 1) {
    const operation = at(operations, row)
    const top = y(row)
    for (const { touch, isSend, from, to } of cellsOf(run, operation, partition)) {
      const [left, right] = [Math.max(x(from), x.left), Math.min(x(to), x.right)]
      if (right < x.left || left > x.right) continue
      if (taken) {
        const place = Math.floor(top - y.left) * columns + Math.floor(left - x.left)
        if (taken[place] === (isSend ? 1 : 2) && right - left < 2) continue
        taken[place] = isSend ? 1 : 2
      }
      const height = Math.max(1, cellHeight - (cellHeight > 4 ? 1 : 0))
      const width = Math.max(1, right - left)
      const outcome = at(run.outcome, operation)
      if (isSend) painter.rect(left, top, width, height, outcome === ok ? 'send' : outcome === fail ? 'fail' : 'info')
      // A read is lower than a write: a line through the middle of its row.
      else painter.rect(left, top + height * 0.3, width, Math.max(1, height * 0.4), 'poll')
      if (cellWidth >= 46 && cellHeight >= 13) labels(painter, look, touch, isSend, x, top, cellHeight, contested)
    }
    if (look.marked.has(operation)) mark(painter, look, operation, x, top, cellHeight, 'mark')
    if (look.selected === operation) mark(painter, look, operation, x, top, cellHeight, 'select')
  }
}

function labels(
  painter: Painter,
  look: OrderLook,
  touch: number,
  isSend: boolean,
  x: Scale,
  top: number,
  height: number,
  contested: ReadonlySet<number>,
): void {
  const { offset, values } = look.run.touch(touch)
  values.forEach((value, index) => {
    const left = x(offset + index)
    if (left < x.left - 40 || left > x.right) return
    const text = `${isSend ? 'w' : 'r'} ${value}`
    painter.rect(left + 2, top + 1, Math.min(painter.widthOf(text) + 4, x(1) - x(0) - 4), height - 3, 'card')
    painter.within(left, top, x(1) - x(0) - 2, height, () =>
      painter.text(text, left + 4, top + height / 2 + 4, contested.has(offset + index) ? 'fail' : 'ink', {
        bold: contested.has(offset + index),
      }),
    )
  })
}

function mark(
  painter: Painter,
  look: OrderLook,
  operation: number,
  x: Scale,
  top: number,
  height: number,
  ink: 'mark' | 'select',
): void {
  for (const { from, to } of cellsOf(look.run, operation, look.partition))
    painter.frame(x(from) - 2, top - 2, Math.max(3, x(to) - x(from)) + 4, Math.max(3, height) + 4, ink, 2)
}

/** What is under the pointer, in words. */
export function orderLines(look: OrderLook, { operation, offset }: { operation: number; offset: number }): string[] {
  const { run, partition } = look
  const contest = run.partition(partition)?.contested.find(contested => contested.offset === offset)
  const touches = [...cellsOf(run, operation, partition)]
  return [
    `${run.kindOf(operation)} by ${run.clientOf(operation)}: ${outcomeWords[run.outcomeOf(operation)]}`,
    ...touches.map(({ isSend, from, to }) => `${isSend ? 'wrote' : 'read'} ${offsetsText(from, to - from)}`),
    ...(contest ? [`offset ${offset} is contested: ${contest.values.join(', ')}`] : []),
  ]
}
