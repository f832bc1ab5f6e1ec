/**
 * `lab run --watch FILE`: runs a lab of one's own again whenever its file, or one that it imports, is saved; a run that is under way is given up for
 * the new one.
 */
import { existsSync, watch, type FSWatcher } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
// Those of the machine: while a simulation runs, the global ones belong to it.
import { clearTimeout, setTimeout } from 'node:timers'
import { messageOf, usageError } from '../errors.ts'
import type { Lab } from '../labs/lab.ts'
import { isLabFile, loadLab } from '../labs/load.ts'
import type { Session } from './session.ts'

/** An editor writes a file in several steps; this long after the last one it is taken to be whole. */
const settleMs = 150

/** Ends with the session alone. */
export async function watchLab(
  name: string,
  { signal, output }: Pick<Session, 'signal' | 'output'>,
  run: (lab: Lab, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  // Nothing would end it any more.
  signal.throwIfAborted()
  if (!isLabFile(name)) throw usageError('--watch takes a file of your own.', 'lab run --watch ./my-lab.ts')
  const file = resolve(name)
  let version = 0
  let running = Promise.resolve()
  let current = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const waiting = `${basename(file)}: waiting for it, or what it imports, to be saved; Ctrl-C ends.`
  const ended = Promise.withResolvers<undefined>()
  const files = new WatchedFiles(() => {
    clearTimeout(timer)
    timer = setTimeout(again, settleMs)
  }, ended.reject)
  const begin = async (mine: AbortController, number: number) => {
    try {
      const lab = await loadLab(file, number, imported => files.add(imported))
      await run(lab, AbortSignal.any([signal, mine.signal]))
      output.note(waiting)
    } catch (error) {
      if (signal.aborted || mine.signal.aborted) return
      output.note(`${messageOf(error)}\n${waiting}`)
    }
  }
  const again = () => {
    current.abort(new Error('a file was saved again'))
    const mine = (current = new AbortController())
    const number = ++version
    running = running.then(async () => {
      if (!mine.signal.aborted && !signal.aborted) await begin(mine, number)
    })
  }
  signal.addEventListener('abort', () => ended.resolve(undefined), { once: true })
  try {
    files.add(file)
    again()
    await ended.promise
  } finally {
    clearTimeout(timer)
    files.close()
    await running
  }
  signal.throwIfAborted()
}

/** Files that are looked after by their folders, since editors put another file in the place of the old one. */
class WatchedFiles {
  readonly #changed: () => void
  readonly #failed: (error: unknown) => void
  readonly #files = new Set<string>()
  readonly #folders = new Map<string, FSWatcher>()

  constructor(changed: () => void, failed: (error: unknown) => void) {
    this.#changed = changed
    this.#failed = failed
  }

  add(file: string): void {
    this.#files.add(file)
    const folder = dirname(file)
    // Of a folder that is missing nothing can be seen; whoever imports from it is to be saved again.
    if (this.#folders.has(folder) || !existsSync(folder)) return
    const watcher = watch(folder, (_, name) => {
      if (name === null || this.#files.has(join(folder, name))) this.#changed()
    })
    watcher.on('error', this.#failed)
    this.#folders.set(folder, watcher)
  }

  close(): void {
    for (const watcher of this.#folders.values()) watcher.close()
  }
}
