/** Why a node cannot start, in a sentence that says what to do. Anything else that stops a start is a bug or a broken machine. */
export class StartupError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StartupError'
  }
}
