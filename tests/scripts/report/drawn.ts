/** A painter that writes down what was drawn. */
import type { Ink, Painter, Pattern, Shape } from '#scripts/report/picture/painter.ts'

export interface Drawn {
  readonly what: 'rect' | 'pattern' | 'frame' | 'line' | 'shape' | 'text'
  readonly x: number
  readonly y: number
  readonly width?: number
  readonly height?: number
  readonly ink: Ink
  readonly text?: string
  readonly shape?: Shape
  readonly pattern?: Pattern
  readonly points?: readonly number[]
}

export class Notes implements Painter {
  readonly all: Drawn[] = []

  rect(x: number, y: number, width: number, height: number, ink: Ink): void {
    this.all.push({ what: 'rect', x, y, width, height, ink })
  }

  pattern(x: number, y: number, width: number, height: number, ink: Ink, pattern: Pattern): void {
    this.all.push({ what: 'pattern', x, y, width, height, ink, pattern })
  }

  frame(x: number, y: number, width: number, height: number, ink: Ink): void {
    this.all.push({ what: 'frame', x, y, width, height, ink })
  }

  line(points: readonly number[], ink: Ink): void {
    this.all.push({ what: 'line', x: points[0] ?? NaN, y: points[1] ?? NaN, ink, points })
  }

  shape(shape: Shape, x: number, y: number, _: number, ink: Ink): void {
    this.all.push({ what: 'shape', x, y, ink, shape })
  }

  text(text: string, x: number, y: number, ink: Ink): void {
    this.all.push({ what: 'text', x, y, ink, text })
  }

  widthOf(text: string): number {
    return text.length * 6
  }

  within(_x: number, _y: number, _width: number, _height: number, draw: () => void): void {
    draw()
  }

  /** What was drawn between two heights. */
  between(from: number, to: number): Drawn[] {
    return this.all.filter(({ y }) => y >= from && y < to)
  }

  get texts(): string[] {
    return this.all.flatMap(({ text }) => (text === undefined ? [] : [text]))
  }
}
