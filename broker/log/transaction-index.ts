/**
 * Transaction index: the aborted transactions that ended in a segment, in `<base offset>.txnindex`, so that a
 * read_committed consumer can leave their records out. The file is created with its first entry.
 *
 * Entry, big-endian: version int16 (0), producer id int64, first offset int64, last offset int64, last stable offset
 * int64.
 * Source: KIP-98, "Aborted Transaction Index".
 */
import type { Disk, DiskFile } from '../environment/environment.ts'
import { readInt64, writeInt64 } from '../protocol/records/batch.ts'
import { isShortage } from './log-failure.ts'
import { readFile } from './small-files.ts'

const entryBytes = 34

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
  /** Offset of the marker. */
  readonly lastOffset: number
  readonly lastStableOffset: number
}

export class TransactionIndex {
  readonly path: string
  private readonly disk: Disk
  /** Read on first use. */
  private loaded: AbortedTransaction[] | undefined
  /** Added while the file could not be read. */
  private added: AbortedTransaction[] = []
  /** Has entries that were never fsynced. */
  dirty = false
  /** Entries that the file has; those after them wait for space. */
  private written = 0
  private readonly baseOffset: number
  /** The file is damaged: says so, and gives what it should hold. */
  private readonly damaged: (problem: string) => AbortedTransaction[]

  constructor(
    disk: Disk,
    path: string,
    options: { readonly baseOffset: number; damaged(problem: string): AbortedTransaction[] },
  ) {
    this.disk = disk
    this.path = path
    this.baseOffset = options.baseOffset
    this.damaged = problem => options.damaged(problem)
  }

  get all(): readonly AbortedTransaction[] {
    return this.entries()
  }

  /** Those whose markers are at or above `offset`, in the order of their markers. */
  from(offset: number): readonly AbortedTransaction[] {
    const entries = this.entries()
    let low = 0
    let high = entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (entries[middle]!.lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low === 0 ? entries : entries.slice(low)
  }

  append(transaction: AbortedTransaction): void {
    this.added.push(transaction)
    this.dirty = true
    try {
      this.spill()
    } catch (error) {
      // The marker is in the log: what the file lacks is written before any fsync, or read from the log by a recovery.
      if (!isShortage(error)) throw error
    }
  }

  private spill(): void {
    const rest = this.entries().slice(this.written)
    if (rest.length === 0) return
    this.change(file => file.write([encodeAbortedTransactions(rest)], this.written * entryBytes))
    this.written += rest.length
  }

  /** Drops everything, whatever the file holds: it is made anew. */
  clear(): void {
    this.loaded = []
    this.added = []
    this.written = 0
    this.change(file => file.truncate(0))
  }

  /** Drops transactions whose markers are at or above `offset`; can be done again when it throws. */
  truncateTo(offset: number): void {
    const entries = this.entries()
    const keep = entries.findIndex(entry => entry.lastOffset >= offset)
    if (keep >= 0) entries.length = keep
    if (this.written <= entries.length) return
    this.change(file => file.truncate(entries.length * entryBytes))
    this.written = entries.length
  }

  private change(work: (file: DiskFile) => void): void {
    this.dirty = true
    const file = this.disk.open(this.path, 'write')
    try {
      work(file)
    } finally {
      file.close()
    }
  }

  /** Blocking; no effect when nothing was written. */
  sync(): void {
    if (!this.dirty) return
    this.spill()
    const file = this.disk.open(this.path, 'write')
    try {
      file.sync()
    } finally {
      file.close()
    }
    this.dirty = false
  }

  private entries(): AbortedTransaction[] {
    this.loaded ??= this.load()
    // One that was read from the batches may have them already.
    for (const added of this.added.splice(0))
      if (added.lastOffset > (this.loaded.at(-1)?.lastOffset ?? -1)) this.loaded.push(added)
    return this.loaded
  }

  private load(): AbortedTransaction[] {
    const bytes = readFile(this.disk, this.path) ?? Buffer.alloc(0)
    const read = decode(bytes, this.baseOffset)
    if ('entries' in read) {
      this.written = read.entries.length
      return read.entries
    }
    const rebuilt = this.damaged(read.problem)
    this.change(file => {
      file.truncate(0)
      if (rebuilt.length > 0) file.write([encodeAbortedTransactions(rebuilt)], 0)
    })
    this.written = rebuilt.length
    return rebuilt
  }
}

export function encodeAbortedTransactions(transactions: readonly AbortedTransaction[]): Buffer {
  const bytes = Buffer.alloc(transactions.length * entryBytes)
  for (const [index, { producerId, firstOffset, lastOffset, lastStableOffset }] of transactions.entries()) {
    const at = index * entryBytes
    bytes.writeBigInt64BE(producerId, at + 2)
    writeInt64(bytes, firstOffset, at + 10)
    writeInt64(bytes, lastOffset, at + 18)
    writeInt64(bytes, lastStableOffset, at + 26)
  }
  return bytes
}

/** The file has no checksum; what can be checked is that the entries make sense, and follow each other. */
function decode(
  bytes: Buffer,
  baseOffset: number,
): { readonly entries: AbortedTransaction[] } | { readonly problem: string } {
  const entries: AbortedTransaction[] = []
  if (bytes.length % entryBytes !== 0) return { problem: `${bytes.length} bytes are no whole entries of ${entryBytes}` }
  let lastMarker = baseOffset - 1
  for (let at = 0; at < bytes.length; at += entryBytes) {
    const version = bytes.readInt16BE(at)
    const entry = {
      producerId: bytes.readBigInt64BE(at + 2),
      firstOffset: readInt64(bytes, at + 10),
      lastOffset: readInt64(bytes, at + 18),
      lastStableOffset: readInt64(bytes, at + 26),
    }
    const { producerId, firstOffset, lastOffset, lastStableOffset } = entry
    const isSound =
      version === 0 &&
      producerId >= 0n &&
      firstOffset >= 0 &&
      firstOffset < lastOffset &&
      lastOffset > lastMarker &&
      lastStableOffset >= 0 &&
      lastStableOffset <= lastOffset + 1
    if (!isSound)
      return { problem: `entry ${entries.length} makes no sense (version ${version}, ${firstOffset} to ${lastOffset})` }
    lastMarker = lastOffset
    entries.push(entry)
  }
  return { entries }
}
