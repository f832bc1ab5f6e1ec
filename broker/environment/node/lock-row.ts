/**
 * Who has a lock, told by files alone. The file of a holder that was killed stays where it is, and is never simply taken away: of many that see it, one
 * could take away what another has put in its place since. Who finds it links a file whose name says after whom, which only one can, and
 * so on when that one was killed too. Then it looks whether all that it came by is still there; if so, the lock is its own, and its file
 * takes the place of the first. Who comes late by the same way finds that the first one is another now, and gives way.
 */
import { createHash } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { linkNew } from './link-new.ts'

/** A file, and what it says of its holder. */
export interface Claim {
  readonly file: string
  readonly text: string
}

export interface LockFiles {
  /** Undefined when there is no such file. */
  read(file: string): string | undefined
  /** Whole, in one step; false when there is one. */
  create(file: string, text: string): boolean
  /** Takes the place of what is there. */
  rename(file: string, to: string): void
  /** Also one that is not there. */
  remove(file: string): void
}

/**
 * One try, in steps. Yields a claim to ask whether its holder is gone, once more before it is passed by for good, and undefined before it looks at a file
 * or changes one. Ended before its end (`return`), it leaves nothing behind.
 * @returns whether the lock is ours; if not, somebody has it, or had it for a moment
 */
export function* takeSteps(
  path: string,
  text: string,
  files: LockFiles,
): Generator<Claim | undefined, boolean, boolean> {
  const row: Claim[] = []
  let file = path
  for (;;) {
    yield
    const found = files.read(file)
    if (found === undefined) break
    const claim = { file, text: found }
    if (!(yield claim)) return false
    row.push(claim)
    // With the place of the one before: two in a row may say the same, where process ids and times begin anew with the machine.
    file = `${path}.after-${createHash('sha256').update(`${file} ${found}`).digest('hex').slice(0, 32)}`
  }
  yield
  let isOurs = false
  try {
    if (!files.create(file, text)) return false
    for (const claim of row) {
      yield
      // Asked again: another program may have taken a lock of the kernel on it meanwhile.
      if (files.read(claim.file) === claim.text && (yield claim)) continue
      yield
      return false
    }
    if (row.length > 0) {
      yield
      files.rename(file, path)
    }
    for (const claim of row.slice(1)) {
      yield
      files.remove(claim.file)
    }
    isOurs = true
    return true
  } finally {
    if (!isOurs) for (const each of [file, path]) releaseClaim({ file: each, text }, files)
  }
}

/** Somebody may have removed it by hand, and another one come after that. */
export function releaseClaim({ file, text }: Claim, files: LockFiles): void {
  if (files.read(file) === text) files.remove(file)
}

/** @param own where a file is written before it gets its name; nobody else writes there */
export const lockFilesOnDisk = (own: string): LockFiles => ({
  read(file) {
    try {
      return readFileSync(file, 'utf8')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      throw error
    }
  },
  create(file, text) {
    try {
      // Anew: one that was left there may be the lock itself, under its second name.
      rmSync(own, { force: true })
      writeFileSync(own, text, { flag: 'wx' })
      return linkNew(own, file)
    } finally {
      rmSync(own, { force: true })
    }
  },
  rename: renameSync,
  remove: file => rmSync(file, { force: true }),
})
