/**
 * What pictures are drawn with. The page draws on a canvas; tests write down what was drawn. Ink is the name of a colour of the style sheet, so
 * that light and dark are no concern of who draws.
 */
export type Ink = string

export type Shape = 'cross' | 'circle' | 'ring' | 'diamond' | 'triangle' | 'square'

/** Patterns that tell apart what colour alone must not. */
export type Pattern = 'stripes' | 'dots'

export interface TextStyle {
  readonly align?: 'left' | 'right' | 'center'
  readonly bold?: boolean
  readonly size?: number
}

export interface Painter {
  rect(x: number, y: number, width: number, height: number, ink: Ink): void
  pattern(x: number, y: number, width: number, height: number, ink: Ink, pattern: Pattern): void
  frame(x: number, y: number, width: number, height: number, ink: Ink, lineWidth?: number): void
  /** x and y in turn. */
  line(points: readonly number[], ink: Ink, width?: number, dash?: readonly number[]): void
  shape(shape: Shape, x: number, y: number, size: number, ink: Ink): void
  text(text: string, x: number, y: number, ink: Ink, style?: TextStyle): void
  /** How wide a text is in the usual size. */
  widthOf(text: string, style?: TextStyle): number
  /** Draws nothing outside of a rectangle. */
  within(x: number, y: number, width: number, height: number, draw: () => void): void
}

/** Bounds of what is drawn into. */
export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}
