/**
 * A Disk that notes in a journal what a power failure would take, so that a process that was killed can be made into one whose machine lost its
 * power (power-cut.ts). It changes nothing of what its user sees, but keeps what is removed or replaced until that is durable.
 *
 * An fsync of a file makes its bytes and its size durable, not its name; an fsync of a directory all names in it that were made, changed or
 * removed before. Files elsewhere than in the directories given, and locks, are not noted.
 */
import type { DirectoryEntry, Disk, DiskError, DiskFile, DiskLock } from '../../environment.ts'
import { pageBytes } from '../power-loss.ts'
import type { UnsyncedJournal } from './unsynced-journal.ts'
import type { Move, NameChange, NodeId } from './unsynced-state.ts'

const copyBytes = 1 << 20

export class UnsyncedDisk implements Disk {
  readonly #base: Disk
  readonly #journal: UnsyncedJournal
  readonly #roots: readonly string[]
  /** Files that are open, by where they are. */
  readonly #open = new Map<string, OpenFile>()

  /** @param roots directories whose content is noted */
  constructor(base: Disk, journal: UnsyncedJournal, roots: readonly string[]) {
    this.#base = base
    this.#journal = journal
    this.#roots = roots.map(root => `${root.replace(/\/+$/, '')}/`)
  }

  open(path: string, mode: 'read' | 'write'): DiskFile {
    if (!this.#isNoted(path)) return this.#base.open(path, mode)
    const isNew = mode === 'write' && this.#base.stat(path) === undefined
    const file = isNew ? this.#create(path, () => this.#base.open(path, mode)) : this.#base.open(path, mode)
    let shared = this.#open.get(path)
    if (shared === undefined) this.#open.set(path, (shared = new OpenFile(path, this.#journal)))
    shared.users++
    return new UnsyncedFile(file, shared, () => {
      if (--shared.users === 0 && this.#open.get(shared.path) === shared) this.#open.delete(shared.path)
    })
  }

  list(path: string): DirectoryEntry[] {
    return this.#base.list(path)
  }

  stat(path: string): ReturnType<Disk['stat']> {
    return this.#base.stat(path)
  }

  makeDirectory(path: string): void {
    const missing: string[] = []
    for (let each = path; this.#isNoted(each) && this.#base.stat(each) === undefined; each = parentOf(each))
      missing.unshift(each)
    for (const each of missing) this.#create(each, () => this.#base.makeDirectory(each))
    if (missing.length === 0) this.#base.makeDirectory(path)
  }

  rename(from: string, to: string): void {
    const found = this.#base.stat(from)
    if (from === to || found === undefined || !this.#isNoted(from) || !this.#isNoted(to))
      return this.#base.rename(from, to)
    const replaced = this.#base.stat(to)
    // The machine says what is wrong with it.
    if (replaced !== undefined && replaced.kind !== found.kind) return this.#base.rename(from, to)
    const node = this.#node(from)
    const moves: Move[] = []
    let before: NodeId = 0
    if (replaced !== undefined) {
      before = this.#node(to)
      const aside = this.#aside(before)
      if (replaced.kind === 'file') this.#copy(to, aside)
      else if (this.#base.list(to).length > 0) return this.#base.rename(from, to)
      else this.#base.makeDirectory(aside)
      moves.push({ node: before, from: to, to: aside })
    }
    moves.push({ node, from, to })
    const changes = [
      { ...this.#place(from), before: node, after: 0 },
      { ...this.#place(to), before, after: node },
    ]
    this.#step(changes, moves, () => this.#base.rename(from, to))
    this.#open.delete(to)
    this.#follow(from, to)
  }

  remove(path: string): void {
    if (!this.#isNoted(path)) return this.#base.remove(path)
    if (this.#base.stat(path) === undefined) return
    const node = this.#node(path)
    const aside = this.#aside(node)
    const moves = [{ node, from: path, to: aside }]
    this.#step([{ ...this.#place(path), before: node, after: 0 }], moves, () => this.#base.rename(path, aside))
    this.#follow(path, aside)
  }

  syncDirectory(path: string): void {
    this.#base.syncDirectory(path)
    this.#named(this.#touching(path))
  }

  syncDirectoryLater(path: string, done: (error: DiskError | undefined) => void): void {
    const covered = this.#touching(path)
    this.#base.syncDirectoryLater(path, error => {
      if (error === undefined) this.#named(covered)
      done(error)
    })
  }

  lock(path: string): DiskLock {
    return this.#base.lock(path)
  }

  openFileLimit(): number | undefined {
    return this.#base.openFileLimit?.()
  }

  space(path: string): { readonly totalBytes: number; readonly usableBytes: number } {
    return this.#base.space(path)
  }

  #isNoted(path: string): boolean {
    return this.#roots.some(root => path.length > root.length && path.startsWith(root))
  }

  #node(path: string): NodeId {
    return nodeAt(this.#journal, path)
  }

  #place(path: string): Pick<NameChange, 'directory' | 'name'> {
    return { directory: this.#node(parentOf(path)), name: path.slice(parentOf(path).length + 1) }
  }

  #aside(node: NodeId): string {
    return `${this.#journal.aside}/${node}`
  }

  #touching(directory: string): number[] {
    const node = this.#journal.state.at(directory)
    return node === undefined ? [] : this.#journal.state.touching(node)
  }

  #named(steps: readonly number[]): void {
    if (steps.length > 0) this.#journal.add({ kind: 'named', steps })
  }

  #create<T>(path: string, run: () => T): T {
    const node = this.#node(path)
    return this.#step([{ ...this.#place(path), before: 0, after: node }], [], run)
  }

  #step<T>(changes: readonly NameChange[], moves: readonly Move[], run: () => T): T {
    const step = this.#journal.state.nextStep()
    this.#journal.add({ kind: 'step', step, changes, moves })
    try {
      return run()
    } catch (error) {
      this.#journal.add({ kind: 'undone', step })
      throw error
    }
  }

  /** Open files go where their names go. */
  #follow(from: string, to: string): void {
    for (const [path, file] of [...this.#open]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue
      this.#open.delete(path)
      file.path = to + path.slice(from.length)
      this.#open.set(file.path, file)
    }
  }

  #copy(from: string, to: string): void {
    const source = this.#base.open(from, 'read')
    try {
      this.#base.remove(to)
      const target = this.#base.open(to, 'write')
      try {
        copyContent(source, target)
      } finally {
        target.close()
      }
    } finally {
      source.close()
    }
  }
}

