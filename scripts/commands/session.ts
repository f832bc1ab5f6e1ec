/** What a running command shares with the frame around it: where it writes, whether it was interrupted, how it ends. */
import { constants } from 'node:os'
import { codeOf, exitCodes } from '../errors.ts'
import { unlessAborted } from '../labs/interruptible.ts'
import { endProcess } from '../labs/strays.ts'
import { Output } from '../output.ts'

export class Session {
  readonly output: Output
  /** Of the command that ran; a lab may end with "invalid" or "unknown" without an error. */
  exitCode: number = exitCodes.good
  interruptedBy: NodeJS.Signals | undefined
  /** It had nothing to take away, and was left where it was. */
  wasLeft = false
  readonly #abort = new AbortController()

  constructor(json: boolean, output = new Output(json)) {
    this.output = output
  }

  /** Aborted by Ctrl-C: whoever started something takes it away again. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /**
   * For work that has nothing to take away: rejects soon after the signal is aborted, whatever the work waits for. A client library that
   * asks a broker which says nothing cannot be told to stop.
   *
   * @param graceMs  for work that says goodbye when the signal is aborted
   */
  async leaving<T>(work: () => Promise<T>, graceMs = 0): Promise<T> {
    const left = new AbortController()
    const leave = () => {
      this.wasLeft = true
      left.abort(this.signal.reason)
    }
    this.signal.addEventListener('abort', () => void setTimeout(leave, graceMs).unref(), { once: true })
    return await unlessAborted(work(), left.signal)
  }

  listenForInterrupts(): void {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => this.#interrupt(signal))
    // Node turns SIGPIPE into an error of the stream. Nobody reads any more (`… | head`): end like a Ctrl-C, but silently.
    for (const stream of [process.stdout, process.stderr]) {
      stream.on('error', error => {
        if (codeOf(error) !== 'EPIPE') throw error
        this.#interrupt('SIGPIPE')
      })
    }
  }

  #interrupt(signal: NodeJS.Signals): void {
    if (this.interruptedBy !== undefined) {
      // A terminal that is closed sends SIGHUP more than once.
      if (signal === 'SIGHUP' || signal === 'SIGPIPE') return
      process.stderr.write(
        'Interrupted again: leaving at once. ./faultline status shows what is left, ./faultline down removes it.\n',
      )
      endProcess(128 + constants.signals[signal])
    }
    this.interruptedBy = signal
    if (signal !== 'SIGPIPE') this.output.note('Interrupted: cleaning up (once more to leave at once)')
    this.#abort.abort(new Error(`interrupted by ${signal}`))
  }
}
