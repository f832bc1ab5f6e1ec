/**
 * Requests of a client that a script plays itself, one by one, where a real client would retry, batch or hide what was answered: sequence
 * numbers, timestamps and leader epochs are the script's. On the toolkit's own wire client (see `scripts/cluster/wire.ts`).
 */
import { crc32c, Reader, Writer } from '../cluster/wire-format.ts'
import { produceBytes, type ProducedBatch } from '../cluster/wire-requests.ts'
import type { WireClient } from '../cluster/wire.ts'
import type { Offset } from '../history/operation.ts'
import { fetchedPartition } from './observe-requests.ts'

export interface HandRecord {
  readonly key?: string
  /** Null: a tombstone. */
  readonly value: string | null
  /** Milliseconds since 1970, as the producer's clock says. */
  readonly timestamp?: number
}

/** Who wrote a batch: the identity of an idempotent producer. */
export interface BatchProducer {
  readonly id: bigint
  readonly epoch: number
  /** Of the first record. */
  readonly sequence: number
}

export interface ProduceQuestion {
  readonly topic: string
  readonly partition: number
  readonly records: readonly HandRecord[]
  readonly acks: 1 | -1
  readonly producer?: BatchProducer | undefined
  readonly timeoutMs: number
}

export type Produced = ProducedBatch

/** Produce v3 of one batch. */
export async function produceBatch(client: WireClient, question: ProduceQuestion): Promise<Produced> {
  const result = await produceBytes(client, question, recordBatch(question.records, question.producer))
  if (result === undefined) throw new Error(`the answer to Produce does not name ${question.topic}`)
  return result
}

/** A record batch (magic 2), uncompressed, timestamps as of creation. */
export function recordBatch(records: readonly HandRecord[], producer?: BatchProducer): Buffer {
  const timestamps = records.map(({ timestamp = 0 }) => timestamp)
  const first = timestamps[0] ?? 0
  const encoded = records.map((record, index) => encodeRecord(record, index, (record.timestamp ?? 0) - first))
  const sealed = new Writer()
    .int16(0)
    .int32(records.length - 1)
    .int64(BigInt(first))
    .int64(BigInt(Math.max(...timestamps)))
    .int64(producer?.id ?? -1n)
    .int16(producer?.epoch ?? -1)
    .int32(producer?.sequence ?? -1)
    .int32(records.length)
    .bytes(Buffer.concat(encoded))
    .toBuffer()
  const rest = new Writer().int32(-1).int8(2).uint32(crc32c(sealed)).bytes(sealed).toBuffer()
  return new Writer().int64(0n).int32(rest.length).bytes(rest).toBuffer()
}

function encodeRecord({ key, value }: HandRecord, offsetDelta: number, timestampDelta: number): Buffer {
  const body = varlong(new Writer().int8(0), timestampDelta).varint(offsetDelta)
  for (const text of [key ?? null, value]) {
    if (text === null) body.varint(-1)
    else {
      const bytes = Buffer.from(text)
      body.varint(bytes.length).bytes(bytes)
    }
  }
  const record = body.varint(0).toBuffer()
  return new Writer().varint(record.length).bytes(record).toBuffer()
}

/** Zigzag of up to 53 bits, where `Writer.varint` has 32. */
function varlong(writer: Writer, value: number): Writer {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) writer.int8((rest % 0x80) | 0x80)
  return writer.int8(rest)
}

/** InitProducerId v0 without a transactional id. */
export async function initProducerId(client: WireClient): Promise<{ errorCode: number; id: bigint; epoch: number }> {
  const reader = await client.request(22, 0, new Writer().nullString().int32(60_000))
  reader.int32() // throttle time
  return { errorCode: reader.int16(), id: reader.int64(), epoch: reader.int16() }
}

export interface FetchQuestion {
  readonly topic: string
  readonly partition: number
  readonly offset: Offset
  /** Of the leader that the reader believes in; -1: it does not say. */
  readonly leaderEpoch?: number
  /** Where the reader is (KIP-392). */
  readonly rack?: string
}

export interface ReadRecord {
  readonly offset: Offset
  readonly key: string | null
  readonly value: string | null
  /** Ms since 1970. */
  readonly timestamp: number
  /** Of the leader that appended it. */
  readonly leaderEpoch: number
}

