/** Turns what the operating system says about a socket into NetworkError, with a sentence that tells what to do. */
import { type Address, NetworkError } from '../environment.ts'

const bindAdvice: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use by another process; stop that process or choose another port',
  EADDRNOTAVAIL:
    'this machine has no such address; bind 0.0.0.0 or an address of this machine and advertise the other one',
  EACCES: 'not permitted; ports below 1024 need a privilege, choose a higher one',
  ENOTFOUND: 'the host name cannot be resolved',
  EAI_AGAIN: 'the host name cannot be resolved now',
}

/** Why an address could not be bound. */
export function bindError(error: unknown, address: Address): NetworkError {
  const code = codeOf(error)
  const advice = bindAdvice[code] ?? (error as Error).message
  return new NetworkError(code, `Cannot listen on ${address.host}:${address.port}: ${advice} (${code})`, error)
}

/** Why a connection could not be opened, or broke. */
export function connectionError(error: unknown, remote: Address): NetworkError {
  if (error instanceof NetworkError) return error
  const code = codeOf(error)
  return new NetworkError(
    code,
    `Connection with ${remote.host}:${remote.port} failed: ${(error as Error).message}`,
    error,
  )
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'UNKNOWN'
}
