/**
 * Whether a broker has a directory: Faultline's lock file names its process, Apache Kafka holds a lock of the kernel on the file. The latter is
 * seen on Linux, in /proc/locks.
 */
import { readFileSync, statSync } from 'node:fs'
import { DiskError, type Disk, type DiskLock } from '#broker/environment/environment.ts'
import { failure } from '../errors.ts'
import type { DataDirectory } from './places.ts'

/** Takes the directory; throws when a broker runs on it. */
export function takeDirectory(disk: Disk, data: Pick<DataDirectory, 'path'>): DiskLock {
  const path = `${data.path}/.lock`
  const kernel = kernelLockOf(path)
  if (kernel !== undefined) throw inUse(data.path, `process ${kernel} holds it`)
  try {
    return disk.lock(path)
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'EEXIST') throw error
    throw inUse(data.path, error.cause instanceof Error ? error.cause.message : 'another process holds it')
  }
}

function inUse(path: string, holder: string) {
  return failure(
    `A broker uses ${path} (${holder}): its files change while they would be repaired.`,
    'Stop the broker first.',
  )
}

/** Process with a lock of the kernel on the file; undefined when there is none, or nobody tells. */
function kernelLockOf(path: string): number | undefined {
  const file = statSync(path, { throwIfNoEntry: false })
  if (file === undefined) return undefined
  let locks: string
  try {
    locks = readFileSync('/proc/locks', 'latin1')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  // `1: POSIX ADVISORY WRITE 1234 08:01:5678 0 EOF`
  const line = locks.split('\n').find(text => new RegExp(`\\s[0-9a-f]+:[0-9a-f]+:${file.ino}\\s`).test(text))
  return line === undefined ? undefined : Number(/(?:READ|WRITE)\s+(-?\d+)/.exec(line)?.[1] ?? -1)
}
