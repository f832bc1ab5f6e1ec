/** The part of an axis that is shown, and how it moves. Used for time (milliseconds), and for rows and offsets of the order view. */
export interface Window {
  readonly from: number
  readonly to: number
}

export interface Bounds extends Window {
  /** Shown at least. */
  readonly least: number
}

/** Moves and shrinks a window until it lies within the bounds. */
export function clamp({ from, to }: Window, bounds: Bounds): Window {
  const length = Math.min(Math.max(to - from, bounds.least), bounds.to - bounds.from)
  const middle = (from + to) / 2
  const begin = to - from === length ? from : middle - length / 2
  const first = Math.min(Math.max(begin, bounds.from), bounds.to - length)
  return { from: first, to: first + length }
}

/** @param factor  below 1: nearer. What is at `anchor` stays where it is. */
export function zoom({ from, to }: Window, factor: number, anchor: number, bounds: Bounds): Window {
  const least = Math.min(bounds.least, bounds.to - bounds.from)
  const length = to - from
  const wanted = Math.min(Math.max(length * factor, least), bounds.to - bounds.from)
  const share = (anchor - from) / length
  const begin = anchor - share * wanted
  return clamp({ from: begin, to: begin + wanted }, bounds)
}

export function pan({ from, to }: Window, by: number, bounds: Bounds): Window {
  return clamp({ from: from + by, to: to + by }, bounds)
}

/** Moves a window, without zooming, so that it shows a place. */
export function reveal(window: Window, place: Window, bounds: Bounds): Window {
  if (place.from >= window.from && place.to <= window.to) return window
  const length = Math.max(window.to - window.from, (place.to - place.from) * 1.5)
  const middle = (place.from + place.to) / 2
  return clamp({ from: middle - length / 2, to: middle + length / 2 }, bounds)
}

/** A window around a place with some air. */
export function around(place: Window, air: number, bounds: Bounds): Window {
  const margin = Math.max((place.to - place.from) * 0.3, air)
  return clamp({ from: place.from - margin, to: place.to + margin }, bounds)
}

/** From a place on the axis to pixels, and back. */
export interface Scale {
  (place: number): number
  readonly invert: (pixel: number) => number
  readonly window: Window
  readonly left: number
  readonly right: number
}

export function scaleOf(window: Window, left: number, right: number): Scale {
  const perUnit = (right - left) / (window.to - window.from)
  const scale = (place: number) => left + (place - window.from) * perUnit
  return Object.assign(scale, {
    invert: (pixel: number) => window.from + (pixel - left) / perUnit,
    window,
    left,
    right,
  })
}

/** A round step: 1, 2 or 5 times a power of ten, at least `least`. */
export function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5, 10].find(factor => factor * power >= least) ?? 10)
}

/** Round places in a window, about `count` of them. */
export function ticks({ from, to }: Window, count: number): number[] {
  const step = roundStep((to - from) / Math.max(1, count))
  const found: number[] = []
  for (let index = Math.ceil(from / step); index * step <= to; index += 1) found.push(index * step)
  return found
}

/** `1.25 s`, `12.5 ms`: as many digits as the step between ticks asks for. */
export function timeLabel(ms: number, stepMs: number): string {
  const [value, unit, step] = stepMs >= 100 ? [ms / 1_000, 's', stepMs / 1_000] : [ms, 'ms', stepMs]
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))
  return `${value.toFixed(digits)} ${unit}`
}
