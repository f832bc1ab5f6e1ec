/** The entries of the three indexes of a segment, as they are in the files. Sources: KIP-33, KIP-98; Kafka's layout. */
import type { Disk } from '#broker/environment/environment.ts'
import { readFile } from '#broker/log/small-files.ts'
import type { AbortedTransaction } from '#broker/log/transaction-index.ts'
import { readInt64, writeInt64 } from '#broker/protocol/records/batch.ts'

/** Entries of an index and what follows the last whole one. */
export interface IndexEntries<T> {
  readonly entries: readonly T[]
  /** Entries of zeros at the end: what a broker of Apache Kafka that was killed leaves, since it allocates its indexes in advance. */
  readonly zeroEntries: number
  /** Bytes behind the last whole entry. */
  readonly oddBytes: number
}

export interface OffsetEntry {
  readonly offset: number
  readonly position: number
}

export interface TimeEntry {
  readonly timestamp: number
  readonly offset: number
}

function read<T>(
  disk: Disk,
  path: string,
  entryBytes: number,
  decode: (bytes: Buffer, at: number) => T,
): IndexEntries<T> {
  const bytes = readFile(disk, path) ?? Buffer.alloc(0)
  const whole = Math.floor(bytes.length / entryBytes)
  let usedBytes = whole * entryBytes
  while (usedBytes > 0 && bytes[usedBytes - 1] === 0) usedBytes--
  const used = Math.ceil(usedBytes / entryBytes)
  // The first entry may be zeros in truth only where nothing but zeros follows it, too: an empty index.
  const entries = Array.from({ length: used }, (_, entry) => decode(bytes, entry * entryBytes))
  return { entries, zeroEntries: whole - used, oddBytes: bytes.length - whole * entryBytes }
}

export function offsetEntries(disk: Disk, path: string, baseOffset: number): IndexEntries<OffsetEntry> {
  return read(disk, path, 8, (bytes, at) => ({
    offset: baseOffset + bytes.readInt32BE(at),
    position: bytes.readInt32BE(at + 4),
  }))
}

export function timeEntries(disk: Disk, path: string, baseOffset: number): IndexEntries<TimeEntry> {
  return read(disk, path, 12, (bytes, at) => ({
    timestamp: readInt64(bytes, at),
    offset: baseOffset + bytes.readInt32BE(at + 8),
  }))
}

const abortedBytes = 34

export function abortedEntries(
  disk: Disk,
  path: string,
): IndexEntries<AbortedTransaction & { readonly version: number }> {
  return read(disk, path, abortedBytes, (bytes, at) => ({
    version: bytes.readInt16BE(at),
    producerId: bytes.readBigInt64BE(at + 2),
    firstOffset: readInt64(bytes, at + 10),
    lastOffset: readInt64(bytes, at + 18),
    lastStableOffset: readInt64(bytes, at + 26),
  }))
}

export function abortedBytesOf(transactions: readonly AbortedTransaction[]): Buffer {
  const bytes = Buffer.alloc(transactions.length * abortedBytes)
  for (const [index, transaction] of transactions.entries()) {
    const at = index * abortedBytes
    bytes.writeBigInt64BE(transaction.producerId, at + 2)
    writeInt64(bytes, transaction.firstOffset, at + 10)
    writeInt64(bytes, transaction.lastOffset, at + 18)
    writeInt64(bytes, transaction.lastStableOffset, at + 26)
  }
  return bytes
}
