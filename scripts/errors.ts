/**
 * What the toolkit says when it cannot do what was asked. Every message names what was expected, what came and the way out; the exit
 * code is part of the contract with scripts (0 good, 1 failed or invalid, 2 usage, 3 the machine lacks something, 4 unknown).
 */
import { types } from 'node:util'

export const exitCodes = { good: 0, failed: 1, usage: 2, lacking: 3, unknown: 4 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

export class ToolkitError extends Error {
  readonly exitCode: ExitCode
  /** What the person can do about it: a command or a setting. */
  readonly remedy: string | undefined
  constructor(exitCode: ExitCode, message: string, options: { remedy?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ToolkitError'
    this.exitCode = exitCode
    this.remedy = options.remedy
  }
}

/** The command line asks for something that cannot be meant. */
export function usageError(message: string, remedy?: string): ToolkitError {
  return new ToolkitError(exitCodes.usage, message, { remedy })
}

/** Something was tried and did not work. */
export function failure(message: string, remedy?: string, cause?: unknown): ToolkitError {
  return new ToolkitError(exitCodes.failed, message, { remedy, cause })
}

/** This machine lacks a program, a service, memory or a free port. */
export function lacking(message: string, remedy: string, cause?: unknown): ToolkitError {
  return new ToolkitError(exitCodes.lacking, message, { remedy, cause })
}

/** The person ended the command, and what it had done until then stays: the message says what that is. */
export class LeftAsItIs extends Error {
  constructor(state: string, reason: unknown) {
    super(state, { cause: reason })
    this.name = 'LeftAsItIs'
  }
}

/** A refusal of the system as a failure in one sentence; undefined for any other error. */
export function refusedBySystem(error: unknown): ToolkitError | undefined {
  if (!isError(error) || !refusals.has(codeOf(error) ?? '')) return undefined
  const { syscall, path } = error as NodeJS.ErrnoException
  if (syscall === 'kill')
    return failure(
      'A process of the cluster belongs to another user, and may not be signalled.',
      'Do it as the user who started the cluster.',
      error,
    )
  if (path === undefined) return undefined
  return failure(
    `${path} cannot be used: ${error.message}.`,
    'Do it as the user whose files these are, or choose another place: FAULTLINE_HOME=DIR ./faultline …',
    error,
  )
}

const refusals: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTDIR'])

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return isError(error) ? error.message : String(error)
}

/** The code of a system error such as ENOENT, if it is one. */
export function codeOf(error: unknown): string | undefined {
  return isError(error) && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Also of errors that Node.js makes while a test runner has put our code into a context with an Error of its own. */
function isError(error: unknown): error is Error {
  return error instanceof Error || types.isNativeError(error)
}
