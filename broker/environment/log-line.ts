/**
 * Turns one log event into one line, for people or as JSON. Pure: it reads no clock and writes nowhere, so that the real machine and the
 * simulator print the same lines.
 */
import type { LogFields, LogLevel } from './environment.ts'

export const logLevelOrder: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

export interface LogEvent {
  readonly wallMs: number
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

/** `2026-01-31 12:00:00.000 INFO  [raft] Became leader epoch=3`: the component first, since that is what people scan for. */
export function textLine(event: LogEvent): string {
  const when = new Date(event.wallMs).toISOString().replace('T', ' ').replace('Z', '')
  let line = `${when} ${event.level.toUpperCase().padEnd(5)} `
  const component = event.fields['component']
  if (typeof component === 'string') line += `[${component}] `
  line += event.message
  for (const [name, value] of Object.entries(event.fields)) {
    if (name === 'component' || value === undefined) continue
    line += ` ${name}=${textValue(value)}`
  }
  return line
}

/** One JSON object a line: `time`, `level`, `message`, then the fields. */
export function jsonLine(event: LogEvent): string {
  const { wallMs, level, message, fields } = event
  return JSON.stringify({ time: new Date(wallMs).toISOString(), level, message, ...fields }, jsonReplacer)
}

function textValue(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Error) return JSON.stringify(value.stack ?? value.message)
  return JSON.stringify(value, jsonReplacer) ?? typeof value
}

function jsonReplacer(this: unknown, _name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack }
  if (value instanceof Uint8Array) return `<${value.length} bytes>`
  if (value instanceof Map) return Object.fromEntries(value)
  if (value instanceof Set) return [...value]
  return value
}