export function copyContent(source: DiskFile, target: DiskFile): void {
  const buffer = Buffer.allocUnsafe(Math.min(copyBytes, source.size() + 1))
  for (let position = 0; ;) {
    const count = source.read(buffer, position)
    if (count === 0) return
    target.write([buffer.subarray(0, count)], position)
    position += count
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

function nodeAt(journal: UnsyncedJournal, path: string): NodeId {
  const known = journal.state.at(path)
  if (known !== undefined) return known
  const node = journal.state.nextNode()
  journal.add({ kind: 'node', node, path })
  return node
}

/** A file with one handle or more, whatever its name is by now. */
class OpenFile {
  path: string
  /** Handles, and fsyncs under way. */
  users = 0
  readonly #journal: UnsyncedJournal
  /** The fsyncs that were asked for, of which there may be more than the journal tells of. */
  #generation = 0

  constructor(path: string, journal: UnsyncedJournal) {
    this.path = path
    this.#journal = journal
    this.#generation = Math.max(0, ...(this.#generations?.keys() ?? [])) + 1
  }

  get #generations() {
    const node = this.#journal.state.at(this.path)
    return node === undefined ? undefined : this.#journal.state.nodes.get(node)?.generations
  }

  /** To be called before bytes from `from` up to `to` change, or the size does. */
  changes(file: DiskFile, from: number, to: number): void {
    const { state } = this.#journal
    const node = nodeAt(this.#journal, this.path)
    const generations = state.nodes.get(node)!.generations
    if (!generations.has(this.#generation))
      this.#journal.add({ kind: 'dirty', node, generation: this.#generation, size: file.size() })
    const { size, pages } = generations.get(this.#generation)!
    // What is appended leaves all as it was.
    if (from >= size) return
    const end = Math.min(to, size)
    for (let page = Math.floor(from / pageBytes); page * pageBytes < end; page++) {
      if (pages.has(page)) continue
      const old = Buffer.alloc(Math.min(pageBytes, size - page * pageBytes))
      const bytes = old.subarray(0, file.read(old, page * pageBytes)).toString('base64')
      this.#journal.add({ kind: 'page', node, generation: this.#generation, page, bytes })
    }
  }

  /** An fsync begins. @returns to be called when it has ended well */
  sync(): () => void {
    if ((this.#generations?.size ?? 0) === 0) return () => undefined
    const generation = ++this.#generation
    return () => {
      const node = this.#journal.state.at(this.path)
      if (node !== undefined && (this.#generations?.size ?? 0) > 0)
        this.#journal.add({ kind: 'synced', node, generation })
    }
  }
}

class UnsyncedFile implements DiskFile {
  readonly #base: DiskFile
  readonly #shared: OpenFile
  readonly #unused: () => void
  #isClosed = false

  /** @param unused to be called for each of its users that is gone */
  constructor(base: DiskFile, shared: OpenFile, unused: () => void) {
    this.#base = base
    this.#shared = shared
    this.#unused = unused
  }

  get path(): string {
    return this.#base.path
  }

  size(): number {
    return this.#base.size()
  }

  read(target: Uint8Array, position: number): number {
    return this.#base.read(target, position)
  }

  write(chunks: readonly Uint8Array[], position: number): void {
    let bytes = 0
    for (const chunk of chunks) bytes += chunk.length
    if (bytes > 0 && !this.#isClosed) this.#shared.changes(this.#base, position, position + bytes)
    this.#base.write(chunks, position)
  }

  truncate(bytes: number): void {
    if (!this.#isClosed) this.#shared.changes(this.#base, bytes, Infinity)
    this.#base.truncate(bytes)
  }

  sync(): void {
    const ended = this.#shared.sync()
    this.#base.sync()
    ended()
  }

  syncLater(done: (error: DiskError | undefined) => void): void {
    const ended = this.#shared.sync()
    this.#shared.users++
    try {
      this.#base.syncLater(error => {
        if (error === undefined) ended()
        this.#unused()
        done(error)
      })
    } catch (error) {
      this.#unused()
      throw error
    }
  }

  close(): void {
    this.#base.close()
    if (this.#isClosed) return
    this.#isClosed = true
    this.#unused()
  }
}
