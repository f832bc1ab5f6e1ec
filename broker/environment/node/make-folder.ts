/** Folders, one after the other: where one of /proc cannot be made, `mkdirSync` with `recursive` of Node.js tries for ever. */
import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes it and those above it, where they are missing; throws the error of the system when one cannot be made.
 *
 * @param mode  of those that are made
 * @returns the outermost one that was missing, as `mkdirSync` with `recursive` does
 */
export function makeFolder(path: string, mode?: number): string | undefined {
  const missing: string[] = []
  for (let folder = resolve(path); !exists(folder); folder = dirname(folder)) missing.push(folder)
  missing.reverse()
  for (const folder of missing) makeOne(folder, mode)
  // What is there may be a file.
  if (!statSync(path).isDirectory()) makeOne(path, mode)
  return missing[0]
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

function makeOne(folder: string, mode: number | undefined): void {
  try {
    mkdirSync(folder, mode)
  } catch (error) {
    // Another command may have made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !statSync(folder).isDirectory()) throw error
  }
}
