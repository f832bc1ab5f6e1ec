/** Log lines of a real process: one line an event, text for people by default, JSON for machines, on stderr unless told otherwise. */
import { logLevelOrder, jsonLine, textLine } from '../log-line.ts'
import type { LogFields, Logger, LogLevel } from '../environment.ts'

export interface LoggerOptions {
  readonly level: LogLevel
  readonly format: 'text' | 'json'
  readonly write: (line: string) => void
}

export class LineLogger implements Logger {
  readonly #options: LoggerOptions
  readonly #levelFloor: number
  readonly #fields: LogFields

  constructor(options: LoggerOptions, fields: LogFields = {}) {
    this.#options = options
    this.#levelFloor = logLevelOrder[options.level]
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
    return new LineLogger(this.#options, { ...this.#fields, ...fields })
  }

  #log(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (logLevelOrder[level] < this.#levelFloor) return
    const event = { wallMs: Date.now(), level, message, fields: { ...this.#fields, ...fields } }
    this.#options.write((this.#options.format === 'json' ? jsonLine(event) : textLine(event)) + '\n')
  }
}
