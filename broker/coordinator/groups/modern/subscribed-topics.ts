/**
 * What a group knows of the topics it subscribes to: their ids, and a hash over id, name, partitions and racks, by which it sees that one
 * of them changed. Kafka's Utils.computeGroupHash and computeTopicHash: XXH3 over a magic byte, id, name, partition count and, for each
 * partition, its number and the sorted racks of its replicas; then XXH3 over the hashes of the topics in the order of their names.
 */
import type { MetadataImage, TopicImage } from '../../../controller/image.ts'
import type { Uuid } from '../../../controller/metadata-record.ts'
import { xxh3 } from './xxh3.ts'

const magic = 0

export function topicIdsOf(names: Iterable<string>, image: MetadataImage): ReadonlySet<Uuid> {
  const ids = new Set<Uuid>()
  for (const name of names) {
    const id = image.topicsByName.get(name)?.id
    if (id !== undefined) ids.add(id)
  }
  return ids
}

/** 0n when none of the topics exists. */
export function metadataHash(names: Iterable<string>, image: MetadataImage): bigint {
  const topics = [...names]
    .sort()
    .map(name => image.topicsByName.get(name))
    .filter(topic => topic !== undefined)
  if (topics.length === 0) return 0n
  const bytes = new ByteSink()
  for (const topic of topics) bytes.int64(topicHash(topic, image))
  return xxh3(bytes.take())
}

function topicHash(topic: TopicImage, image: MetadataImage): bigint {
  const bytes = new ByteSink()
  bytes.int8(magic)
  const id = Buffer.from(topic.id, 'base64url')
  bytes.int64(id.readBigInt64BE(0))
  bytes.int64(id.readBigInt64BE(8))
  bytes.string(topic.name)
  bytes.int32(topic.partitions.size)
  for (let index = 0; index < topic.partitions.size; index++) {
    bytes.int32(index)
    const racks = (topic.partitions.get(index)?.replicas ?? [])
      .map(broker => image.brokers.get(broker)?.rack)
      .filter(rack => rack !== undefined && rack !== null)
      .sort()
    for (const rack of racks) {
      bytes.int32(rack.length)
      bytes.string(rack)
    }
  }
  return xxh3(bytes.take())
}

/** Little endian; strings as UTF-16 with their length behind, as hash4j feeds them. */
class ByteSink {
  readonly #parts: Buffer[] = []

  int8(value: number): void {
    this.#parts.push(Buffer.from([value]))
  }

  int32(value: number): void {
    const bytes = Buffer.allocUnsafe(4)
    bytes.writeInt32LE(value)
    this.#parts.push(bytes)
  }

  int64(value: bigint): void {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeBigInt64LE(BigInt.asIntN(64, value))
    this.#parts.push(bytes)
  }

  string(value: string): void {
    this.#parts.push(Buffer.from(value, 'utf16le'))
    this.int32(value.length)
  }

  take(): Buffer {
    return Buffer.concat(this.#parts)
  }
}