export interface Fetched {
  readonly errorCode: number
  readonly highWatermark: Offset
  readonly logStartOffset: Offset
  /** Broker that the leader wants to be asked instead; -1: none. */
  readonly preferredReadReplica: number
  /** How long the client is to wait for its quota, ms. */
  readonly throttleTimeMs: number
  readonly records: readonly ReadRecord[]
  /** Where to go on: behind the last batch, also one that compaction has emptied; the question's offset when nothing came. */
  readonly nextOffset: Offset
}

const fetchBytesMax = 4 << 20

/** Fetch v11 without a session, from whichever broker `client` leads to; it does not wait for records. */
export async function fetchAsConsumer(client: WireClient, question: FetchQuestion): Promise<Fetched> {
  const body = new Writer()
    .int32(-1)
    .int32(0)
    .int32(0)
    .int32(fetchBytesMax)
    .int8(0)
    .int32(0)
    .int32(-1)
    .array([question], ({ topic, partition, offset, leaderEpoch }, writer) =>
      writer.string(topic).array([partition], (index, w) =>
        w
          .int32(index)
          .int32(leaderEpoch ?? -1)
          .int64(BigInt(offset))
          .int64(-1n)
          .int32(fetchBytesMax),
      ),
    )
    .int32(0) // no topics to forget
    .string(question.rack ?? '')
  const reader = await client.request(1, 11, body)
  const throttleTimeMs = reader.int32()
  const errorCode = reader.int16()
  reader.int32() // session
  const [partitions] = reader.array(r => {
    r.string()
    return r.array(fetchedPartition)
  })
  const found = partitions?.[0]
  if (found !== undefined) {
    const { records: bytes, ...rest } = found
    const { records, nextOffset = question.offset } = readRecords(bytes)
    return { ...rest, throttleTimeMs, records: records.filter(({ offset }) => offset >= question.offset), nextOffset }
  }
  // Who has used up its quota gets an answer without its partitions.
  if (errorCode === 0 && throttleTimeMs === 0)
    throw new Error(`the answer to Fetch does not name ${question.topic}-${question.partition}`)
  return {
    errorCode,
    highWatermark: -1,
    logStartOffset: -1,
    preferredReadReplica: -1,
    throttleTimeMs,
    records: [],
    nextOffset: question.offset,
  }
}

const batchHeaderBytes = 61
const logAppendTimeBit = 0x08
const controlBit = 0x20
const compressionMask = 0x07

/** Uncompressed records of batches v2 without those of control batches; an incomplete batch at the end is left out. */
export function readRecords(bytes: Buffer): {
  readonly records: readonly ReadRecord[]
  readonly nextOffset: Offset | undefined
} {
  const records: ReadRecord[] = []
  let nextOffset: Offset | undefined
  let at = 0
  while (at + batchHeaderBytes <= bytes.length) {
    const end = at + 12 + bytes.readInt32BE(at + 8)
    if (end > bytes.length) break
    const batch = bytes.subarray(at, end)
    records.push(...recordsOf(batch))
    nextOffset = Number(batch.readBigInt64BE(0)) + batch.readInt32BE(23) + 1
    at = end
  }
  return { records, nextOffset }
}

function recordsOf(batch: Buffer): ReadRecord[] {
  const attributes = batch.readInt16BE(21)
  if (attributes & compressionMask) throw new Error('expected uncompressed batches')
  if (attributes & controlBit) return []
  const baseOffset = Number(batch.readBigInt64BE(0))
  const leaderEpoch = batch.readInt32BE(12)
  const [baseTimestamp, maxTimestamp] = [Number(batch.readBigInt64BE(27)), Number(batch.readBigInt64BE(35))]
  const reader = new Reader(batch.subarray(batchHeaderBytes))
  return Array.from({ length: batch.readInt32BE(57) }, () => {
    zigzag(reader) // length
    reader.int8() // attributes
    const created = baseTimestamp + zigzag(reader)
    const offset = baseOffset + zigzag(reader)
    const [key, value] = [text(reader), text(reader)]
    for (let header = 2 * zigzag(reader); header > 0; header--) text(reader)
    const timestamp = attributes & logAppendTimeBit ? maxTimestamp : created
    return { offset, key, value, timestamp, leaderEpoch }
  })
}

function text(reader: Reader): string | null {
  const length = zigzag(reader)
  return length < 0 ? null : reader.bytes(length).toString()
}

