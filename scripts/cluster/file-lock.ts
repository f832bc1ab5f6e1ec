/**
 * Commands that change the same thing one after the other, whichever processes they are: a file names the one whose turn it is.
 *
 * How one gets the turn of a process that was killed in it: broker/environment/node/lock-row.ts.
 *
 * Where a file system has no links, the file is there for a moment before it says whose it is: it is somebody's then. Who is killed in that moment
 * leaves a turn that has to be ended by hand.
 */
import { randomUUID } from 'node:crypto'
import {
  lockFilesOnDisk,
  releaseClaim,
  takeSteps,
  type Claim,
  type LockFiles,
} from '#broker/environment/node/lock-row.ts'
import { failure } from '../errors.ts'
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

/**
 * @param path of the file; nothing else is to have that name, nor it with more at its end
 * @param refusal  in place of waiting: what is thrown when a process has its turn
 */
export async function inTurnOfFile<T>(
  path: string,
  work: () => Promise<T>,
  refusal?: (pid: number | undefined) => Error,
): Promise<T> {
  const self: Turn = { ...(await ownProcess()), turn: randomUUID() }
  const text = JSON.stringify(self)
  const files = lockFilesOnDisk(`${path}.${self.turn}`)
  const take = async () => ((await taken(path, text, files)) ? true : undefined)
  if ((await poll(take, { timeoutMs: refusal === undefined ? patienceMs : 0 })) === undefined) {
    const last = files.read(path) ?? ''
    const turn = turnOf({ file: path, text: last })
    const pid = turn === 'not said yet' ? undefined : turn.pid
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
    release({ file: path, text }, files)
  }
}

async function taken(path: string, text: string, files: LockFiles): Promise<boolean> {
  const steps = takeSteps(path, text, files)
  try {
    let step = steps.next(false)
    while (step.done !== true) step = steps.next(step.value !== undefined && (await isGone(step.value)))
    return step.value
  } finally {
    steps.return(false)
  }
}

async function isGone(claim: Claim): Promise<boolean> {
  const turn = turnOf(claim)
  return turn !== 'not said yet' && (await conditionOf(turn)) === 'gone'
}

function turnOf({ file, text }: Claim): Turn | 'not said yet' {
  if (text === '') return 'not said yet'
  try {
    return JSON.parse(text) as Turn
  } catch (error) {
    throw new DamagedFile(file, error)
  }
}

/** The work is done, whatever becomes of the file: one that stays is nobody's as soon as this process has ended. */
function release(claim: Claim, files: LockFiles): void {
  try {
    releaseClaim(claim, files)
  } catch {
    // Its folder may have gone to somebody else.
  }
}
