/**
 * Nodes of Apache Kafka as processes that can be broken from inside: the library stands in front of each JVM, and reads its orders in a folder of the node.
 *
 *   node-ID/faults/rules, state     orders, and what has come of them (apache-kafka/fault-rules.ts)
 *   node-ID/faults/durable          what of the disk is fsynced (images/apache-kafka/durable.c)
 *   node-ID/faults/library          leads to the folder of the library and its probe
 */
import { existsSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { codeOf, failure } from '../../errors.ts'
import { replaceFile } from '../../replace-file.ts'
import type { ProbeRan } from '../apache-kafka/fault-proofs.ts'
import { endCut } from '../apache-kafka/durable-tree.ts'
import { KafkaNodeFaults, orderFiles, type KafkaNode } from '../apache-kafka/node-faults.ts'
import {
  forgetDurable,
  knowsDurable,
  loseNotDurable,
  nobodyKnowsDurable,
  requireKafkasLoss,
} from '../apache-kafka/power.ts'
import { libraryFile, libraryFolder, libraryName, probeName } from '../apache-kafka/preload.ts'
import { poll } from '../clock.ts'
import type { ClusterSpec, PowerFailureOptions } from '../cluster.ts'
import { faultLockFile, nodeDirectory } from '../state.ts'
import type { PrepareOptions } from './engine.ts'
import type { InsideNodes } from './inside.ts'
import type { NodeProcess } from './node-process.ts'

/** How long a loader may take on a busy machine until it has mapped what it has to. */
const loadMs = 30_000
const probeMs = 60_000

export class KafkaInside implements InsideNodes {
  readonly faults: KafkaNodeFaults
  readonly #name: string
  /** Where the library is, once this command has made it or found it. */
  #library: string | undefined

  constructor({ name }: ClusterSpec, nodeOf: (id: number) => NodeProcess) {
    this.#name = name
    const lockFile = (id: number) => faultLockFile(name, id)
    this.faults = new KafkaNodeFaults(name, async id => await this.#look(nodeOf(id)), lockFile)
  }

  directoryOf(id: number): string {
    return join(nodeDirectory(this.#name, id), 'faults')
  }

  async prepare(_ids: readonly number[], options: PrepareOptions): Promise<void> {
    // What runs other programs is loaded when it is needed.
    const { buildLibrary } = await import('../apache-kafka/fault-library.ts')
    this.#library = await buildLibrary(options)
  }

  async beforeStart(id: number, _version: string | undefined, options: PrepareOptions): Promise<void> {
    const directory = this.directoryOf(id)
    makeFolder(directory)
    if (this.#library === undefined && !existsSync(libraryFile(directory))) await this.prepare([id], options)
    if (this.#library !== undefined) lead(libraryFolder(directory), this.#library)
    // Else storage that a power failure had half moved would be formatted, or not be taken for Kafka's.
    endCut(directory)
  }

  /** A loader that cannot take a library says so in the log, and goes on without. */
  async afterStart(node: NodeProcess): Promise<void> {
    const library = libraryFile(this.directoryOf(node.id))
    const isLoaded = await poll(
      async () => {
        const { pid } = await node.status()
        // A node that has ended is another matter.
        const maps = pid === undefined ? undefined : mapsOf(pid)
        if (maps === undefined) return true
        if (maps.includes(`/${libraryName}`)) return true
        return maps.includes('/libjvm.so') ? false : undefined
      },
      { timeoutMs: loadMs },
    )
    if (isLoaded === true) return
    await node.end()
    throw failure(
      `The JVM of node ${node.id} does not load ${library}, by which faults get inside it. The end of its log:\n${await node.tailOfStart(5)}`,
      'It has to be one for the C library of this machine, and no program with rights of its own (setuid); without faults: leave out --faults.',
    )
  }

  requirePower(id: number, options: PowerFailureOptions): void {
    requireKafkasLoss(options)
    if (!this.knowsLoss(id)) throw nobodyKnowsDurable(id, this.#logCommand(id))
  }

  knowsLoss(id: number): boolean {
    return knowsDurable(this.directoryOf(id))
  }

  losePower(id: number): NodeFaultProof {
    return loseNotDurable(this.directoryOf(id))
  }

  /** What is wrong with the machine outlives an exchange of its disk; rules that nobody can read any more do not. */
  async forgetDisk(id: number): Promise<void> {
    const directory = this.directoryOf(id)
    forgetDurable(directory)
    if (!(await this.faults.canBeRead(id)))
      for (const file of orderFiles) rmSync(join(directory, file), { force: true })
  }

  async #look(node: NodeProcess): Promise<KafkaNode> {
    const { state } = await node.status()
    const directory = this.directoryOf(node.id)
    return {
      isRunning: state === 'running' || state === 'paused',
      isPaused: state === 'paused',
      // Of faults beside it, of which there are none.
      startedAt: '',
      beside: {},
      logCommand: this.#logCommand(node.id),
      read: file => Promise.resolve(readIfThere(join(directory, file))),
      write(file, content) {
        makeFolder(directory)
        replaceFile(join(directory, file), content)
        return Promise.resolve()
      },
      probe: async (folder, words) => await runProbe(directory, [folder, ...words]),
    }
  }

  #logCommand(id: number): string {
    return `./faultline logs ${id} --name ${this.#name}`
  }
}

/** Makes a link lead to a folder, whatever it led to before. */
function lead(link: string, folder: string): void {
  if (targetOf(link) === folder) return
  const fresh = `${link}.${process.pid}.new`
  rmSync(fresh, { force: true })
  symlinkSync(folder, fresh)
  renameSync(fresh, link)
}

function targetOf(link: string): string | undefined {
  return unlessGone(() => readlinkSync(link))
}

function readIfThere(path: string): Buffer | undefined {
  return unlessGone(() => readFileSync(path))
}

/** What a process has mapped into its memory, as far as it lets others look; undefined when it has ended. */
function mapsOf(pid: number): string | undefined {
  return unlessGone(() => {
    try {
      return readFileSync(`/proc/${pid}/maps`, 'utf8')
    } catch (error) {
      if (codeOf(error) === 'EACCES') return ''
      throw error
    }
  })
}

/** Undefined when there is no such file or process. */
function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return undefined
    throw error
  }
}

/** In the folder of the orders, so that no name of a folder above it is anything to the loader or to the library. */
async function runProbe(directory: string, words: readonly string[]): Promise<ProbeRan> {
  const { sh } = await import('../../shell.ts')
  const environment = { FAULTLINE_LIBRARY: `./${relative(directory, libraryFile(directory))}` }
  const shell = sh({ cwd: directory, timeoutMs: probeMs, env: environment })
  const program = `./${join(relative(directory, libraryFolder(directory)), probeName)}`
  const { exitCode, stdout, stderr } = await shell`${program} ${words}`
  return { exitCode: exitCode ?? undefined, stdout, stderr }
}
