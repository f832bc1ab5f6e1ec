/**
 * The storage below an offset or time index: fixed-size entries in a file, the newest of them in memory.
 *
 * An index is a hint that can be rebuilt from the log, so its entries are written in pages, not one by one, and no
 * descriptor is kept. The file always holds whole entries and nothing else: no preallocated zero tail, so that Kafka's
 * tools accept it at any time, also after a kill. Entries that were only in memory then are rebuilt from the recovery
 * point on.
 */
import { DiskError } from '../environment/environment.ts'
import type { Disk, DiskFile } from '../environment/environment.ts'
import { isShortage } from './log-failure.ts'

/** Entries kept in memory before they are written as one page; more while a shortage keeps them from being written. */
const pageEntries = 512
const firstTailEntries = 32

/** Tells whether the entry at `at` is at or below what is searched; must be monotonic over the entries. */
export type AtOrBelow = (bytes: Buffer, at: number) => boolean

export class IndexFile {
  readonly path: string
  readonly entryBytes: number
  /** The file was there before. */
  readonly existed: boolean
  private readonly disk: Disk
  /** Entries in the file. */
  private written: number
  private tail: Buffer | undefined
  private tailEntries = 0

  /**
   * Opens over what the file holds; a missing one is created, with `create` it starts empty. A trailing part of an entry
   * is cut off.
   */
  constructor(disk: Disk, path: string, entryBytes: number, create: boolean) {
    this.disk = disk
    this.path = path
    this.entryBytes = entryBytes
    const found = create ? undefined : disk.stat(path)
    this.existed = found !== undefined
    const bytes = found?.bytes ?? 0
    this.written = Math.floor(bytes / entryBytes)
    if (found === undefined || this.written * entryBytes !== bytes)
      this.withFile(file => file.truncate(this.written * entryBytes))
  }

  get entries(): number {
    return this.written + this.tailEntries
  }

  /** Makes room for one entry and says where in `slotBuffer` it goes. Of records that are in the log, so a shortage must not refuse it. */
  reserve(): number {
    if (this.tail === undefined) this.tail = Buffer.allocUnsafe(firstTailEntries * this.entryBytes)
    if (this.tailEntries * this.entryBytes === this.tail.length && !this.spillPage()) {
      const larger = Buffer.allocUnsafe(
        Math.min(this.tail.length * 4, this.tail.length + pageEntries * this.entryBytes),
      )
      this.tail.copy(larger)
      this.tail = larger
    }
    return this.tailEntries++ * this.entryBytes
  }

  private spillPage(): boolean {
    if (this.tailEntries < pageEntries) return false
    try {
      this.spill()
      return true
    } catch (error) {
      if (!isShortage(error)) throw error
      return false
    }
  }

  get slotBuffer(): Buffer {
    return this.tail!
  }

  /** Drops the entries from this one on; can be done again when it throws. */
  truncateTo(entries: number): void {
    if (entries >= this.entries) return
    if (entries >= this.written) {
      this.tailEntries = entries - this.written
      return
    }
    this.withFile(file => file.truncate(entries * this.entryBytes))
    this.tailEntries = 0
    this.written = entries
  }

  /** Writes what is only in memory. */
  spill(): void {
    if (this.tailEntries === 0) return
    const bytes = this.tail!.subarray(0, this.tailEntries * this.entryBytes)
    this.withFile(file => file.write([bytes], this.written * this.entryBytes))
    this.written += this.tailEntries
    this.tailEntries = 0
  }

  /** Writes everything and gives the page memory back: the index of a segment that gets no more appends. */
  settle(): void {
    this.spill()
    this.tail = undefined
  }

  sync(): void {
    this.spill()
    this.withFile(file => file.sync())
  }

  /** Writes everything, then fsyncs off the event loop. Calls `done` also when the write fails. */
  syncLater(done: (error: DiskError | undefined) => void): void {
    let file: DiskFile
    try {
      this.spill()
      file = this.disk.open(this.path, 'write')
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      return done(error)
    }
    file.syncLater(error => {
      file.close()
      done(error)
    })
  }

  /** A copy of the entry's bytes; undefined out of range. */
  entry(slot: number): Buffer | undefined {
    if (slot < 0 || slot >= this.entries) return undefined
    if (slot >= this.written) {
      const at = (slot - this.written) * this.entryBytes
      return Buffer.from(this.tail!.subarray(at, at + this.entryBytes))
    }
    return this.withFile(file => readAt(file, slot * this.entryBytes, this.entryBytes))
  }

  /** The last slot that is at or below what is searched, -1 when none is. Reads O(log n) entries and one page. */
  search(atOrBelow: AtOrBelow): number {
    if (this.tailEntries > 0 && atOrBelow(this.tail!, 0)) {
      return this.written + lastAtOrBelow(this.tail!, this.tailEntries, this.entryBytes, atOrBelow)
    }
    if (this.written === 0) return -1
    return this.withFile(file => {
      let low = 0
      let high = this.written
      while (high - low > pageEntries) {
        const middle = (low + high) >>> 1
        if (atOrBelow(readAt(file, middle * this.entryBytes, this.entryBytes), 0)) low = middle
        else high = middle
      }
      const page = readAt(file, low * this.entryBytes, (high - low) * this.entryBytes)
      const found = lastAtOrBelow(page, high - low, this.entryBytes, atOrBelow)
      // With `low` above 0 its entry is known to be at or below, so `found` is never -1 there.
      return found < 0 ? -1 : low + found
    })
  }

  /**
   * Counts the leading entries for which `sound` holds; for finding damage and Kafka's zero tail. Reads the whole file.
   */
  countSound(sound: AtOrBelow): number {
    if (this.written === 0) return 0
    return this.withFile(file => {
      for (let first = 0; first < this.written; first += 8192) {
        const count = Math.min(8192, this.written - first)
        const page = readAt(file, first * this.entryBytes, count * this.entryBytes)
        for (let index = 0; index < count; index++) if (!sound(page, index * this.entryBytes)) return first + index
      }
      return this.written
    })
  }

  private withFile<T>(use: (file: DiskFile) => T): T {
    const file = this.disk.open(this.path, 'write')
    try {
      return use(file)
    } finally {
      file.close()
    }
  }
}

function readAt(file: DiskFile, position: number, bytes: number): Buffer {
  const target = Buffer.allocUnsafe(bytes)
  const read = file.read(target, position)
  // A file that became shorter than its own entries is damaged; zeros are found as unsound by every reader.
  if (read < bytes) target.fill(0, read)
  return target
}

function lastAtOrBelow(bytes: Buffer, count: number, entryBytes: number, atOrBelow: AtOrBelow): number {
  let low = -1
  let high = count
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (atOrBelow(bytes, middle * entryBytes)) low = middle
    else high = middle
  }
  return low
}
