/**
 * An open file of the real machine. Writes loop until every byte is taken, since a short write is not an error to the kernel.
 * It must never close its descriptor while an fdatasync is under way: the number could already belong to another file.
 */
import { closeSync, constants, fdatasync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs'
import { writeSync, writevSync } from 'node:fs'
import { DiskError, type DiskFile } from '../environment.ts'
import { diskCall, diskError } from './disk-errors.ts'

const readFlags = constants.O_RDONLY
const writeFlags = constants.O_RDWR | constants.O_CREAT

/** Opens a file: 'read' wants it to exist, 'write' creates it when missing and keeps what is in it. */
export function openFile(path: string, mode: 'read' | 'write'): DiskFile {
  return diskCall('open', path, () => {
    const descriptor = openSync(path, mode === 'read' ? readFlags : writeFlags, 0o644)
    try {
      const found = fstatSync(descriptor)
      if (found.isDirectory()) throw new DiskError('OTHER', 'open', path, new Error('It is a directory'))
      return new NodeFile(path, descriptor, mode === 'write' ? found.size : undefined)
    } catch (error) {
      closeSync(descriptor)
      throw error
    }
  })
}

class NodeFile implements DiskFile {
  readonly path: string
  #descriptor: number
  /** Known without asking while this handle is the writer; a reader asks the kernel, since someone else appends. */
  #knownSize: number | undefined
  #syncsUnderWay = 0
  #closed = false

  constructor(path: string, descriptor: number, knownSize: number | undefined) {
    this.path = path
    this.#descriptor = descriptor
    this.#knownSize = knownSize
  }

  size(): number {
    return this.#knownSize ?? diskCall('size', this.path, () => fstatSync(this.#open('size')).size)
  }

  read(target: Uint8Array, position: number): number {
    const descriptor = this.#open('read')
    try {
      let taken = 0
      while (taken < target.length) {
        const count = readSync(descriptor, target, taken, target.length - taken, position + taken)
        if (count === 0) break
        taken += count
      }
      return taken
    } catch (error) {
      throw diskError(error, 'read', this.path)
    }
  }

  write(chunks: readonly Uint8Array[], position: number): void {
    const descriptor = this.#open('write')
    let total = 0
    for (const chunk of chunks) total += chunk.length
    try {
      writeAll(descriptor, chunks, position, total)
    } catch (error) {
      // A part of it may be there: the size is not known any more until the kernel is asked.
      this.#knownSize = undefined
      throw diskError(error, 'write', this.path)
    }
    if (this.#knownSize !== undefined) this.#knownSize = Math.max(this.#knownSize, position + total)
  }

  truncate(bytes: number): void {
    diskCall('truncate', this.path, () => ftruncateSync(this.#open('truncate'), bytes))
    if (this.#knownSize !== undefined) this.#knownSize = bytes
  }

  sync(): void {
    diskCall('sync', this.path, () => fdatasyncSync(this.#open('sync')))
  }

  syncLater(done: (error: DiskError | undefined) => void): void {
    const descriptor = this.#open('sync')
    this.#syncsUnderWay++
    fdatasync(descriptor, error => {
      this.#syncsUnderWay--
      if (this.#closed && this.#syncsUnderWay === 0) this.#release()
      done(error === null ? undefined : diskError(error, 'sync', this.path))
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#syncsUnderWay === 0) this.#release()
  }

  #release(): void {
    const descriptor = this.#descriptor
    this.#descriptor = -1
    diskCall('close', this.path, () => closeSync(descriptor))
  }

  #open(operation: string): number {
    if (this.#closed) throw new DiskError('OTHER', operation, this.path, new Error('The file is closed'))
    return this.#descriptor
  }
}

function writeAll(descriptor: number, chunks: readonly Uint8Array[], position: number, total: number): void {
  let written =
    chunks.length === 1
      ? writeSync(descriptor, chunks[0]!, 0, total, position)
      : writevChunks(descriptor, chunks, position)
  while (written < total) {
    const rest = chunksAfter(chunks, written)
    const count = writevSync(descriptor, rest, position + written)
    if (count === 0) throw Object.assign(new Error('The kernel took no byte of a write'), { code: 'EIO' })
    written += count
  }
}

function writevChunks(descriptor: number, chunks: readonly Uint8Array[], position: number): number {
  return chunks.length === 0 ? 0 : writevSync(descriptor, chunks, position)
}

function chunksAfter(chunks: readonly Uint8Array[], skipBytes: number): Uint8Array[] {
  const rest: Uint8Array[] = []
  let skip = skipBytes
  for (const chunk of chunks) {
    if (skip >= chunk.length) skip -= chunk.length
    else {
      rest.push(skip === 0 ? chunk : chunk.subarray(skip))
      skip = 0
    }
  }
  return rest
}
