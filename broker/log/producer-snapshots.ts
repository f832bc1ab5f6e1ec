/**
 * Producer snapshots: the producer state as it was below an offset, in `<offset>.snapshot`, so that a start replays
 * only what came after. A snapshot that is damaged is removed and an older one used.
 *
 * Format: version int16 (1), CRC-32C uint32 of what follows, count int32, then per producer id int64, epoch int16, last
 * sequence int32, last offset int64, offset delta int32, timestamp int64, coordinator epoch int32, first offset of the
 * open transaction int64.
 * Source: Kafka's ProducerSnapshot message schema.
 */
import { DiskError } from '../environment/environment.ts'
import type { Disk, DiskFile, Logger } from '../environment/environment.ts'
import { readInt64, writeInt64 } from '../protocol/records/batch.ts'
import { crc32c } from '../protocol/records/crc32c.ts'
import { offsetFileName, offsetOfFileName, snapshotSuffix } from './log-files.ts'
import type { ProducerState } from './producer-state.ts'
import { readFile } from './small-files.ts'

const headerBytes = 10
const crcCoveredFrom = 6
const entryBytes = 46

export function encodeProducerSnapshot(producers: readonly ProducerState[]): Buffer {
  const bytes = Buffer.alloc(headerBytes + producers.length * entryBytes)
  bytes.writeInt16BE(1, 0)
  bytes.writeInt32BE(producers.length, 6)
  producers.forEach((producer, index) => {
    const at = headerBytes + index * entryBytes
    const last = producer.batches.at(-1)
    bytes.writeBigInt64BE(producer.producerId, at)
    bytes.writeInt16BE(producer.producerEpoch, at + 8)
    bytes.writeInt32BE(last?.lastSequence ?? -1, at + 10)
    writeInt64(bytes, last?.lastOffset ?? -1, at + 14)
    bytes.writeInt32BE(last?.offsetDelta ?? 0, at + 22)
    writeInt64(bytes, producer.lastTimestamp, at + 26)
    bytes.writeInt32BE(producer.coordinatorEpoch, at + 34)
    writeInt64(bytes, producer.currentTxnFirstOffset, at + 38)
  })
  bytes.writeUInt32BE(crc32c(bytes, crcCoveredFrom), 2)
  return bytes
}

/** Undefined when the bytes are not a whole, undamaged snapshot. */
export function decodeProducerSnapshot(bytes: Buffer): ProducerState[] | undefined {
  if (
    bytes.length < headerBytes ||
    bytes.readInt16BE(0) !== 1 ||
    bytes.readUInt32BE(2) !== crc32c(bytes, crcCoveredFrom)
  )
    return undefined
  const count = bytes.readInt32BE(6)
  if (bytes.length !== headerBytes + count * entryBytes) return undefined
  return Array.from({ length: count }, (_, index) => {
    const at = headerBytes + index * entryBytes
    const lastOffset = readInt64(bytes, at + 14)
    const timestamp = readInt64(bytes, at + 26)
    const last = {
      lastSequence: bytes.readInt32BE(at + 10),
      lastOffset,
      offsetDelta: bytes.readInt32BE(at + 22),
      timestamp,
    }
    return {
      producerId: bytes.readBigInt64BE(at),
      producerEpoch: bytes.readInt16BE(at + 8),
      coordinatorEpoch: bytes.readInt32BE(at + 34),
      lastTimestamp: timestamp,
      currentTxnFirstOffset: readInt64(bytes, at + 38),
      batches: lastOffset >= 0 ? [last] : [],
    }
  })
}

/** The snapshot files of one partition. */
export class ProducerSnapshots {
  private readonly disk: Disk
  private readonly directory: string
  /** Rising. */
  private offsets: number[]
  private readonly log: Logger

  constructor(disk: Disk, directory: string, fileNames: readonly string[], log: Logger) {
    this.disk = disk
    this.log = log
    this.directory = directory
    const offsets = fileNames.map(name => offsetOfFileName(name, snapshotSuffix)).filter(offset => offset !== undefined)
    this.offsets = offsets.sort((a, b) => a - b)
  }

  get all(): readonly number[] {
    return this.offsets
  }
  get latest(): number | undefined {
    return this.offsets.at(-1)
  }

  path(offset: number): string {
    return `${this.directory}/${offsetFileName(offset, snapshotSuffix)}`
  }

  /** Of the snapshot at `offset`, if there is one. */
  pathsAt(offset: number): string[] {
    return this.offsets.includes(offset) ? [this.path(offset)] : []
  }

  /** Writes a snapshot that covers everything below `offset`. */
  write(offset: number, producers: readonly ProducerState[], options: { readonly sync: boolean }): void {
    const file = this.disk.open(this.path(offset), 'write')
    try {
      file.truncate(0)
      file.write([encodeProducerSnapshot(producers)], 0)
      if (options.sync) file.sync()
    } finally {
      file.close()
    }
    if (offset > (this.offsets.at(-1) ?? -1)) this.offsets.push(offset)
    else if (!this.offsets.includes(offset)) {
      this.offsets.push(offset)
      this.offsets.sort((a, b) => a - b)
    }
  }

  /** fsyncs the snapshot at `offset` off the event loop; no error when it is gone meanwhile. */
  syncLater(offset: number, done: (error: DiskError | undefined) => void): void {
    // The newest last: that is what a roll asks for.
    if (this.offsets.lastIndexOf(offset) < 0) return done(undefined)
    let file: DiskFile
    try {
      file = this.disk.open(this.path(offset), 'write')
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      return done(error)
    }
    file.syncLater(error => {
      file.close()
      done(error)
    })
  }

  /** The newest readable snapshot above `afterOffset` and up to `untilOffset`, inclusive. Damaged ones are removed. */
  newest(
    afterOffset: number,
    untilOffset: number,
  ): { readonly offset: number; readonly producers: ProducerState[] } | undefined {
    for (const offset of this.offsets.toReversed()) {
      if (offset > untilOffset || offset <= afterOffset) continue
      const bytes = readFile(this.disk, this.path(offset))
      const producers = bytes && decodeProducerSnapshot(bytes)
      if (producers !== undefined) return { offset, producers }
      this.log.warn('A producer snapshot is damaged; removing it and reading more of the log instead.', {
        path: this.path(offset),
        problem:
          bytes === undefined ? 'it is missing' : `its ${bytes.length} bytes have another checksum, count or version`,
      })
      this.remove(offset)
    }
    return undefined
  }

  remove(offset: number): void {
    this.disk.remove(this.path(offset))
    this.offsets = this.offsets.filter(known => known !== offset)
  }

  /** Removes every snapshot for which `keep` is false. */
  retain(keep: (offset: number) => boolean): void {
    for (const offset of this.offsets) if (!keep(offset)) this.remove(offset)
  }

  /** Takes the snapshot out of the list without touching its file. */
  forget(offset: number): void {
    // The oldest first: that is how segments leave.
    const at = this.offsets.indexOf(offset)
    if (at >= 0) this.offsets.splice(at, 1)
  }
}
