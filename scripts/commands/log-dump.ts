/** `log dump`: prints files of a log as they are. */
import { resolve } from 'node:path'
import { nodeDisk } from '#broker/environment/node/disk.ts'
import { exitCodes } from '../errors.ts'
import { dumpFile } from '../log-files/dump.ts'
import { filesAt } from '../log-files/places.ts'
import { paint } from '../output.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export async function dumpLog(
  path: string,
  options: CommonOptions & { readonly records?: boolean },
  session: Session,
): Promise<void> {
  const documents: unknown[] = []
  for (const { file, partition } of filesAt(nodeDisk, resolve(path))) {
    const lines: unknown[] = []
    if (!session.output.json) session.output.line(paint.bold(file.path))
    for (const { text, document, isDamaged } of dumpFile(nodeDisk, file, {
      records: options.records === true,
      partition,
    })) {
      session.signal.throwIfAborted()
      if (isDamaged === true) session.exitCode = exitCodes.failed
      if (session.output.json) lines.push(document)
      else session.output.line(isDamaged === true ? paint.red(text) : text)
    }
    documents.push({ path: file.path, kind: file.kind, entries: lines })
    // Lets an interrupt in.
    await new Promise(done => setImmediate(done))
  }
  if (session.output.json) session.output.result(documents, () => '')
}
