/** Questions to a person: over the terminal, or over any pair of streams. */
import { createInterface } from 'node:readline/promises'
import type { Readable, Writable } from 'node:stream'

export interface Keyboard {
  readonly input: Readable & { readonly isTTY?: boolean }
  readonly output: Writable & { readonly isTTY?: boolean }
  /** Called for Ctrl-C, which a terminal gives to whoever reads from it. */
  readonly interrupt: () => void
}

/**
 * One line, without its end; undefined when the input has ended.
 *
 * @throws the signal's reason when it is aborted meanwhile
 */
export async function ask(keyboard: Keyboard, question: string, signal: AbortSignal): Promise<string | undefined> {
  signal.throwIfAborted()
  const { input, output, interrupt } = keyboard
  const reader = createInterface({ input, output, terminal: input.isTTY === true && output.isTTY === true })
  reader.on('SIGINT', interrupt)
  const ended = new Promise<undefined>(resolve => reader.once('close', () => resolve(undefined)))
  try {
    return await Promise.race([reader.question(question, { signal }), ended])
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    reader.close()
  }
}
