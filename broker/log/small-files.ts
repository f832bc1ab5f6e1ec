/**
 * Small text files that are replaced as a whole: written beside, fsynced, renamed over the old one, directory fsynced.
 * A reader finds the old content or the new one, never a mixture.
 */
import { DiskError } from '../environment/environment.ts'
import type { Disk, DiskFile } from '../environment/environment.ts'

/**
 * Replaces (or creates) `path`. `durable: false` leaves out both fsyncs, for files whose loss is repaired at the next
 * start.
 */
export function replaceFile(
  disk: Disk,
  path: string,
  content: string | Uint8Array,
  options: { readonly durable: boolean },
): void {
  const temporary = `${path}.tmp`
  const file = disk.open(temporary, 'write')
  try {
    file.truncate(0)
    file.write([typeof content === 'string' ? Buffer.from(content) : content], 0)
    if (options.durable) file.sync()
  } finally {
    file.close()
  }
  disk.rename(temporary, path)
  if (options.durable) disk.syncDirectory(parentOf(path))
}

/**
 * As `replaceFile`, but the fsync runs off the event loop and the file is replaced afterwards, if `current` still holds
 * then. The rename itself is not made durable: until it is, the old content counts.
 */
export function replaceFileLater(
  disk: Disk,
  path: string,
  content: string,
  options: { readonly suffix: string; current(): boolean },
  done: (error: DiskError | undefined) => void,
): void {
  const temporary = path + options.suffix
  const file = disk.open(temporary, 'write')
  try {
    file.truncate(0)
    file.write([Buffer.from(content)], 0)
  } catch (error) {
    file.close()
    throw error
  }
  file.syncLater(error => {
    file.close()
    if (error !== undefined) return done(error)
    if (!options.current()) return done(undefined)
    try {
      disk.rename(temporary, path)
    } catch (failure) {
      if (!(failure instanceof DiskError)) throw failure
      return done(failure)
    }
    done(undefined)
  })
}

/** The whole content, undefined when the file is missing. */
export function readFile(disk: Disk, path: string): Buffer | undefined {
  const found = disk.stat(path)
  if (found === undefined || found.kind !== 'file') return undefined
  const file = disk.open(path, 'read')
  try {
    const content = Buffer.alloc(file.size())
    return content.subarray(0, file.read(content, 0))
  } finally {
    file.close()
  }
}

/** fsyncs a file that is there, off the event loop. Calls `done` also when it cannot be opened. */
export function syncFileLater(disk: Disk, path: string, done: (error: DiskError | undefined) => void): void {
  let file: DiskFile
  try {
    file = disk.open(path, 'write')
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    return done(error)
  }
  file.syncLater(error => {
    file.close()
    done(error)
  })
}

/** Makes a directory and its parents, and their names durable. */
export function makeDurableDirectory(disk: Disk, path: string): void {
  const created: string[] = []
  for (let at = path; at !== '/' && disk.stat(at) === undefined; at = parentOf(at)) created.push(at)
  if (created.length > 0) disk.makeDirectory(path)
  for (const directory of created) disk.syncDirectory(parentOf(directory))
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')))
}
