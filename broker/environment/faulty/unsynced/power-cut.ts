/**
 * Makes of the disk of a process that has ended what a power failure would have left: by the journal of what was not fsynced, and by a PowerLoss
 * that says what of it is gone. Names first, then what is in the files that still have one.
 */
import type { Disk } from '../../environment.ts'
import { pageAfter, pageBytes, type PowerLoss } from '../power-loss.ts'
import { copyContent } from './unsynced-disk.ts'
import { UnsyncedJournal } from './unsynced-journal.ts'
import type { Generation, NodeId, UnsyncedState } from './unsynced-state.ts'

export interface LossReport {
  /** Creations, renames and removals that did not happen after all. */
  readonly names: number
  /** Files that are shorter, or different, than they were, of those that are still there. */
  readonly files: number
  /** Bytes by which they are shorter. */
  readonly bytes: number
}

/**
 * Only while no process uses the disk. Afterwards all that is there is durable, and there is no journal any more.
 * @param directory where the journal is
 */
export function cutPower(disk: Disk, directory: string, loss: PowerLoss): LossReport {
  const journal = new UnsyncedJournal(disk, directory)
  const { state } = journal
  const names = loseNames(disk, journal, loss)
  let files = 0
  let bytes = 0
  const left = [...state.nodes.values()].filter(node => node.generations.size > 0 && !state.isAside(node.path))
  for (const { path, generations } of left.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    if (disk.stat(path)?.kind !== 'file') continue
    const lost = loseContent(disk, path, [...generations.values()], loss)
    if (lost.isChanged) files++
    bytes += lost.bytes
  }
  journal.end()
  return { names, files, bytes }
}

function loseNames(disk: Disk, { state, aside }: UnsyncedJournal, loss: PowerLoss): number {
  const names = [...state.names].map(name => ({ ...name, left: name.durable }))
  const byPlace = new Map(names.map(name => [`${name.directory}/${name.name}`, name]))
  const { pending } = state
  const survives = loss.steps(pending.length)
  for (const [index, { changes }] of pending.entries()) {
    if (survives[index] !== true) continue
    for (const { directory, name, after } of changes) byPlace.get(`${directory}/${name}`)!.left = after
  }
  const changed = names.filter(({ current, left }) => current !== left)
  const isAlone = (node: NodeId): boolean => state.isAside(state.pathOf(node)) && isWhole(state.pathOf(node), aside)
  for (const { current } of changed)
    if (current !== 0 && !isAlone(current)) place(disk, state, current, `${aside}/${current}`)
  for (const { directory, name, left } of changed) {
    if (left === 0) continue
    const path = `${state.pathOf(directory)}/${name}`
    const found = state.pathOf(left)
    if (isAlone(left)) place(disk, state, left, path)
    // It has two names now, of which one was to be lost.
    else if (disk.stat(found)?.kind === 'file') copy(disk, found, path)
  }
  return survives.filter(each => !each).length
}

/** Not within something that waits there. */
function isWhole(path: string, aside: string): boolean {
  return !path.slice(aside.length + 1).includes('/')
}

function place(disk: Disk, state: UnsyncedState, node: NodeId, to: string): void {
  disk.rename(state.pathOf(node), to)
  state.move(node, to)
}

function copy(disk: Disk, from: string, to: string): void {
  const source = disk.open(from, 'read')
  const target = disk.open(to, 'write')
  try {
    copyContent(source, target)
  } finally {
    source.close()
    target.close()
  }
}

function loseContent(
  disk: Disk,
  path: string,
  generations: readonly Generation[],
  loss: PowerLoss,
): { readonly isChanged: boolean; readonly bytes: number } {
  const durableSize = generations[0]!.size
  const file = disk.open(path, 'write')
  try {
    const size = file.size()
    const newSize = size === durableSize ? size : loss.size(durableSize, size)
    const fates = [...dirtyPages(generations, size)]
      .sort((a, b) => a - b)
      .map(page => {
        // A truncation that is lost leaves what was there.
        const fate = page * pageBytes >= size ? ('durable' as const) : loss.page()
        return { page, fate }
      })
    // First what depends on the bytes that are there, also behind the end.
    const pages = fates.flatMap(({ page, fate }) => {
      if (fate === 'written' || page * pageBytes >= newSize) return []
      const written = readPage(file, page, size)
      return [{ page, bytes: pageAfter(fate, written, durablePage(generations, page, written)) }]
    })
    if (newSize !== size) file.truncate(newSize)
    for (const { page, bytes } of pages) {
      const position = page * pageBytes
      file.write([bytes.subarray(0, Math.min(pageBytes, newSize - position))], position)
    }
    return { isChanged: newSize !== size || pages.length > 0, bytes: Math.max(0, size - newSize) }
  } finally {
    file.close()
  }
}

/** Pages that are not as they were, as far as anybody knows. */
function dirtyPages(generations: readonly Generation[], size: number): Set<number> {
  const pages = new Set(generations.flatMap(each => [...each.pages.keys()]))
  const durableSize = generations[0]!.size
  if (size > durableSize)
    for (let page = Math.floor(durableSize / pageBytes); page * pageBytes < size; page++) pages.add(page)
  return pages
}

function readPage(file: ReturnType<Disk['open']>, page: number, size: number): Buffer {
  const bytes = Buffer.alloc(pageBytes)
  const position = page * pageBytes
  file.read(bytes.subarray(0, Math.max(0, Math.min(pageBytes, size - position))), position)
  return bytes
}

function durablePage(generations: readonly Generation[], page: number, written: Buffer): Buffer {
  const old = generations.find(({ pages }) => pages.has(page))?.pages.get(page)
  const bytes = Buffer.alloc(pageBytes)
  const end = Math.max(0, Math.min(pageBytes, generations[0]!.size - page * pageBytes))
  const source = old === undefined ? written : Buffer.from(old.bytes, 'base64')
  source.copy(bytes, 0, 0, Math.min(end, source.length))
  return bytes
}
