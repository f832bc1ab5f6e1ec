/**
 * Transaction index: the aborted transactions that ended in a segment, in `<base offset>.txnindex`, so that a
 * read_committed consumer can leave their records out. The file is created with its first entry.
 *
 * Entry, big-endian: version int16 (0), producer id int64, first offset int64, last offset int64, last stable offset
 * int64.
 * Source: KIP-98, "Aborted Transaction Index".
 */
import type { Disk } from '../environment/environment.ts'
import { readInt64, writeInt64 } from '../protocol/records/batch.ts'
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
  /** Has entries that were never fsynced. */
  dirty = false

  constructor(disk: Disk, path: string) {
    this.disk = disk
    this.path = path
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
    const entries = this.entries()
    const bytes = Buffer.alloc(entryBytes)
    bytes.writeBigInt64BE(transaction.producerId, 2)
    writeInt64(bytes, transaction.firstOffset, 10)
    writeInt64(bytes, transaction.lastOffset, 18)
    writeInt64(bytes, transaction.lastStableOffset, 26)
    const file = this.disk.open(this.path, 'write')
    try {
      file.write([bytes], entries.length * entryBytes)
    } finally {
      file.close()
    }
    entries.push(transaction)
    this.dirty = true
  }

  /** Drops transactions whose markers are at or above `offset`. */
  truncateTo(offset: number): void {
    const entries = this.entries()
    const keep = entries.findIndex(entry => entry.lastOffset >= offset)
    if (keep < 0) return
    entries.length = keep
    this.dirty = true
    const file = this.disk.open(this.path, 'write')
    try {
      file.truncate(keep * entryBytes)
    } finally {
      file.close()
    }
  }

  /** Blocking; no effect when nothing was written. */
  sync(): void {
    if (!this.dirty) return
    this.dirty = false
    const file = this.disk.open(this.path, 'write')
    try {
      file.sync()
    } finally {
      file.close()
    }
  }

  private entries(): AbortedTransaction[] {
    if (this.loaded !== undefined) return this.loaded
    const bytes = readFile(this.disk, this.path) ?? Buffer.alloc(0)
    this.loaded = []
    for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes) {
      if (bytes.readInt16BE(at) !== 0) break
      this.loaded.push({
        producerId: bytes.readBigInt64BE(at + 2),
        firstOffset: readInt64(bytes, at + 10),
        lastOffset: readInt64(bytes, at + 18),
        lastStableOffset: readInt64(bytes, at + 26),
      })
    }
    return this.loaded
  }
}
