/** What the toolkit refuses, in the words of the library: its ways out are commands, which are of no use in a test. */
import { messageOf, ToolkitError } from '../errors.ts'
import { installation } from '../installation/here.ts'
import { FaultlineError } from './api.ts'

/** @param logs  what the nodes said last */
export function asFaultlineError(error: unknown, logs?: string): Error {
  if (error instanceof FaultlineError) return error
  const remedy = error instanceof ToolkitError ? error.remedy : undefined
  const way = remedy === undefined || remedy.includes(installation.command) || isAboutOptions(remedy) ? [] : [remedy]
  const lines = [messageOf(error), ...way, ...(logs === undefined ? [] : [logs])]
  return new FaultlineError(lines.join('\n'), { cause: error })
}

/** Options of the command line, which `startCluster` has not. */
function isAboutOptions(remedy: string): boolean {
  return /(^|\s)--[a-z]/.test(remedy)
}

export function explained<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw asFaultlineError(error)
  }
}
