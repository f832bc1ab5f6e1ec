/** Turns what the operating system says into DiskError, the only exception that a Disk throws. */
import { DiskError, type DiskErrorCode } from '../environment.ts'

const knownCodes: ReadonlySet<string> = new Set<DiskErrorCode>([
  'ENOSPC',
  'EIO',
  'EROFS',
  'EACCES',
  'EMFILE',
  'ENOENT',
  'EEXIST',
  'ENOTDIR',
  'ENOTEMPTY',
  'EDQUOT',
])

/** Codes that mean the same to us. */
const aliases: Readonly<Record<string, DiskErrorCode>> = { EPERM: 'EACCES', ENFILE: 'EMFILE' }

/** @param operation the file call as the interface names it, e.g. `write` */
export function diskError(error: unknown, operation: string, path: string): DiskError {
  if (error instanceof DiskError) return error
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (knownCodes.has(code)) return new DiskError(code as DiskErrorCode, operation, path, error)
  return new DiskError(aliases[code] ?? 'OTHER', operation, path, error)
}

/** Runs a file call and translates its failure. */
export function diskCall<T>(operation: string, path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw diskError(error, operation, path)
  }
}
