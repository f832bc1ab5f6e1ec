/** Draws on a canvas, in the colours of the page's style sheet. */
import type { Ink, Painter, Pattern, Shape, TextStyle } from '../picture/painter.ts'

const font = 'system-ui, "Liberation Sans", sans-serif'
const usualSize = 11

/** The colours as they are now; made anew when light and dark change. */
export class Palette {
  readonly #style = getComputedStyle(document.documentElement)
  readonly #colours = new Map<Ink, string>()
  readonly #patterns = new Map<string, CanvasPattern>()

  colour(ink: Ink): string {
    let colour = this.#colours.get(ink)
    if (colour === undefined) {
      colour = this.#style.getPropertyValue(`--${ink}`).trim()
      if (colour === '') throw new Error(`the style sheet has no colour ${ink}`)
      this.#colours.set(ink, colour)
    }
    return colour
  }

  pattern(context: CanvasRenderingContext2D, ink: Ink, pattern: Pattern): CanvasPattern {
    const key = `${ink} ${pattern}`
    let made = this.#patterns.get(key)
    if (made === undefined) {
      const tile = document.createElement('canvas')
      tile.width = 8
      tile.height = 8
      drawTile(tile.getContext('2d') as CanvasRenderingContext2D, this.colour(ink), pattern)
      made = context.createPattern(tile, 'repeat') as CanvasPattern
      this.#patterns.set(key, made)
    }
    return made
  }
}

function drawTile(context: CanvasRenderingContext2D, colour: string, pattern: Pattern): void {
  context.fillStyle = colour
  context.strokeStyle = colour
  if (pattern === 'dots') {
    context.fillRect(1, 1, 2, 2)
    context.fillRect(5, 5, 2, 2)
    return
  }
  context.lineWidth = 1.6
  context.beginPath()
  for (const shift of [-8, 0, 8]) {
    context.moveTo(shift, 8)
    context.lineTo(shift + 8, 0)
  }
  context.stroke()
}

export class CanvasPainter implements Painter {
  readonly #context: CanvasRenderingContext2D
  readonly #palette: Palette

  constructor(context: CanvasRenderingContext2D, palette: Palette) {
    this.#context = context
    this.#palette = palette
  }

  rect(x: number, y: number, width: number, height: number, ink: Ink): void {
    this.#context.fillStyle = this.#palette.colour(ink)
    this.#context.fillRect(x, y, width, height)
  }

  pattern(x: number, y: number, width: number, height: number, ink: Ink, pattern: Pattern): void {
    this.#context.fillStyle = this.#palette.pattern(this.#context, ink, pattern)
    this.#context.fillRect(x, y, width, height)
  }

  frame(x: number, y: number, width: number, height: number, ink: Ink, lineWidth = 1): void {
    this.#context.strokeStyle = this.#palette.colour(ink)
    this.#context.lineWidth = lineWidth
    this.#context.setLineDash([])
    this.#context.strokeRect(x + 0.5, y + 0.5, Math.max(0, width - 1), height - 1)
  }

  line(points: readonly number[], ink: Ink, width = 1, dash: readonly number[] = []): void {
    if (points.length < 4) return
    const context = this.#context
    context.strokeStyle = this.#palette.colour(ink)
    context.lineWidth = width
    context.setLineDash([...dash])
    context.beginPath()
    context.moveTo(points[0] as number, points[1] as number)
    for (let index = 2; index < points.length; index += 2)
      context.lineTo(points[index] as number, points[index + 1] as number)
    context.stroke()
  }

  shape(shape: Shape, x: number, y: number, size: number, ink: Ink): void {
    const context = this.#context
    context.fillStyle = context.strokeStyle = this.#palette.colour(ink)
    context.lineWidth = 1.6
    context.setLineDash([])
    context.beginPath()
    if (shape === 'circle' || shape === 'ring') context.arc(x, y, size, 0, 2 * Math.PI)
    else
      for (const [index, [dx, dy]] of corners[shape].entries())
        if (index === 0 || (shape === 'cross' && index === 2)) context.moveTo(x + dx * size, y + dy * size)
        else context.lineTo(x + dx * size, y + dy * size)
    if (shape === 'cross' || shape === 'ring') context.stroke()
    else context.fill()
  }

  text(text: string, x: number, y: number, ink: Ink, style: TextStyle = {}): void {
    this.#setFont(style)
    this.#context.fillStyle = this.#palette.colour(ink)
    this.#context.textAlign = style.align ?? 'left'
    this.#context.fillText(text, x, y)
  }

  widthOf(text: string, style: TextStyle = {}): number {
    this.#setFont(style)
    return this.#context.measureText(text).width
  }

  within(x: number, y: number, width: number, height: number, draw: () => void): void {
    this.#context.save()
    this.#context.beginPath()
    this.#context.rect(x, y, width, height)
    this.#context.clip()
    draw()
    this.#context.restore()
  }

  #setFont({ bold, size }: TextStyle): void {
    const wanted = `${bold === true ? '600 ' : ''}${size ?? usualSize}px ${font}`
    if (this.#context.font !== wanted) this.#context.font = wanted
  }
}

const corners: Readonly<Record<Exclude<Shape, 'circle' | 'ring'>, readonly (readonly [number, number])[]>> = {
  cross: [[-1, -1], [1, 1], [-1, 1], [1, -1]], // prettier-ignore
  diamond: [[0, -1], [1, 0], [0, 1], [-1, 0]], // prettier-ignore
  square: [[-1, -1], [1, -1], [1, 1], [-1, 1]], // prettier-ignore
  triangle: [[-1, -1], [1, -1], [0, 1]], // prettier-ignore
}

/** A canvas that is as sharp as the screen; answers the context to draw on, cleared. */
export function prepared(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = Math.min(window.devicePixelRatio || 1, 16_000 / Math.max(width, height))
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)]
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across
    canvas.height = down
    canvas.style.height = `${height}px`
  }
  const context = canvas.getContext('2d') as CanvasRenderingContext2D
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.clearRect(0, 0, width, height)
  return context
}
