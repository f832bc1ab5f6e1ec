/**
 * Directories of one simulated disk. Creations, renames and removals are seen at once and durable only after `syncDirectory`; a power
 * failure loses those that were not, each on its own or (as a journal would) only the latest ones. A rename is never half done.
 */
import { DiskError } from '#broker/environment/environment.ts'
import type { PowerLoss } from '#broker/environment/faulty/power-loss.ts'
import { FileContent } from './file-content.ts'

export interface FileNode {
  readonly kind: 'file'
  readonly content: FileContent
  modifiedMs: number
}

export interface DirectoryNode {
  readonly kind: 'directory'
  readonly entries: Map<string, TreeNode>
  /** The entries that would be left if the power failed. */
  durable: Map<string, TreeNode>
  modifiedMs: number
}

export type TreeNode = FileNode | DirectoryNode

interface Change {
  readonly directory: DirectoryNode
  readonly name: string
  readonly node: TreeNode | undefined
}

/** One creation, rename or removal that no syncDirectory has covered. */
interface PendingStep {
  readonly timeUs: number
  readonly changes: readonly Change[]
}

export interface PowerFailureOptions {
  /** 'independent': any of the steps may be lost. 'ordered': the journal of the file system ends at some step. */
  readonly directoryLoss: 'independent' | 'ordered'
  /** What was written longer ago than this has reached the disk on its own, as kernels write back dirty pages. */
  readonly writebackUs: number
}

export class FileTree {
  readonly root: DirectoryNode = newDirectory(0)
  #pending: PendingStep[] = []

  find(path: string): TreeNode | undefined {
    let node: TreeNode = this.root
    for (const name of namesOf(path)) {
      if (node.kind !== 'directory') return undefined
      const next = node.entries.get(name)
      if (next === undefined) return undefined
      node = next
    }
    return node
  }

  /** The directory that holds `path`, and the last name of it. */
  parent(path: string, operation: string): { directory: DirectoryNode; name: string } {
    const names = namesOf(path)
    const name = names.pop()
    if (name === undefined) throw new DiskError('EACCES', operation, path)
    return { directory: this.directory('/' + names.join('/'), operation, path), name }
  }

  directory(path: string, operation: string, subject = path): DirectoryNode {
    const node = this.find(path)
    if (node === undefined) throw new DiskError('ENOENT', operation, subject)
    if (node.kind !== 'directory') throw new DiskError('ENOTDIR', operation, subject)
    return node
  }

  makeDirectory(path: string, nowUs: number, wallMs: number): void {
    let directory = this.root
    for (const name of namesOf(path)) {
      let next = directory.entries.get(name)
      if (next === undefined) {
        next = newDirectory(wallMs)
        this.change(nowUs, [{ directory, name, node: next }])
      }
      if (next.kind !== 'directory') throw new DiskError('EEXIST', 'makeDirectory', path)
      directory = next
    }
  }

  change(nowUs: number, changes: readonly Change[]): void {
    apply(changes, 'entries')
    this.#pending.push({ timeUs: nowUs, changes })
  }

  syncDirectory(directory: DirectoryNode): void {
    this.beginSyncDirectory(directory)()
  }

  /** An fsync that takes time: it covers what was done before it began, and that is durable when the function returned has run. */
  beginSyncDirectory(directory: DirectoryNode): () => void {
    const covered = this.#pending.filter(step => step.changes.some(change => change.directory === directory))
    return () => {
      const left = new Set(this.#pending)
      for (const step of covered) if (left.delete(step)) apply(step.changes, 'durable')
      this.#pending = [...left]
    }
  }

  powerFailure(loss: PowerLoss, nowUs: number, { writebackUs }: Pick<PowerFailureOptions, 'writebackUs'>): void {
    const writtenBackBeforeUs = nowUs - writebackUs
    const survives = loss.steps(this.#pending.length)
    for (const [index, step] of this.#pending.entries())
      if (survives[index] === true || step.timeUs < writtenBackBeforeUs) apply(step.changes, 'durable')
    this.#pending = []
    settle(this.root, loss, writtenBackBeforeUs)
  }

  usedBytes(): number {
    return bytesOf(this.root)
  }
}

export function newDirectory(wallMs: number): DirectoryNode {
  return { kind: 'directory', entries: new Map(), durable: new Map(), modifiedMs: wallMs }
}

export function newFile(wallMs: number): FileNode {
  return { kind: 'file', content: new FileContent(), modifiedMs: wallMs }
}

function namesOf(path: string): string[] {
  if (!path.startsWith('/')) throw new RangeError(`Expected an absolute path, got ${path}`)
  return path.split('/').filter(name => name !== '' && name !== '.')
}

function apply(changes: readonly Change[], view: 'entries' | 'durable'): void {
  for (const { directory, name, node } of changes) {
    if (node === undefined) directory[view].delete(name)
    else directory[view].set(name, node)
  }
}

/** After a power failure: what is durable is all there is. */
function settle(directory: DirectoryNode, loss: PowerLoss, writtenBackBeforeUs: number): void {
  directory.entries.clear()
  for (const [name, node] of [...directory.durable].sort(([a], [b]) => (a < b ? -1 : 1))) {
    directory.entries.set(name, node)
    if (node.kind === 'directory') settle(node, loss, writtenBackBeforeUs)
    else node.content.powerFailure(loss, writtenBackBeforeUs)
  }
}

function bytesOf(node: TreeNode): number {
  if (node.kind === 'file') return node.content.size
  let bytes = 0
  for (const child of node.entries.values()) bytes += bytesOf(child)
  return bytes
}
