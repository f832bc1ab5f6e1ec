/** One file in a tar archive (ustar), which is how the Docker engine hands files of containers out and takes them. */
import { failure } from '../../errors.ts'

const BLOCK = 512

export interface TarFile {
  readonly content: Buffer
  readonly uid: number
  readonly gid: number
  /** Permission bits. */
  readonly mode: number
}

/** The first plain file of an archive; undefined when there is none. */
export function firstFile(archive: Buffer): TarFile | undefined {
  for (let at = 0; at + BLOCK <= archive.length;) {
    const header = archive.subarray(at, at + BLOCK)
    if (header.every(byte => byte === 0)) return undefined
    const size = octal(header, 124, 12)
    const type = String.fromCharCode(header[156] ?? 0)
    const begin = at + BLOCK
    if (begin + size > archive.length) throw failure('The Docker engine sent an archive that is cut off.')
    // Others are directories, links, and headers that say more about the next entry.
    if (type === '0' || type === '\0')
      return {
        content: archive.subarray(begin, begin + size),
        mode: octal(header, 100, 8) & 0o7777,
        uid: octal(header, 108, 8),
        gid: octal(header, 116, 8),
      }
    at = begin + Math.ceil(size / BLOCK) * BLOCK
  }
  return undefined
}

/** @param name  without folders, at most 100 bytes */
export function archiveOf(name: string, { content, uid, gid, mode }: TarFile): Buffer {
  const header = Buffer.alloc(BLOCK)
  header.write(name, 0, 100)
  const number = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, length, 'latin1')
  number(mode, 100, 8)
  number(uid, 108, 8)
  number(gid, 116, 8)
  number(content.length, 124, 12)
  number(0, 136, 12)
  header.write('        ', 148, 8, 'latin1')
  header.write('0', 156, 1, 'latin1')
  header.write('ustar\x0000', 257, 8, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1')
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)
  // Two empty blocks are its end.
  return Buffer.concat([header, content, padding, Buffer.alloc(2 * BLOCK)])
}

function octal(header: Buffer, at: number, length: number): number {
  const digits = /[0-7]+/.exec(header.toString('latin1', at, at + length))?.[0] ?? '0'
  return Number.parseInt(digits, 8)
}
