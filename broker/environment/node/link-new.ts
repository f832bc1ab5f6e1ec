/** A file that gets its name in one step, and only where nobody has it: what lock files are made of. */
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

/** What file systems say that know no links: FAT, and some of other machines. */
const linkless: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** Puts a whole file there under a further name, unless there is one; false when somebody else's is there. */
export function linkNew(own: string, path: string): boolean {
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (linkless.has(code)) return copyNew(own, path)
    throw error
  }
}

/** Where there are no links: for a moment the file is there before it says whose it is. */
function copyNew(own: string, path: string): boolean {
  const content = readFileSync(own)
  try {
    writeFileSync(path, '', { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
  try {
    writeFileSync(path, content)
    return true
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  }
}
