/** Mouse, wheel, touch and keyboard of a canvas, as the few movements that a picture knows. */

export interface Movements {
  /** @param factor  below 1: nearer */
  zoom(factor: number, x: number, y: number): void
  pan(dx: number, dy: number): void
  reset(): void
  hover(x: number, y: number): void
  leave(): void
  choose(x: number, y: number): void
  /** A key that is no movement; answers whether it meant something. */
  key(event: KeyboardEvent): boolean
}

const keyZoom = 1.5
const wheelZoom = 1.002
/** Pixels that a pointer may move and still be a click. */
const clickPixels = 4
const keyPan = 0.15

export function listen(canvas: HTMLCanvasElement, movements: Movements): void {
  wheel(canvas, movements)
  pointers(canvas, movements)
  canvas.addEventListener('dblclick', event => movements.zoom(1 / (keyZoom * keyZoom), ...placeOf(canvas, event)))
  canvas.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (moved(canvas, movements, event.key) || movements.key(event)) event.preventDefault()
  })
}

function placeOf(canvas: HTMLCanvasElement, event: { clientX: number; clientY: number }): [x: number, y: number] {
  const box = canvas.getBoundingClientRect()
  return [event.clientX - box.left, event.clientY - box.top]
}

function moved(canvas: HTMLCanvasElement, movements: Movements, key: string): boolean {
  const { width, height } = canvas.getBoundingClientRect()
  const middle = [width / 2, height / 2] as const
  switch (key) {
    case '+':
    case '=':
      movements.zoom(1 / keyZoom, ...middle)
      return true
    case '-':
      movements.zoom(keyZoom, ...middle)
      return true
    case 'ArrowLeft':
      movements.pan(-width * keyPan, 0)
      return true
    case 'ArrowRight':
      movements.pan(width * keyPan, 0)
      return true
    case '0':
      movements.reset()
      return true
    default:
      return false
  }
}

/** With Ctrl (or a pinch on a touch pad, which comes as that) the wheel zooms; sideways it pans; else it scrolls the page, as everywhere. */
function wheel(canvas: HTMLCanvasElement, movements: Movements): void {
  const listener = (event: WheelEvent) => {
    if (event.ctrlKey || event.metaKey) movements.zoom(wheelZoom ** event.deltaY, ...placeOf(canvas, event))
    else if (event.shiftKey) movements.pan(event.deltaX || event.deltaY, 0)
    else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) movements.pan(event.deltaX, 0)
    else return
    event.preventDefault()
  }
  canvas.addEventListener('wheel', listener, { passive: false })
}

/** One pointer pans or clicks, two zoom. */
function pointers(canvas: HTMLCanvasElement, movements: Movements): void {
  const down = new Map<number, [x: number, y: number]>()
  let travelled = 0
  const spread = () => {
    const [one, other] = [...down.values()]
    return one && other ? Math.hypot(one[0] - other[0], one[1] - other[1]) : 0
  }
  canvas.addEventListener('pointerdown', event => {
    if (event.button !== 0) return
    down.set(event.pointerId, placeOf(canvas, event))
    travelled = 0
    canvas.setPointerCapture(event.pointerId)
  })
  canvas.addEventListener('pointermove', event => {
    const place = placeOf(canvas, event)
    const before = down.get(event.pointerId)
    if (!before) return movements.hover(...place)
    const wasSpread = spread()
    down.set(event.pointerId, place)
    travelled += Math.hypot(place[0] - before[0], place[1] - before[1])
    if (down.size > 1) movements.zoom(wasSpread / Math.max(1, spread()), ...place)
    else if (travelled > clickPixels) movements.pan(before[0] - place[0], before[1] - place[1])
  })
  const up = (event: PointerEvent) => {
    const was = down.delete(event.pointerId)
    if (was && event.type === 'pointerup' && travelled <= clickPixels) movements.choose(...placeOf(canvas, event))
  }
  canvas.addEventListener('pointerup', up)
  canvas.addEventListener('pointercancel', up)
  canvas.addEventListener('pointerleave', () => movements.leave())
}
