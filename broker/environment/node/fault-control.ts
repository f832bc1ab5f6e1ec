/**
 * Faults inside a node that is a process: where orders come in, and what a restart brings back. Loaded only by a node that was started with
 * `--fault-control DIRECTORY`, as the toolkit does for clusters that are to be broken; any other has no such socket and no decorator.
 */
import { chmodSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { dirname, join } from 'node:path'
import type { Disk, Environment } from '../environment.ts'
import { processCpu } from './cpu.ts'
import { answerControl, controlBodyBytesMax, faultSocketName, keptFaultsName } from '../faulty/control-protocol.ts'
import { FaultDesk, type KeptFaults } from '../faulty/fault-desk.ts'
import { FaultPlan } from '../faulty/fault-plan.ts'
import { faultyEnvironment, type FaultRuntime } from '../faulty/faulty-environment.ts'
import { nodeFaultRuntime } from '../faulty/node-runtime.ts'
import { writeLossProof } from '../faulty/unsynced/loss-proof.ts'
import { UnsyncedDisk } from '../faulty/unsynced/unsynced-disk.ts'
import { UnsyncedJournal } from '../faulty/unsynced/unsynced-journal.ts'

export interface FaultControl {
  /** What the node is to run on. */
  readonly environment: Environment
  /** Takes orders from now on. Rejects when the socket cannot be made. */
  listen(): Promise<void>
}

/**
 * @param directory of this node alone
 * @param logDirs for what is in them it is noted what a power failure would take
 * Throws when what is kept in the directory cannot be read.
 */
export function faultControl(
  base: Environment,
  nodeId: number,
  directory: string,
  logDirs: readonly string[],
): FaultControl {
  const keptFile = join(directory, keptFaultsName)
  const plan = new FaultPlan(base.random)
  const runtime: FaultRuntime = {
    ...nodeFaultRuntime(reason => {
      base.log.error('Ending the process, as a fault asks for', { reason })
      return killNow()
    }),
    cpu: processCpu(),
    memory: () => ({ residentBytes: process.memoryUsage.rss(), freeBytes: process.availableMemory() }),
  }
  const noting = { ...base, disk: unsyncedDisk(base, directory, logDirs) }
  const environment = faultyEnvironment(noting, plan, runtime)
  const desk = new FaultDesk({
    nodeId,
    base: () => base,
    decorated: () => environment,
    plan,
    runtime,
    scratch: join(directory, 'faults.probe'),
    kept: readKept(keptFile),
    keep: faults => {
      const temporary = `${keptFile}.tmp`
      writeFileSync(temporary, JSON.stringify(faults), { mode: 0o600 })
      renameSync(temporary, keptFile)
    },
  })
  return { environment, listen: () => serve(desk, join(directory, faultSocketName), base) }
}

/** Notes what is not durable, where it can keep what was removed until that is durable: by a rename, so on the same file system. */
function unsyncedDisk({ disk, log }: Environment, directory: string, logDirs: readonly string[]): Disk {
  const elsewhere = logDirs.find(path => !canMove(path, directory))
  if (elsewhere !== undefined) {
    UnsyncedJournal.remove(disk, directory)
    log.warn(
      'This node cannot lose its power: its log directory is not on the file system of its fault control, or cannot be written.',
      {
        logDirectory: elsewhere,
        control: directory,
      },
    )
    return disk
  }
  const journal = new UnsyncedJournal(disk, directory)
  return writeLossProof(disk, directory, roots => new UnsyncedDisk(disk, journal, [...logDirs, ...roots]))
}

/** What cannot be written to, or is no directory, is offline for its logs, too; that is not for here to say. Everything else is. */
const unusable: ReadonlySet<string> = new Set([
  ...['EXDEV', 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'EIO'],
  ...['ENOTDIR', 'ELOOP', 'ENAMETOOLONG'],
])

/** Whether files move between both by a rename: two volumes may be one device, and still not be one file system to a rename. */
function canMove(logDir: string, directory: string): boolean {
  const here = join(directory, 'unsynced.probe')
  const there = join(logDir, '.faultline-unsynced.probe')
  try {
    if (statSync(logDir, { throwIfNoEntry: false }) === undefined) return canMove(dirname(logDir), directory)
    writeFileSync(here, '')
    renameSync(here, there)
    rmSync(there)
    return true
  } catch (error) {
    if (unusable.has((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  } finally {
    rmSync(here, { force: true })
  }
}

function killNow(): never {
  for (;;) process.kill(process.pid, 'SIGKILL')
}

function readKept(file: string): KeptFaults | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return JSON.parse(text) as KeptFaults
  } catch (error) {
    throw new Error(`${file} is damaged: it should hold the faults of this node as JSON. Remove it to start without.`, {
      cause: error,
    })
  }
}

async function serve(desk: FaultDesk, socket: string, { log }: Environment): Promise<void> {
  // Of an earlier life: whoever gives the directory runs one process at a time for it.
  rmSync(socket, { force: true })
  const server = createServer((incoming, outgoing) => {
    respond(desk, incoming, outgoing).catch((error: unknown) => {
      log.error('A fault could not be handled', { error })
      if (!outgoing.headersSent) outgoing.writeHead(500, { 'content-type': 'application/json' })
      outgoing.end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }))
    })
  })
  const mask = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(socket, resolve)
    })
  } finally {
    process.umask(mask)
  }
  chmodSync(socket, 0o600)
  // Nobody waits for it when the node stops.
  server.unref()
}

async function respond(desk: FaultDesk, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  let body = ''
  for await (const chunk of incoming.setEncoding('utf8')) {
    body += chunk as string
    if (body.length > controlBodyBytesMax) throw new Error(`A request has at most ${controlBodyBytesMax} characters.`)
  }
  const { pathname } = new URL(incoming.url ?? '/', 'http://node')
  const answer = await answerControl(desk, { method: incoming.method ?? '', path: pathname, body })
  outgoing.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
}
