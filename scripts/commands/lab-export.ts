/** A recorded history in the notation of other checkers. */
import { writeFile } from 'node:fs/promises'
import { failure, messageOf, usageError } from '../errors.ts'
import { readHistory } from '../history/file.ts'
import { formatJepsen, jepsenFormats } from '../history/jepsen.ts'
import type { Session } from './session.ts'

interface ExportOptions {
  readonly format: string
  readonly out?: string
}

export async function exportHistory(file: string, options: ExportOptions, session: Session): Promise<void> {
  const format = jepsenFormats.find(name => name === options.format)
  if (format === undefined) {
    throw usageError(`--format must be one of ${jepsenFormats.join(', ')}, got ${JSON.stringify(options.format)}.`)
  }
  const { history } = await readHistory(file)
  let text: string
  try {
    text = formatJepsen(history, format)
  } catch (error) {
    throw failure(`${file} cannot be written as ${format}: ${messageOf(error)}`, undefined, error)
  }
  if (options.out === undefined) {
    session.output.line(text)
    return
  }
  await writeFile(options.out, text)
  session.output.note(`${options.out}: ${text.split('\n').length - 1} entries`)
}
