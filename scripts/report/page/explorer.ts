/** Timeline, plots, order view and details of one variant: owns what is looked at, and draws it anew when that changes. */
import { at, type Run } from '../model/run.ts'
import { drawChart } from '../picture/chart.ts'
import { operationLines, readoutAt } from '../picture/readout.ts'
import { Look } from '../picture/scene.ts'
import { around, pan, reveal, zoom, type Window } from '../picture/window.ts'
import { numberText, timeText } from '../picture/words.ts'
import { CanvasPainter, prepared, type Palette } from './canvas-painter.ts'
import { operationDetail, operationList } from './detail.ts'
import { button, element, withNextFrame } from './dom.ts'
import { filterBar, type FilterBar } from './filter-bar.ts'
import { listen } from './gestures.ts'
import { OrderPanel, type Place } from './order-panel.ts'
import type { Tip } from './tip.ts'

const keysHelp =
  'Keys: plus and minus zoom, left and right move, 0 shows the whole run, n and p go to the next and previous operation of a client, up and down to another client, Escape takes the choice back. Mouse: drag to move, Ctrl and wheel or double click to zoom, click an operation for its details.'

export class Explorer {
  readonly #run: Run
  readonly #look: Look
  readonly #tip: Tip
  readonly #palette: () => Palette
  readonly #canvas: HTMLCanvasElement
  readonly #cursor = element('div', { class: 'cursor' })
  readonly #status = element('p', { class: 'status', role: 'status' })
  readonly #detail: HTMLElement
  readonly #filters: FilterBar
  readonly #order: OrderPanel
  readonly #planDrawing = withNextFrame(() => this.#draw())

