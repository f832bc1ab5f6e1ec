/**
 * Lock files. Node has no flock(2), so the file names its holder: process id and, where /proc tells it, when that process began, so that a
 * recycled id is not taken for the holder. Good among processes that see each other's ids: on one machine, or in one container. A lock that
 * another program has of the kernel is respected, but such a program does not see ours. Whoever dies while taking it leaves nothing under its name,
 * or all of it: but for file systems without hard links, where a file says nothing for a moment, as Kafka's does for ever, and two that come in that
 * very moment could both have the lock.
 */
import { readFileSync, statSync } from 'node:fs'
import { DiskError, type DiskLock } from '../environment.ts'
import { diskCall } from './disk-errors.ts'
import { lockFilesOnDisk, releaseClaim, takeSteps, type Claim, type LockFiles } from './lock-row.ts'
import { procStat } from './proc-stat.ts'

interface Holder {
  readonly pid: number
  /** Clock ticks after boot at which the process began; '' where nobody tells. */
  readonly began: string
}

function isAlive(holder: Holder): boolean {
  if (holder.began !== '') {
    const found = procStat(holder.pid)
    return found !== undefined && found.began === holder.began && found.condition !== 'gone'
  }
  try {
    process.kill(holder.pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function holderIn(text: string): Holder | undefined {
  const match = /^pid=(\d+) began=(\d*)\n$/.exec(text)
  return match === null ? undefined : { pid: Number(match[1]), began: match[2] ?? '' }
}

/** `1: POSIX  ADVISORY  WRITE 4014 fe:00:778801 0 EOF`: process, device in hexadecimal, inode. */
const kernelLock = /^\d+: (?:POSIX|OFDLCK) +\S+ +WRITE +(-?\d+) +([0-9a-f]+):([0-9a-f]+):(\d+) /gm

/**
 * The process that holds a lock of the kernel on the file, as Apache Kafka does with its `.lock`, which says nothing itself. Undefined also
 * where there is no /proc/locks to tell, and of a file that is gone.
 */
function kernelLockHolder(path: string): number | undefined {
  let locks: string
  try {
    locks = readFileSync('/proc/locks', 'latin1')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EACCES') return undefined
    throw error
  }
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  if (stat === undefined) return undefined
  const { dev, ino } = stat
  // As glibc packs the two numbers of a device into one.
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n)
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n)
  for (const [, pid, lockMajor, lockMinor, inode] of locks.matchAll(kernelLock)) {
    if (BigInt(`0x${lockMajor}`) === major && BigInt(`0x${lockMinor}`) === minor && BigInt(inode!) === ino)
      return Number(pid)
  }
  return undefined
}

function textOf({ pid, began }: Holder): string {
  return `pid=${pid} began=${began}\n`
}

/** Undefined when nobody does. */
function whoHolds({ file, text }: Claim, self: Holder): string | undefined {
  const locker = kernelLockHolder(file)
  if (locker !== undefined) return `process ${locker} has locked it`
  const holder = holderIn(text)
  return holder !== undefined && holder.pid !== self.pid && isAlive(holder)
    ? `process ${holder.pid} holds it`
    : undefined
}

/** False: others have come and gone meanwhile. Refuses what somebody holds. */
function tryOnce(path: string, self: Holder, files: LockFiles): boolean {
  const steps = takeSteps(path, textOf(self), files)
  let heldBy: string | undefined
  try {
    let step = steps.next(false)
    while (step.done !== true) {
      if (step.value !== undefined) heldBy = whoHolds(step.value, self)
      step = steps.next(heldBy === undefined)
    }
    if (heldBy !== undefined) throw new DiskError('EEXIST', 'lock', path, new Error(heldBy))
    return step.value
  } finally {
    steps.return(false)
  }
}

/** Each time in vain, another process has taken the lock or released it: where that never ends, something else is in the way. */
const attemptsMax = 1_000

export function takeLock(path: string): DiskLock {
  return diskCall('lock', path, () => {
    const self = { pid: process.pid, began: procStat(process.pid)?.began ?? '' }
    const own = { file: path, text: textOf(self) }
    const files = lockFilesOnDisk(`${path}.${self.pid}`)
    for (let attempts = 0; attempts < attemptsMax; attempts++)
      if (tryOnce(path, self, files)) return { release: () => diskCall('unlock', path, () => releaseClaim(own, files)) }
    // Of a link that leads nowhere this says so.
    const left = readFileSync(path, 'latin1')
    throw new DiskError('EEXIST', 'lock', path, new Error(`others have taken it ${attemptsMax} times, last: ${left}`))
  })
}
