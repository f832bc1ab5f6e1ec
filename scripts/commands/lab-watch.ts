/** `lab run --watch FILE`: runs a lab of one's own again whenever its file is saved; a run that is under way is given up for the new one. */
import { watch } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
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
  if (!isLabFile(name)) throw usageError('--watch takes a file of your own.', 'lab run --watch ./my-lab.ts')
  const file = resolve(name)
  let version = 0
  let running = Promise.resolve()
  let current = new AbortController()
  const begin = async (mine: AbortController, number: number) => {
    try {
      const lab = await loadLab(file, number)
      await run(lab, AbortSignal.any([signal, mine.signal]))
      output.note(`${basename(file)}: waiting for it to be saved; Ctrl-C ends.`)
    } catch (error) {
      if (signal.aborted || mine.signal.aborted) return
      output.note(`${messageOf(error)}\n${basename(file)}: waiting for it to be saved; Ctrl-C ends.`)
    }
  }
  const again = () => {
    current.abort(new Error('the file was saved again'))
    const mine = (current = new AbortController())
    const number = ++version
    running = running.then(async () => {
      if (!mine.signal.aborted && !signal.aborted) await begin(mine, number)
    })
  }
  // The folder, since editors put another file in the place of the old one.
  const changes = watch(dirname(file), { signal })
  again()
  let timer: NodeJS.Timeout | undefined
  try {
    for await (const { filename } of changes) {
      if (filename !== basename(file)) continue
      clearTimeout(timer)
      timer = setTimeout(again, settleMs)
    }
  } finally {
    clearTimeout(timer)
    await running
  }
  signal.throwIfAborted()
}
