/** The order view: a canvas of its own, with a choice of partition. */
import { at, type Run } from '../model/run.ts'
import type { Box } from '../picture/painter.ts'
import { drawOrder, OrderLook, orderLines } from '../picture/order.ts'
import { around, pan, reveal, zoom } from '../picture/window.ts'
import { CanvasPainter, prepared, type Palette } from './canvas-painter.ts'
import { element, withNextFrame } from './dom.ts'
import { listen } from './gestures.ts'
import type { Tip } from './tip.ts'

const height = 340

export interface Place {
  readonly partition: number
  readonly offsets: readonly number[]
}

export class OrderPanel {
  readonly root: HTMLElement
  readonly #run: Run
  readonly #tip: Tip
  readonly #palette: () => Palette
  readonly #pick: (operation: number) => void
  readonly #canvas: HTMLCanvasElement
  readonly #select: HTMLSelectElement
  readonly #said = element('p', { class: 'status', role: 'status' })
  readonly #looks = new Map<number, OrderLook>()
  #partition: number
  #marked: ReadonlySet<number> = new Set()
  #selected: number | undefined
  readonly #planDrawing = withNextFrame(() => this.#draw())

  constructor(run: Run, options: { tip: Tip; palette: () => Palette; pick: (operation: number) => void; id: string }) {
    this.#run = run
    this.#tip = options.tip
    this.#palette = options.palette
    this.#pick = options.pick
    this.#canvas = element('canvas', {
      class: 'order',
      tabindex: 0,
      role: 'application',
      'aria-roledescription': 'order view',
      'aria-label':
        'Order view: rows are operations in the order of time, columns are offsets. Plus and minus zoom, arrows move, 0 shows everything.',
    })
    const { partitions } = run.data
    const contested = partitions.findIndex(({ contested, repeated }) => contested.length + repeated.length > 0)
    this.#partition = Math.max(0, contested)
    this.#select = element(
      'select',
      { id: `${options.id}-order-partition` },
      ...partitions.map(({ name, contested, repeated }, index) =>
        element(
          'option',
          { value: index, selected: index === this.#partition },
          `${name}${noteOf(contested.length, repeated.length)}`,
        ),
      ),
    )
    this.#select.addEventListener('change', () => this.#choosePartition(Number(this.#select.value)))
    this.root = element(
      'section',
      { 'aria-labelledby': `${options.id}-order` },
      element('h3', { id: `${options.id}-order` }, 'Order of a partition'),
      element(
        'div',
        { class: 'toolbar' },
        element('label', { for: `${options.id}-order-partition` }, 'partition ', this.#select),
        element(
          'span',
          { class: 'soft' },
          'rows: operations in time; columns: offsets; thick: written, thin: read; ✕ contested offset, ○ value that is there twice',
        ),
      ),
      this.#canvas,
      this.#said,
    )
    this.#listen()
  }

  get #look(): OrderLook {
    let look = this.#looks.get(this.#partition)
    if (!look) this.#looks.set(this.#partition, (look = new OrderLook(this.#run, this.#partition)))
    return look
  }

  get #box(): Box {
    return { x: 0, y: 0, width: this.#canvas.clientWidth, height }
  }

  #choosePartition(partition: number): void {
    this.#partition = partition
    this.#select.value = String(partition)
    this.draw()
  }

  #listen(): void {
    const change = (act: (look: OrderLook) => void) => {
      act(this.#look)
      this.draw()
    }
    listen(this.#canvas, {
      zoom: (factor, px, py) =>
        change(look => {
          const { x, y } = look.scales(this.#box)
          look.offsets = zoom(look.offsets, factor, x.invert(px), look.offsetBounds)
          look.rows = zoom(look.rows, factor, y.invert(py), look.rowBounds)
        }),
      pan: (dx, dy) =>
        change(look => {
          const { x, y } = look.scales(this.#box)
          look.offsets = pan(look.offsets, x.invert(dx) - x.invert(0), look.offsetBounds)
          look.rows = pan(look.rows, y.invert(dy) - y.invert(0), look.rowBounds)
        }),
      reset: () =>
        change(look => {
          look.offsets = { from: look.offsetBounds.from, to: look.offsetBounds.to }
          look.rows = { from: look.rowBounds.from, to: look.rowBounds.to }
        }),
      hover: (px, py) => {
        const found = this.#look.operationAt(this.#box, px, py)
        const { left, top } = this.#canvas.getBoundingClientRect()
        if (found) this.#tip.show(orderLines(this.#look, found), left + px, top + py)
        else this.#tip.hide()
      },
      leave: () => this.#tip.hide(),
      choose: (px, py) => {
        const found = this.#look.operationAt(this.#box, px, py)
        if (found) this.#pick(found.operation)
      },
      key: event => this.#key(event.key),
    })
  }

  #key(key: string): boolean {
    if (key === 'ArrowUp' || key === 'ArrowDown') {
      const look = this.#look
      const { y } = look.scales(this.#box)
      look.rows = pan(look.rows, (key === 'ArrowUp' ? -1 : 1) * (y.invert(40) - y.invert(0)), look.rowBounds)
      this.draw()
      return true
    }
    if (key !== 'n' && key !== 'p') return false
    const { operations } = this.#look
    const row = this.#selected === undefined ? undefined : this.#look.rowOf(this.#selected)
    const next = row === undefined ? Math.max(0, Math.ceil(this.#look.rows.from)) : row + (key === 'n' ? 1 : -1)
    if (next >= 0 && next < operations.length) this.#pick(at(operations, next))
    return true
  }

  /** Shows what belongs to a finding; without a place it stays where it is. */
  mark(operations: ReadonlySet<number>, place: Place | undefined): void {
    this.#marked = operations
    if (place) {
      this.#choosePartition(place.partition)
      const look = this.#look
      const rows = [...operations].flatMap(operation => look.rowOf(operation) ?? [])
      if (rows.length > 0) look.rows = around({ from: Math.min(...rows), to: Math.max(...rows) + 1 }, 4, look.rowBounds)
      if (place.offsets.length > 0)
        look.offsets = around(
          { from: Math.min(...place.offsets), to: Math.max(...place.offsets) + 1 },
          4,
          look.offsetBounds,
        )
    }
    this.draw()
  }

  select(operation: number | undefined): void {
    this.#selected = operation
    const row = operation === undefined ? undefined : this.#look.rowOf(operation)
    if (row !== undefined) this.#look.rows = reveal(this.#look.rows, { from: row, to: row + 1 }, this.#look.rowBounds)
    this.draw()
  }

  redraw(): void {
    this.#draw()
  }

  draw(): void {
    this.#planDrawing()
  }

  #draw(): void {
    const width = this.#canvas.clientWidth
    if (width === 0) return
    const look = this.#look
    look.marked = this.#marked
    look.selected = this.#selected
    drawOrder(new CanvasPainter(prepared(this.#canvas, width, height), this.#palette()), look, this.#box)
    const { offsets, rows } = look
    this.#said.textContent =
      look.operations.length === 0
        ? 'Nothing was written to or read from this partition.'
        : `Offsets ${Math.ceil(offsets.from)} to ${Math.floor(offsets.to) - 1}, operations ${Math.ceil(rows.from) + 1} to ${Math.floor(rows.to)} of ${look.operations.length}.`
  }
}

function noteOf(contested: number, repeated: number): string {
  const notes = [
    ...(contested > 0 ? [`${contested} contested`] : []),
    ...(repeated > 0 ? [`${repeated} with a value that is there twice`] : []),
  ]
  return notes.length === 0 ? '' : ` (${notes.join(', ')})`
}
