/** `node warden-main.ts DIRECTORY…`: ends every process that clusters with their state in these directories have, and removes the directories. */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type ProcessHandle, signalProcess, waitFor } from '../cluster/process/liveness.ts'
import { readJson } from '../cluster/state.ts'
import { codeOf } from '../errors.ts'

const goneTimeoutMs = 10_000

/** Ends what the clusters in this directory run, and removes it. */
async function cleanUp(directory: string): Promise<void> {
  await Promise.all(processesIn(directory).map(endProcess))
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
}

async function endProcess(handle: ProcessHandle): Promise<void> {
  if (await signalProcess(handle, 'SIGKILL')) await waitFor(handle, 'gone', goneTimeoutMs)
}

/** Every node and proxy has a folder of its own with a `process.json`. */
function processesIn(directory: string): ProcessHandle[] {
  return foldersIn(directory).flatMap(cluster =>
    foldersIn(cluster).flatMap(node => {
      const file = readJson(join(node, 'process.json')) as { readonly process: ProcessHandle } | undefined
      return file === undefined ? [] : [file.process]
    }),
  )
}

function foldersIn(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true })
    return entries.filter(entry => entry.isDirectory()).map(entry => join(directory, entry.name))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

for (const directory of process.argv.slice(2)) await cleanUp(directory)
