/**
 * Makes of the disk of an Apache Kafka that has ended what a power failure would have left: by what the library in front of it has kept of what was fsynced
 * (images/apache-kafka/durable.c says how).
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { failure } from '../../errors.ts'

export const durableNames = {
  store: 'durable',
  ready: 'durable/ready',
  /** The store, once all that it says lies beside the data: a power failure that came this far is ended by the next one, or the next start. */
  cut: 'durable.cut',
} as const
/** In the folder of the orders, to be removed in this order when the disk is emptied: what says that all of it is known goes first. */
export const forgottenNames = [durableNames.ready, durableNames.cut, durableNames.store] as const
/** In the directory of Kafka's data, for the moment; no names of Kafka's. images/apache-kafka/finish-cut knows them, too. */
const besideName = '.faultline-durable'
const movingName = '.faultline-moving'
/** In the store that is no longer needed: what the one that came this far has taken. */
const lossName = 'loss'

export interface DurableLoss {
  /** Creations, renames and removals that did not happen after all. */
  readonly names: number
  /** Files that are shorter, or different, than they were, of those that are still there. */
  readonly files: number
  /** Bytes by which they are shorter. */
  readonly bytes: number
}

/**
 * Only while no process uses the disk. Afterwards all that is there is durable, and nothing is kept any more. Until all of it is copied, nothing changes;
 * one that was cut off after that is ended first.
 * @param directory of the orders of the node
 */
export function loseWhatIsNotDurable(directory: string): DurableLoss {
  const ended = finishCut(directory)
  if (!existsSync(join(directory, durableNames.ready))) {
    if (ended !== undefined) return ended
    throw failure(`Nobody knows what is durable of this node: there is no ${join(directory, durableNames.ready)}.`)
  }
  const store = join(directory, durableNames.store)
  const roots = rootsOf(store)
  for (const root of roots)
    if (!existsSync(root)) throw failure(`${root}, in which the node has its data, is not in a volume of it.`)
  const total = { names: 0, files: 0, bytes: 0 }
  try {
    for (const root of roots) {
      const beside = join(root, besideName)
      rmSync(beside, { recursive: true, force: true })
      mkdirSync(beside)
      restore(store, idOf(root), beside)
      const lost = compare(filesIn(root), filesIn(beside))
      total.names += lost.names
      total.files += lost.files
      total.bytes += lost.bytes
    }
    writeFileSync(join(store, lossName), JSON.stringify(total))
  } catch (error) {
    for (const root of roots) rmSync(join(root, besideName), { recursive: true, force: true })
    throw error
  }
  renameSync(store, join(directory, durableNames.cut))
  finishCut(directory)
  return total
}

/**
 * Before a start: ends one that was cut off, or takes away what it had copied when nothing was changed yet. images/apache-kafka/finish-cut does it in a
 * container.
 */
export function endCut(directory: string): void {
  finishCut(directory)
  for (const root of rootsOf(join(directory, durableNames.store)))
    rmSync(join(root, besideName), { recursive: true, force: true })
}

/** @returns what the one that was cut off has taken, if there was one */
function finishCut(directory: string): DurableLoss | undefined {
  const cut = join(directory, durableNames.cut)
  if (!existsSync(cut)) return undefined
  const lossPath = join(cut, lossName)
  const loss = existsSync(lossPath) ? (JSON.parse(readFileSync(lossPath, 'utf8')) as DurableLoss) : undefined
  for (const root of rootsOf(cut)) {
    const [beside, moving] = [join(root, besideName), join(root, movingName)]
    if (existsSync(beside)) {
      for (const name of readdirSync(root)) if (name !== besideName) rmSync(join(root, name), { recursive: true })
      // From here on other names in the root are what was durable.
      renameSync(beside, moving)
    }
    if (!existsSync(moving)) continue
    for (const name of readdirSync(moving)) renameSync(join(moving, name), join(root, name))
    rmdirSync(moving)
  }
  // What is there now are other files: all of it is durable when it is seen for the first time.
  rmSync(cut, { recursive: true })
  return loss
}

/** Without those inside of others. */
function rootsOf(store: string): readonly string[] {
  const list = join(store, 'roots')
  // Of one that was ended, and whose store was being removed.
  if (!existsSync(list)) return []
  const roots = [...new Set(readFileSync(list, 'utf8').split('\n').filter(Boolean))]
  return roots.filter(root => !roots.some(other => root.startsWith(`${other}/`)))
}

/** Of the inode that a path leads to, as the library names it: one that is used again was born at another time. */
function idOf(path: string): string {
  const { ino, birthtimeNs } = statSync(path, { bigint: true })
  return `${ino}-${birthtimeNs}`
}

function restore(store: string, id: string, to: string): void {
  const listing = join(store, 'dirs', id)
  // No fsync has covered any name in it.
  if (!existsSync(listing)) return
  for (const line of readFileSync(listing, 'utf8').split('\n').filter(Boolean)) {
    const [, kind, inside = '', name = ''] = /^([df]) (\S+) (.+)$/.exec(line) ?? []
    const path = join(to, name)
    if (kind === 'd') {
      mkdirSync(path)
      restore(store, inside, path)
      continue
    }
    const kept = join(store, 'files', inside)
    if (existsSync(kept)) copyFileSync(kept, path)
    // Its name is durable, and not a byte of it.
    else closeSync(openSync(path, 'w'))
  }
}

/** By their paths, without what only stands there for the moment; false: a directory. */
function filesIn(root: string): Map<string, string | false> {
  const found = new Map<string, string | false>()
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const name = relative(root, path)
    if (name !== besideName && !name.startsWith(`${besideName}/`)) found.set(name, entry.isFile() && path)
  }
  return found
}

function compare(before: Map<string, string | false>, after: Map<string, string | false>): DurableLoss {
  const names = [...before.keys(), ...after.keys()].filter(name => before.has(name) !== after.has(name)).length
  let files = 0
  let bytes = 0
  for (const [name, now] of after) {
    const then = before.get(name)
    if (now === false || then === undefined || then === false) continue
    const [was, is] = [statSync(then).size, statSync(now).size]
    if (was !== is || !isSame(then, now)) files++
    bytes += Math.max(0, was - is)
  }
  return { names, files, bytes }
}

const pieceBytes = 1 << 20

/** Of files of one size, which may be larger than memory. */
function isSame(one: string, other: string): boolean {
  const files = [one, other].map(path => ({ fd: openSync(path, 'r'), bytes: Buffer.alloc(pieceBytes) }))
  try {
    for (let at = 0; ; at += pieceBytes) {
      const [first, second] = files.map(({ fd, bytes }) => bytes.subarray(0, readSync(fd, bytes, 0, pieceBytes, at)))
      if (first === undefined || second === undefined || !first.equals(second)) return false
      if (first.length < pieceBytes) return true
    }
  } finally {
    for (const { fd } of files) closeSync(fd)
  }
}
