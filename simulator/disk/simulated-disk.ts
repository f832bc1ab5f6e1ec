/**
 * The disk of one simulated machine. It outlives the processes that run on it: a kill loses nothing, a power failure what was not synced.
 * It works at once; the time that a call takes is the business of the node (see world/node.ts).
 */
import {
  type DirectoryEntry,
  type Disk,
  DiskError,
  type DiskFile,
  type DiskLock,
} from '#broker/environment/environment.ts'
import { randomLoss } from '#broker/environment/faulty/power-loss.ts'
import type { Prng } from '../world/prng.ts'
import { chunksCrc } from '../world/rolling-hash.ts'
import { type DirectoryNode, FileTree, newFile, type FileNode, type PowerFailureOptions } from './file-tree.ts'

/** What the disk wants from the process that uses it. */
export interface DiskUser {
  readonly nowUs: number
  readonly wallMs: number
  /** Throws when that process is no more. */
  alive(): void
  /** Time that a blocking fsync takes from the process. */
  fsyncBlocks(): void
  /** Runs `done` in the process when an fsync off its event loop has ended. */
  fsyncLater(done: () => void): void
  /** Puts a change of the disk into the fingerprint of the run. */
  note(...values: number[]): void
}

export interface SimulatedDiskOptions {
  readonly totalBytes: number
}

const unlimited: SimulatedDiskOptions = { totalBytes: 2 ** 40 }

export class SimulatedDisk {
  #tree = new FileTree()
  readonly #options: SimulatedDiskOptions

  constructor(options: SimulatedDiskOptions = unlimited) {
    this.#options = options
  }

  get tree(): FileTree {
    return this.#tree
  }

  /** Loses what was not synced. Only while no process runs on it. */
  powerFailure(random: Prng, nowUs: number, options: PowerFailureOptions): void {
    this.#tree.powerFailure(randomLoss(random, options.directoryLoss), nowUs, options)
  }

  /** A new, empty disk. */
  wipe(): void {
    this.#tree = new FileTree()
  }

  /** The disk as one process sees it. */
  for(user: DiskUser): Disk {
    return new ProcessDisk(this.#tree, user, this.#options)
  }
}

class ProcessDisk implements Disk {
  readonly #tree: FileTree
  readonly #user: DiskUser
  readonly #options: SimulatedDiskOptions

  constructor(tree: FileTree, user: DiskUser, options: SimulatedDiskOptions) {
    this.#tree = tree
    this.#user = user
    this.#options = options
  }

  open(path: string, mode: 'read' | 'write'): DiskFile {
    this.#user.alive()
    const { directory, name } = this.#tree.parent(path, 'open')
    let node = directory.entries.get(name)
    if (node === undefined) {
      if (mode === 'read') throw new DiskError('ENOENT', 'open', path)
      node = newFile(this.#user.wallMs)
      this.#change(directory, [{ directory, name, node }])
    }
    if (node.kind === 'directory') throw new DiskError('OTHER', 'open', path, new Error('It is a directory'))
    return new ProcessFile(path, node, this.#user, mode === 'write')
  }

  list(path: string): DirectoryEntry[] {
    this.#user.alive()
    return [...this.#tree.directory(path, 'list').entries].map(([name, node]) => ({ name, kind: node.kind }))
  }

  stat(path: string): { kind: 'file' | 'directory'; bytes: number; modifiedMs: number } | undefined {
    this.#user.alive()
    const node = this.#tree.find(path)
    if (node === undefined) return undefined
    return { kind: node.kind, bytes: node.kind === 'file' ? node.content.size : 4096, modifiedMs: node.modifiedMs }
  }

  makeDirectory(path: string): void {
    this.#user.alive()
    this.#tree.makeDirectory(path, this.#user.nowUs, this.#user.wallMs)
    this.#user.note(1, path.length)
  }

  rename(from: string, to: string): void {
    this.#user.alive()
    const source = this.#tree.parent(from, 'rename')
    const target = this.#tree.parent(to, 'rename')
    const node = source.directory.entries.get(source.name)
    if (node === undefined) throw new DiskError('ENOENT', 'rename', from)
    const replaced = target.directory.entries.get(target.name)
    if (replaced === node) return
    if (replaced?.kind === 'directory') {
      if (node.kind === 'file') throw new DiskError('OTHER', 'rename', from, new Error('The target is a directory'))
      if (replaced.entries.size > 0) throw new DiskError('ENOTEMPTY', 'rename', from)
    } else if (replaced !== undefined && node.kind === 'directory') throw new DiskError('ENOTDIR', 'rename', from)
    this.#change(source.directory, [
      { ...source, node: undefined },
      { ...target, node },
    ])
    target.directory.modifiedMs = this.#user.wallMs
  }

  remove(path: string): void {
    this.#user.alive()
    const found = this.#tree.find(path)
    if (found === undefined) return
    const { directory, name } = this.#tree.parent(path, 'remove')
    this.#change(directory, [{ directory, name, node: undefined }])
  }

  syncDirectory(path: string): void {
    this.#user.alive()
    this.#tree.syncDirectory(this.#tree.directory(path, 'syncDirectory'))
    this.#user.note(2, path.length)
    this.#user.fsyncBlocks()
  }

  syncDirectoryLater(path: string, done: (error: DiskError | undefined) => void): void {
    this.#user.alive()
    const end = this.#tree.beginSyncDirectory(this.#tree.directory(path, 'syncDirectory'))
    this.#user.note(8, path.length)
    this.#user.fsyncLater(() => {
      end()
      done(undefined)
    })
  }

