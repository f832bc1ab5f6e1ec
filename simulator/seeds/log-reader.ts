/**
 * Reads the batches of one log straight from the disk of a simulated machine, so that an invariant about a log does not rest on the code
 * that wrote it. It looks at headers only (record batch v2): base offset, last offset, epoch, CRC.
 *
 * Only committed batches may be asked for: what is committed never moves, so the place of the last one found is remembered.
 */
import type { FileContent } from '../disk/file-content.ts'
import type { SimulatedDisk } from '../disk/simulated-disk.ts'

export interface BatchDigest {
  readonly baseOffset: number
  /** Offset that follows the last record. */
  readonly nextOffset: number
  readonly epoch: number
  readonly crc: number
}

const headerBytes = 61

export class LogReader {
  readonly #disk: SimulatedDisk
  /** Where the log may be: it is moved between them. */
  readonly #directories: readonly string[]
  readonly #header = Buffer.alloc(headerBytes)
  /** Where the batch with this base offset begins. */
  #place:
    | { readonly directory: string; readonly segment: string; readonly position: number; readonly offset: number }
    | undefined

  constructor(disk: SimulatedDisk, directories: readonly string[]) {
    this.#disk = disk
    this.#directories = directories
  }

  /** The batches that hold records from `fromOffset` up to `untilOffset` (exclusive), as far as the log still has them. */
  *batches(fromOffset: number, untilOffset: number): Iterable<BatchDigest> {
    const { directory, segments } = this.#longest()
    let start = this.#place !== undefined && this.#place.offset <= fromOffset ? this.#place : undefined
    if (start !== undefined && (start.directory !== directory || !segments.has(start.segment))) start = undefined
    for (const [segment, content] of segments) {
      if (start !== undefined && segment < start.segment) continue
      let position = segment === start?.segment ? start.position : 0
      for (;;) {
        const found = this.#at(content, position)
        if (found === undefined) break
        if (found.batch.baseOffset >= untilOffset) return
        if (found.batch.nextOffset > fromOffset) {
          this.#place = { directory, segment, position, offset: found.batch.baseOffset }
          yield found.batch
        }
        position += found.bytes
      }
    }
  }

  /** At the end of a move two directories hold the log for a moment; what is in both is the same. */
  #longest(): { directory: string; segments: Map<string, FileContent> } {
    let longest = { directory: '', segments: new Map<string, FileContent>(), bytes: -1 }
    for (const directory of this.#directories) {
      const segments = this.#segments(directory)
      const bytes = [...segments.values()].reduce((sum, { size }) => sum + size, 0)
      if (bytes > longest.bytes) longest = { directory, segments, bytes }
    }
    return longest
  }

  /** Segments by name, oldest first. */
  #segments(path: string): Map<string, FileContent> {
    const segments = new Map<string, FileContent>()
    const directory = this.#disk.tree.find(path)
    if (directory?.kind !== 'directory') return segments
    const names = [...directory.entries.keys()].filter(name => name.endsWith('.log')).sort()
    for (const name of names) {
      const node = directory.entries.get(name)
      if (node?.kind === 'file') segments.set(name, node.content)
    }
    return segments
  }

  #at(content: FileContent, position: number): { batch: BatchDigest; bytes: number } | undefined {
    const header = this.#header
    if (content.read(header, position) < headerBytes) return undefined
    const bytes = 12 + header.readInt32BE(8)
    if (bytes < headerBytes || position + bytes > content.size) return undefined
    const baseOffset = Number(header.readBigInt64BE(0))
    const nextOffset = baseOffset + header.readInt32BE(23) + 1
    return { bytes, batch: { baseOffset, nextOffset, epoch: header.readInt32BE(12), crc: header.readUInt32BE(17) } }
  }
}
