/**
 * The codecs that Node itself has, for batches this broker builds or reads itself (internal topics, tests). Pure
 * functions of their input. On the data path compressed payloads pass through untouched, whatever their codec.
 *
 * gzip and zstd work; snappy and lz4 are refused with an UnsupportedCodecError: nothing in the broker needs to look
 * inside them yet.
 */
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { compressionNames } from './batch.ts'
import type { CompressionName } from './batch.ts'

/** The broker was asked to look into a payload whose codec it does not have. */
export class UnsupportedCodecError extends Error {
  constructor(codec: string) {
    super(`Cannot look into a batch compressed with ${codec}: only gzip and zstd payloads can be read or written here.`)
    this.name = 'UnsupportedCodecError'
  }
}

export function compressionId(name: CompressionName): number {
  return compressionNames.indexOf(name)
}

/** Compresses a records section. */
export function compress(name: CompressionName, bytes: Buffer): Buffer {
  if (name === 'none') return bytes
  if (name === 'gzip') return gzipSync(bytes)
  if (name === 'zstd') return zstdCompressSync(bytes)
  throw new UnsupportedCodecError(name)
}

/** Decompresses a records section, at most `maxBytes` long: a small payload must not grow without bound. */
export function decompress(id: number, bytes: Buffer, maxBytes: number): Buffer {
  const name = compressionNames[id]
  if (name === 'none') return bytes
  if (name === 'gzip') return gunzipSync(bytes, { maxOutputLength: maxBytes })
  if (name === 'zstd') return zstdDecompressSync(bytes, { maxOutputLength: maxBytes })
  throw new UnsupportedCodecError(name ?? `unknown codec ${id}`)
}
