/** Commands that change the same thing one after the other, whichever processes they are: a file names the one whose turn it is. */
import { linkSync, renameSync, rmSync } from 'node:fs'
import { codeOf, failure } from '../errors.ts'
import { poll } from './clock.ts'
import { ownProcess } from './lifecycle.ts'
import { conditionOf, type ProcessHandle } from './process/liveness.ts'
import { readJson, writeJson } from './state.ts'

/** Longer than any command has its turn. */
const patienceMs = 120_000

/** @param path of the file; nothing else is to have that name, nor it with more at its end */
export async function inTurnOfFile<T>(path: string, work: () => Promise<T>): Promise<T> {
  const self = await ownProcess()
  const taken = await poll(async () => ((await take(path, self)) ? true : undefined), { timeoutMs: patienceMs })
  if (taken === undefined)
    throw failure(
      `Another command (process ${holderOf(path)?.pid ?? 'unknown'}) has been at the same for ${patienceMs / 1_000} s.`,
      `Wait for it or end it; if there is no such command, remove ${path}.`,
    )
  try {
    return await work()
  } finally {
    rmSync(path)
  }
}

function holderOf(path: string): ProcessHandle | undefined {
  return readJson(path) as ProcessHandle | undefined
}

let takes = 0

async function take(path: string, self: ProcessHandle): Promise<boolean> {
  // Linked under its name when it is whole: nobody reads it half written.
  const own = `${path}.${self.pid}.${takes++}`
  writeJson(own, self)
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    rmSync(own)
  }
  const holder = holderOf(path)
  if (holder !== undefined && (await conditionOf(holder)) === 'gone') removeOf(holder, path, own)
  return false
}

/** Of several that find out that the holder is gone one removes its file, and none that of whoever came after it. */
function removeOf(holder: ProcessHandle, path: string, aside: string): void {
  try {
    renameSync(path, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  const found = holderOf(aside)
  if (found?.pid !== holder.pid || found.identity !== holder.identity) renameSync(aside, path)
  else rmSync(aside)
}
