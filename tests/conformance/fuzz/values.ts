/**
 * Values of a message version that a client could mean: derived from the declaration, like those of the codec's property tests, but
 * with names, ids and times that exist in the cluster, so that a request gets past the first check of its handler and into the machines.
 */
import type { Random } from '#broker/environment/environment.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { compressionNames } from '#broker/protocol/records/batch.ts'
import type { PrimitiveKind } from '#broker/protocol/schema.ts'
import { zeroUuid, type Shape, type ShapeField, type ShapeType } from '#broker/protocol/shape.ts'

/** What exists in the cluster under test. */
export interface Known {
  /** Partitions: 1 when it does not say. */
  readonly topics: readonly { readonly name: string; readonly id: string; readonly partitions?: number }[]
  readonly clusterId: string
}

export function chance(random: Random, oneIn: number): boolean {
  return random.below(oneIn) === 0
}

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[random.below(values.length)] as T
}

const oddNames = ['', '.', '..', '__proto__', 'constructor', 'a'.repeat(249), 'a'.repeat(250), 'ü\u0000💥', 'a/b', '*']
const names = ['one', 'two', 'three']

/** A string for a field of this name, by what such fields hold. */
function stringFor(name: string, random: Random, known: Known): string {
  if (chance(random, 12)) return pick(random, oddNames)
  if (/topic/i.test(name) || name === 'name')
    return pick(random, [...known.topics.map(each => each.name), 'absent', '__consumer_offsets', ...names])
  if (name === 'clusterId') return chance(random, 2) ? known.clusterId : 'another'
  if (/assignor/i.test(name)) return pick(random, ['uniform', 'range', 'none'])
  if (name === 'protocolType') return pick(random, ['consumer', 'connect', ''])
  if (/entityType/i.test(name)) return pick(random, ['user', 'client-id', 'ip'])
  if (/configName|^key$/i.test(name))
    return pick(random, ['retention.ms', 'cleanup.policy', 'producer_byte_rate', 'absent', 'consumer_byte_rate'])
  if (/value/i.test(name)) return pick(random, ['1000', 'delete', 'compact', '-1', 'x'])
  if (/regex/i.test(name)) return pick(random, ['t.*', '[', '(a+)+$', ''])
  if (/principal/i.test(name)) return pick(random, ['User:alice', 'User:*', 'alice'])
  if (/host/i.test(name)) return pick(random, ['*', '127.0.0.1', 'nowhere'])
  return pick(random, names)
}

const extremes = [0, 1, -1, 2, -2, 0x7f, -0x80]

function numberFor(name: string, bits: number, random: Random): number {
  // A wait of weeks is answered after weeks.
  if (/wait|timeout/i.test(name)) return pick(random, [0, 1, 50, 500, 6_000, -1])
  const limit = 2 ** (bits - 1)
  if (chance(random, 12)) return pick(random, [...extremes, limit - 1, -limit])
  if (/broker|node|replica|leaderId|controller|voter|candidate/i.test(name)) return pick(random, [1, 1, 2, 3, -1])
  if (/type|operation|acks|mode|level|version/i.test(name)) return random.below(9) - 1
  if (/bytes|max|size/i.test(name))
    return pick(
      random,
      [1, 1_000, 100_000].filter(each => each < limit),
    )
  if (/partition|index/i.test(name)) return random.below(3)
  return random.below(5) - 1
}

/** Records as producers send them, and such as none sends. */
function recordsFor(random: Random): Buffer {
  const records = Array.from({ length: 1 + random.below(3) }, (_, index) => ({
    key: chance(random, 3) ? null : pick(random, names),
    value: chance(random, 4) ? null : Buffer.alloc(random.below(100), index),
    headers: chance(random, 2) ? [{ key: 'header', value: null }] : [],
  }))
  const isIdempotent = chance(random, 2)
  const batch = buildBatch(records, {
    timestamp: pick(random, [-1, 0, 1_700_000_000_000]),
    compression: pick(random, compressionNames),
    ...(isIdempotent ? { producerId: BigInt(random.below(5)), producerEpoch: 0, baseSequence: random.below(3) } : {}),
    transactional: isIdempotent && chance(random, 3),
    control: chance(random, 20),
  })
  if (chance(random, 8)) return batch.subarray(0, random.below(batch.length))
  if (chance(random, 8)) batch[random.below(batch.length)] = random.below(256)
  return chance(random, 6) ? Buffer.concat([batch, batch]) : batch
}

function primitive(kind: PrimitiveKind, name: string, random: Random, known: Known): unknown {
  switch (kind) {
    case 'int8':
      return numberFor(name, 8, random)
    case 'int16':
      return numberFor(name, 16, random)
    case 'int32':
      return numberFor(name, 32, random)
    case 'uint16':
    case 'uint32':
      return pick(random, [0, 1, 80, 0xffff])
    case 'int64':
      return pick(random, [-1n, 0n, 1n, 2n, 1_000n, 2n ** 63n - 1n, -(2n ** 63n)])
    case 'offset':
      return pick(random, [0, 0, 1, 2, -1, -2, -3, 1_000, 1_700_000_000_000, Number.MAX_SAFE_INTEGER, Infinity])
    case 'float64':
      return pick(random, [0, 1, -1, 1e9, 0.5, Infinity, Number.NaN])
    case 'bool':
      return chance(random, 2)
    case 'uuid':
      return pick(random, [...known.topics.map(each => each.id), zeroUuid, random.bytes(16).toString('base64url')])
    case 'string':
      return stringFor(name, random, known)
    case 'bytes':
      return random.bytes(pick(random, [0, 1, 20, 1_100]))
    case 'records':
      return recordsFor(random)
  }
}

function typeValue(type: ShapeType, name: string, random: Random, known: Known): unknown {
  if (type.kind === 'struct') return structValue(type.shape, random, known)
  if (type.kind === 'array') {
    const count = pick(random, [0, 1, 1, 1, 2, 3])
    const elements = Array.from({ length: count }, () => typeValue(type.element, name, random, known))
    // Said twice: what machines keyed by name have to expect.
    if (count > 1 && chance(random, 4)) elements[1] = elements[0]
    return elements
  }
  return primitive(type.kind, name, random, known)
}

function fieldValue(field: ShapeField, random: Random, known: Known): unknown {
  if (!field.present) return field.makeDefault()
  if (field.tag !== undefined && chance(random, 3)) return field.makeDefault()
  if (field.nullable && chance(random, 4)) return null
  return typeValue(field.type, field.name, random, known)
}

/** A whole value of a message version. */
export function structValue(shape: Shape, random: Random, known: Known): Record<string, unknown> {
  return Object.fromEntries(shape.fields.map(field => [field.name, fieldValue(field, random, known)]))
}
