/**
 * Lock files. Node has no flock(2), so the file names its holder: process id and, where /proc tells it, when that process began, so that a
 * recycled id is not taken for the holder. Good among processes that see each other's ids: on one machine, or in one container.
 */
import { readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { DiskError, type DiskLock } from '../environment.ts'
import { diskCall } from './disk-errors.ts'

interface Holder {
  readonly pid: number
  /** Clock ticks after boot at which the process began; '' where nobody tells. */
  readonly began: string
}

/**
 * Field 22 of /proc/PID/stat; the command in field 2 may hold blanks and brackets. Undefined when there is no such process, or only what
 * is left of one that nobody has waited for yet (state Z or X): it holds nothing any more.
 */
function beganOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return /[ZXx]/.test(state) ? undefined : (fields[18] ?? '')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
}

function isAlive(holder: Holder): boolean {
  const began = beganOf(holder.pid)
  if (holder.began !== '') return began === holder.began
  try {
    process.kill(holder.pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function holderOf(path: string): Holder | undefined {
  const match = /^pid=(\d+) began=(\d*)\n$/.exec(readFileSync(path, 'latin1'))
  return match === null ? undefined : { pid: Number(match[1]), began: match[2] ?? '' }
}

/** Creates the file with our name in it; false when somebody else's is there. */
function create(path: string, self: Holder): boolean {
  try {
    writeFileSync(path, `pid=${self.pid} began=${self.began}\n`, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

export function takeLock(path: string): DiskLock {
  return diskCall('lock', path, () => {
    const self = { pid: process.pid, began: beganOf(process.pid) ?? '' }
    while (!create(path, self)) {
      const holder = holderOf(path)
      if (holder !== undefined && holder.pid !== self.pid && isAlive(holder))
        throw new DiskError('EEXIST', 'lock', path, new Error(`process ${holder.pid} holds it`))
      unlinkSync(path)
    }
    return { release: () => diskCall('unlock', path, () => unlinkSync(path)) }
  })
}
