/** The newest log lines of all nodes in the order of virtual time, for the report of a failure. Formatted only when asked for. */
import type { LogFields, Logger, LogLevel } from '#broker/environment/environment.ts'
import { type LogEvent, logLevelOrder, textLine } from '#broker/environment/log-line.ts'
import type { World } from './world.ts'

const eventsKept = 1000

interface TraceEntry extends LogEvent {
  readonly timeUs: number
  readonly who: string
}

export class Trace {
  readonly #world: World
  readonly #levelFloor: number
  readonly #onLine: ((line: string, node: string) => void) | undefined
  readonly #entries: TraceEntry[] = []
  #next = 0

  constructor(world: World, level: LogLevel, onLine: ((line: string, node: string) => void) | undefined) {
    this.#world = world
    this.#levelFloor = logLevelOrder[level]
    this.#onLine = onLine
  }

  add(who: string, level: LogLevel, message: string, fields: LogFields, wallMs = this.#world.wallMs): void {
    if (logLevelOrder[level] < this.#levelFloor) return
    const entry = { timeUs: this.#world.nowUs, who, level, message, fields, wallMs }
    this.#entries[this.#next++ % eventsKept] = entry
    this.#onLine?.(format(entry), who)
  }

  /** Oldest first; of one node only, when asked. */
  lines(who?: string): string[] {
    const from = this.#next % eventsKept
    const ordered =
      this.#next <= eventsKept ? this.#entries : [...this.#entries.slice(from), ...this.#entries.slice(0, from)]
    return ordered.filter(entry => who === undefined || entry.who === who).map(format)
  }
}

/** A node's logger: lines go to the trace with the node's name. */
export class TraceLogger implements Logger {
  readonly #trace: Trace
  readonly #who: string
  readonly #wallMs: () => number
  readonly #fields: LogFields

  constructor(trace: Trace, who: string, wallMs: () => number, fields: LogFields = {}) {
    this.#trace = trace
    this.#who = who
    this.#wallMs = wallMs
    this.#fields = fields
  }

  debug(message: string, fields?: LogFields): void {
    this.#log('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.#log('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#log('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.#log('error', message, fields)
  }

  child(fields: LogFields): Logger {
    return new TraceLogger(this.#trace, this.#who, this.#wallMs, { ...this.#fields, ...fields })
  }

  #log(level: LogLevel, message: string, fields: LogFields | undefined): void {
    this.#trace.add(this.#who, level, message, { ...this.#fields, ...fields }, this.#wallMs())
  }
}

function format(entry: TraceEntry): string {
  const seconds = (entry.timeUs / 1e6).toFixed(6).padStart(12)
  return `${seconds} ${entry.who.padEnd(12)} ${textLine(entry)}`
}
