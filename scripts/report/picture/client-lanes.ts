/**
 * Lanes of clients: one bar per operation, as long as it took. Where several fall on one pixel they are drawn once, so that a hundred thousand
 * cost as much as there are pixels. What it was is told by height as well as by colour: `ok` low, unknown hatched, failed full with a cross.
 */
import { at, type Run } from '../model/run.ts'
import { outcomes } from '../model/run-data.ts'
import { firstAfter, type Scene } from './scene.ts'
import type { Ink, Painter } from './painter.ts'
import type { Row } from './layout.ts'

interface Stroke {
  readonly outcome: number
  readonly kind: number
  readonly ink: Ink
}

const [ok, fail, info, open] = ['ok', 'fail', 'info', 'open'].map(name => outcomes.indexOf(name as 'ok')) as [
  number,
  number,
  number,
  number,
]

function strokesOf(run: Run): Stroke[] {
  const kinds = run.data.operations.kinds
  const good = kinds.map((name, kind) => ({ outcome: ok, kind, ink: kindInk(name) }))
  const other = (outcome: number, ink: Ink) => kinds.map((_, kind) => ({ outcome, kind, ink }))
  return [...good, ...other(open, 'info'), ...other(info, 'info'), ...other(fail, 'fail')]
}

export function kindInk(kind: string): Ink {
  if (kind === 'send') return 'send'
  return kind === 'poll' ? 'poll' : 'txn'
}

export function drawClient(painter: Painter, scene: Scene, row: Row, client: number): void {
  const { run, scale } = scene
  const list = run.byClient[client] ?? new Uint32Array()
  const range = visible(run, client, scale.window.from, scale.window.to)
  for (const stroke of strokesOf(run)) drawStroke(painter, scene, row, list, range, stroke)
  for (const atMs of run.data.clients[client]?.retiredAtMs ?? []) {
    const x = scale(atMs)
    if (x >= scale.left && x <= scale.right) painter.shape('cross', x, row.y + 4, 3, 'fail')
  }
  for (const mark of run.data.marks) {
    const x = scale(mark.atMs)
    if (mark.client === client && x >= scale.left && x <= scale.right)
      painter.shape('ring', x, row.y + row.height - 4, 2.5, 'soft')
  }
  for (const operation of scene.marked)
    if (at(run.client, operation) === client) outline(painter, scene, row, operation, 'mark')
  if (scene.selected !== undefined && at(run.client, scene.selected) === client)
    outline(painter, scene, row, scene.selected, 'select')
}

/** Indexes, in the client's list, of what may lie in a window. Of what began before it only the last is looked at: a client waits for one. */
export function visible(run: Run, client: number, fromMs: number, toMs: number): readonly [number, number] {
  return [Math.max(0, firstAfter(run, client, fromMs) - 2), firstAfter(run, client, toMs)]
}

function drawStroke(
  painter: Painter,
  { run, scale, shown }: Scene,
  row: Row,
  list: Uint32Array,
  [first, last]: readonly [number, number],
  { outcome, kind, ink }: Stroke,
): void {
  const isGood = outcome === ok
  const top = row.y + (isGood ? 8 : outcome === fail ? 2 : 4)
  const height = row.y + row.height - 3 - top
  // The bar that is being drawn: operations that touch the same pixels only make it longer.
  let [from, to] = [NaN, NaN]
  const finish = () => {
    if (Number.isNaN(from)) return
    painter.rect(from, top, to - from, height, isGood ? ink : `${ink}-soft`)
    if (isGood) return
    painter.pattern(from, top, to - from, height, ink, outcome === fail ? 'dots' : 'stripes')
    if (outcome === fail) painter.shape('cross', (from + to) / 2, row.y + row.height / 2, 3, ink)
    else painter.shape('diamond', (from + to) / 2, top, 3, ink)
  }
  for (let index = first; index < last; index += 1) {
    const operation = at(list, index)
    if (at(run.outcome, operation) !== outcome || at(run.kind, operation) !== kind || !shown(operation)) continue
    const x1 = Math.max(scale(at(run.start, operation)), scale.left - 2)
    const x2 = Math.min(Math.max(scale(at(run.end, operation)), x1 + 1), scale.right + 2)
    if (x2 < scale.left) continue
    if (x1 <= to + 0.5 && x2 - x1 < 3) {
      to = Math.max(to, x2)
      continue
    }
    finish()
    from = x1
    // A gap of a pixel between bars that can be told apart.
    to = x2 - x1 > 3 ? x2 - 1 : x2
  }
  finish()
}

function outline(painter: Painter, { run, scale }: Scene, row: Row, operation: number, ink: Ink): void {
  const from = scale(at(run.start, operation))
  const to = Math.max(scale(at(run.end, operation)), from + 2)
  if (to < scale.left || from > scale.right) return
  painter.frame(from - 2, row.y + 1, to - from + 4, row.height - 2, ink, 2)
  painter.shape('triangle', (from + to) / 2, row.y + 2, 4, ink)
}

/** Entries that belong to no client: kinds that this version does not know. */
export function drawMarks(painter: Painter, { run, scale }: Scene, row: Row): void {
  let last = -Infinity
  for (const mark of run.data.marks) {
    const x = scale(mark.atMs)
    if (mark.client !== undefined || x < scale.left || x > scale.right || x - last < 2) continue
    painter.shape('diamond', x, row.y + row.height / 2, 3.5, 'soft')
    last = x
  }
}
