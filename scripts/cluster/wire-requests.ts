/**
 * The requests of the toolkit's wire client: what each asks and what we keep of the answer. Versions are Kafka 4.3's oldest, see `wire.ts`.
 * Error codes are returned, not thrown: whether one is a reason to wait or to give up is the caller's business.
 */
import { crc32c, Writer } from './wire-format.ts'
import type { Reader } from './wire-format.ts'
import type { WireClient } from './wire.ts'
import type { QuorumView } from './cluster.ts'

export const errorCodes = {
  none: 0,
  unknownTopicOrPartition: 3,
  topicAlreadyExists: 36,
  brokerIdNotRegistered: 102,
} as const

export interface PartitionView {
  readonly index: number
  /** -1: nobody leads. */
  readonly leader: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

export interface MetadataView {
  readonly brokers: readonly { readonly id: number; readonly host: string; readonly port: number }[]
  readonly topics: readonly {
    readonly name: string
    readonly errorCode: number
    readonly partitions: readonly PartitionView[]
  }[]
}

/** Metadata v4: the unfenced brokers as this broker knows them, and the given topics (none: no topics). */
export async function metadata(client: WireClient, topics: readonly string[] = []): Promise<MetadataView> {
  const body = new Writer().array(topics, (name, writer) => writer.string(name)).boolean(false)
  return readMetadata(await client.request(3, 4, body))
}

/** The same with every topic there is: a null array asks for all. Topics by name, partitions by index. */
export async function allTopics(client: WireClient): Promise<MetadataView> {
  return readMetadata(await client.request(3, 4, new Writer().int32(-1).boolean(false)))
}

function readMetadata(reader: Reader): MetadataView {
  reader.int32() // throttle time
  const brokers = reader.array(r => {
    const broker = { id: r.int32(), host: r.string(), port: r.int32() }
    r.string() // rack
    return broker
  })
  reader.string() // cluster id
  reader.int32() // controller id: in KRaft mode any broker
  const found = reader.array(r => {
    const errorCode = r.int16()
    const name = r.string()
    r.boolean() // internal
    const partitions = r.array(p => {
      p.int16()
      const index = p.int32()
      const leader = p.int32()
      return { index, leader, replicas: p.array(x => x.int32()), isr: p.array(x => x.int32()) }
    })
    return { name, errorCode, partitions: partitions.sort((a, b) => a.index - b.index) }
  })
  return { brokers, topics: found.sort((a, b) => (a.name < b.name ? -1 : 1)) }
}

export interface NewTopic {
  readonly name: string
  /** Replicas of each partition, the preferred leader first; or how many there are, and the controller places them (-1: its defaults). */
  readonly placement: readonly (readonly number[])[] | { readonly partitions: number; readonly replicas: number }
  readonly settings: Readonly<Record<string, string>>
}

/** CreateTopics v2. */
export async function createTopic(
  client: WireClient,
  topic: NewTopic,
  timeoutMs: number,
): Promise<{ errorCode: number; message: string }> {
  const { placement } = topic
  const { partitions, replicas, assignments } =
    'partitions' in placement
      ? { ...placement, assignments: [] }
      : { partitions: -1, replicas: -1, assignments: [...placement.entries()] }
  const body = new Writer()
    .int32(1)
    .string(topic.name)
    .int32(partitions)
    .int16(replicas)
    .array(assignments, ([index, replicas], writer) => writer.int32(index).array(replicas, (id, w) => w.int32(id)))
    .array(Object.entries(topic.settings), ([key, value], writer) => writer.string(key).string(value))
    .int32(timeoutMs)
    .boolean(false)
  return createdTopic(await client.request(19, 2, body))
}

function createdTopic(reader: Reader): { errorCode: number; message: string } {
  reader.int32()
  const [result] = reader.array(r => {
    r.string()
    return { errorCode: r.int16(), message: r.string() }
  })
  return result ?? { errorCode: -1, message: 'the answer names no topic' }
}

export interface TopicShape {
  readonly name: string
  readonly partitions: number
  readonly replicas: number
  readonly settings: Readonly<Record<string, string>>
}

/** CreateTopics v2 that only validates: why a broker would refuse the topic, in its words; '' when it would not, or does not say. */
export async function whyTopicIsRefused(client: WireClient, topic: TopicShape, timeoutMs: number): Promise<string> {
  const body = new Writer()
    .int32(1)
    .string(topic.name)
    .int32(topic.partitions)
    .int16(topic.replicas)
    .int32(0)
    .array(Object.entries(topic.settings), ([key, value], writer) => writer.string(key).string(value))
    .int32(timeoutMs)
    .boolean(true)
  return createdTopic(await client.request(19, 2, body)).message
}

/** DeleteTopics v1. */
export async function deleteTopic(client: WireClient, name: string, timeoutMs: number): Promise<number> {
  const reader = await client.request(
    20,
    1,
    new Writer().array([name], (text, writer) => writer.string(text)).int32(timeoutMs),
  )
  reader.int32()
  const [code] = reader.array(r => {
    r.string()
    return r.int16()
  })
  return code ?? -1
}

/** UnregisterBroker v0. */
export async function unregisterBroker(client: WireClient, id: number): Promise<number> {
  const reader = await client.request(64, 0, new Writer().int32(id).noTags(), { flexible: true })
  reader.int32()
  return reader.int16()
}

/** AlterPartitionReassignments v0 of one partition; replicas null cancels. Returns the error code of the whole, or of the partition. */
export async function reassignPartition(
  client: WireClient,
  move: { readonly topic: string; readonly partition: number; readonly replicas: readonly number[] | null },
  timeoutMs: number,
): Promise<number> {
  const body = new Writer()
    .int32(timeoutMs)
    .compactArray([move], ({ topic, partition, replicas }, writer) => {
      writer.compactString(topic).compactArray([partition], (index, w) => {
        w.int32(index)
        if (replicas === null) w.unsignedVarint(0)
        else w.compactArray(replicas, (id, each) => each.int32(id))
        w.noTags()
      })
      writer.noTags()
    })
    .noTags()
  const reader = await client.request(45, 0, body, { flexible: true })
  reader.int32() // throttle time
  const errorCode = reader.int16()
  reader.compactString()
  const [results] = reader.compactArray(r => {
    r.compactString()
    const codes = r.compactArray(p => {
      p.int32()
      const code = p.int16()
      p.compactString()
      p.tags()
      return code
    })
    r.tags()
    return codes
  })
  return errorCode === errorCodes.none ? (results?.[0] ?? -1) : errorCode
}

/** ListPartitionReassignments v0: the partitions that are being moved, as `topic-index`. */
export async function listReassignments(client: WireClient): Promise<{ errorCode: number; partitions: string[] }> {
  const reader = await client.request(46, 0, new Writer().int32(10_000).unsignedVarint(0).noTags(), { flexible: true })
  reader.int32() // throttle time
  const errorCode = reader.int16()
  reader.compactString()
  const topics = reader.compactArray(r => {
    const topic = r.compactString()
    const partitions = r.compactArray(p => {
      const index = p.int32()
      for (let list = 0; list < 3; list++) p.compactArray(id => id.int32())
      p.tags()
      return `${topic}-${index}`
    })
    r.tags()
    return partitions
  })
  return { errorCode, partitions: topics.flat() }
}

/** Produce v3, acks=all: one batch of one record without a key. Returns the error code and the record's offset. */
export async function produceOne(
  client: WireClient,
  at: { readonly topic: string; readonly partition: number },
  value: Buffer,
  timeoutMs: number,
): Promise<{ errorCode: number; offset: number }> {
  return (
    (await produceBytes(client, { ...at, acks: -1, timeoutMs }, recordBatch(value))) ?? { errorCode: -1, offset: -1 }
  )
}

export interface ProducedBatch {
  readonly errorCode: number
  /** Of the first record. */
  readonly offset: number
  /** Ms since 1970 on topics with LogAppendTime, else -1. */
  readonly logAppendTime: number
  /** How long the client is to wait for its quota, ms. */
  readonly throttleTimeMs: number
}

/** Produce v3 of one record batch. Undefined: the answer does not name the partition. */
export async function produceBytes(
  client: WireClient,
  at: { readonly topic: string; readonly partition: number; readonly acks: 1 | -1; readonly timeoutMs: number },
  batch: Buffer,
): Promise<ProducedBatch | undefined> {
  const body = new Writer()
    .nullString()
    .int16(at.acks)
    .int32(at.timeoutMs)
    .array([at], ({ topic, partition }, writer) =>
      writer.string(topic).array([partition], (index, w) => w.int32(index).int32(batch.length).bytes(batch)),
    )
  const reader = await client.request(0, 3, body)
  const [results] = reader.array(r => {
    r.string()
    return r.array(p => {
      p.int32()
      return { errorCode: p.int16(), offset: Number(p.int64()), logAppendTime: Number(p.int64()) }
    })
  })
  const throttleTimeMs = reader.int32()
  const result = results?.[0]
  return result === undefined ? undefined : { ...result, throttleTimeMs }
}

/** Fetch v4 from one partition: the raw record batches up to the high watermark. */
export async function fetchFrom(
  client: WireClient,
  at: { readonly topic: string; readonly partition: number; readonly offset: number },
  maxWaitMs: number,
): Promise<{ errorCode: number; batches: Buffer }> {
  const bytesMax = 1 << 20
  const body = new Writer()
    .int32(-1)
    .int32(maxWaitMs)
    .int32(1)
    .int32(bytesMax)
    .int8(0)
    .array([at], ({ topic, partition, offset }, writer) =>
      writer.string(topic).array([partition], (index, w) => w.int32(index).int64(BigInt(offset)).int32(bytesMax)),
    )
  const reader = await client.request(1, 4, body)
  reader.int32()
  const [results] = reader.array(r => {
    r.string()
    return r.array(p => {
      p.int32()
      const errorCode = p.int16()
      p.int64() // high watermark
      p.int64() // last stable offset
      p.array(aborted => [aborted.int64(), aborted.int64()])
      return { errorCode, batches: p.bytes(p.int32()) }
    })
  })
  return results?.[0] ?? { errorCode: -1, batches: Buffer.alloc(0) }
}

/** DescribeQuorum v0 of the metadata log; any broker forwards it to the leader. Undefined while there is none. */
export async function describeQuorum(client: WireClient): Promise<QuorumView | undefined> {
  const body = new Writer()
    .compactArray(['__cluster_metadata'], (name, writer) =>
      writer
        .compactString(name)
        .compactArray([0], (index, w) => w.int32(index).noTags())
        .noTags(),
    )
    .noTags()
  const reader = await client.request(55, 0, body, { flexible: true })
  if (reader.int16() !== errorCodes.none) return undefined
  const [partitions] = reader.compactArray(r => {
    r.compactString()
    const found = r.compactArray(quorumPartition)
    r.tags()
    return found
  })
  const partition = partitions?.[0]
  return partition === undefined || partition.errorCode !== errorCodes.none || partition.leaderId < 0
    ? undefined
    : partition
}

function quorumPartition(reader: Reader): QuorumView & { errorCode: number } {
  reader.int32()
  const errorCode = reader.int16()
  const leaderId = reader.int32()
  const leaderEpoch = reader.int32()
  const highWatermark = Number(reader.int64())
  const replicas = () =>
    reader.compactArray(r => {
      const replica = { id: r.int32(), logEndOffset: Number(r.int64()) }
      r.tags()
      return replica
    })
  const voters = replicas()
  replicas() // observers
  reader.tags()
  return { errorCode, leaderId, leaderEpoch, highWatermark, voters }
}

/** A record batch (magic 2) with one record, no key, no headers, timestamp 0. */
export function recordBatch(value: Buffer): Buffer {
  const record = new Writer()
    .int8(0)
    .varint(0)
    .varint(0)
    .varint(-1)
    .varint(value.length)
    .bytes(value)
    .varint(0)
    .toBuffer()
  const records = new Writer().varint(record.length).bytes(record).toBuffer()
  const sealed = new Writer()
    .int16(0) // attributes: no compression, create time
    .int32(0) // last offset delta
    .int64(0n)
    .int64(0n)
    .int64(-1n) // producer id: not idempotent
    .int16(-1)
    .int32(-1)
    .int32(1)
    .bytes(records)
    .toBuffer()
  const rest = new Writer().int32(-1).int8(2).uint32(crc32c(sealed)).bytes(sealed).toBuffer()
  return new Writer().int64(0n).int32(rest.length).bytes(rest).toBuffer()
}
