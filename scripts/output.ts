/**
 * Where the toolkit writes: results to stdout, everything that tells how it is going to stderr. With --json stdout gets exactly one JSON
 * document, also when the command fails.
 */
import { once } from 'node:events'
import { Chalk } from 'chalk'
import type { Ora } from 'ora'
import { messageOf, ToolkitError } from './errors.ts'

/** Colour follows the stream that is written to, and NO_COLOR. */
export const paint = new Chalk({ level: colourLevel(process.stdout) })
const paintError = new Chalk({ level: colourLevel(process.stderr) })

function colourLevel(stream: NodeJS.WriteStream): 0 | 1 {
  if (process.env['NO_COLOR'] !== undefined && process.env['NO_COLOR'] !== '') return 0
  if (process.env['FORCE_COLOR'] !== undefined && process.env['FORCE_COLOR'] !== '0') return 1
  return stream.isTTY ? 1 : 0
}

export class Output {
  readonly json: boolean
  #spinner: Ora | undefined
  #doing: string | undefined
  #loading = false
  #documents = 0

  constructor(json: boolean) {
    this.json = json
  }

  /** What is going on: a spinner on a terminal, else a line. */
  readonly progress = (message: string): void => {
    // Of a terminal without a width the spinner would erase lines without end.
    if (!process.stderr.isTTY || !(process.stderr.columns > 0)) {
      process.stderr.write(`${message}\n`)
      return
    }
    this.#doing = message
    if (this.#spinner !== undefined) this.#spinner.text = message
    else void this.#startSpinner()
  }

  /** ora takes a tenth of a second to load; what is done by then goes without. */
  async #startSpinner(): Promise<void> {
    if (this.#loading) return
    this.#loading = true
    const { default: ora } = await import('ora')
    if (this.#doing !== undefined) this.#spinner ??= ora({ text: this.#doing, stream: process.stderr }).start()
    this.#loading = false
  }

  /** Something a person should know that is not the result. */
  note(message: string): void {
    this.stopProgress()
    process.stderr.write(`${message}\n`)
  }

  stopProgress(): void {
    this.#spinner?.stop()
    this.#spinner = undefined
    this.#doing = undefined
  }

  /** The result, in the form that was asked for. */
  result(document: unknown, text: () => string): void {
    this.stopProgress()
    if (this.json) this.#document(document)
    else process.stdout.write(ended(text()))
  }

  /** A line of a result that comes bit by bit; not with --json. */
  line(text: string): void {
    this.stopProgress()
    process.stdout.write(ended(text))
  }

  /** One of the documents of a command that says of itself that it gives one JSON document a line. */
  jsonLine(document: unknown): void {
    this.stopProgress()
    this.#documents++
    process.stdout.write(`${JSON.stringify(document)}\n`)
  }

  /** Resolves when stdout has taken what it was given, and in a later turn: an interrupt is heard in between. */
  async taken(signal: AbortSignal): Promise<void> {
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain', { signal })
    else await new Promise(done => setImmediate(done))
    signal.throwIfAborted()
  }

  error(error: unknown): void {
    this.stopProgress()
    const remedy = error instanceof ToolkitError ? error.remedy : undefined
    const exitCode = error instanceof ToolkitError ? error.exitCode : 1
    if (this.json && this.#documents === 0) this.#document({ error: { message: messageOf(error), remedy, exitCode } })
    const text =
      error instanceof ToolkitError || !(error instanceof Error) ? messageOf(error) : (error.stack ?? error.message)
    process.stderr.write(`${paintError.red('error:')} ${text}\n`)
    if (remedy !== undefined) process.stderr.write(`  ${paintError.bold('way out:')} ${remedy}\n`)
  }

  #document(document: unknown): void {
    if (this.#documents++ > 0) throw new Error('--json promises exactly one document')
    process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`)
  }
}

function ended(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`
}
