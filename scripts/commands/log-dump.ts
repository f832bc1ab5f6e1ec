/** `log dump`: prints files of a log as they are. */
import { resolve } from 'node:path'
import { nodeDisk } from '#broker/environment/node/disk.ts'
import { exitCodes } from '../errors.ts'
import { dumpFile } from '../log-files/dump.ts'
import { filesAt } from '../log-files/places.ts'
import { paint } from '../output.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

/** Between two looks for an interrupt, or for a reader that has enough. */
const linesPerTurn = 200

export async function dumpLog(
  path: string,
  options: CommonOptions & { readonly records?: boolean },
  session: Session,
): Promise<void> {
  const documents: unknown[] = []
  let shown = 0
  for (const { file, partition } of filesAt(nodeDisk, resolve(path))) {
    const lines: unknown[] = []
    if (!session.output.json) session.output.line(paint.bold(file.path))
    for (const { text, document, isDamaged } of dumpFile(nodeDisk, file, {
      records: options.records === true,
      partition,
    })) {
      if (++shown % linesPerTurn === 0) await session.output.taken(session.signal)
      if (isDamaged === true) session.exitCode = exitCodes.failed
      if (session.output.json) lines.push(document)
      else session.output.line(isDamaged === true ? paint.red(text) : text)
    }
    documents.push({ path: file.path, kind: file.kind, entries: lines })
  }
  if (session.output.json) session.output.result(documents, () => '')
}
