/** Words that pictures and readouts share. */

/** `12.3 ms`, `4.51 s`: a moment or a duration of a run, precise enough to be found again. */
export function timeText(ms: number): string {
  return ms < 1_000 ? `${trim(ms.toFixed(1))} ms` : `${(ms / 1_000).toFixed(ms < 100_000 ? 3 : 2)} s`
}

/** `1 204`, `12.5`, `3.1 M`. */
export function numberText(value: number): string {
  if (value >= 10_000_000) return `${(value / 1_000_000).toFixed(1)} M`
  if (value >= 100 || Number.isInteger(value))
    return Math.round(value)
      .toString()
      .replaceAll(/\B(?=(\d{3})+$)/g, ' ')
  return trim(value.toFixed(1))
}

function trim(text: string): string {
  return text.replace(/\.0$/, '')
}

export const stateWords: Readonly<Record<string, string>> = {
  up: 'up and answering',
  starting: 'up, but not answering',
  paused: 'frozen',
  down: 'down',
}

export const outcomeWords: Readonly<Record<string, string>> = {
  ok: 'ok',
  fail: 'failed',
  info: 'outcome unknown',
  open: 'no answer until the end',
}

/** Offsets of a run of records: `17`, `17–20`, `unknown`. */
export function offsetsText(offset: number, count: number): string {
  if (offset < 0) return 'unknown'
  return count === 1 ? String(offset) : `${offset}–${offset + count - 1}`
}

/** A broker's colour: by its id, the same everywhere. */
export function brokerInk(id: number): string {
  return `b${(((id - 1) % 8) + 8) % 8}`
}