  /** A machine runs one process at a time, and a lock dies with it. */
  lock(path: string): DiskLock {
    this.open(path, 'write').close()
    return { release: () => this.remove(path) }
  }

  space(_path: string): { totalBytes: number; usableBytes: number } {
    this.#user.alive()
    const { totalBytes } = this.#options
    return { totalBytes, usableBytes: Math.max(0, totalBytes - this.#tree.usedBytes()) }
  }

  #change(directory: DirectoryNode, changes: Parameters<FileTree['change']>[1]): void {
    this.#tree.change(this.#user.nowUs, changes)
    directory.modifiedMs = this.#user.wallMs
    for (const { name } of changes) this.#user.note(3, name.length)
  }
}

class ProcessFile implements DiskFile {
  readonly path: string
  readonly #node: FileNode
  readonly #user: DiskUser
  readonly #writable: boolean
  #closed = false

  constructor(path: string, node: FileNode, user: DiskUser, writable: boolean) {
    this.path = path
    this.#node = node
    this.#user = user
    this.#writable = writable
  }

  size(): number {
    this.#use('size')
    return this.#node.content.size
  }

  read(target: Uint8Array, position: number): number {
    this.#use('read')
    return this.#node.content.read(target, position)
  }

  write(chunks: readonly Uint8Array[], position: number): void {
    this.#change('write')
    this.#node.content.write(chunks, position, this.#user.nowUs)
    this.#user.note(4, position, chunksCrc(chunks))
  }

  truncate(bytes: number): void {
    this.#change('truncate')
    this.#node.content.truncate(bytes, this.#user.nowUs)
    this.#user.note(5, bytes)
  }

  sync(): void {
    this.#use('sync')
    this.#node.content.sync()
    this.#user.note(6, this.#node.content.size)
    this.#user.fsyncBlocks()
  }

  syncLater(done: (error: DiskError | undefined) => void): void {
    this.#use('sync')
    const content = this.#node.content
    const ticket = content.beginSync()
    this.#user.note(7, ticket.bytes)
    this.#user.fsyncLater(() => {
      content.endSync(ticket)
      done(undefined)
    })
  }

  close(): void {
    this.#closed = true
  }

  #use(operation: string): void {
    this.#user.alive()
    if (this.#closed) throw new DiskError('OTHER', operation, this.path, new Error('The file is closed'))
  }

  #change(operation: string): void {
    this.#use(operation)
    if (!this.#writable)
      throw new DiskError('OTHER', operation, this.path, new Error('The file is open for reading only'))
    this.#node.modifiedMs = this.#user.wallMs
  }
}
