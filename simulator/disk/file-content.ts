/**
 * The bytes of one simulated file, as a page cache over a disk: what the process sees now, and what would be left if the power failed.
 *
 * Pages are copied on write, and only the first time after an fsync: an append costs what it appends, whatever the size of the file. A
 * page that was not fsynced remembers what the disk still holds (`durable`).
 */
import { pageAfter, pageBytes, type PowerLoss } from '#broker/environment/faulty/power-loss.ts'

type Page = Buffer | undefined

interface DirtyPage {
  /** What the disk holds; undefined: zeros. */
  durable: Page
  readonly sinceUs: number
}

/** What an fsync that is under way will make durable: the pages as they were when it was asked for. */
export interface SyncTicket {
  readonly number: number
  readonly pages: ReadonlyMap<number, Page>
  readonly bytes: number
}

export class FileContent {
  #pages: Page[] = []
  #size = 0
  #durableSize = 0
  #sizeChangedUs = 0
  readonly #dirty = new Map<number, DirtyPage>()
  /** Pages that a sync under way refers to: the next write must leave them as they are. */
  readonly #frozen = new Set<Page>()
  #syncsAsked = 0
  #syncsDone = 0

  get size(): number {
    return this.#size
  }

  /** Whether a power failure could lose anything. */
  get isDurable(): boolean {
    return this.#dirty.size === 0 && this.#size === this.#durableSize
  }

  read(target: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(target.length, this.#size - position))
    for (let done = 0; done < count;) {
      const at = position + done
      const inPage = at % pageBytes
      const length = Math.min(pageBytes - inPage, count - done)
      const page = this.#pages[Math.floor(at / pageBytes)]
      if (page === undefined) target.fill(0, done, done + length)
      else target.set(page.subarray(inPage, inPage + length), done)
      done += length
    }
    return count
  }

  write(chunks: readonly Uint8Array[], position: number, nowUs: number): void {
    let at = position
    for (const chunk of chunks) {
      for (let done = 0; done < chunk.length;) {
        const inPage = at % pageBytes
        const length = Math.min(pageBytes - inPage, chunk.length - done)
        const whole = length === chunk.length ? chunk : chunk.subarray(done, done + length)
        this.#writable(Math.floor(at / pageBytes), nowUs).set(whole, inPage)
        done += length
        at += length
      }
    }
    // A write of nothing does not make a file longer (POSIX).
    if (at > position && at > this.#size) this.#resize(at, nowUs)
  }

  truncate(bytes: number, nowUs: number): void {
    if (bytes < this.#size) {
      const firstGone = Math.ceil(bytes / pageBytes)
      for (let index = firstGone; index < this.#pages.length; index++) {
        if (!this.#dirty.has(index)) this.#dirty.set(index, { durable: this.#pages[index], sinceUs: nowUs })
      }
      this.#pages.length = Math.min(this.#pages.length, firstGone)
      const inPage = bytes % pageBytes
      if (inPage > 0 && this.#pages[firstGone - 1] !== undefined) this.#writable(firstGone - 1, nowUs).fill(0, inPage)
    }
    this.#resize(bytes, nowUs)
  }

  /** fdatasync that has ended by the time it returns. */
  sync(): void {
    this.#syncsDone = ++this.#syncsAsked
    this.#dirty.clear()
    this.#durableSize = this.#size
  }

  /** Begins an fdatasync: what is written from now on is not covered by it. */
  beginSync(): SyncTicket {
    const pages = new Map<number, Page>()
    for (const index of this.#dirty.keys()) {
      const page = this.#pages[index]
      pages.set(index, page)
      if (page !== undefined) this.#frozen.add(page)
    }
    return { number: ++this.#syncsAsked, pages, bytes: this.#size }
  }

  endSync(ticket: SyncTicket): void {
    for (const page of ticket.pages.values()) this.#frozen.delete(page)
    // A later fsync that ended earlier has covered more.
    if (ticket.number < this.#syncsDone) return
    this.#syncsDone = ticket.number
    for (const [index, page] of ticket.pages) {
      const dirty = this.#dirty.get(index)
      if (dirty === undefined) continue
      if (this.#pages[index] === page) this.#dirty.delete(index)
      else dirty.durable = page
    }
    this.#durableSize = ticket.bytes
  }

  /** The machine loses its power: every page that was not fsynced is kept, lost or torn, each on its own; so is the size. */
  powerFailure(loss: PowerLoss, writtenBackBeforeUs: number): void {
    const oldSize = this.#size
    const newSize =
      this.#size === this.#durableSize || this.#sizeChangedUs < writtenBackBeforeUs
        ? oldSize
        : loss.size(this.#durableSize, oldSize)
    const indexes = [...this.#dirty.keys()].sort((a, b) => a - b)
    for (const index of indexes) {
      const { durable, sinceUs } = this.#dirty.get(index)!
      if (sinceUs < writtenBackBeforeUs) continue
      // A truncation that did not reach the disk leaves what was there.
      if (index * pageBytes >= oldSize) this.#pages[index] = durable
      else this.#pages[index] = afterPowerFailure(this.#pages[index], durable, loss)
    }
    this.#frozen.clear()
    this.#size = newSize
    this.#pages.length = Math.min(this.#pages.length, Math.ceil(newSize / pageBytes))
    const last = newSize % pageBytes === 0 ? undefined : this.#pages[Math.floor(newSize / pageBytes)]
    if (last !== undefined) {
      const copy = Buffer.from(last)
      copy.fill(0, newSize % pageBytes)
      this.#pages[Math.floor(newSize / pageBytes)] = copy
    }
    this.sync()
  }

  #writable(index: number, nowUs: number): Buffer {
    const page = this.#pages[index]
    const dirty = this.#dirty.has(index)
    if (dirty && page !== undefined && !this.#frozen.has(page)) return page
    if (!dirty) this.#dirty.set(index, { durable: page, sinceUs: nowUs })
    const fresh = page === undefined ? Buffer.alloc(pageBytes) : Buffer.from(page)
    while (this.#pages.length < index) this.#pages.push(undefined)
    this.#pages[index] = fresh
    return fresh
  }

  #resize(bytes: number, nowUs: number): void {
    if (this.#size === this.#durableSize) this.#sizeChangedUs = nowUs
    this.#size = bytes
  }
}

function afterPowerFailure(written: Page, durable: Page, loss: PowerLoss): Page {
  const fate = loss.page()
  if (fate === 'written') return written
  if (fate === 'durable') return durable
  return pageAfter(fate, written ?? Buffer.alloc(pageBytes), durable ?? Buffer.alloc(pageBytes))
}
