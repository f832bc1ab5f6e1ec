/**
 * Commands that change the same thing one after the other, whichever processes they are: a file names the one whose turn it is.
 *
 * The file of a process that was killed in its turn stays where it is. Who finds it takes the turn after that one: it links a file whose name says
 * after whom, which only one can, and so on when that one is killed too. At the end of a turn the first file of such a row goes first: who still takes
 * a turn after a file of it sees then that it is gone, and gives way. So no file is ever taken away by somebody who does not have the turn.
 *
 * Where a file system has no links, the file is there for a moment before it says whose it is: it is somebody's then. Who is killed in that moment
 * leaves a turn that has to be ended by hand.
 */
import { createHash, randomUUID } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { linkNew } from '#broker/environment/node/link-new.ts'
import { codeOf, failure } from '../errors.ts'
import { poll } from './clock.ts'
import { ownProcess } from './lifecycle.ts'
import { conditionOf, type ProcessHandle } from './process/liveness.ts'
import { DamagedFile } from './state.ts'

/** Longer than any command has its turn. */
const patienceMs = 120_000

interface Turn extends ProcessHandle {
  /** No two turns have the same, also not two of one process. */
  readonly turn: string
}

interface Held {
  readonly file: string
  readonly turn: Turn
}

/**
 * @param path of the file; nothing else is to have that name, nor it with more at its end
 * @param refusal  in place of waiting: what is thrown when a process has its turn
 */
export async function inTurnOfFile<T>(
  path: string,
  work: () => Promise<T>,
  refusal?: (pid: number | undefined) => Error,
): Promise<T> {
  const self = { ...(await ownProcess()), turn: randomUUID() }
  const row = await poll(() => take(path, self), { timeoutMs: refusal === undefined ? patienceMs : 0 })
  if (row === undefined) {
    const turn = turnIn(path)
    const pid = turn === 'not said yet' ? undefined : turn?.pid
    throw (
      refusal?.(pid) ??
      failure(
        `Another command (process ${pid ?? 'unknown'}) has been at the same for ${patienceMs / 1_000} s.`,
        `Wait for it or end it; if there is no such command, remove ${path}.`,
      )
    )
  }
  try {
    return await work()
  } finally {
    for (const held of row) release(held)
  }
}

/** @returns the files of those who were killed in their turns, then our own; undefined when it is somebody else's turn */
async function take(path: string, self: Turn): Promise<readonly Held[] | undefined> {
  const row: Held[] = []
  for (let file = path; ;) {
    const turn = turnIn(file)
    if (turn === undefined) {
      if (!link(path, file, self)) return undefined
      const own = { file, turn: self }
      if (row.every(isThere)) return [...row, own]
      release(own)
      return undefined
    }
    if (turn === 'not said yet' || (await conditionOf(turn)) !== 'gone') return undefined
    row.push({ file, turn })
    file = `${path}.after-${createHash('sha256').update(JSON.stringify(turn)).digest('hex').slice(0, 32)}`
  }
}

/** Undefined when it is nobody's: there is no such file. */
function turnIn(file: string): Turn | 'not said yet' | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw error
  }
  if (text === '') return 'not said yet'
  try {
    return JSON.parse(text) as Turn
  } catch (error) {
    throw new DamagedFile(file, error)
  }
}

function isThere({ file, turn }: Held): boolean {
  const found = turnIn(file)
  if (found === undefined || found === 'not said yet') return false
  return found.pid === turn.pid && found.identity === turn.identity && found.turn === turn.turn
}

/** False when the file is there already. */
function link(path: string, file: string, self: Turn): boolean {
  // Linked under its name when it is whole: nobody reads it half written.
  const own = `${path}.${self.turn}`
  writeFileSync(own, JSON.stringify(self))
  try {
    return linkNew(own, file)
  } finally {
    rmSync(own)
  }
}

/** The work is done, whatever becomes of the file: one that stays is nobody's as soon as this process has ended. */
function release(held: Held): void {
  try {
    // Somebody may have removed it by hand, and another one come after that.
    if (isThere(held)) rmSync(held.file, { force: true })
  } catch {
    // Its folder may have gone to somebody else.
  }
}