  constructor(host: HTMLElement, run: Run, options: { tip: Tip; palette: () => Palette }) {
    this.#run = run
    this.#tip = options.tip
    this.#palette = options.palette
    const id = host.id
    this.#canvas = element('canvas', {
      class: 'timeline',
      tabindex: 0,
      role: 'application',
      'aria-roledescription': 'timeline',
      'aria-label': `Timeline of ${run.data.name}: ${numberText(run.length)} operations in ${timeText(run.data.endMs)}`,
      'aria-describedby': `${id}-keys`,
    })
    this.#detail = element('section', { class: 'detail', tabindex: -1, 'aria-label': 'Details' })
    this.#filters = filterBar(run, id, {
      changed: filter => {
        this.#look.filter = filter
        this.draw()
      },
      found: operation => this.#choose(operation),
    })
    this.#order = new OrderPanel(run, { ...options, id, pick: operation => this.#choose(operation) })
    host.replaceChildren(
      element(
        'div',
        { class: 'toolbar', role: 'group', 'aria-label': 'Zoom and filter' },
        ...this.#zoomButtons(),
        this.#filters.root,
      ),
      element('div', { class: 'chart' }, this.#canvas, this.#cursor),
      this.#status,
      element('p', { class: 'keys soft', id: `${id}-keys` }, keysHelp),
      this.#detail,
      this.#order.root,
    )
    this.#look = new Look(run, this.#canvas.clientWidth || 800)
    this.#listen()
    this.#showDetail()
    new ResizeObserver(() => {
      this.draw()
      this.#order.draw()
    }).observe(this.#canvas)
  }

  #zoomButtons(): HTMLElement[] {
    const middle = () => (this.#look.window.from + this.#look.window.to) / 2
    const zoomBy = (factor: number) => () => this.#show(zoom(this.#look.window, factor, middle(), this.#look.bounds))
    const panBy = (share: number) => () => {
      const { window } = this.#look
      this.#show(pan(window, (window.to - window.from) * share, this.#look.bounds))
    }
    return [
      button('−', 'zoom out', zoomBy(2)),
      button('+', 'zoom in', zoomBy(0.5)),
      button('←', 'earlier', panBy(-0.3)),
      button('→', 'later', panBy(0.3)),
      button('whole run', 'show the whole run', () => this.#show(this.#look.bounds)),
    ]
  }

  #listen(): void {
    const look = this.#look
    listen(this.#canvas, {
      zoom: (factor, x) => this.#show(zoom(look.window, factor, look.scene.scale.invert(x), look.bounds)),
      pan: dx => {
        const { scale } = look.scene
        this.#show(pan(look.window, scale.invert(dx) - scale.invert(0), look.bounds))
      },
      reset: () => this.#show(look.bounds),
      hover: (x, y) => this.#hover(x, y),
      leave: () => this.#leave(),
      choose: (x, y) => this.#choose(readoutAt(look.scene, x, y)?.operation),
      key: event => this.#key(event.key),
    })
  }

  #key(key: string): boolean {
    if (key === 'Escape') {
      this.#look.marked = new Set()
      this.#order.mark(this.#look.marked, undefined)
      this.#choose(undefined)
      return true
    }
    const steps = { n: () => this.#look.neighbour(1), p: () => this.#look.neighbour(-1), ArrowDown: () => this.#look.aside(1), ArrowUp: () => this.#look.aside(-1) } // prettier-ignore
    const step = steps[key as keyof typeof steps]
    if (step === undefined) return false
    const next = step()
    if (next !== undefined) this.#choose(next)
    return true
  }

  #hover(x: number, y: number): void {
    const readout = readoutAt(this.#look.scene, x, y)
    if (!readout) return this.#leave()
    const box = this.#canvas.getBoundingClientRect()
    this.#cursor.style.display = 'block'
    this.#cursor.style.left = `${x}px`
    this.#canvas.style.cursor = readout.operation === undefined ? 'crosshair' : 'pointer'
    this.#tip.show(readout.lines, box.left + x, box.top + y)
  }

  #leave(): void {
    this.#cursor.style.display = 'none'
    this.#tip.hide()
  }

  #show({ from, to }: Window): void {
    this.#look.window = { from, to }
    this.#leave()
    this.draw()
  }

  #choose(operation: number | undefined): void {
    const { run, bounds } = this.#look
    this.#look.selected = operation
    if (operation !== undefined) {
      const place = { from: at(run.start, operation), to: at(run.end, operation) }
      this.#look.window = reveal(this.#look.window, place, bounds)
    }
    this.#order.select(operation)
    this.#showDetail()
    this.draw()
  }

  /** Chooses the operations behind entries of the history, and moves timeline and order view to them. */
  showEntries(entries: readonly number[], place: { partition: string; offsets: readonly number[] } | undefined): void {
    const look = this.#look
    const operations = [...new Set(entries.flatMap(index => this.#run.operationOfEntry(index) ?? []))]
    if (operations.length === 0) return
    if (operations.some(operation => !look.scene.shown(operation))) this.#filters.clear()
    look.marked = new Set(operations)
    look.selected = operations[0]
    const from = Math.min(...operations.map(operation => at(this.#run.start, operation)))
    const to = Math.max(...operations.map(operation => at(this.#run.end, operation)))
    look.window = around({ from, to }, 100, look.bounds)
    const partition = this.#run.data.partitions.findIndex(({ name }) => name === place?.partition)
    this.#order.mark(
      look.marked,
      partition < 0 || !place ? undefined : ({ partition, offsets: place.offsets } satisfies Place),
    )
    this.#order.select(look.selected)
    this.#showDetail()
    this.draw()
    this.#canvas.scrollIntoView({ block: 'start' })
    this.#canvas.focus({ preventScroll: true })
  }

  showTime(ms: number): void {
    const length = Math.min(this.#look.window.to - this.#look.window.from, 4_000)
    this.#show(around({ from: ms - length / 3, to: ms + length / 3 }, 1, this.#look.bounds))
    this.#canvas.scrollIntoView({ block: 'start' })
    this.#canvas.focus({ preventScroll: true })
  }

  #showDetail(): void {
    const { selected, marked } = this.#look
    const pick = (operation: number) => this.#choose(operation)
    const parts: Node[] = []
    if (marked.size > 0)
      parts.push(element('p', {}, 'Operations of this finding:'), operationList(this.#run, [...marked], pick))
    if (selected !== undefined) parts.push(operationDetail(this.#run, selected, pick))
    if (parts.length === 0) parts.push(element('p', { class: 'soft' }, 'Choose an operation to see its records here.'))
    this.#detail.replaceChildren(...parts)
  }

  /** All of it, in the colours as they are now, at once: paper does not wait for a frame. */
  redraw(): void {
    this.#draw()
    this.#order.redraw()
  }

  /** Draws with the next frame; any number of changes until then are one. */
  draw(): void {
    this.#planDrawing()
  }

  #draw(): void {
    const width = this.#canvas.clientWidth
    if (width === 0) return
    if (this.#look.scene.layout.width !== width) this.#look.resize(width)
    const { scene } = this.#look
    drawChart(new CanvasPainter(prepared(this.#canvas, width, scene.layout.height), this.#palette()), scene)
    this.#say()
  }

  #say(): void {
    const { window, selected, shownCount } = this.#look
    const total = this.#run.length
    const count =
      shownCount === total
        ? `${numberText(total)} operations`
        : `${numberText(shownCount)} of ${numberText(total)} operations`
    const chosen = selected === undefined ? '' : ` Chosen: ${operationLines(this.#run, selected, 1).join('; ')}.`
    this.#status.textContent = `${timeText(window.from)} to ${timeText(window.to)}, ${count}.${chosen}`
    this.#canvas.dataset['from'] = window.from.toFixed(1)
    this.#canvas.dataset['to'] = window.to.toFixed(1)
  }
}
