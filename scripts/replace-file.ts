/** Files that others may read at any time, and that a command may be killed at. */
import { renameSync, rmSync, writeFileSync, type WriteFileOptions } from 'node:fs'

/** Writes a file in one step: who reads meanwhile finds the old content or the new one. */
export function replaceFile(path: string, content: string | Uint8Array, options: WriteFileOptions = {}): void {
  const draft = `${path}.${process.pid}.tmp`
  try {
    writeFileSync(draft, content, options)
    renameSync(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}
