/**
 * The little that replication and the Produce handler must know of record batches, read from a header without decoding the batch.
 * Source: Kafka protocol guide, "Record Batch" (magic 2).
 */

const lengthAt = 8
const leaderEpochAt = 12
const attributesAt = 21
const lastOffsetDeltaAt = 23
const producerIdAt = 43
const producerEpochAt = 51
const baseSequenceAt = 53
const overheadBytes = 12
const headerBytes = 61

const codecMask = 0x07
const zstdCodec = 4
const transactionalFlag = 0x10

/** Drops an incomplete batch at the end, as Apache Kafka's leaders may send; `lastEpoch` is -1 when no whole batch is there. */
export function wholeBatches(records: Buffer): { readonly records: Buffer; readonly lastEpoch: number } {
  let end = 0
  let lastEpoch = -1
  while (end + headerBytes <= records.length) {
    const next = end + overheadBytes + records.readInt32BE(end + lengthAt)
    if (next < end + headerBytes || next > records.length) break
    lastEpoch = records.readInt32BE(end + leaderEpochAt)
    end = next
  }
  return { records: end === records.length ? records : records.subarray(0, end), lastEpoch }
}

/**
 * The first batch of a newer epoch with offsets missing before it: compaction took them, and where the epoch began no batch tells.
 *
 * @param records  whole batches
 * @param before  where the log ends, and its newest epoch; -1: none
 */
export function gapBeforeEpoch(
  records: Buffer,
  before: { readonly endOffset: number; readonly epoch: number },
): { readonly position: number; readonly epoch: number; readonly baseOffset: number } | undefined {
  let { endOffset, epoch: newest } = before
  for (let position = 0; position < records.length;) {
    const baseOffset = Number(records.readBigInt64BE(position))
    const epoch = records.readInt32BE(position + leaderEpochAt)
    if (epoch > newest && baseOffset > endOffset) return { position, epoch, baseOffset }
    newest = Math.max(newest, epoch)
    endOffset = baseOffset + records.readInt32BE(position + lastOffsetDeltaAt) + 1
    position += overheadBytes + records.readInt32BE(position + lengthAt)
  }
  return undefined
}

/** Flags of the first batch; none for what is too short to be a batch, which the log refuses. */
export function batchFlags(records: Buffer): { readonly isTransactional: boolean; readonly isZstd: boolean } {
  if (records.length < headerBytes) return { isTransactional: false, isZstd: false }
  const attributes = records.readInt16BE(attributesAt)
  return { isTransactional: (attributes & transactionalFlag) !== 0, isZstd: (attributes & codecMask) === zstdCodec }
}

/** Who wrote the first batch, when it belongs to a transaction; undefined for all other batches. */
export function transactionalProducerOf(
  records: Buffer,
): { readonly producerId: bigint; readonly producerEpoch: number; readonly baseSequence: number } | undefined {
  if (records.length < headerBytes || (records.readInt16BE(attributesAt) & transactionalFlag) === 0) return undefined
  const producerId = records.readBigInt64BE(producerIdAt)
  if (producerId < 0n) return undefined
  return {
    producerId,
    producerEpoch: records.readInt16BE(producerEpochAt),
    baseSequence: records.readInt32BE(baseSequenceAt),
  }
}