/** Of up to 53 bits, as timestamps need. */
function zigzag(reader: Reader): number {
  let value = 0
  for (let scale = 1; ; scale *= 0x80) {
    const byte = reader.int8() & 0xff
    value += (byte & 0x7f) * scale
    if (byte < 0x80) break
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

export interface EpochEnd {
  readonly errorCode: number
  /** The largest epoch that the log has and that is not above the one asked for; -1: none. */
  readonly leaderEpoch: number
  /** Offset, exclusive, where that epoch ends in this log; -1: unknown. */
  readonly endOffset: Offset
}

/** OffsetForLeaderEpoch v3, as a consumer (KIP-320). */
export async function offsetForLeaderEpoch(
  client: WireClient,
  question: { readonly topic: string; readonly partition: number; readonly leaderEpoch: number },
): Promise<EpochEnd> {
  const body = new Writer()
    .int32(-1)
    .array([question], ({ topic, partition, leaderEpoch }, writer) =>
      writer.string(topic).array([partition], (index, w) => w.int32(index).int32(-1).int32(leaderEpoch)),
    )
  const reader = await client.request(23, 3, body)
  reader.int32() // throttle time
  const [results] = reader.array(r => {
    r.string()
    return r.array(p => {
      const errorCode = p.int16()
      p.int32()
      return { errorCode, leaderEpoch: p.int32(), endOffset: Number(p.int64()) }
    })
  })
  const result = results?.[0]
  if (result === undefined) throw new Error(`the answer to OffsetForLeaderEpoch does not name ${question.topic}`)
  return result
}

/** IncrementalAlterConfigs v0: sets these settings of a topic and leaves the others. @returns its error code and message */
export async function alterTopicSettings(
  client: WireClient,
  topic: string,
  settings: Readonly<Record<string, string>>,
): Promise<{ readonly errorCode: number; readonly message: string }> {
  const topicResource = 2
  const body = new Writer()
    .array([topic], (name, writer) =>
      writer
        .int8(topicResource)
        .string(name)
        .array(Object.entries(settings), ([key, value], w) => w.string(key).int8(0).string(value)),
    )
    .boolean(false)
  const reader = await client.request(44, 0, body)
  reader.int32() // throttle time
  const [result] = reader.array(r => {
    const answer = { errorCode: r.int16(), message: r.string() }
    r.int8()
    r.string()
    return answer
  })
  return result ?? { errorCode: -1, message: 'the answer names no topic' }
}

/** DeleteRecords v0: all below `before` goes. */
export async function deleteRecords(
  client: WireClient,
  question: { readonly topic: string; readonly partition: number; readonly before: Offset; readonly timeoutMs: number },
): Promise<{ readonly errorCode: number; readonly logStartOffset: Offset }> {
  const body = new Writer()
    .array([question], ({ topic, partition, before }, writer) =>
      writer.string(topic).array([partition], (index, w) => w.int32(index).int64(BigInt(before))),
    )
    .int32(question.timeoutMs)
  const reader = await client.request(21, 0, body)
  reader.int32() // throttle time
  const [results] = reader.array(r => {
    r.string()
    return r.array(p => {
      p.int32()
      return { logStartOffset: Number(p.int64()), errorCode: p.int16() }
    })
  })
  const result = results?.[0]
  if (result === undefined) throw new Error(`the answer to DeleteRecords does not name ${question.topic}`)
  return result
}

export interface LogDir {
  readonly path: string
  /** 0, or the error that took it offline. */
  readonly errorCode: number
  /** Those of the topic that it holds. */
  readonly partitions: readonly number[]
}

/** DescribeLogDirs v1: the log directories of the broker that is asked. */
export async function logDirsOf(client: WireClient, topic: string): Promise<readonly LogDir[]> {
  const reader = await client.request(35, 1, new Writer().int32(-1))
  reader.int32() // throttle time
  return reader.array(r => {
    const [errorCode, path] = [r.int16(), r.string()]
    const topics = r.array(t => ({ name: t.string(), partitions: t.array(logDirPartition) }))
    return { path, errorCode, partitions: topics.find(({ name }) => name === topic)?.partitions ?? [] }
  })
}

function logDirPartition(reader: Reader): number {
  const partition = reader.int32()
  reader.int64() // bytes
  reader.int64() // lag
  reader.boolean() // whether it is a copy that is being made
  return partition
}
