/**
 * The questions about the logs of replicas before and after a run, on the toolkit's own wire client (see `scripts/cluster/wire.ts` for why it
 * is written by hand): who has the partitions, where logs end, and the records of one replica with what their batches say about the producer.
 * They work on any Kafka: a follower answers ListOffsets with the replica id -2 (the debugging replica) and Fetch from version 11 on.
 */
import { Reader, Writer } from '../cluster/wire-format.ts'
import type { WireClient } from '../cluster/wire.ts'
import type { Offset, ReplicaBatch, Value } from '../history/operation.ts'

export interface PartitionView {
  readonly index: number
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

export interface TopicView {
  readonly brokers: readonly number[]
  /** Empty when the topic is not known to the broker. */
  readonly partitions: readonly PartitionView[]
}

/** Metadata v8: unfenced brokers and one topic's partitions, as this broker knows them. */
export async function topicMetadata(client: WireClient, topic: string): Promise<TopicView> {
  const body = new Writer()
    .array([topic], (name, writer) => writer.string(name))
    .boolean(false)
    .boolean(false)
    .boolean(false)
  const reader = await client.request(3, 8, body)
  reader.int32() // throttle time
  const brokers = reader.array(broker)
  reader.string() // cluster id
  reader.int32() // controller id: in KRaft mode any broker
  const topics = reader.array(r => {
    r.int16() // error: an unknown topic has no partitions
    r.string()
    r.boolean()
    const partitions = r.array(partition)
    r.int32()
    return partitions
  })
  return { brokers, partitions: topics[0] ?? [] }
}

function broker(reader: Reader): number {
  const id = reader.int32()
  reader.string()
  reader.int32()
  reader.string()
  return id
}

function partition(reader: Reader): PartitionView {
  reader.int16()
  const ids = () => reader.array(r => r.int32())
  const index = reader.int32()
  const leader = reader.int32()
  const leaderEpoch = reader.int32()
  const [replicas, isr] = [ids(), ids()]
  ids() // offline replicas
  return { index, leader, leaderEpoch, replicas, isr }
}

export const latest = -1
export const earliest = -2
/** Any replica answers this one, and with its log end offset. */
export const debuggingReplica = -2
export const consumer = -1

export interface OffsetsQuestion {
  readonly topic: string
  readonly partitions: readonly number[]
  readonly replicaId: typeof debuggingReplica | typeof consumer
  readonly timestamp: typeof latest | typeof earliest
}

/** ListOffsets v2; partitions that answered with an error are left out. */
export async function listOffsets(client: WireClient, question: OffsetsQuestion): Promise<Map<number, Offset>> {
  const body = new Writer()
    .int32(question.replicaId)
    .int8(0)
    .array([question.topic], (name, writer) =>
      writer.string(name).array(question.partitions, (index, w) => w.int32(index).int64(BigInt(question.timestamp))),
    )
  const reader = await client.request(2, 2, body)
  reader.int32()
  const topics = reader.array(r => {
    r.string()
    return r.array(p => {
      const [index, errorCode] = [p.int32(), p.int16()]
      p.int64() // timestamp
      return { index, errorCode, offset: Number(p.int64()) }
    })
  })
  return new Map((topics[0] ?? []).filter(answer => answer.errorCode === 0).map(({ index, offset }) => [index, offset]))
}

export interface FetchedSlice {
  readonly errorCode: number
  readonly highWatermark: Offset
  readonly logStartOffset: Offset
  readonly batches: readonly ReplicaBatch[]
  /** Where to go on; equal to the question's offset when nothing came. */
  readonly nextOffset: Offset
}

const fetchBytesMax = 4 << 20

/**
 * Fetch v11 without a session: what this very replica holds from `offset` up to its high watermark. Undefined when the answer lacks the
 * partition: the client has used up its quota, and is to ask again.
 */
export async function fetchReplica(
  client: WireClient,
  at: { readonly topic: string; readonly partition: number; readonly offset: Offset },
): Promise<FetchedSlice | undefined> {
  const body = new Writer()
    .int32(-1)
    .int32(0) // do not wait
    .int32(0)
    .int32(fetchBytesMax)
    .int8(0)
    .int32(0)
    .int32(-1)
    .array([at], ({ topic, partition: index, offset }, writer) =>
      writer
        .string(topic)
        .array([index], (id, w) => w.int32(id).int32(-1).int64(BigInt(offset)).int64(-1n).int32(fetchBytesMax)),
    )
    .int32(0) // no topics to forget
    .string('')
  const reader = await client.request(1, 11, body)
  reader.int32()
  const errorCode = reader.int16()
  reader.int32()
  const topics = reader.array(r => {
    r.string()
    return r.array(fetchedPartition)
  })
  const found = topics[0]?.[0]
  if (errorCode !== 0) return { errorCode, highWatermark: -1, logStartOffset: -1, batches: [], nextOffset: at.offset }
  if (found === undefined) return undefined
  const { batches, nextOffset } = readBatches(found.records)
  return { ...found, batches, nextOffset: nextOffset ?? at.offset }
}

/** What Fetch v11 answers about one partition; the records as they are. */
export function fetchedPartition(reader: Reader) {
  reader.int32()
  const errorCode = reader.int16()
  const highWatermark = Number(reader.int64())
  reader.int64() // last stable offset
  const logStartOffset = Number(reader.int64())
  reader.array(aborted => [aborted.int64(), aborted.int64()])
  const preferredReadReplica = reader.int32()
  return { errorCode, highWatermark, logStartOffset, preferredReadReplica, records: reader.bytes(reader.int32()) }
}

const batchHeaderBytes = 61
const controlBit = 0x20
const compressionMask = 0x07

/** Record batches v2, uncompressed, as the append workload writes them, and control batches as what they are; an incomplete one at the end is left for the next fetch. */
export function readBatches(records: Buffer): { batches: ReplicaBatch[]; nextOffset: Offset | undefined } {
  const batches: ReplicaBatch[] = []
  let nextOffset: Offset | undefined
  let at = 0
  while (at + batchHeaderBytes <= records.length) {
    const end = at + 12 + records.readInt32BE(at + 8)
    if (end > records.length) break
    const { batch, lastOffset } = readBatch(records.subarray(at, end))
    batches.push(batch)
    nextOffset = lastOffset + 1
    at = end
  }
  return { batches, nextOffset }
}

function readBatch(bytes: Buffer): { batch: ReplicaBatch; lastOffset: Offset } {
  const baseOffset = Number(bytes.readBigInt64BE(0))
  const magic = bytes.readInt8(16)
  if (magic !== 2) throw new Error(`expected record batches of magic 2, got ${magic} at offset ${baseOffset}`)
  const attributes = bytes.readInt16BE(21)
  const lastOffset = baseOffset + bytes.readInt32BE(23)
  const header = {
    baseOffset,
    leaderEpoch: bytes.readInt32BE(12),
    producerId: bytes.readBigInt64BE(43).toString(),
    producerEpoch: bytes.readInt16BE(51),
    baseSequence: bytes.readInt32BE(53),
  }
  const body = new Reader(bytes.subarray(batchHeaderBytes))
  if (attributes & controlBit) return { batch: { ...header, records: [], marker: readMarker(body) }, lastOffset }
  if (attributes & compressionMask)
    throw new Error(`expected uncompressed batches, got codec ${attributes & compressionMask} at offset ${baseOffset}`)
  const count = bytes.readInt32BE(57)
  const records = Array.from({ length: count }, () => readRecord(body, baseOffset))
  return { batch: { ...header, records }, lastOffset }
}

/** By the type in the key of a control record, behind its version. */
const markers: Readonly<Record<number, string>> = { 0: 'ABORT', 1: 'COMMIT' }

/** What the one record of a control batch says. */
function readMarker(reader: Reader): string {
  zigzag(reader) // length
  reader.int8() // attributes
  zigzag(reader) // timestamp delta
  zigzag(reader) // offset delta
  const key = reader.bytes(zigzag(reader))
  if (key.length < 4) return 'a control record without a type'
  const type = key.readInt16BE(2)
  return markers[type] ?? `a control record of type ${type}`
}

function readRecord(reader: Reader, baseOffset: Offset): [Offset, Value] {
  zigzag(reader) // length
  reader.int8() // attributes
  zigzag(reader) // timestamp delta
  const offset = baseOffset + zigzag(reader)
  reader.bytes(zigzag(reader)) // key
  const value = reader.bytes(zigzag(reader)).toString()
  const headers = zigzag(reader)
  for (let header = 0; header < 2 * headers; header += 1) reader.bytes(zigzag(reader))
  return [offset, value]
}

function zigzag(reader: Reader): number {
  const raw = reader.unsignedVarint()
  return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
}
