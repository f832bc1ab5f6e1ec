/** Log lines of a real process: one line an event, text for people by default, JSON for machines, on stderr unless told otherwise. */
import { logLevelOrder, jsonLine, textLine } from '../log-line.ts'
import type { LogFields, Logger, LogLevel, LogLevels } from '../environment.ts'

export interface LoggerOptions {
  readonly level: LogLevel
  readonly format: 'text' | 'json'
  readonly write: (line: string) => void
}

/** One level for all lines: this broker has no loggers by class. */
class RootLevel implements LogLevels {
  /** Least level that is written. */
  floor: number
  #name: string

  constructor(level: LogLevel) {
    this.floor = logLevelOrder[level]
    this.#name = level.toUpperCase()
  }

  all(): ReadonlyMap<string, string> {
    return new Map([['root', this.#name]])
  }

  set(_logger: string, level: string): void {
    const ours: Readonly<Record<string, LogLevel>> = {
      TRACE: 'debug',
      DEBUG: 'debug',
      WARN: 'warn',
      ERROR: 'error',
      FATAL: 'error',
    }
    this.#name = level
    this.floor = logLevelOrder[ours[level] ?? 'info']
  }
}

export class LineLogger implements Logger {
  readonly levels: LogLevels
  readonly #options: LoggerOptions
  readonly #root: RootLevel
  readonly #fields: LogFields

  constructor(options: LoggerOptions, fields: LogFields = {}, root = new RootLevel(options.level)) {
    this.levels = root
    this.#root = root
    this.#options = options
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
    return new LineLogger(this.#options, { ...this.#fields, ...fields }, this.#root)
  }

  #log(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (logLevelOrder[level] < this.#root.floor) return
    const event = { wallMs: Date.now(), level, message, fields: { ...this.#fields, ...fields } }
    this.#options.write((this.#options.format === 'json' ? jsonLine(event) : textLine(event)) + '\n')
  }
}
