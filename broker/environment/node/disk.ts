/** The disk of the real machine: synchronous calls of node:fs, every failure a DiskError. It never swallows one. */
import {
  closeSync,
  fsync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { DirectoryEntry, Disk } from '../environment.ts'
import { diskCall, diskError } from './disk-errors.ts'
import { openFile } from './disk-file.ts'
import { takeLock } from './lock.ts'
import { makeFolder } from './make-folder.ts'

export const nodeDisk: Disk = {
  open: openFile,

  list(path) {
    return diskCall('list', path, () => readdirSync(path, { withFileTypes: true }).map(toEntry))
  },

  stat(path) {
    return diskCall('stat', path, () => {
      const found = statSync(path, { throwIfNoEntry: false })
      if (found === undefined) return undefined
      const kind = found.isDirectory() ? ('directory' as const) : ('file' as const)
      return { kind, bytes: found.size, modifiedMs: Math.floor(found.mtimeMs) }
    })
  },

  makeDirectory(path) {
    diskCall('makeDirectory', path, () => makeFolder(path))
  },

  rename(from, to) {
    diskCall('rename', from, () => renameSync(from, to))
  },

  remove(path) {
    diskCall('remove', path, () => rmSync(path, { recursive: true, force: true }))
  },

  syncDirectory(path) {
    diskCall('syncDirectory', path, () => {
      const descriptor = openSync(path, 'r')
      try {
        fsyncSync(descriptor)
      } finally {
        closeSync(descriptor)
      }
    })
  },

  syncDirectoryLater(path, done) {
    const descriptor = diskCall('syncDirectory', path, () => openSync(path, 'r'))
    fsync(descriptor, error => {
      closeSync(descriptor)
      done(error === null ? undefined : diskError(error, 'syncDirectory', path))
    })
  },

  lock: takeLock,

  /** Node raises it to the hard limit when it starts. Only Linux tells. */
  openFileLimit() {
    try {
      const limit = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
      return limit === 'unlimited' ? Infinity : limit === undefined ? undefined : Number(limit)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw diskError(error, 'openFileLimit', '/proc/self/limits')
    }
  },

  space(path) {
    return diskCall('space', path, () => {
      const volume = statfsSync(nearestExisting(path))
      return { totalBytes: volume.blocks * volume.bsize, usableBytes: volume.bavail * volume.bsize }
    })
  },
}

function toEntry(entry: { name: string; isDirectory(): boolean }): DirectoryEntry {
  return { name: entry.name, kind: entry.isDirectory() ? 'directory' : 'file' }
}

/** A log directory may be asked for its space before it is created: its volume is that of the nearest parent. */
function nearestExisting(path: string): string {
  let candidate = path
  while (statSync(candidate, { throwIfNoEntry: false }) === undefined) {
    const parent = dirname(candidate)
    if (parent === candidate) return candidate
    candidate = parent
  }
  return candidate
}
