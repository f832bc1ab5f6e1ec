/**
 * Short commands of other programs, in the shell: `await sh()\`mvn -B …\``. What is interpolated is quoted. A child that lives on and is
 * looked after is execa's business, a broker that outlives its toolkit that of node:child_process.
 */
import { $, type Options, type Shell } from 'zx/core'

/** What the shell says of a command that is not there. */
export const commandNotFound = 127

export interface ShellOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  /** Ends the command, and all that it started. */
  readonly signal?: AbortSignal | undefined
  /** True: a Ctrl-C of the terminal is for the toolkit alone, which decides what becomes of the command. */
  readonly isDetached?: boolean
}

/** A shell that prints nothing and does not throw: what it returns has `ok`, `exitCode`, `stdout`, `stderr` and `stdall`, both as they came. */
export function sh({ cwd, env, timeoutMs, signal, isDetached }: ShellOptions = {}): Shell<false> {
  const options: Partial<Options> = { quiet: true, nothrow: true, stdio: ['ignore', 'pipe', 'pipe'] }
  if (cwd !== undefined) options.cwd = cwd
  if (env !== undefined) options.env = { ...process.env, ...env }
  if (timeoutMs !== undefined) options.timeout = timeoutMs
  if (signal !== undefined) options.signal = signal
  if (isDetached === true) options.detached = true
  return $(options)
}
