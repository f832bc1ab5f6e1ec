/**
 * The codecs of record batches. Pure functions of their input; what comes out of a payload is bounded, so that a small
 * batch cannot fill the memory. gzip and zstd are Node's own, snappy and lz4 are in this folder: their levels have no
 * meaning there, as only one way of compressing is implemented.
 *
 * Source: Kafka message format, "Record Batch" (attributes); KIP-110 (zstd), KIP-390 (levels).
 */
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { compressionNames } from './batch.ts'
import type { CompressionName } from './batch.ts'
import { CompressedDataError } from './compressed-data.ts'
import { compressLz4, decompressLz4 } from './lz4.ts'
import { compressSnappy, decompressSnappy } from './snappy.ts'

/** As much as may arrive in one request uncompressed (default of socket.request.max.bytes). */
export const maxDecompressedBytes = 104_857_600

export interface CompressionLevels {
  /** -1: the codec's default. */
  readonly gzip: number
  readonly zstd: number
}

export function compressionId(name: CompressionName): number {
  return compressionNames.indexOf(name)
}

/** Compresses a records section. */
export function compress(name: CompressionName, bytes: Buffer, levels?: CompressionLevels): Buffer {
  switch (name) {
    case 'none':
      return bytes
    case 'gzip':
      return gzipSync(bytes, levels === undefined ? {} : { level: levels.gzip })
    case 'snappy':
      return compressSnappy(bytes)
    case 'lz4':
      return compressLz4(bytes)
    case 'zstd': {
      const params = levels === undefined ? {} : { params: { [constants.ZSTD_c_compressionLevel]: levels.zstd } }
      return zstdCompressSync(bytes, params)
    }
  }
}

/** Decompresses a records section to at most `maxBytes`. Throws CompressedDataError. */
export function decompress(id: number, bytes: Buffer, maxBytes: number): Buffer {
  const name = compressionNames[id]
  if (name === undefined) throw new CompressedDataError(`codec ${id} is not known`)
  switch (name) {
    case 'none':
      return bytes
    case 'gzip':
      return byNode(() => gunzipSync(bytes, { maxOutputLength: maxBytes }), maxBytes)
    case 'snappy':
      return decompressSnappy(bytes, maxBytes)
    case 'lz4':
      return decompressLz4(bytes, maxBytes)
    case 'zstd':
      return byNode(() => zstdDecompressSync(bytes, { maxOutputLength: maxBytes }), maxBytes)
  }
}

function byNode(run: () => Buffer, maxBytes: number): Buffer {
  try {
    return run()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CompressedDataError(
      code === 'ERR_BUFFER_TOO_LARGE' ? `more than ${maxBytes} bytes come out` : message,
      error as Error,
    )
  }
}
